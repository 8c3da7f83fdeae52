// The pointwise ops: pointwise.def expanded into records, gradients and public functions.
#include "kernels/cpu/pointwise.hpp"

#include <limits>

#include "autograd/ops.hpp"
#include "autograd/runtime.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/thread_state.hpp"
#include "ops/broadcast.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

enum Class { NUMBER, FLOAT, NUMBER_OR_BOOL };

DType compute_type(const char* name, Class cls, const Arg* inputs, int n) {
  const DType type = result_type(inputs, n);
  if (cls == FLOAT && !is_floating(type)) return default_dtype();
  if (cls == NUMBER && type == DType::kBool)
    fail(ErrorCode::kRuntime, name, ": not defined for bool tensors; convert with to(dtype) first");
  return type;
}

// ---- infer and forward, one pair per kind of row

template <Class cls>
void infer_unary(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = compute_type(call.op.name, cls, call.inputs, 1);
  meta.sizes = call.in(0).sizes;
}

// Two rows refuse what their class allows.
void check_operands(const Call& call) {
  const TensorBody &a = call.in(0), &b = call.in(1);
  if (call.op.kernel == static_cast<int>(cpu::PointwiseOp::k_sub) &&
      (a.dtype == DType::kBool || b.dtype == DType::kBool))
    fail(ErrorCode::kRuntime,
         "sub: Subtraction, the `-` operator, with a bool tensor is not supported. If you are "
         "trying to "
         "invert a mask, use the `~` or `logical_not()` operator instead");
  if (call.op.kernel == static_cast<int>(cpu::PointwiseOp::k_pow) && b.is_number &&
      b.dtype == DType::kInt64 && !is_floating(a.dtype) &&
      *reinterpret_cast<const int64_t*>(b.data) < 0)
    fail(ErrorCode::kRuntime, "pow: Integers to negative integer powers are not allowed.");
}

template <Class cls>
void infer_binary(const Call& call, OutputMetas& outputs) {
  if (cls == NUMBER) check_operands(call);
  OutputMeta& meta = outputs.add();
  meta.dtype = compute_type(call.op.name, cls, call.inputs, 2);
  meta.sizes = broadcast_sizes(call.op.name, call.in(0).sizes, call.in(1).sizes);
}

void infer_compare(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = DType::kBool;
  meta.sizes = broadcast_sizes(call.op.name, call.in(0).sizes, call.in(1).sizes);
}

void infer_ternary(const Call& call, OutputMetas& outputs) {
  if (call.in(0).dtype != DType::kBool)
    fail(ErrorCode::kRuntime, call.op.name,
         " expected condition to be a boolean tensor, but got a tensor with dtype ",
         name_of(call.in(0).dtype));
  OutputMeta& meta = outputs.add();
  meta.dtype = result_type(call.inputs + 1, 2);
  meta.sizes = broadcast_sizes(call.op.name, call.in(0).sizes,
                               broadcast_sizes(call.op.name, call.in(1).sizes, call.in(2).sizes));
}

template <Class cls>
void forward_plain(const Call& call) {
  run_pointwise(call.op.kernel, compute_type(call.op.name, cls, call.inputs, call.n_inputs),
                call.attrs.reals, call.out(), call.inputs, call.n_inputs, false);
}

void forward_ternary(const Call& call) {
  run_pointwise(call.op.kernel, result_type(call.inputs + 1, 2), call.attrs.reals, call.out(),
                call.inputs, 3, true);
}

// `<name>_backward(g, x, y)`: what the gradient does not read is absent.
void infer_fused(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = call.in(0).sizes;
}

void forward_fused(const Call& call) {
  run_pointwise(call.op.kernel, call.in(0).dtype, call.attrs.reals, call.out(), call.inputs, 3,
                false);
}

// ---- gradients as Tensor code: the vocabulary of pointwise.def that is not public

constexpr uint32_t NONE = 0, X = reads_input(0), A = reads_input(0), B = reads_input(1),
                   Y = reads_output(0);

Tensor operator&(const Tensor& a, const Tensor& b) { return mul(a, b); }
Tensor where(const Tensor& c, const Tensor& a, const Scalar& b) {
  return autograd::where(c, a, scalar(b));
}
Tensor where(const Tensor& c, const Scalar& a, const Tensor& b) {
  return autograd::where(c, scalar(a), b);
}
using autograd::where;

