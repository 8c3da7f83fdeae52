// For tests of passes: graphs run op by op, by the records of their ops.
#pragma once
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "autograd/autograd.hpp"
#include "core/dispatch.hpp"
#include "graph/ir.hpp"

namespace autograd::detail {

/// Runs a graph on the tensors of its leaves, in order, by its records; further leaves are numbers.
inline std::vector<Tensor> run_graph(const GraphData& graph, std::vector<Tensor> leaves) {
  NoGrad off;
  std::vector<Tensor> tensors = std::move(leaves);
  for (size_t v = tensors.size(); v < graph.values.size() && graph.values[v].is_leaf(); ++v)
    tensors.push_back(full({}, graph.values[v].number, graph.values[v].dtype));
  tensors.resize(graph.values.size());
  for (const GraphOp& op : graph.ops) {
    std::vector<Arg> inputs;
    for (int v : op.inputs)
      inputs.push_back(v < 0 ? Arg(nullptr) : Arg(tensors[static_cast<size_t>(v)]));
    const int n_outputs = static_cast<int>(op.outputs.size());
    std::vector<Tensor> outputs(op.outputs.size());
    const Call call{*op.op,   inputs.data(),  static_cast<int>(inputs.size()),
                    op.attrs, outputs.data(), n_outputs};
    if (op.in_place) {
      for (size_t k = 0; k < outputs.size(); ++k)
        for (int v : op.inputs)
          if (!outputs[k] && v >= 0 &&
              graph.values[static_cast<size_t>(v)].storage ==
                  graph.values[static_cast<size_t>(op.outputs[k])].storage)
            outputs[k] = tensors[static_cast<size_t>(v)];
    } else {
      OutputMetas metas(n_outputs);
      op.op->infer(call, metas);
      for (int i = 0; i < n_outputs; ++i)
        outputs[static_cast<size_t>(i)] =
            metas[i].is_view
                ? make_alias(inputs[0].body, metas[i].sizes, metas[i].strides, metas[i].offset)
                : make_tensor(metas[i].sizes, metas[i].dtype);
    }
    if (op.op->forward[kCpu]) op.op->forward[kCpu](call);
    for (size_t i = 0; i < outputs.size(); ++i) {
      const GraphValue& value = graph.values[static_cast<size_t>(op.outputs[i])];
      EXPECT_EQ(outputs[i].sizes(), value.sizes) << op.op->name;
      EXPECT_EQ(outputs[i].dtype(), value.dtype) << op.op->name;
      tensors[static_cast<size_t>(op.outputs[i])] = outputs[i];
    }
  }
  std::vector<Tensor> results;
  for (int v : graph.outputs) results.push_back(v < 0 ? Tensor() : tensors[static_cast<size_t>(v)]);
  return results;
}

inline ::testing::AssertionResult same_bits(const Tensor& a, const Tensor& b) {
  if (a.sizes() != b.sizes() || a.dtype() != b.dtype())
    return ::testing::AssertionFailure() << "other sizes or dtypes";
  const Tensor x = contiguous(a), y = contiguous(b);
  const size_t bytes = static_cast<size_t>(a.numel()) * size_of(a.dtype());
  if (bytes == 0 || std::memcmp(x.data(), y.data(), bytes) == 0)
    return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "the elements differ";
}

}  // namespace autograd::detail
