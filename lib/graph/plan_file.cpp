// Writing. The format: "AGPLAN3\n", length and checksum of the rest, blocks of memory, tensors in
// them, and for each compiled function its label and captures. All numbers are of 8 bytes.
#include "graph/plan_file.hpp"

#include <algorithm>
#include <unordered_map>

#include "graph/plan_bytes.hpp"
#include "ops/registry.hpp"
#include "optim/recipe.hpp"

namespace autograd::detail {

const Op* find_captured_op(std::string_view name) {
  if (name == kChangedOp.name) return &kChangedOp;
  if (const Op* op = find_op(name)) return op;
  if (const Op* op = optim::find_step_op(name)) return op;
  return optim::find_clip_op(name);
}

namespace {

/// The part of a block of memory that tensors from outside show.
struct BlockSpan {
  const char* first = nullptr;
  const char* end = nullptr;
};

BlockSpan span_of(const TensorBody& b) {
  const int64_t item = static_cast<int64_t>(size_of(b.dtype));
  BlockSpan span{b.data, b.data};
  if (b.numel == 0) return span;
  span.end += item;
  for (int d = 0; d < b.sizes.size(); ++d) {
    const int64_t way = (b.sizes[d] - 1) * b.strides[d] * item;
    (way < 0 ? span.first : span.end) += way;
  }
  return span;
}

/// The tensors from outside, each once, by number.
class TensorTable {
 public:
  int number_of(const Tensor& t) {
    const auto [known, added] = numbers_.try_emplace(body(t)->id, static_cast<int>(list_.size()));
    if (!added) return known->second;
    list_.push_back(t);
    const auto [block, is_new] =
        block_of_.try_emplace(body(t)->storage, static_cast<int>(blocks_.size()));
    const BlockSpan span = span_of(*body(t));
    if (is_new) {
      blocks_.push_back(span);
    } else {
      BlockSpan& whole = blocks_[static_cast<size_t>(block->second)];
      whole.first = std::min(whole.first, span.first);
      whole.end = std::max(whole.end, span.end);
    }
    return known->second;
  }

  void write(ByteWriter& out, const NamedTensors& names) const {
    std::unordered_map<uint64_t, std::string> by_id;
    for (const auto& [name, t] : names) by_id.emplace(body(t)->id, name);
    out.i64(static_cast<int64_t>(blocks_.size()));
    for (const BlockSpan& block : blocks_)
      out.block(block.first, static_cast<size_t>(block.end - block.first));
    out.i64(static_cast<int64_t>(list_.size()));
    for (const Tensor& t : list_) {
      const TensorBody& b = *body(t);
      const int block = block_of_.at(b.storage);
      const auto name = by_id.find(b.id);
      out.text(name == by_id.end() ? "" : name->second);
      out.u8(static_cast<int>(b.dtype));
      out.u8(b.requires_grad);
      out.shape(b.sizes);
      out.shape(b.strides);
      out.i64(block);
      out.i64(b.data - blocks_[static_cast<size_t>(block)].first);
    }
  }

 private:
  std::vector<Tensor> list_;
  std::vector<BlockSpan> blocks_;
  std::unordered_map<const Storage*, int> block_of_;
  std::unordered_map<uint64_t, int> numbers_;
};

void write_dense(ByteWriter& out, const Tensor& t) {
  std::vector<char> bytes(static_cast<size_t>(t.numel()) * size_of(t.dtype()));
  if (!bytes.empty()) t.copy_out(t.dtype(), bytes.data());
  out.block(bytes.data(), bytes.size());
}

void write_leaf(ByteWriter& out, const CapturedLeaf& leaf, const GraphValue& value,
                TensorTable& table) {
  out.u8(static_cast<int>(value.role));
  out.text(value.name);
  out.u8(static_cast<int>(leaf.origin));
  out.i64(leaf.number);
  switch (leaf.origin) {
    case Origin::kOutside:
      return out.i64(table.number_of(leaf.tensor));
    case Origin::kInput:
      return;
    case Origin::kGradient:
      return out.shape(value.strides);
    case Origin::kOptions:
    case Origin::kInside:
      out.u8(static_cast<int>(value.dtype));
      out.shape(value.sizes);
      out.u8(leaf.tensor.head()->is_number);
      out.u8(leaf.is_overwritten);
      out.u8(leaf.initial.defined());
      write_dense(out, leaf.initial ? leaf.initial : leaf.tensor);
  }
}

void write_ops(ByteWriter& out, const GraphData& graph) {
  out.i64(static_cast<int64_t>(graph.ops.size()));
  for (const GraphOp& op : graph.ops) {
    if (find_captured_op(op.op->name) != op.op || !op.op->check)
      fail(ErrorCode::kRuntime, "compile: the operation ", op.op->name, " cannot be saved");
    out.text(op.op->name);
    for (const Shape& list : op.attrs.lists) out.shape(list);
    for (double real : op.attrs.reals) out.real(real);
    for (int64_t integer : op.attrs.ints) out.i64(integer);
    out.numbers(op.inputs);
    out.i64(static_cast<int64_t>(op.outputs.size()));
    for (int v : op.outputs) out.u8(graph.values[static_cast<size_t>(v)].needs_grad);
    out.u8(op.in_place);
    out.u8(static_cast<int>(op.phase));
    out.i64(op.forward);
    out.text(op.file);
    out.i64(op.line);
  }
}

void write_capture(ByteWriter& out, const SavedCapture& saved, TensorTable& table) {
  const Capture& capture = saved.capture;
  out.u8(saved.grad_enabled);
  out.i64(static_cast<int64_t>(capture.inputs.size()));
  for (const CapturedInput& input : capture.inputs) {
    out.u8(static_cast<int>(input.tensor.dtype()));
    out.shape(input.tensor.sizes());
    out.shape(input.tensor.strides());
    out.u8(input.requires_grad);
    out.u8(body(input.tensor)->requires_grad);
  }
  out.i64(static_cast<int64_t>(capture.grads.size()));
  for (const CapturedGrad& grad : capture.grads) {
    out.i64(grad.input >= 0 ? -1 : table.number_of(grad.of));
    out.i64(grad.input);
    out.u8(static_cast<int>(grad.start));
    out.i64(grad.start_value);
    out.u8(grad.is_set);
    out.i64(grad.end_value);
  }
  out.i64(static_cast<int64_t>(capture.leaves.size()));
  for (size_t v = 0; v < capture.leaves.size(); ++v)
    write_leaf(out, capture.leaves[v], capture.graph.values[v], table);
  write_ops(out, capture.graph);
  out.numbers(capture.graph.outputs);
}

}  // namespace

std::string to_bytes(const std::vector<SavedPart>& parts, const NamedTensors& names) {
  TensorTable table;
  ByteWriter written, head;
  written.i64(static_cast<int64_t>(parts.size()));
  for (const SavedPart& part : parts) {
    written.text(part.label);
    written.i64(static_cast<int64_t>(part.captures.size()));
    for (const SavedCapture& each : part.captures) write_capture(written, each, table);
  }
  ByteWriter tensors;
  table.write(tensors, names);
  const std::string body = tensors.take() + written.take();
  head.i64(static_cast<int64_t>(body.size()));
  head.i64(static_cast<int64_t>(checksum(body)));
  return std::string(kPlanMagic) + head.take() + body;
}

}  // namespace autograd::detail
