// The pointwise ops: pointwise.def expanded into records, gradients and public functions.
#include "ops/pointwise.hpp"

#include <cstring>

#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/record.hpp"
#include "core/thread_state.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/pointwise_gradients.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

enum Class { NUMBER, COUNTED, FLOAT, FLOAT_ONLY, NUMBER_OR_BOOL, INTEGER, INTEGER_OR_BOOL };

[[noreturn]] void fail_type(const char* name, DType type) {
  fail(ErrorCode::kNotImplemented, name, ": not implemented for ", name_of(type), " tensors");
}

DType compute_type(const char* name, Class cls, const Arg* inputs, int n) {
  const DType type = result_type(inputs, n);
  const bool is_float = is_floating(type), is_bool = type == DType::kBool;
  switch (cls) {
    case FLOAT:
      return is_float ? type : default_dtype();
    case COUNTED:
      return is_bool ? DType::kInt64 : type;
    case NUMBER:
      if (is_bool) fail_type(name, type);
      return type;
    case FLOAT_ONLY:
      if (!is_float) fail_type(name, type);
      return type;
    case INTEGER:
      if (is_float || is_bool) fail_type(name, type);
      return type;
    case INTEGER_OR_BOOL:
      if (is_float) fail_type(name, type);
      return type;
    case NUMBER_OR_BOOL:
      break;
  }
  return type;
}

// ---- infer and forward, one pair per kind of row

template <Class cls>
void infer_unary(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = compute_type(call.op.name, cls, call.inputs, 1);
  meta.sizes = call.in(0).sizes;
}

bool is_op(const Call& call, cpu::PointwiseOp op) { return call.op.kernel == static_cast<int>(op); }

// Three rows refuse what their class allows.
void check_operands(const Call& call) {
  const TensorBody &a = call.in(0), &b = call.in(1);
  if (is_op(call, cpu::PointwiseOp::k_sub) && (a.dtype == DType::kBool || b.dtype == DType::kBool))
    fail(ErrorCode::kRuntime,
         "sub: Subtraction, the `-` operator, with a bool tensor is not supported. If you are "
         "trying to "
         "invert a mask, use the `~` or `logical_not()` operator instead");
  if (is_op(call, cpu::PointwiseOp::k_pow) && b.is_number && b.dtype == DType::kInt64 &&
      !is_floating(a.dtype) && *reinterpret_cast<const int64_t*>(b.data) < 0)
    fail(ErrorCode::kRuntime, "pow: Integers to negative integer powers are not allowed.");
  if (is_op(call, cpu::PointwiseOp::k_heaviside) && a.dtype != b.dtype)
    fail(ErrorCode::kRuntime,
         "heaviside is not yet implemented for tensors with different dtypes, got ",
         name_of(a.dtype), " and ", name_of(b.dtype));
}

template <Class cls>
void infer_binary(const Call& call, OutputMetas& outputs) {
  if (cls == NUMBER || cls == NUMBER_OR_BOOL) check_operands(call);
  OutputMeta& meta = outputs.add();
  meta.dtype = compute_type(call.op.name, cls, call.inputs, 2);
  meta.sizes = broadcast_sizes(call.op.name, call.in(0).sizes, call.in(1).sizes);
}

template <Class cls>
void infer_ternary(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = compute_type(call.op.name, cls, call.inputs, 3);
  meta.sizes = broadcast_sizes(call.op.name, call.in(0).sizes,
                               broadcast_sizes(call.op.name, call.in(1).sizes, call.in(2).sizes));
}

void infer_predicate(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = DType::kBool;
  meta.sizes = call.in(0).sizes;
}

void infer_compare(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = DType::kBool;
  meta.sizes = broadcast_sizes(call.op.name, call.in(0).sizes, call.in(1).sizes);
}

