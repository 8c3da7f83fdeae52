// The record that defines an op, and the two views of a call that its functions see.
#pragma once
#include <cstdint>

#include "core/tensor_body.hpp"
#include "core/text.hpp"

namespace autograd::detail {

/// What an op takes besides tensors. Which field means what is said in the op's record (Op::attrs).
struct Attrs {
  Shape lists[3];
  double reals[3] = {0, 0, 0};
  int64_t ints[3] = {0, 0, 0};
};

/// A borrowed tensor argument; body is nullptr for an optional one that is absent.
struct Arg {
  Arg(const Tensor& t) : body(body_or_null(t)) {}
  explicit Arg(TensorBody* b) : body(b) {}
  TensorBody* body;
};

/// PyTorch's result type: tensors with dims decide; 0-d tensors, then wrapped numbers, only raise
/// the category.
DType result_type(const Arg* inputs, int n);

/// What `infer` says of one output.
struct OutputMeta {
  DType dtype = DType::kFloat32;
  bool is_view = false;  ///< of inputs[0]: no memory, no kernel; strides and offset say where
  Shape sizes;
  Shape strides;
  int64_t offset = 0;
};

/// Outputs of a call; nearly always one, so that one needs no memory of its own.
class OutputMetas {
 public:
  explicit OutputMetas(int expected) {
    if (expected > 1) more_.reserve(static_cast<size_t>(expected - 1));
  }
  OutputMeta& add() {
    if (count_++ == 0) return first_;
    return more_.emplace_back();
  }
  OutputMeta& add(DType dtype, const Shape& sizes) {
    OutputMeta& meta = add();
    meta.dtype = dtype;
    meta.sizes = sizes;
    return meta;
  }
  int size() const { return count_; }
  OutputMeta& operator[](int i) { return i == 0 ? first_ : more_[static_cast<size_t>(i - 1)]; }

 private:
  int count_ = 0;
  OutputMeta first_;
  Vector<OutputMeta> more_;
};

struct Op;

/// One call on its way through the door.
struct Call {
  const Op& op;
  const Arg* inputs;
  int n_inputs;
  const Attrs& attrs;
  Tensor* outputs;  ///< allocated by the door before forward runs
  int n_outputs;

  TensorBody& in(int i) const { return *inputs[i].body; }
  bool has(int i) const { return i < n_inputs && inputs[i].body; }
  TensorBody& out(int i = 0) const { return *body(outputs[i]); }
};

class Backward;
struct BatchedCall;

/// How the calls of many examples become one call, for vmap. Pointwise ops need no rule; an op
/// without one is called once per example.
struct BatchRule {
  /// Bit i: input i takes one more dim in front; bit 31: so do all from 31 on. Inputs without their
  /// bit must be the same for all examples.
  uint32_t inputs = 0;
  /// What the attributes become; nullptr: they stay.
  void (*attrs)(Attrs& attrs, int64_t n_examples) = nullptr;
  /// In place of both: makes the call itself; false if it can't.
  bool (*call)(const BatchedCall& call) = nullptr;
  /// The attributes count dims: inputs without any are seen as rows of one.
  bool counts_dims = false;
};

enum Trait : uint32_t {
  kPointwise = 1 << 0,
  kReduction = 1 << 1,
  kView = 1 << 2,  ///< the output shares the memory of input 0
  kProduct = 1 << 3,
  kRandom = 1 << 4,   ///< not a function of its inputs alone
  kInPlace = 1 << 5,  ///< writes to input 0
  kLoss = 1 << 6,
  kCopies = 1 << 7,       ///< moves elements without computing
  kUpdate = 1 << 8,       ///< an optimizer's step: writes to its inputs but 1 and the last
  kValueShaped = 1 << 9,  ///< the output's sizes depend on the elements of the input
  kFunction = 1 << 10,    ///< code of the user's over ops; only its gradient is its own
  kOverwrites = 1 << 11,  ///< in place, and reads nothing of input 0
};

enum Device { kCpu = 0, kDeviceCount = 1 };

/// Bits of Op::reads: which inputs and outputs a gradient needs.
constexpr uint32_t reads_input(int i) { return 1u << i; }
constexpr uint32_t reads_output(int i = 0) { return 1u << (16 + i); }

/// The sizes in a call, from which its work can be counted without running it.
struct CallSizes {
  const Attrs& attrs;
  const Shape* const* inputs;  ///< nullptr where an optional input is absent
  int n_inputs;
  const Shape* const* outputs;
  int n_outputs;

  const Shape& in(int i) const { return *inputs[i]; }
  bool has(int i) const { return i < n_inputs && inputs[i]; }
  const Shape& out(int i = 0) const { return *outputs[i]; }
};

/// An op is defined once, by one of these. Nothing else knows its name.
struct Op {
  const char* name;
  uint32_t traits;
  /// Shape and dtype rule: the only place that validates. Fills one OutputMeta per output.
  void (*infer)(const Call& call, OutputMetas& outputs);
  /// The kernel, by device; nullptr for views.
  void (*forward[kDeviceCount])(const Call& call);
  /// The gradient in public ops; nullptr: the op ends every path.
  void (*backward)(Backward& b) = nullptr;
  /// What the gradient of input 0, 1, 2 (and, for all further ones, of input 2) reads.
  uint32_t reads[3] = {0, 0, 0};
  /// Names of the attributes in use, in the order lists; reals; ints ("dims;;keepdim"), for
  /// printing and export.
  const char* attrs = "";
  const char* doc = "";
  /// For the kernel table of pointwise ops.
  int kernel = -1;
  /// Bit i: input i may be absent. All others are checked by the door.
  uint32_t optional_inputs = 0;
  /// Floating-point operations of a call; nullptr: one per element, as the traits say.
  double (*flops)(const CallSizes& sizes) = nullptr;
  /// Names of the inputs ("param,grad,exp_avg"), where a reader needs them.
  const char* inputs = "";
  BatchRule batch = {};
  /// For ops that the user has registered: what they were registered with.
  const void* registration = nullptr;
  /// For calls that the library's own functions have not made, such as those of a file: throws
  /// Error unless `infer` and `forward` may take for granted what they do (ops/call_check.hpp).
  /// nullptr: there are no such calls of the op.
  void (*check)(const Call& call) = nullptr;
};

}  // namespace autograd::detail