/// Loads exactly what a row says its gradient reads.
struct Values {
  Values(const Backward& rule, uint32_t uses)
      : g(rule.grad()),
        x(uses & reads_input(0) ? rule.input(0) : Tensor()),
        b(uses & reads_input(1) ? rule.input(1) : Tensor()),
        y(uses & reads_output(0) ? rule.output(0) : Tensor()),
        p(rule.attrs().reals[0]),
        q(rule.attrs().reals[1]) {}
  Tensor g, x, b, y;
  double p, q;
};

#define AG_VALUES                                                                 \
  [[maybe_unused]] const Tensor &g = v.g, &x = v.x, &a = v.x, &b = v.b, &y = v.y; \
  [[maybe_unused]] const double p = v.p, q = v.q;

#define UNARY(name, cls, forward, uses, gradient) \
  Tensor gradient_##name(const Values& v) {       \
    AG_VALUES                                     \
    return gradient;                              \
  }
#define BINARY(name, cls, forward, uses_a, gradient_a, uses_b, gradient_b) \
  Tensor gradient_a_##name(const Values& v) {                              \
    AG_VALUES                                                              \
    return gradient_a;                                                     \
  }                                                                        \
  Tensor gradient_b_##name(const Values& v) {                              \
    AG_VALUES                                                              \
    return gradient_b;                                                     \
  }
#define TERNARY(name, forward, uses_a, gradient_a, uses_b, gradient_b)              \
  Tensor gradient_a_##name(const Tensor& c, const Tensor& g) { return gradient_a; } \
  Tensor gradient_b_##name(const Tensor& c, const Tensor& g) { return gradient_b; }
#include "ops/pointwise.def"

void backward_unary(Backward& rule, const Op& fused, uint32_t uses,
                    Tensor (*gradient)(const Values&)) {
  const Values v(rule, uses);
  // Without a second order the whole gradient is one kernel; one that reads nothing is one op
  // anyway.
  if (uses == NONE || thread_state.grad_enabled) return rule.set(0, gradient(v));
  rule.set(0, dispatch(fused, {v.g, v.x, v.y}, rule.attrs()));
}

void backward_binary(Backward& rule, uint32_t uses_a, Tensor (*gradient_a)(const Values&),
                     uint32_t uses_b, Tensor (*gradient_b)(const Values&)) {
  if (rule.needs(0)) rule.set(0, gradient_a(Values(rule, uses_a)));
  if (rule.needs(1)) rule.set(1, gradient_b(Values(rule, uses_b)));
}

void backward_where(Backward& rule, Tensor (*gradient_a)(const Tensor&, const Tensor&),
                    Tensor (*gradient_b)(const Tensor&, const Tensor&)) {
  const Tensor c = rule.input(0), g = rule.grad();
  if (rule.needs(1)) rule.set(1, gradient_a(c, g));
  if (rule.needs(2)) rule.set(2, gradient_b(c, g));
}

// ---- the records

#define AG_KERNEL(name) static_cast<int>(cpu::PointwiseOp::k_##name)

// `params` names the op's scalars.
#define UNARY_PARAM(name_, params, cls, expression, uses, gradient)                              \
  constexpr Op op_##name_##_backward = {.name = #name_ "_backward",                              \
                                        .traits = kPointwise,                                    \
                                        .infer = infer_fused,                                    \
                                        .forward = {forward_fused},                              \
                                        .attrs = ";" params,                                     \
                                        .doc = #gradient,                                        \
                                        .kernel = AG_KERNEL(name_##_backward),                   \
                                        .optional_inputs = 6};                                   \
  constexpr Op op_##name_ = {                                                                    \
      .name = #name_,                                                                            \
      .traits = kPointwise,                                                                      \
      .infer = infer_unary<cls>,                                                                 \
      .forward = {forward_plain<cls>},                                                           \
      .backward =                                                                                \
          [](Backward& b) { backward_unary(b, op_##name_##_backward, uses, gradient_##name_); }, \
      .reads = {uses},                                                                           \
      .attrs = ";" params,                                                                       \
      .doc = #expression,                                                                        \
      .kernel = AG_KERNEL(name_)};
#define UNARY(name, cls, forward, uses, gradient) \
  UNARY_PARAM(name, "", cls, forward, uses, gradient)
#define BINARY(name_, cls, expression, uses_a, gradient_a, uses_b, gradient_b)            \
  constexpr Op op_##name_ = {.name = #name_,                                              \
                             .traits = kPointwise,                                        \
                             .infer = infer_binary<cls>,                                  \
                             .forward = {forward_plain<cls>},                             \
                             .backward =                                                  \
                                 [](Backward& b) {                                        \
                                   backward_binary(b, uses_a, gradient_a_##name_, uses_b, \
                                                   gradient_b_##name_);                   \
                                 },                                                       \
                             .reads = {uses_a, uses_b},                                   \
                             .doc = #expression,                                          \
                             .kernel = AG_KERNEL(name_)};
#define COMPARE(name_, expression)                                       \
  constexpr Op op_##name_ = {.name = #name_,                             \
                             .traits = kPointwise,                       \
                             .infer = infer_compare,                     \
                             .forward = {forward_plain<NUMBER_OR_BOOL>}, \
                             .doc = #expression,                         \
                             .kernel = AG_KERNEL(name_)};