void infer_select(const Call& call, OutputMetas& outputs) {
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

void forward_select(const Call& call) {
  run_pointwise(call.op.kernel, result_type(call.inputs + 1, 2), call.attrs.reals, call.out(),
                call.inputs, 3, true);
}

// Integers cannot be divided by 0.
template <Class cls>
void forward_quotient(const Call& call) {
  TensorBody& divisor = call.in(1);
  const DType type = compute_type(call.op.name, cls, call.inputs, 2);
  if (!is_floating(type) && call.out().numel > 0) {
    Tensor zero = make_tensor(Shape(), type), is_zero = make_tensor(divisor.sizes, DType::kBool);
    std::memset(body(zero)->data, 0, size_of(type));
    const Arg operands[2] = {Arg(&divisor), zero};
    run_pointwise(static_cast<int>(cpu::PointwiseOp::k_eq), type, call.attrs.reals, *body(is_zero),
                  operands, 2, false);
    if (std::memchr(body(is_zero)->data, 1, static_cast<size_t>(divisor.numel)))
      fail(ErrorCode::kRuntime, "ZeroDivisionError: ", call.op.name,
           ": an integer is divided by 0");
  }
  forward_plain<cls>(call);
}

constexpr bool is_quotient(cpu::PointwiseOp op) {
  using Op = cpu::PointwiseOp;
  return op == Op::k_remainder || op == Op::k_fmod || op == Op::k_floor_divide ||
         op == Op::k_div_floor || op == Op::k_div_trunc;
}

template <Class cls, cpu::PointwiseOp op>
void forward_binary(const Call& call) {
  if constexpr (is_quotient(op))
    forward_quotient<cls>(call);
  else
    forward_plain<cls>(call);
}

// `<name>_backward(g, x, y)`: what the gradient does not read is absent.
void infer_fused(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = call.in(0).sizes;
}

template <uint32_t uses>
void check_fused(const Call& call) {
  need_counts(call, 3, 3);
  need_float(call, 0);
  for (int i = 1; i < 3; ++i) {
    const bool reads = uses & (i == 1 ? reads_input(0) : reads_output(0));
    need(call, call.has(i) || !reads, "an argument is missing");
    need(call, !call.has(i) || broadcasts_to(call.in(i).sizes, call.in(0).sizes),
         "an argument of other sizes is wanted");
  }
}

void forward_fused(const Call& call) {
  run_pointwise(call.op.kernel, call.in(0).dtype, call.attrs.reals, call.out(), call.inputs, 3,
                false);
}

// ---- gradients as Tensor code, in the vocabulary of pointwise_gradients.hpp

constexpr uint32_t NONE = 0, X = reads_input(0), A = reads_input(0), B = reads_input(1),
                   C = reads_input(2), Y = reads_output(0), PIECES = reads_output(15);

/// Loads exactly what a row says its gradient reads.
struct Values {
  Values(const Backward& rule, uint32_t uses)
      : g(rule.grad()),
        x(uses & reads_input(0) ? rule.input(0) : Tensor()),
        b(uses & reads_input(1) ? rule.input(1) : Tensor()),
        c(uses & reads_input(2) ? rule.input(2) : Tensor()),
        y(uses & reads_output(0) ? rule.output(0) : Tensor()),
        p(rule.attrs().reals[0]),
        q(rule.attrs().reals[1]),
        r(rule.attrs().reals[2]),
        name(rule.op().name) {}
  Tensor g, x, b, c, y;
  double p, q, r;
  const char* name;
};

#define AG_VALUES                                                                           \
  [[maybe_unused]] const Tensor &g = v.g, &x = v.x, &a = v.x, &b = v.b, &c = v.c, &y = v.y; \
  [[maybe_unused]] const double p = v.p, q = v.q, r = v.r;                                  \
  [[maybe_unused]] const char* const name = v.name;

#define AG_GRADIENT(function, gradient) \
  Tensor function(const Values& v) {    \
    AG_VALUES                           \
    return gradient;                    \
  }
#define UNARY(name, cls, forward, uses, gradient) AG_GRADIENT(gradient_##name, gradient)
#define BINARY(name, cls, forward, uses_a, gradient_a, uses_b, gradient_b) \
  AG_GRADIENT(gradient_a_##name, gradient_a)                               \
  AG_GRADIENT(gradient_b_##name, gradient_b)
#define TERNARY(name, params, cls, forward, uses_a, gradient_a, uses_b, gradient_b, uses_c, \
                gradient_c)                                                                 \
  AG_GRADIENT(gradient_a_##name, gradient_a)                                                \
  AG_GRADIENT(gradient_b_##name, gradient_b)                                                \
  AG_GRADIENT(gradient_c_##name, gradient_c)
#define SELECT(name, forward, uses_a, gradient_a, uses_b, gradient_b)               \
  Tensor gradient_a_##name(const Tensor& c, const Tensor& g) { return gradient_a; } \
  Tensor gradient_b_##name(const Tensor& c, const Tensor& g) { return gradient_b; }
#include "ops/pointwise.def"

void backward_unary(Backward& rule, const Op& fused, uint32_t uses,
                    Tensor (*gradient)(const Values&)) {
  const Values v(rule, uses);
  // Without a second order the whole gradient is one kernel; one that reads nothing is one op
  // anyway.
  if ((uses & PIECES) && thread_state.grad_enabled) return set_in_pieces(rule, 0, gradient(v));
  if (uses == NONE || thread_state.grad_enabled) return rule.set(0, gradient(v));
  rule.set(0, dispatch(fused, {v.g, v.x, v.y}, rule.attrs()));
}

struct Slope {
  uint32_t uses;
  Tensor (*gradient)(const Values&);
};

void backward_each(Backward& rule, std::initializer_list<Slope> slopes) {
  int i = 0;
  for (const Slope& slope : slopes) {
    if (rule.needs(i)) {
      Tensor gradient = slope.gradient(Values(rule, slope.uses));
      if ((slope.uses & PIECES) && thread_state.grad_enabled)
        set_in_pieces(rule, i, std::move(gradient));
      else
        rule.set(i, std::move(gradient));
    }
    ++i;
  }
}

void backward_select(Backward& rule, Tensor (*gradient_a)(const Tensor&, const Tensor&),
                     Tensor (*gradient_b)(const Tensor&, const Tensor&)) {
  const Tensor c = rule.input(0), g = rule.grad();
  if (rule.needs(1)) rule.set(1, gradient_a(c, g));
  if (rule.needs(2)) rule.set(2, gradient_b(c, g));
}

// A comparison that overwrites a float tensor cuts it off from its history.
void backward_compare_in_place(Backward& rule) {
  for (int i = 0; i < rule.n_inputs(); ++i)
    if (rule.needs(i)) rule.set(i, zeros(rule.input_sizes(i), rule.input_dtype(i)));
}

// ---- the records

#define AG_KERNEL(name) static_cast<int>(cpu::PointwiseOp::k_##name)

// `params` names the op's scalars.
#define UNARY_PARAM(name_, params, cls, expression, uses_, slope)                                 \
  constexpr Op op_##name_##_backward = {.name = #name_ "_backward",                               \
                                        .traits = kPointwise,                                     \
                                        .infer = infer_fused,                                     \
                                        .forward = {forward_fused},                               \
                                        .attrs = ";" params,                                      \
                                        .doc = #slope,                                            \
                                        .kernel = AG_KERNEL(name_##_backward),                    \
                                        .optional_inputs = 6,                                     \
                                        .check = check_fused<uses_>};                             \
  constexpr Op op_##name_ = {                                                                     \
      .name = #name_,                                                                             \
      .traits = kPointwise,                                                                       \
      .infer = infer_unary<cls>,                                                                  \
      .forward = {forward_plain<cls>},                                                            \
      .backward =                                                                                 \
          [](Backward& b) { backward_unary(b, op_##name_##_backward, uses_, gradient_##name_); }, \
      .reads = {(uses_) & ~PIECES},                                                               \
      .attrs = ";" params,                                                                        \
      .doc = #expression,                                                                         \
      .kernel = AG_KERNEL(name_),                                                                 \
      .check = takes<1>};
#define UNARY(name, cls, forward, uses, gradient) \
  UNARY_PARAM(name, "", cls, forward, uses, gradient)
#define BINARY(name_, cls, expression, uses_a, gradient_a, uses_b, gradient_b)              \
  constexpr Op op_##name_ = {                                                               \
      .name = #name_,                                                                       \
      .traits = kPointwise,                                                                 \
      .infer = infer_binary<cls>,                                                           \
      .forward = {forward_binary<cls, cpu::PointwiseOp::k_##name_>},                        \
      .backward =                                                                           \
          [](Backward& b) {                                                                 \
            backward_each(b, {{uses_a, gradient_a_##name_}, {uses_b, gradient_b_##name_}}); \
          },                                                                                \
      .reads = {(uses_a) & ~PIECES, (uses_b) & ~PIECES},                                    \
      .doc = #expression,                                                                   \
      .kernel = AG_KERNEL(name_),                                                           \
      .check = takes<2>};
#define TERNARY(name_, params, cls, expression, uses_a, gradient_a, uses_b, gradient_b, uses_c, \
                gradient_c)                                                                     \
  constexpr Op op_##name_ = {.name = #name_,                                                    \
                             .traits = kPointwise,                                              \
                             .infer = infer_ternary<cls>,                                       \
                             .forward = {forward_plain<cls>},                                   \
                             .backward =                                                        \
                                 [](Backward& b) {                                              \
                                   backward_each(b, {{uses_a, gradient_a_##name_},              \
                                                     {uses_b, gradient_b_##name_},              \
                                                     {uses_c, gradient_c_##name_}});            \
                                 },                                                             \
                             .reads = {uses_a, uses_b, uses_c},                                 \
                             .attrs = ";" params,                                               \
                             .doc = #expression,                                                \
                             .kernel = AG_KERNEL(name_),                                        \
                             .check = takes<3>};
#define AG_PLAIN_RECORD(record, name_, n, infer_, forward_, backward_, expression, kernel_) \
  constexpr Op record = {.name = name_,                                                     \
                         .traits = kPointwise,                                              \
                         .infer = infer_,                                                   \
                         .forward = {forward_},                                             \
                         .backward = backward_,                                             \
                         .doc = #expression,                                                \
                         .kernel = kernel_,                                                 \
                         .check = takes<n>};
#define UNARY_FLAT(name, cls, expression)                                                         \
  AG_PLAIN_RECORD(op_##name, #name, 1, infer_unary<cls>, forward_plain<cls>, nullptr, expression, \
                  AG_KERNEL(name))
#define BINARY_FLAT(name, cls, expression)                                                         \
  AG_PLAIN_RECORD(op_##name, #name, 2, infer_binary<cls>, forward_plain<cls>, nullptr, expression, \
                  AG_KERNEL(name))
#define PREDICATE(name, expression)                                                             \
  AG_PLAIN_RECORD(op_##name, #name, 1, infer_predicate, forward_plain<NUMBER_OR_BOOL>, nullptr, \
                  expression, AG_KERNEL(name))                                                  \
  AG_PLAIN_RECORD(op_##name##_in_place, #name "_", 1, infer_predicate,                          \
                  forward_plain<NUMBER_OR_BOOL>, backward_compare_in_place, expression,         \
                  AG_KERNEL(name))
#define COMPARE(name, expression)                                                             \
  AG_PLAIN_RECORD(op_##name, #name, 2, infer_compare, forward_plain<NUMBER_OR_BOOL>, nullptr, \
                  expression, AG_KERNEL(name))                                                \
  AG_PLAIN_RECORD(op_##name##_in_place, #name "_", 2, infer_compare,                          \
                  forward_plain<NUMBER_OR_BOOL>, backward_compare_in_place, expression,       \
                  AG_KERNEL(name))
#define SELECT(name_, expression, uses_a, gradient_a, uses_b, gradient_b)                          \
  constexpr Op op_##name_ = {                                                                      \
      .name = #name_,                                                                              \
      .traits = kPointwise,                                                                        \
      .infer = infer_select,                                                                       \
      .forward = {forward_select},                                                                 \
      .backward = [](Backward& b) { backward_select(b, gradient_a_##name_, gradient_b_##name_); }, \
      .reads = {0, reads_input(0), reads_input(0)},                                                \
      .doc = #expression,                                                                          \
      .kernel = AG_KERNEL(name_),                                                                  \
      .check = takes<3>};
#include "ops/pointwise.def"

constexpr const Op* kPointwiseOps[] = {
#define UNARY(name, ...) &op_##name, &op_##name##_backward,
#define UNARY_FLAT(name, ...) &op_##name,
#define PREDICATE(name, ...) &op_##name,
#define BINARY(name, ...) &op_##name,
#define BINARY_FLAT(name, ...) &op_##name,
#define COMPARE(name, ...) &op_##name,
#define TERNARY(name, ...) &op_##name,
#define SELECT(name, ...) &op_##name,
#include "ops/pointwise.def"
};

}  // namespace

OpList pointwise_ops() { return {kPointwiseOps, std::size(kPointwiseOps)}; }

const Op& pointwise_op(cpu::PointwiseOp op) { return *kPointwiseOps[static_cast<int>(op)]; }

}  // namespace detail

using detail::dispatch;
using detail::dispatch_in_place;

// ---- the public functions that are all alike

#define AG_UNARY_FUNCTION(name) \
  Tensor name(const Tensor& x) { return dispatch(detail::op_##name, {x}); }
#define AG_BINARY_FUNCTION(name) \
  Tensor name(const Tensor& a, const Tensor& b) { return dispatch(detail::op_##name, {a, b}); }
#define AG_UNARY_IN_PLACE(name, record)        \
  Tensor& name##_(Tensor& self) {              \
    dispatch_in_place(detail::record, {self}); \
    return self;                               \
  }
#define AG_BINARY_IN_PLACE(name, record)               \
  Tensor& name##_(Tensor& self, const Tensor& other) { \
    dispatch_in_place(detail::record, {self, other});  \
    return self;                                       \
  }
#define UNARY_PARAM(...)
#define BINARY_BY_HAND(...)
#define UNARY(name, ...) AG_UNARY_FUNCTION(name) AG_UNARY_IN_PLACE(name, op_##name)
#define UNARY_FLAT(name, ...) AG_UNARY_FUNCTION(name) AG_UNARY_IN_PLACE(name, op_##name)
#define PREDICATE(name, ...) AG_UNARY_FUNCTION(name) AG_UNARY_IN_PLACE(name, op_##name##_in_place)
#define BINARY(name, ...) AG_BINARY_FUNCTION(name) AG_BINARY_IN_PLACE(name, op_##name)
#define BINARY_FLAT(name, ...) AG_BINARY_FUNCTION(name) AG_BINARY_IN_PLACE(name, op_##name)
#define COMPARE(name, ...) AG_BINARY_FUNCTION(name) AG_BINARY_IN_PLACE(name, op_##name##_in_place)
#define SELECT(name, ...)                                          \
  Tensor name(const Tensor& c, const Tensor& a, const Tensor& b) { \
    return dispatch(detail::op_##name, {c, a, b});                 \
  }
#include "ops/pointwise.def"

}  // namespace autograd
