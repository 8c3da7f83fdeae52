// Reading what plan_file.cpp writes. Nothing in a file is trusted.
#include <algorithm>
#include <utility>

#include "graph/inference.hpp"
#include "graph/plan_bytes.hpp"
#include "graph/plan_file.hpp"

namespace autograd::detail {

namespace {

constexpr int kMostOpInputs = 1 << 16, kMostOpOutputs = 1 << 16;

DType read_dtype(ByteReader& in) {
  const int code = in.u8();
  if (code >= kDTypeCount) fail_plan("an unknown element type");
  return static_cast<DType>(code);
}

// Sizes and strides of a tensor of floats, where gradients are wanted.
void read_geometry(ByteReader& in, Shape& sizes, Shape& strides) {
  sizes = in.shape();
  strides = in.shape();
  check_geometry(sizes, strides);
}

void check_bools(std::string_view bytes, DType dtype) {
  if (dtype != DType::kBool) return;
  for (char each : bytes)
    if (each != 0 && each != 1) fail_plan("a bool is neither 0 nor 1");
}

void check_wants_grad(bool requires_grad, DType dtype) {
  if (requires_grad && !is_floating(dtype)) fail_plan("an integer tensor requires grad");
}

Tensor read_dense(ByteReader& in, const Shape& sizes, DType dtype) {
  check_geometry(sizes, contiguous_strides(sizes));
  const std::string_view bytes = in.block();
  if (static_cast<uint64_t>(checked_numel(sizes)) * size_of(dtype) != bytes.size())
    fail_plan("a tensor has another number of elements than its sizes say");
  const Tensor t = make_tensor(sizes, dtype);
  if (bytes.empty()) return t;
  check_bools(bytes, dtype);
  std::memcpy(t.data(), bytes.data(), bytes.size());
  return t;
}

// ---- blocks of memory, and the tensors in them

struct Block {
  std::string_view bytes;
  Storage* storage = nullptr;  ///< of the tensors in it, which keep it
  DType dtype = DType::kFloat32;
  int first_tensor = -1;
};

struct OutsideTensors {
  NamedTensors tensors;
  std::vector<int> firsts;  ///< by tensor: the first one in the same block
};

// The tensor's first element lies `offset` bytes behind the block's begin; all of them lie in it.
void check_place(const Block& block, const Shape& sizes, const Shape& strides, int64_t offset,
                 int64_t item) {
  int64_t first = offset, end = offset + item;
  bool is_empty = false;
  for (int d = 0; d < sizes.size(); ++d) {
    is_empty |= sizes[d] == 0;
    const int64_t way = (sizes[d] - 1) * strides[d] * item;
    (way < 0 ? first : end) += way;
  }
  const int64_t bytes = static_cast<int64_t>(block.bytes.size());
  if (offset < 0 || offset > bytes || offset % item || (!is_empty && (first < 0 || end > bytes)))
    fail_plan("a tensor lies outside of its memory");
}

Tensor read_tensor(ByteReader& in, std::vector<Block>& blocks, int number, int* first) {
  const DType dtype = read_dtype(in);
  const bool requires_grad = in.flag();
  check_wants_grad(requires_grad, dtype);
  Shape sizes, strides;
  read_geometry(in, sizes, strides);
  Block& block =
      blocks[static_cast<size_t>(in.number(0, static_cast<int64_t>(blocks.size()), "block"))];
  const int64_t offset = in.i64();
  check_place(block, sizes, strides, offset, static_cast<int64_t>(size_of(dtype)));
  if (block.storage) {
    if (block.dtype != dtype) fail_plan("tensors of two types in one block");
    block.storage->retain();
  } else {
    block.dtype = dtype;
    block.first_tensor = number;
    check_bools(block.bytes, dtype);
    block.storage = Storage::make(block.bytes.size());
    if (!block.bytes.empty())
      std::memcpy(block.storage->data, block.bytes.data(), block.bytes.size());
  }
  const Tensor t = make_over(block.storage, dtype, sizes, strides);
  body(t)->data += offset;
  body(t)->requires_grad = requires_grad;
  *first = block.first_tensor;
  return t;
}

OutsideTensors read_outside(ByteReader& in) {
  std::vector<Block> blocks(in.count(8, "blocks"));
  for (Block& block : blocks) block.bytes = in.block();
  OutsideTensors outside;
  outside.tensors.resize(in.count(8 + 2 + 2 + 16, "tensors"));
  outside.firsts.resize(outside.tensors.size());
  for (size_t i = 0; i < outside.tensors.size(); ++i) {
    outside.tensors[i].first = in.text();
    outside.tensors[i].second = read_tensor(in, blocks, static_cast<int>(i), &outside.firsts[i]);
  }
  return outside;
}

// ---- a capture

class CaptureReader {
 public:
  CaptureReader(ByteReader& in, const OutsideTensors& outside, double& bytes_left)
      : in_(in), outside_(outside), bytes_left_(bytes_left) {}