#define TERNARY(name_, expression, uses_a, gradient_a, uses_b, gradient_b)                        \
  constexpr Op op_##name_ = {                                                                     \
      .name = #name_,                                                                             \
      .traits = kPointwise,                                                                       \
      .infer = infer_ternary,                                                                     \
      .forward = {forward_ternary},                                                               \
      .backward = [](Backward& b) { backward_where(b, gradient_a_##name_, gradient_b_##name_); }, \
      .reads = {0, reads_input(0), reads_input(0)},                                               \
      .doc = #expression,                                                                         \
      .kernel = AG_KERNEL(name_)};
#include "ops/pointwise.def"

constexpr const Op* kPointwiseOps[] = {
#define UNARY(name, cls, forward, uses, gradient) &op_##name, &op_##name##_backward,
#define BINARY(name, cls, forward, uses_a, gradient_a, uses_b, gradient_b) &op_##name,
#define COMPARE(name, forward) &op_##name,
#define TERNARY(name, forward, uses_a, gradient_a, uses_b, gradient_b) &op_##name,
#include "ops/pointwise.def"
};

// ---- conversion: the copy kernel with another output type; the engine converts the gradient back

void infer_to(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = static_cast<DType>(call.attrs.ints[0]);
  meta.sizes = call.in(0).sizes;
}

void forward_to(const Call& call) {
  run_pointwise(AG_KERNEL(copy), call.in(0).dtype, call.attrs.reals, call.out(), call.inputs, 1,
                false);
}

constexpr Op op_to = {.name = "to",
                      .traits = kPointwise | kCopies,
                      .infer = infer_to,
                      .forward = {forward_to},
                      .backward = [](Backward& b) { b.set(0, b.grad()); },
                      .attrs = ";;dtype",
                      .doc = "x converted to dtype",
                      .kernel = AG_KERNEL(copy)};

// ---- copy_(self, src): self becomes src, broadcast and converted

void infer_assign(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = broadcast_sizes(call.op.name, call.in(0).sizes, call.in(1).sizes);
}

void forward_assign(const Call& call) {
  run_pointwise(AG_KERNEL(copy), call.in(1).dtype, call.attrs.reals, call.out(), call.inputs + 1, 1,
                false);
}

constexpr Op op_assign = {.name = "copy_",
                          .traits = kPointwise | kCopies | kInPlace,
                          .infer = infer_assign,
                          .forward = {forward_assign},
                          .backward =
                              [](Backward& b) {
                                if (b.needs(0)) b.set(0, zeros(b.input_sizes(0), b.input_dtype(0)));
                                if (b.needs(1)) b.set(1, b.grad());
                              },
                          .doc = "self = src"};

constexpr const Op* kCopyOps[] = {&op_to, &op_assign};

}  // namespace

OpList pointwise_ops() { return {kPointwiseOps, std::size(kPointwiseOps)}; }
OpList copy_ops() { return {kCopyOps, std::size(kCopyOps)}; }

}  // namespace detail

using detail::dispatch;
using detail::dispatch_in_place;

// ---- the public functions that are all alike

