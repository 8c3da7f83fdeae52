#include "graph/inference.hpp"

#include <algorithm>

#include "autograd/ops.hpp"
#include "core/record.hpp"
#include "core/text.hpp"
#include "graph/capture.hpp"

namespace autograd::detail {

namespace {

[[noreturn]] void refuse(const char* what) { fail(ErrorCode::kValue, what); }

// The elements that can be reached, relative to the first one; last < first if there are none.
struct Reach {
  int64_t first = 0, last = 0;

  Reach(const Shape& sizes, const Shape& strides) {
    for (int d = 0; d < sizes.size(); ++d) {
      if (sizes[d] == 0) {
        first = 0, last = -1;
        return;
      }
      const int64_t way = (sizes[d] - 1) * strides[d];
      (way < 0 ? first : last) += way;
    }
  }
};

// A tensor of that geometry over no memory.
Tensor shown_as(const GraphValue& value) {
  return make_over(Storage::wrap(nullptr, 0, nullptr, nullptr), value.dtype, value.sizes,
                   value.strides);
}

}  // namespace

void check_geometry(const Shape& sizes, const Shape& strides) {
  int64_t elements = 1, way = 1;
  for (int d = 0; d < sizes.size(); ++d) {
    if (sizes[d] < 0 || sizes[d] > kMostInFiles) refuse("a size is out of range");
    elements *= std::max<int64_t>(sizes[d], 1);
    if (elements > kMostInFiles) refuse("a tensor is too large");
    if (d >= strides.size()) refuse("sizes and strides differ in length");
    if (strides[d] < -kMostInFiles || strides[d] > kMostInFiles) refuse("a stride is out of range");
    const int64_t stride = strides[d] < 0 ? -strides[d] : strides[d];
    if (sizes[d] > 1 && __builtin_add_overflow(way, (sizes[d] - 1) * stride, &way))
      refuse("a tensor reaches too far");
  }
  if (strides.size() != sizes.size()) refuse("sizes and strides differ in length");
}

void Inference::add_leaf(const Tensor& shown, int storage) {
  shown_.push_back(shown);
  storages_.push_back(storage);
  next_storage_ = std::max(next_storage_, storage + 1);
}

GraphValue Inference::like(int value) const {
  const TensorBody& b = *body(shown_[static_cast<size_t>(value)]);
  GraphValue result;
  result.dtype = b.dtype;
  result.sizes = b.sizes;
  result.strides = b.strides;
  result.storage = storages_[static_cast<size_t>(value)];
  return result;
}

std::vector<GraphValue> Inference::updated(const Call& call, const GraphOp& op) const {
  std::vector<GraphValue> results;
  const int count = std::max(1, static_cast<int>(call.attrs.ints[0]));
  const int each = (call.n_inputs - 1) / count;
  for (int i = 0; i + 1 < call.n_inputs; ++i)
    if (i % each != 1 && op.inputs[static_cast<size_t>(i)] >= 0)
      results.push_back(like(op.inputs[static_cast<size_t>(i)]));
  return results;
}

GraphValue Inference::changed(const Call& call, const GraphOp& op, const OutputMeta& meta) const {
  // Kernels of other ops write their results without looking at strides.
  if (!trusted_ && !(op.op->traits & (kInPlace | kPointwise)) && !call.in(0).is_contiguous)
    refuse("a tensor with gaps is changed in place");
  check_result_fits(*op.op, call.in(0), meta);
  return like(op.inputs[0]);
}

GraphValue Inference::viewed(const Call& call, const GraphOp& op, const OutputMeta& meta) const {
  GraphValue result = like(op.inputs[0]);
  result.sizes = meta.sizes;
  result.strides = meta.strides;
  check_geometry(result.sizes, result.strides);
  const Reach all(call.in(0).sizes, call.in(0).strides), part(meta.sizes, meta.strides);
  if (part.first > part.last) return result;
  int64_t first, last;
  if (__builtin_add_overflow(meta.offset, part.first, &first) ||
      __builtin_add_overflow(meta.offset, part.last, &last) || first < all.first || last > all.last)
    refuse("a view reaches beyond what it is taken of");
  if (op.op == &kChangedOp && storages_[static_cast<size_t>(op.inputs[1])] != result.storage)
    refuse("what was changed has other memory");
  return result;
}

GraphValue Inference::fresh(const OutputMeta& meta) {
  GraphValue result;
  result.dtype = meta.dtype;
  result.sizes = meta.sizes;
  for (int64_t size : result.sizes)
    if (size < 0 || size > kMostInFiles) refuse("a size is out of range");
  result.strides = contiguous_strides(result.sizes);
  check_geometry(result.sizes, result.strides);
  result.storage = next_storage_++;
  double bytes = static_cast<double>(size_of(result.dtype));
  for (int64_t size : result.sizes) bytes *= static_cast<double>(size);
  bytes_ += bytes;
  return result;
}

std::vector<GraphValue> Inference::add(const GraphOp& op, int n_outputs) {
  const Op& record = *op.op;
  if (!record.check && !trusted_) refuse("such a call cannot come from elsewhere");
  const bool updates = record.traits & kUpdate;
  std::vector<Arg> inputs;
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    const int v = op.inputs[i];
    if (v >= 0 && static_cast<size_t>(v) >= shown_.size()) refuse("an argument that is not there");
    // The steps of several parameters have more arguments than there are bits: their check looks.
    const bool is_optional = updates || (i < 32 && (record.optional_inputs >> i & 1));
    if (v < 0 && !is_optional) refuse("an argument is missing");
    inputs.push_back(Arg(v < 0 ? nullptr : body(shown_[static_cast<size_t>(v)])));
  }
  if ((record.traits & (kInPlace | kUpdate)) && !op.in_place) refuse("a change that is none");
  if (op.in_place && (inputs.empty() || !inputs[0].body || (record.traits & kView)))
    refuse("nothing is changed in place");
  std::vector<Tensor> none(static_cast<size_t>(n_outputs));
  const Call call{record,   inputs.data(), static_cast<int>(inputs.size()),
                  op.attrs, none.data(),   n_outputs};
  if (record.check) record.check(call);
  std::vector<GraphValue> results;
  if (updates) {
    results = updated(call, op);
  } else {
    OutputMetas metas(n_outputs);
    record.infer(call, metas);
    if (metas.size() != n_outputs || (op.in_place && n_outputs != 1))
      refuse("another number of results than the operation has");
    for (int i = 0; i < n_outputs; ++i) {
      if (metas[i].is_view != ((record.traits & kView) && i == 0)) refuse("a view that is none");
      results.push_back(op.in_place        ? changed(call, op, metas[i])
                        : metas[i].is_view ? viewed(call, op, metas[i])
                                           : fresh(metas[i]));
    }
  }
  for (const GraphValue& result : results) {
    shown_.push_back(shown_as(result));
    storages_.push_back(result.storage);
  }
  return results;
}

