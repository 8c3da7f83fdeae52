// For tests of passes: what they make of a program, which computes the same before and after.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "graph/capture.hpp"
#include "graph/passes/passes.hpp"
#include "graph_run.hpp"

namespace autograd::detail {

using Pass = GraphData (*)(const GraphData&, PassReport&);
using Body = std::function<std::vector<Tensor>()>;

inline std::vector<Tensor> copies_of(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> copies;
  for (const Tensor& t : tensors) {
    Tensor copy = make_tensor(t.sizes(), t.dtype());
    t.copy_out(t.dtype(), copy.data());
    copy.head()->is_number = t.head()->is_number;
    copies.push_back(copy);
  }
  return copies;
}

/// A program's graph before and after passes; both compute the same, and leave the same leaves.
struct Passed {
  GraphData before, after;
  PassReport report;

  std::string names() const {
    std::string text;
    for (const GraphOp& op : after.ops)
      text += (text.empty() ? "" : " ") + std::string(op.op->name);
    return text;
  }
  bool has(const std::string& what) const {
    return std::any_of(report.changes.begin(), report.changes.end(),
                       [&](const auto& c) { return c.what.find(what) != std::string::npos; });
  }
};

inline Passed passed(const std::vector<Pass>& passes, const Body& body) {
  Passed result;
  std::vector<Tensor> leaves;
  {
    Recorder recorder({});
    recorder.start();
    const Capture capture = recorder.finish(body());
    result.before = capture.graph;
    for (const CapturedLeaf& leaf : capture.leaves) leaves.push_back(leaf.tensor);
  }
  verify(result.before);
  result.after = result.before;
  for (Pass pass : passes) {
    result.after = pass(result.after, result.report);
    verify(result.after);
  }
  // Leaves that share memory would need their views rebuilt: the tests have none.
  const std::vector<Tensor> left = copies_of(leaves), right = copies_of(leaves);
  manual_seed(7);
  const std::vector<Tensor> expected = run_graph(result.before, left);
  manual_seed(7);
  const std::vector<Tensor> found = run_graph(result.after, right);
  EXPECT_EQ(expected.size(), found.size());
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_TRUE(same_bits(found[i], expected[i])) << "output " << i;
  for (size_t i = 0; i < left.size(); ++i)
    EXPECT_TRUE(same_bits(left[i], right[i])) << "leaf " << i << " after the run";
  return result;
}

inline GraphData all(const GraphData& graph, PassReport& report) { return optimise(graph, report); }

inline Tensor parameter(const Shape& sizes) { return randn(sizes).requires_grad_(); }

}  // namespace autograd::detail
