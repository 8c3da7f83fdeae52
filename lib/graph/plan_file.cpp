// The format: "AGPLAN1\n", length and checksum of the rest, tensors, captures. All numbers are of 8
// bytes.
#include "graph/plan_file.hpp"

#include <unordered_map>

#include "graph/plan_bytes.hpp"
#include "ops/registry.hpp"
#include "optim/recipe.hpp"

namespace autograd::detail {

namespace {

constexpr std::string_view kMagic = "AGPLAN1\n";

uint64_t checksum(std::string_view bytes) {  // FNV-1a
  uint64_t hash = 14695981039346656037u;
  for (char each : bytes) hash = (hash ^ static_cast<unsigned char>(each)) * 1099511628211u;
  return hash;
}

}  // namespace

const Op* find_captured_op(std::string_view name) {
  if (name == kChangedOp.name) return &kChangedOp;
  if (const Op* op = find_op(name)) return op;
  if (const Op* op = optim::find_step_op(name)) return op;
  return optim::find_clip_op(name);
}

namespace {

// ---- writing

/// The tensors from outside, each once, by number.
class Table {
 public:
  int number_of(const Tensor& t) {
    const auto [known, added] = numbers_.try_emplace(body(t)->id, static_cast<int>(list_.size()));
    if (added) list_.push_back(t);
    return known->second;
  }
  void write(ByteWriter& out, const NamedTensors& names) const {
    std::unordered_map<uint64_t, std::string> by_id;
    for (const auto& [name, t] : names) by_id.emplace(body(t)->id, name);
    out.i64(static_cast<int64_t>(list_.size()));
    for (const Tensor& t : list_) {
      if (!t.is_contiguous())
        fail(ErrorCode::kRuntime, "compile: a tensor of sizes ", t.sizes(), " and strides ",
             t.strides(), " cannot be saved: make it contiguous()");
      const auto name = by_id.find(body(t)->id);
      out.text(name == by_id.end() ? "" : name->second);
      out.u8(static_cast<int>(t.dtype()));
      out.u8(body(t)->requires_grad);
      out.shape(t.sizes());
      out.block(t.data(), static_cast<size_t>(t.numel()) * size_of(t.dtype()));
    }
  }

