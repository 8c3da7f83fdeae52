// Two captures of the same function, compared: what differs would be frozen silently.
#include <cstring>

#include "autograd/location.hpp"
#include "core/text.hpp"
#include "graph/capture.hpp"

namespace autograd::detail {

namespace {

bool same_attrs(const Attrs& a, const Attrs& b) {
  for (int i = 0; i < 3; ++i)
    if (a.lists[i] != b.lists[i] || a.ints[i] != b.ints[i]) return false;
  return std::memcmp(a.reals, b.reals, sizeof a.reals) == 0;  // NaN is the same as NaN
}

std::string place_of(const GraphOp& op, size_t n) {
  std::string text = concat("operation ", n + 1, ", ", op.op->name);
  const SourceLocation place = find_location(op.location);
  if (place.known()) text += concat(" (", place.file, ":", place.line, ")");
  return text;
}

Difference difference(const GraphData& a, const GraphData& b) {
  for (size_t n = 0; n < a.ops.size() && n < b.ops.size(); ++n) {
    const GraphOp &x = a.ops[n], &y = b.ops[n];
    if (x.op != y.op)
      return {concat(place_of(x, n), " in one call is ", y.op->name, " in the next")};
    if (!(x.op->traits & kUpdate) && !same_attrs(x.attrs, y.attrs))
      return {concat(place_of(x, n), " has other arguments in the next call: ",
                     attrs_text(*x.op, x.attrs), " and ", attrs_text(*y.op, y.attrs)),
              a.ops.size() == b.ops.size()};
    if (x.inputs != y.inputs || x.outputs != y.outputs)
      return {concat(place_of(x, n), " reads other values in the next call")};
  }
  if (a.ops.size() != b.ops.size())
    return {concat("one call has ", a.ops.size(), " operations, the next ", b.ops.size())};
  if (a.values.size() != b.values.size() || a.outputs != b.outputs)
    return {"the results are others in the next call"};
  for (size_t v = 0; v < a.values.size(); ++v) {
    const GraphValue &x = a.values[v], &y = b.values[v];
    if (x.dtype != y.dtype || x.sizes != y.sizes || x.strides != y.strides)
      return {concat("a value is ", name_of(x.dtype), " ", x.sizes, " in one call and ",
                     name_of(y.dtype), " ", y.sizes, " in the next")};
    if (x.storage != y.storage) return {"tensors share other memory in the next call"};
  }
  return {};
}

std::vector<char> bytes_of(const CapturedLeaf& leaf) {
  const Tensor& t = leaf.initial ? leaf.initial : leaf.tensor;
  std::vector<char> bytes(static_cast<size_t>(t.numel()) * size_of(t.dtype()));
  if (!bytes.empty()) t.copy_out(t.dtype(), bytes.data());
  return bytes;
}

// The tensor itself may be another one: detach() makes it anew in each call.
bool same_memory(const Tensor& a, const Tensor& b) {
  return a.shares_storage(b) && a.data() == b.data();
}

// Where a leaf is read first, to name it.
std::string reader_of(const GraphData& graph, int leaf) {
  for (size_t n = 0; n < graph.ops.size(); ++n)
    for (int v : graph.ops[n].inputs)
      if (v == leaf) return place_of(graph.ops[n], n);
  return "nothing";
}

Difference difference(const Capture& a, const CapturedLeaf& x, const CapturedLeaf& y, int v) {
  const std::string reader = reader_of(a.graph, v);
  const GraphValue& value = a.graph.values[static_cast<size_t>(v)];
  if (x.origin != y.origin || x.number != y.number)
    return {concat("an argument of ", reader, " comes from elsewhere in the next call")};
  if (x.origin == Origin::kOutside && !same_memory(x.tensor, y.tensor))
    return {concat("an argument of ", reader, " (", name_of(value.dtype), " ", value.sizes,
                   ") is another tensor in the next call: keep one tensor and change it with "
                   "copy_(), or pass it as an argument")};
  if (x.origin != Origin::kInside || x.is_overwritten || bytes_of(x) == bytes_of(y)) return {};
  if (!value.sizes.empty())
    return {concat("an argument of ", reader, " (", name_of(value.dtype), " ", value.sizes,
                   ") is made anew with other elements in the next call"),
            true};
  return {concat("a number in ", reader, " is ", number_text(x.tensor.item()), " in one call and ",
                 number_text(y.tensor.item()),
                 " in the next: pass it as a tensor argument, so that it may change"),
          true};
}

std::string difference(const CapturedGrad& x, const CapturedGrad& y) {
  if (!(x.input >= 0 ? x.input == y.input : x.of.is_same(y.of)))
    return "the gradient of another tensor is read or set in the next call";
  if (x.start != y.start || (x.start_value < 0) != (y.start_value < 0))
    return concat("a gradient of sizes ", x.of.sizes(),
                  " is there before one call and not before the next");
  if (x.is_set != y.is_set || x.end_value != y.end_value || x.start_value != y.start_value)
    return concat("a gradient of sizes ", x.of.sizes(), " is another one after the next call");
  return "";
}

}  // namespace

Difference difference(const Capture& a, const Capture& b) {
  Difference found = difference(a.graph, b.graph);
  if (!found.text.empty()) return found;
  if (a.leaves.size() != b.leaves.size()) return {"the next call reads other tensors"};
  for (size_t v = 0; v < a.leaves.size(); ++v) {
    found = difference(a, a.leaves[v], b.leaves[v], static_cast<int>(v));
    if (!found.text.empty()) return found;
  }
  if (a.grads.size() != b.grads.size()) return {"the next call reads or sets other gradients"};
  for (size_t i = 0; i < a.grads.size() && found.text.empty(); ++i)
    found.text = difference(a.grads[i], b.grads[i]);
  return found;
}

bool same_inputs(const Capture& a, const Capture& b) {
  if (a.inputs.size() != b.inputs.size()) return false;
  for (size_t i = 0; i < a.inputs.size(); ++i) {
    const CapturedInput &x = a.inputs[i], &y = b.inputs[i];
    if (x.requires_grad != y.requires_grad || x.tensor.dtype() != y.tensor.dtype() ||
        x.tensor.sizes() != y.tensor.sizes() || x.tensor.strides() != y.tensor.strides())
      return false;
  }
  return true;
}

}  // namespace autograd::detail