// ---- after the passes

namespace {

void check_value(const GraphValue& value, const GraphValue& inferred, bool shares) {
  if (value.dtype != inferred.dtype || value.sizes != inferred.sizes)
    fail(ErrorCode::kRuntime, "it gives ", name_of(inferred.dtype), " ", inferred.sizes, ", not ",
         name_of(value.dtype), " ", value.sizes);
  if (!shares && !value.strides.empty() && value.strides != inferred.strides)
    fail(ErrorCode::kRuntime, "its result has strides ", value.strides);
}

}  // namespace

void check_values(const GraphData& graph, const std::vector<CapturedLeaf>& leaves) {
  Inference inference(true);
  for (size_t v = 0; v < graph.values.size() && graph.values[v].is_leaf(); ++v) {
    const bool is_number = v >= leaves.size();
    inference.add_leaf(
        is_number ? full({}, graph.values[v].number, graph.values[v].dtype) : leaves[v].tensor,
        graph.values[v].storage);
  }
  for (size_t n = 0; n < graph.ops.size(); ++n) {
    const GraphOp& op = graph.ops[n];
    try {
      const auto results = inference.add(op, static_cast<int>(op.outputs.size()));
      for (size_t i = 0; i < results.size(); ++i)
        check_value(graph.values[static_cast<size_t>(op.outputs[i])], results[i],
                    op.in_place || (op.op->traits & kView));
    } catch (const Error& error) {
      fail(ErrorCode::kRuntime, "operation ", n + 1, ", ", op.op->name, ": ", error.what());
    }
  }
}

}  // namespace autograd::detail