  SavedCapture read() {
    saved_.grad_enabled = in_.flag();
    read_inputs();
    read_grads();
    read_leaves();
    read_ops();
    capture().graph.outputs = in_.numbers(0, n_values(), "result");
    for (int v : capture().graph.outputs)
      if (!value(v).is_leaf()) value(v).role = Role::kOutput;
    check_grads();
    return std::move(saved_);
  }

 private:
  Capture& capture() { return saved_.capture; }
  GraphValue& value(int v) { return capture().graph.values[static_cast<size_t>(v)]; }
  int64_t n_values() { return static_cast<int64_t>(capture().graph.values.size()); }

  void read_inputs();
  void read_grads();
  void check_grads();
  void read_leaves();
  CapturedLeaf read_leaf(GraphValue& value);
  void read_dense_leaf(CapturedLeaf& leaf, GraphValue& value);
  void check_leaf_number(const CapturedLeaf& leaf);
  int memory_of(const CapturedLeaf& leaf, int64_t number);
  void read_ops();
  GraphOp read_op();
  void infer(GraphOp& op, const std::vector<char>& needs_grad);

  ByteReader& in_;
  const OutsideTensors& outside_;
  double& bytes_left_;
  SavedCapture saved_;
  Inference inference_;
  std::vector<char> seen_[5];  ///< by origin: numbers that leaves have had
  size_t n_leaves_ = 0;
  int tensor_ = -1;  ///< from outside, of the leaf that was read last
};

void CaptureReader::read_inputs() {
  capture().inputs.resize(in_.count(1 + 1 + 1 + 2, "inputs"));
  if (capture().inputs.size() > kMostOpInputs) fail_plan("too many inputs");
  for (CapturedInput& input : capture().inputs) {
    const DType dtype = read_dtype(in_);
    Shape sizes, strides;
    read_geometry(in_, sizes, strides);
    input.requires_grad = in_.flag();
    const bool ends = in_.flag();
    check_wants_grad(input.requires_grad || ends, dtype);
    // Only the geometry counts: there is no element behind it.
    input.tensor = make_over(Storage::wrap(nullptr, 0, nullptr, nullptr), dtype, sizes, strides);
    body(input.tensor)->requires_grad = ends;
  }
}

void CaptureReader::read_grads() {
  capture().grads.resize(in_.count(8 * 4 + 2, "gradients"));
  std::vector<const TensorBody*> seen;
  for (CapturedGrad& grad : capture().grads) {
    const int64_t of = in_.i64();
    grad.input = in_.number(-1, static_cast<int64_t>(capture().inputs.size()), "input");
    if (grad.input < 0 && (of < 0 || of >= static_cast<int64_t>(outside_.tensors.size())))
      fail_plan("a tensor that is not there");
    grad.of = grad.input >= 0 ? capture().inputs[static_cast<size_t>(grad.input)].tensor
                              : outside_.tensors[static_cast<size_t>(of)].second;
    if (!is_floating(grad.of.dtype())) fail_plan("a gradient of integers");
    seen.push_back(body(grad.of));
    const int start = in_.u8();
    if (start > static_cast<int>(CapturedGrad::Start::kSome)) fail_plan("an unknown gradient");
    grad.start = static_cast<CapturedGrad::Start>(start);
    grad.start_value = in_.number(-1, INT32_MAX, "gradient");
    grad.is_set = in_.flag();
    grad.end_value = in_.number(-1, INT32_MAX, "gradient");
  }
  std::sort(seen.begin(), seen.end());
  if (std::adjacent_find(seen.begin(), seen.end()) != seen.end())
    fail_plan("two gradients of one tensor");
}

// The values of gradients, once there are values.
void CaptureReader::check_grads() {
  for (const CapturedGrad& grad : capture().grads) {
    for (int v : {grad.start_value, grad.end_value}) {
      if (v < 0) continue;
      if (v >= n_values()) fail_plan("a gradient that is not there");
      if (value(v).sizes != grad.of.sizes() || value(v).dtype != grad.of.dtype())
        fail_plan("a gradient of other sizes than its tensor");
    }
    if ((grad.start == CapturedGrad::Start::kSome) != (grad.start_value >= 0))
      fail_plan("a gradient that is read and not there");
  }
  for (size_t v = 0; v < capture().leaves.size(); ++v) {
    const CapturedLeaf& leaf = capture().leaves[v];
    if (leaf.origin == Origin::kGradient &&
        capture().grads[static_cast<size_t>(leaf.number)].start_value != static_cast<int>(v))
      fail_plan("a leaf of another gradient");
  }
}

// ---- leaves

void CaptureReader::read_dense_leaf(CapturedLeaf& leaf, GraphValue& value) {
  value.dtype = read_dtype(in_);
  value.sizes = in_.shape();
  const bool is_number = in_.flag();
  leaf.is_overwritten = in_.flag();
  const bool has_initial = in_.flag();
  leaf.tensor = read_dense(in_, value.sizes, value.dtype);
  if (is_number && !value.sizes.empty()) fail_plan("a number with dims");
  leaf.tensor.head()->is_number = is_number;
  if (has_initial) leaf.initial = leaf.tensor;
  if (leaf.origin == Origin::kOptions &&
      (value.dtype != DType::kFloat64 || value.sizes.size() != 1 || value.sizes[0] > 64))
    fail_plan("options that are no list of numbers");
  value.has_number = value.role == Role::kConstant && value.sizes.empty();
  if (value.has_number) value.number = leaf.tensor.item();
}

// What counts inputs, gradients and optimizers' steps is there, and stands for one leaf.
void CaptureReader::check_leaf_number(const CapturedLeaf& leaf) {
  size_t most = 0;
  switch (leaf.origin) {
    case Origin::kInput:
      most = capture().inputs.size();
      break;
    case Origin::kGradient:
      most = capture().grads.size();
      break;
    case Origin::kOptions:
      most = n_leaves_;
      break;
    default:
      return;
  }
  if (leaf.number < 0 || static_cast<size_t>(leaf.number) >= most)
    fail_plan("the number of a leaf is out of range");
  std::vector<char>& seen = seen_[static_cast<int>(leaf.origin)];
  seen.resize(most);
  if (std::exchange(seen[static_cast<size_t>(leaf.number)], char{1}))
    fail_plan("two leaves of one number");
}

CapturedLeaf CaptureReader::read_leaf(GraphValue& value) {
  CapturedLeaf leaf;
  const int role = in_.u8();
  if (role > static_cast<int>(Role::kConstant)) fail_plan("an unknown role");
  value.role = static_cast<Role>(role);
  value.name = in_.text();
  const int origin = in_.u8();
  if (origin > static_cast<int>(Origin::kInside)) fail_plan("a leaf from nowhere");
  leaf.origin = static_cast<Origin>(origin);
  leaf.number = in_.number(-1, INT32_MAX, "leaf");
  check_leaf_number(leaf);
  switch (leaf.origin) {
    case Origin::kOutside:
      tensor_ = in_.number(0, static_cast<int64_t>(outside_.tensors.size()), "tensor");
      leaf.tensor = outside_.tensors[static_cast<size_t>(tensor_)].second;
      break;
    case Origin::kInput:
      leaf.tensor = capture().inputs[static_cast<size_t>(leaf.number)].tensor;
      break;
    case Origin::kGradient: {
      const Tensor& of = capture().grads[static_cast<size_t>(leaf.number)].of;
      const Shape strides = in_.shape();
      check_geometry(of.sizes(), strides);
      leaf.tensor =
          make_over(Storage::wrap(nullptr, 0, nullptr, nullptr), of.dtype(), of.sizes(), strides);
      break;
    }
    case Origin::kOptions:
    case Origin::kInside:
      read_dense_leaf(leaf, value);
  }
  const TensorBody& b = *body(leaf.tensor);
  value.dtype = b.dtype;
  value.sizes = b.sizes;
  value.strides = b.strides;
  value.needs_grad = b.requires_grad;
  return leaf;
}

// Tensors from outside share the memory of their block, all other leaves have their own.
int CaptureReader::memory_of(const CapturedLeaf& leaf, int64_t number) {
  if (leaf.origin == Origin::kOutside) return outside_.firsts[static_cast<size_t>(tensor_)];
  return static_cast<int>(static_cast<int64_t>(outside_.tensors.size()) + number);
}

void CaptureReader::read_leaves() {
  n_leaves_ = in_.count(1 + 8 + 1 + 8, "leaves");
  for (size_t v = 0; v < n_leaves_; ++v) {
    GraphValue value;
    capture().leaves.push_back(read_leaf(value));
    value.storage = memory_of(capture().leaves.back(), static_cast<int64_t>(v));
    inference_.add_leaf(capture().leaves.back().tensor, value.storage);
    capture().graph.values.push_back(std::move(value));
  }
}

// ---- operations

GraphOp CaptureReader::read_op() {
  GraphOp op{};
  const std::string name = in_.text();
  op.op = find_captured_op(name);
  if (!op.op) fail_plan(concat("an unknown operation, ", name));
  for (Shape& list : op.attrs.lists) list = in_.shape();
  for (double& real : op.attrs.reals) real = in_.real();
  for (int64_t& integer : op.attrs.ints) integer = in_.i64();
  op.inputs = in_.numbers(-1, inference_.size(), "argument");
  if (op.inputs.size() > kMostOpInputs) fail_plan("an operation with too many arguments");
  return op;
}

void CaptureReader::infer(GraphOp& op, const std::vector<char>& needs_grad) {
  GraphData& graph = capture().graph;
  const double before = inference_.bytes();
  std::vector<GraphValue> results;
  try {
    results = inference_.add(op, static_cast<int>(needs_grad.size()));
  } catch (const Error& error) {
    fail_plan(concat("operation ", graph.ops.size() + 1, ", ", op.op->name, ": ", error.what()));
  }
  bytes_left_ -= inference_.bytes() - before;
  if (bytes_left_ < 0)
    fail_plan("its results need more memory than is allowed; allow more if you trust it");
  for (size_t i = 0; i < results.size(); ++i) {
    results[i].op = static_cast<int>(graph.ops.size());
    results[i].needs_grad = needs_grad[i] != 0;
    op.outputs.push_back(static_cast<int>(graph.values.size()));
    graph.values.push_back(std::move(results[i]));
  }
}

void CaptureReader::read_ops() {
  const size_t count = in_.count(8 + 3 + 9 * 8, "operations");
  for (size_t k = 0; k < count; ++k) {
    GraphOp op = read_op();
    std::vector<char> needs_grad(in_.count(1, "results"));
    if (needs_grad.size() > kMostOpOutputs) fail_plan("an operation with too many results");
    for (char& each : needs_grad) each = in_.flag();
    op.in_place = in_.flag();
    const int phase = in_.u8();
    if (phase > static_cast<int>(Phase::kOptimizer)) fail_plan("an unknown phase");
    op.phase = static_cast<Phase>(phase);
    op.forward = in_.number(-1, static_cast<int64_t>(k), "forward op");
    op.file = in_.text();
    op.line = in_.number(0, INT32_MAX, "line");
    infer(op, needs_grad);
    capture().graph.ops.push_back(std::move(op));
  }
}

}  // namespace

std::vector<SavedPart> from_bytes(std::string_view bytes, NamedTensors* tensors,
                                  double most_bytes) {
  if (bytes.substr(0, kPlanMagic.size()) != kPlanMagic) fail_plan("it does not begin like one");
  ByteReader head(bytes.substr(kPlanMagic.size()));
  const int64_t length = head.i64(), sum = head.i64();
  const std::string_view rest = bytes.substr(kPlanMagic.size() + 16);
  if (static_cast<uint64_t>(length) != rest.size()) fail_plan("it is cut off");
  if (static_cast<int64_t>(checksum(rest)) != sum) fail_plan("its checksum is wrong");
  try {
    ByteReader in(rest);
    const OutsideTensors outside = read_outside(in);
    std::vector<SavedPart> parts(in.count(16, "functions"));
    if (parts.empty() || parts.size() > kMostParts)
      fail_plan(concat("it holds ", parts.size(), " functions"));
    for (SavedPart& part : parts) {
      part.label = in.text();
      part.captures.resize(in.count(8, "plans"));
      if (part.captures.empty()) fail_plan("there is no plan in it");
      for (SavedCapture& each : part.captures) each = CaptureReader(in, outside, most_bytes).read();
    }
    if (!in.is_empty()) fail_plan("something stands behind its end");
    *tensors = outside.tensors;
    return parts;
  } catch (const Error& error) {
    const std::string text = error.what();
    if (text.rfind(kNoPlan, 0) == 0) throw;
    fail_plan(text);
  }
}

}  // namespace autograd::detail