 private:
  std::vector<Tensor> list_;
  std::unordered_map<uint64_t, int> numbers_;
};

void write_dense(ByteWriter& out, const Tensor& t) {
  std::vector<char> bytes(static_cast<size_t>(t.numel()) * size_of(t.dtype()));
  if (!bytes.empty()) t.copy_out(t.dtype(), bytes.data());
  out.block(bytes.data(), bytes.size());
}

void write_values(ByteWriter& out, const GraphData& graph) {
  out.i64(static_cast<int64_t>(graph.values.size()));
  for (const GraphValue& value : graph.values) {
    out.u8(static_cast<int>(value.role));
    out.u8(static_cast<int>(value.dtype));
    out.u8(value.needs_grad);
    out.shape(value.sizes);
    out.shape(value.strides);
    out.i64(value.op);
    out.i64(value.storage);
    out.text(value.name);
    out.u8(value.has_number);
    out.real(value.number);
  }
}

void write_ops(ByteWriter& out, const GraphData& graph) {
  out.i64(static_cast<int64_t>(graph.ops.size()));
  for (const GraphOp& op : graph.ops) {
    if (find_captured_op(op.op->name) != op.op)
      fail(ErrorCode::kRuntime, "compile: the operation ", op.op->name, " cannot be saved");
    out.text(op.op->name);
    for (const Shape& list : op.attrs.lists) out.shape(list);
    for (double real : op.attrs.reals) out.real(real);
    for (int64_t integer : op.attrs.ints) out.i64(integer);
    out.numbers(op.inputs);
    out.numbers(op.outputs);
    out.u8(op.in_place);
    out.u8(static_cast<int>(op.phase));
    out.i64(op.forward);
    out.text(op.file);
    out.i64(op.line);
  }
}

void write_capture(ByteWriter& out, const SavedCapture& saved, Table& table) {
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
  write_values(out, capture.graph);
  write_ops(out, capture.graph);
  out.numbers(capture.graph.outputs);
  out.i64(static_cast<int64_t>(capture.leaves.size()));
  for (const CapturedLeaf& leaf : capture.leaves) {
    out.u8(static_cast<int>(leaf.origin));
    out.i64(leaf.number);
    out.i64(leaf.origin == Origin::kOutside ? table.number_of(leaf.tensor) : -1);
    out.u8(leaf.tensor.head()->is_number);
    out.u8(leaf.is_overwritten);
    out.u8(leaf.initial.defined());
    if (leaf.origin == Origin::kInside || leaf.origin == Origin::kOptions)
      write_dense(out, leaf.initial ? leaf.initial : leaf.tensor);
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
}

}  // namespace

std::string to_bytes(const std::vector<SavedCapture>& captures, const NamedTensors& names) {
  Table table;
  ByteWriter parts, head;
  parts.i64(static_cast<int64_t>(captures.size()));
  for (const SavedCapture& each : captures) write_capture(parts, each, table);
  ByteWriter tensors;
  table.write(tensors, names);
  const std::string body = tensors.take() + parts.take();
  head.i64(static_cast<int64_t>(body.size()));
  head.i64(static_cast<int64_t>(checksum(body)));
  return std::string(kMagic) + head.take() + body;
}

// ---- reading

namespace {

DType read_dtype(ByteReader& in) {
  const int code = in.u8();
  if (code >= kDTypeCount) fail_plan("an unknown element type");
  return static_cast<DType>(code);
}

Shape read_sizes(ByteReader& in) {
  const Shape sizes = in.shape();
  try {
    checked_numel(sizes);
  } catch (const Error& error) {
    fail_plan(error.what());
  }
  return sizes;
}

Tensor read_dense(ByteReader& in, const Shape& sizes, DType dtype) {
  const std::string_view bytes = in.block();
  if (static_cast<uint64_t>(checked_numel(sizes)) * size_of(dtype) != bytes.size())
    fail_plan("a tensor has another number of elements than its sizes say");
  const Tensor t = make_tensor(sizes, dtype);
  if (bytes.empty()) return t;
  std::memcpy(t.data(), bytes.data(), bytes.size());
  if (dtype == DType::kBool)
    for (char each : bytes)
      if (each != 0 && each != 1) fail_plan("a bool is neither 0 nor 1");
  return t;
}

NamedTensors read_table(ByteReader& in) {
  NamedTensors table(in.count(8 + 2 + 1 + 8, "tensors"));
  for (auto& [name, t] : table) {
    name = in.text();
    const DType dtype = read_dtype(in);
    const bool requires_grad = in.flag();
    if (requires_grad && !is_floating(dtype)) fail_plan("an integer tensor requires grad");
    const Shape sizes = read_sizes(in);
    t = read_dense(in, sizes, dtype);
    body(t)->requires_grad = requires_grad;
  }
  return table;
}

void read_values(ByteReader& in, GraphData& graph) {
  graph.values.resize(in.count(3 + 2 + 8 * 4 + 1, "values"));
  const int64_t n = static_cast<int64_t>(graph.values.size());
  bool seen_result = false;
  for (GraphValue& value : graph.values) {
    const int role = in.u8();
    if (role > static_cast<int>(Role::kOutput)) fail_plan("an unknown role");
    value.role = static_cast<Role>(role);
    value.dtype = read_dtype(in);
    value.needs_grad = in.flag();
    value.sizes = read_sizes(in);
    value.strides = in.shape();
    if (value.strides.size() != value.sizes.size()) fail_plan("sizes and strides differ in length");
    value.op = in.number(-1, INT32_MAX, "op");
    value.storage = in.number(0, n, "storage");
    value.name = in.text();
    value.has_number = in.flag();
    value.number = in.real();
    seen_result |= value.op >= 0;
    if (seen_result && value.op < 0) fail_plan("a leaf behind the results");
  }
}

void check_inputs(const GraphOp& op) {
  const size_t n = op.inputs.size();
  if (n > 4096) fail_plan("an operation with too many arguments");
  for (size_t i = 0; i < n; ++i)
    if (op.inputs[i] < 0 && (i >= 32 || !(op.op->optional_inputs >> i & 1)))
      fail_plan(concat(op.op->name, " lacks argument ", i));
  if ((op.op->traits & (kInPlace | kView)) && op.inputs.empty())
    fail_plan(concat(op.op->name, " without arguments"));
}

void read_ops(ByteReader& in, GraphData& graph) {
  graph.ops.resize(in.count(8 * 10, "operations"));
  int next = 0;
  for (const GraphValue& value : graph.values) next += value.op < 0;
  for (size_t k = 0; k < graph.ops.size(); ++k) {
    GraphOp& op = graph.ops[k];
    const std::string name = in.text();
    op.op = find_captured_op(name);
    if (!op.op) fail_plan(concat("an unknown operation, ", name));
    for (Shape& list : op.attrs.lists) list = in.shape();
    for (double& real : op.attrs.reals) real = in.real();
    for (int64_t& integer : op.attrs.ints) integer = in.i64();
    op.inputs = in.numbers(-1, next, "argument");
    check_inputs(op);
    op.outputs = in.numbers(next, static_cast<int64_t>(graph.values.size()), "result");
    if (op.outputs.empty()) fail_plan(concat(op.op->name, " has no result"));
    for (int v : op.outputs)
      if (v != next++ || graph.values[static_cast<size_t>(v)].op != static_cast<int>(k))
        fail_plan("results are not in order");
    op.in_place = in.flag();
    const int phase = in.u8();
    if (phase > static_cast<int>(Phase::kOptimizer)) fail_plan("an unknown phase");
    op.phase = static_cast<Phase>(phase);
    op.forward = in.number(-1, static_cast<int64_t>(graph.ops.size()), "forward op");
    op.file = in.text();
    op.line = in.number(0, INT32_MAX, "line");
  }
  if (next != static_cast<int>(graph.values.size())) fail_plan("results without an operation");
}

const Tensor& entry(const NamedTensors& table, int64_t i) {
  if (i < 0 || i >= static_cast<int64_t>(table.size())) fail_plan("a tensor that is not there");
  return table[static_cast<size_t>(i)].second;
}

CapturedLeaf read_leaf(ByteReader& in, const Capture& capture, const GraphValue& value,
                       const NamedTensors& table) {
  CapturedLeaf leaf;
  const int origin = in.u8();
  if (origin > static_cast<int>(Origin::kInside)) fail_plan("a leaf from nowhere");
  leaf.origin = static_cast<Origin>(origin);
  const int64_t most =
      leaf.origin == Origin::kInput ? static_cast<int64_t>(capture.inputs.size()) : INT32_MAX;
  leaf.number = in.number(-1, most, "leaf");
  const int64_t outside = in.i64();
  const bool is_number = in.flag();
  leaf.is_overwritten = in.flag();
  const bool has_initial = in.flag();
  switch (leaf.origin) {
    case Origin::kOutside:
      leaf.tensor = entry(table, outside);
      break;
    case Origin::kInput:
      if (leaf.number < 0) fail_plan("an input without a number");
      leaf.tensor = capture.inputs[static_cast<size_t>(leaf.number)].tensor;
      break;
    case Origin::kGradient:
      leaf.tensor = make_tensor(value.sizes, value.dtype);
      break;
    default:
      leaf.tensor = read_dense(in, value.sizes, value.dtype);
      if (is_number && !value.sizes.empty()) fail_plan("a number with dims");
      leaf.tensor.head()->is_number = is_number;
      if (has_initial) leaf.initial = leaf.tensor;
  }
  const TensorBody& b = *body(leaf.tensor);
  if (b.sizes != value.sizes || b.dtype != value.dtype || b.strides != value.strides)
    fail_plan("a leaf differs from its tensor");
  if (leaf.origin == Origin::kOptions && leaf.number < 0) fail_plan("options without a number");
  return leaf;
}

void read_grads(ByteReader& in, Capture& capture, const NamedTensors& table) {
  const int64_t n_values = static_cast<int64_t>(capture.graph.values.size());
  capture.grads.resize(in.count(8 * 4 + 2, "gradients"));
  for (CapturedGrad& grad : capture.grads) {
    const int64_t of = in.i64();
    grad.input = in.number(-1, static_cast<int64_t>(capture.inputs.size()), "input");
    grad.of =
        grad.input >= 0 ? capture.inputs[static_cast<size_t>(grad.input)].tensor : entry(table, of);
    const int start = in.u8();
    if (start > static_cast<int>(CapturedGrad::Start::kSome)) fail_plan("an unknown gradient");
    grad.start = static_cast<CapturedGrad::Start>(start);
    grad.start_value = in.number(-1, n_values, "gradient");
    grad.is_set = in.flag();
    grad.end_value = in.number(-1, n_values, "gradient");
    for (int v : {grad.start_value, grad.end_value}) {
      if (v < 0) continue;
      const GraphValue& value = capture.graph.values[static_cast<size_t>(v)];
      if (value.sizes != grad.of.sizes() || value.dtype != grad.of.dtype())
        fail_plan("a gradient of other sizes than its tensor");
    }
    if ((grad.start == CapturedGrad::Start::kSome) != (grad.start_value >= 0))
      fail_plan("a gradient that is read and not there");
  }
  for (const CapturedLeaf& leaf : capture.leaves)
    if (leaf.origin == Origin::kGradient &&
        (leaf.number < 0 || leaf.number >= static_cast<int>(capture.grads.size()) ||
         capture.grads[static_cast<size_t>(leaf.number)].start != CapturedGrad::Start::kSome))
      fail_plan("a leaf of no gradient");
}

SavedCapture read_capture(ByteReader& in, const NamedTensors& table) {
  SavedCapture saved;
  Capture& capture = saved.capture;
  saved.grad_enabled = in.flag();
  capture.inputs.resize(in.count(1 + 1 + 1 + 2, "inputs"));
  for (CapturedInput& input : capture.inputs) {
    const DType dtype = read_dtype(in);
    const Shape sizes = read_sizes(in), strides = in.shape();
    if (strides.size() != sizes.size()) fail_plan("sizes and strides differ in length");
    input.requires_grad = in.flag();
    const bool ends = in.flag();
    // Only the geometry counts: there is no element behind it.
    input.tensor = make_over(Storage::wrap(nullptr, 0, nullptr, nullptr), dtype, sizes, strides);
    body(input.tensor)->requires_grad = ends;
  }
  read_values(in, capture.graph);
  read_ops(in, capture.graph);
  capture.graph.outputs =
      in.numbers(0, static_cast<int64_t>(capture.graph.values.size()), "result");
  size_t n_leaves = 0;
  for (const GraphValue& value : capture.graph.values) n_leaves += value.op < 0;
  if (in.count(1, "leaves") != n_leaves) fail_plan("another number of leaves than of their values");
  for (size_t v = 0; v < n_leaves; ++v)
    capture.leaves.push_back(read_leaf(in, capture, capture.graph.values[v], table));
  read_grads(in, capture, table);
  return saved;
}

}  // namespace

std::vector<SavedCapture> from_bytes(std::string_view bytes, NamedTensors* tensors) {
  if (bytes.substr(0, kMagic.size()) != kMagic) fail_plan("it does not begin like one");
  ByteReader head(bytes.substr(kMagic.size()));
  const int64_t length = head.i64(), sum = head.i64();
  const std::string_view rest = bytes.substr(kMagic.size() + 16);
  if (static_cast<uint64_t>(length) != rest.size()) fail_plan("it is cut off");
  if (static_cast<int64_t>(checksum(rest)) != sum) fail_plan("its checksum is wrong");
  ByteReader in(rest);
  *tensors = read_table(in);
  std::vector<SavedCapture> captures(in.count(8, "plans"));
  for (SavedCapture& each : captures) each = read_capture(in, *tensors);
  if (!in.is_empty()) fail_plan("something stands behind its end");
  return captures;
}

}  // namespace autograd::detail