#define UNARY_PARAM(name, params, cls, forward, uses, gradient)
#define UNARY(name, cls, forward, uses, gradient)                           \
  Tensor name(const Tensor& x) { return dispatch(detail::op_##name, {x}); } \
  Tensor& name##_(Tensor& self) {                                           \
    dispatch_in_place(detail::op_##name, {self});                           \
    return self;                                                            \
  }
#define BINARY(name, cls, forward, uses_a, gradient_a, uses_b, gradient_b)                      \
  Tensor name(const Tensor& a, const Tensor& b) { return dispatch(detail::op_##name, {a, b}); } \
  Tensor& name##_(Tensor& self, const Tensor& other) {                                          \
    dispatch_in_place(detail::op_##name, {self, other});                                        \
    return self;                                                                                \
  }
#define COMPARE(name, forward) \
  Tensor name(const Tensor& a, const Tensor& b) { return dispatch(detail::op_##name, {a, b}); }
#define TERNARY(name, forward, uses_a, gradient_a, uses_b, gradient_b) \
  Tensor name(const Tensor& c, const Tensor& a, const Tensor& b) {     \
    return dispatch(detail::op_##name, {c, a, b});                     \
  }
#include "ops/pointwise.def"

// ---- the others

Tensor leaky_relu(const Tensor& x, double negative_slope) {
  if (!is_floating(x.dtype()))
    fail(ErrorCode::kNotImplemented, "leaky_relu: not implemented for ", name_of(x.dtype()));
  detail::Attrs attrs;
  attrs.reals[0] = negative_slope;
  return dispatch(detail::op_leaky_relu, {x}, attrs);
}

Tensor clone(const Tensor& x) { return dispatch(detail::op_copy, {x}); }

Tensor contiguous(const Tensor& x) { return x.is_contiguous() ? x : clone(x); }

Tensor to(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype && !x.head()->is_number) return x;
  detail::Attrs attrs;
  attrs.ints[0] = static_cast<int64_t>(dtype);
  return dispatch(detail::op_to, {x}, attrs);
}

Tensor& copy_(Tensor& self, const Tensor& src) {
  dispatch_in_place(detail::op_assign, {self, src});
  return self;
}

Tensor& fill_(Tensor& self, const Tensor& value) {
  if (value.numel() != 1)
    fail(ErrorCode::kRuntime, "fill_: the value must have one element, got sizes ", value.sizes());
  return copy_(self, value.dim() ? reshape(value, {}) : value);
}

Tensor& zero_(Tensor& self) { return fill_(self, scalar(0)); }

namespace {

// Bounds that are plain numbers of no higher category than x need no tensors.
bool is_plain_bound(const Tensor& x, const Tensor& bound) {
  return !bound ||
         (bound.head()->is_number && (is_floating(x.dtype()) || !is_floating(bound.dtype())));
}

detail::Attrs clamp_attrs(const Tensor& x, const Tensor& min, const Tensor& max) {
  // The largest double that every integer conversion survives.
  const double limit =
      is_floating(x.dtype()) ? std::numeric_limits<double>::infinity() : 9223372036854774784.0;
  detail::Attrs attrs;
  attrs.reals[0] = min ? min.item() : -limit;
  attrs.reals[1] = max ? max.item() : limit;
  return attrs;
}

void check_clamp(const Tensor& min, const Tensor& max) {
  if (!min && !max)
    fail(ErrorCode::kRuntime, "clamp: At least one of 'min' or 'max' must not be None");
}

}  // namespace

Tensor clamp(const Tensor& x, const Tensor& min, const Tensor& max) {
  check_clamp(min, max);
  if (is_plain_bound(x, min) && is_plain_bound(x, max))
    return dispatch(detail::op_clamp, {x}, clamp_attrs(x, min, max));
  Tensor y = x;
  if (min) y = where(lt(y, min), min, y);
  if (max) y = where(gt(y, max), max, y);
  return y;
}

Tensor clamp(const Tensor& x, std::optional<Scalar> min, std::optional<Scalar> max) {
  return clamp(x, min ? scalar(*min) : Tensor(), max ? scalar(*max) : Tensor());
}

Tensor& clamp_(Tensor& self, const Tensor& min, const Tensor& max) {
  check_clamp(min, max);
  if (is_plain_bound(self, min) && is_plain_bound(self, max)) {
    dispatch_in_place(detail::op_clamp, {self}, clamp_attrs(self, min, max));
    return self;
  }
  const Tensor result = clamp(self, min, max);
  if (is_floating(result.dtype()) && !is_floating(self.dtype()))
    fail(ErrorCode::kRuntime, "clamp_: result type ", name_of(result.dtype()),
         " can't be cast to the desired output type ", name_of(self.dtype()));
  return copy_(self, result);
}

}  // namespace autograd
