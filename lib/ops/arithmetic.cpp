// Pointwise functions that are more than a row of pointwise.def: they take parameters, check them,
// or are made of several ops.
#include <cmath>
#include <limits>

#include "autograd/ops.hpp"
#include "autograd/runtime.hpp"
#include "core/text.hpp"
#include "ops/broadcast.hpp"
#include "ops/pointwise.hpp"

namespace autograd {

using cpu::PointwiseOp;
using detail::apply;
using detail::apply_in_place;

// ---- clamp

namespace {

const detail::Op& clamp_op() { return detail::pointwise_op(PointwiseOp::k_clamp); }

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
    fail(ErrorCode::kRuntime, "clamp: At least one of 'min' or 'max' must be given");
}

}  // namespace

Tensor clamp(const Tensor& x, const Tensor& min, const Tensor& max) {
  check_clamp(min, max);
  if (is_plain_bound(x, min) && is_plain_bound(x, max))
    return detail::dispatch(clamp_op(), {x}, clamp_attrs(x, min, max));
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
    detail::dispatch_in_place(clamp_op(), {self}, clamp_attrs(self, min, max));
    return self;
  }
  const Tensor result = clamp(self, min, max);
  if (is_floating(result.dtype()) && !is_floating(self.dtype()))
    fail(ErrorCode::kRuntime, "clamp_: result type ", name_of(result.dtype()),
         " can't be cast to the desired output type ", name_of(self.dtype()));
  return copy_(self, result);
}

// ---- rounding, angles

Tensor round_decimals(const Tensor& x, int64_t decimals) {
  if (!is_floating(x.dtype()))
    fail(ErrorCode::kNotImplemented, "round: decimals are not implemented for ", name_of(x.dtype()),
         " tensors");
  if (decimals == 0) return round(x);
  const double ten = std::pow(10.0, std::fabs(static_cast<double>(decimals)));
  const double up = decimals > 0 ? ten : 1, down = decimals > 0 ? 1 : ten;
  return detail::apply(cpu::PointwiseOp::k_round_decimals, {x}, up, down);
}

namespace {
Tensor& assign_rounded(Tensor& self, const Tensor& result) {
  if (is_floating(result.dtype()) && !is_floating(self.dtype()))
    fail(ErrorCode::kRuntime, "result type ", name_of(result.dtype()),
         " can't be cast to the desired output type ", name_of(self.dtype()));
  return copy_(self, result);
}
}  // namespace

Tensor& round_decimals_(Tensor& self, int64_t decimals) {
  return assign_rounded(self, round_decimals(self, decimals));
}

Tensor entr(const Tensor& x) { return detail::apply(cpu::PointwiseOp::k_entr, {x}); }

Tensor i0(const Tensor& x) { return detail::apply(cpu::PointwiseOp::k_i0, {x}); }
Tensor i0e(const Tensor& x) { return detail::apply(cpu::PointwiseOp::k_i0e, {x}); }
Tensor i1(const Tensor& x) { return detail::apply(cpu::PointwiseOp::k_i1, {x}); }
Tensor i1e(const Tensor& x) { return detail::apply(cpu::PointwiseOp::k_i1e, {x}); }

Tensor deg2rad(const Tensor& x) { return x * 0.0174532925199432958; }
Tensor& deg2rad_(Tensor& self) { return mul_(self, scalar(0.0174532925199432958)); }
Tensor rad2deg(const Tensor& x) { return x * 57.2957795130823209; }
Tensor& rad2deg_(Tensor& self) { return mul_(self, scalar(57.2957795130823209)); }

// ---- rows with parameters

namespace {

double largest_of(const Tensor& x) {
  return x.dtype() == DType::kFloat32 ? std::numeric_limits<float>::max()
                                      : std::numeric_limits<double>::max();
}

// logit's bounds, and what lies outside them: nothing, or NaN where there are no bounds.
struct LogitLimits {
  // NaN limits nothing.
  explicit LogitLimits(std::optional<double> eps)
      : low(eps ? *eps : 0),
        high(eps ? 1 - *eps : 1),
        outside(eps ? 0 : std::numeric_limits<double>::quiet_NaN()) {
    if (eps && std::isnan(*eps)) *this = LogitLimits(std::nullopt);
  }
  double low, high, outside;
};

}  // namespace

Tensor nan_to_num(const Tensor& x, double nan, std::optional<double> posinf,
                  std::optional<double> neginf) {
  const double most = largest_of(x);
  return apply(PointwiseOp::k_nan_to_num, {x}, nan, posinf.value_or(most), neginf.value_or(-most));
}
Tensor& nan_to_num_(Tensor& self, double nan, std::optional<double> posinf,
                    std::optional<double> neginf) {
  const double most = largest_of(self);
  return apply_in_place(PointwiseOp::k_nan_to_num, self, {self}, nan, posinf.value_or(most),
                        neginf.value_or(-most));
}

Tensor logit(const Tensor& x, std::optional<double> eps) {
  const LogitLimits limits(eps);
  return apply(PointwiseOp::k_logit, {x}, limits.low, limits.high, limits.outside);
}
Tensor& logit_(Tensor& self, std::optional<double> eps) {
  const LogitLimits limits(eps);
  return apply_in_place(PointwiseOp::k_logit, self, {self}, limits.low, limits.high,
                        limits.outside);
}

namespace {
double checked_order(int64_t n) {
  if (n < 0) fail(ErrorCode::kRuntime, "polygamma(n, x) does not support negative n, got ", n);
  return static_cast<double>(n);
}
}  // namespace

Tensor polygamma(int64_t n, const Tensor& x) {
  return apply(PointwiseOp::k_polygamma, {x}, checked_order(n));
}
Tensor& polygamma_(Tensor& self, int64_t n) {
  return apply_in_place(PointwiseOp::k_polygamma, self, {self}, checked_order(n));
}

namespace {
void check_factor(const Tensor& x, const Tensor& a, const Tensor& b, double value) {
  const detail::Arg inputs[3] = {x, a, b};
  if (value < 0 && detail::result_type(inputs, 3) == DType::kUInt8)
    fail(ErrorCode::kRuntime,
         "addcmul: value cannot be converted to type uint8_t without overflow: ", value);
}
}  // namespace

Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, double value) {
  check_factor(x, a, b, value);
  return apply(PointwiseOp::k_addcmul, {x, a, b}, value);
}
Tensor& addcmul_(Tensor& self, const Tensor& a, const Tensor& b, double value) {
  check_factor(self, a, b, value);
  return apply_in_place(PointwiseOp::k_addcmul, self, {self, a, b}, value);
}

namespace {
void check_quotient(const Tensor& a, const Tensor& b) {
  if (!is_floating(a.dtype()) && !is_floating(b.dtype()))
    fail(
        ErrorCode::kRuntime,
        "addcdiv: Integer division with addcdiv is no longer supported; convert one of the tensors "
        "to a float, got ",
        name_of(a.dtype()), " and ", name_of(b.dtype()));
}
}  // namespace

Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, double value) {
  check_quotient(a, b);
  return apply(PointwiseOp::k_addcdiv, {x, a, b}, value);
}
Tensor& addcdiv_(Tensor& self, const Tensor& a, const Tensor& b, double value) {
  check_quotient(a, b);
  return apply_in_place(PointwiseOp::k_addcdiv, self, {self, a, b}, value);
}

namespace {
void check_lerp(const Tensor& x, const Tensor& end, const Tensor& weight) {
  if (!is_floating(x.dtype()))
    fail(ErrorCode::kNotImplemented, "lerp: not implemented for ", name_of(x.dtype()), " tensors");
  if (end.dtype() != x.dtype())
    fail(ErrorCode::kRuntime, "lerp: expected dtype ", name_of(x.dtype()),
         " for `end` but got dtype ", name_of(end.dtype()));
  if (weight.dtype() != x.dtype() && weight.dim() != 0)
    fail(ErrorCode::kRuntime, "lerp: expected dtype ", name_of(x.dtype()),
         " for `weight` but got dtype ", name_of(weight.dtype()));
}
}  // namespace

Tensor lerp(const Tensor& x, const Tensor& end, const Tensor& weight) {
  check_lerp(x, end, weight);
  return apply(PointwiseOp::k_lerp, {x, end, weight});
}
Tensor& lerp_(Tensor& self, const Tensor& end, const Tensor& weight) {
  check_lerp(self, end, weight);
  return apply_in_place(PointwiseOp::k_lerp, self, {self, end, weight});
}

// ---- made of several ops

Tensor float_power(const Tensor& a, const Tensor& b) {
  const auto wide = [](const Tensor& t) { return to(t, DType::kFloat64); };
  return pow(wide(a), wide(b));
}
Tensor& float_power_(Tensor& self, const Tensor& b) {
  if (self.dtype() != DType::kFloat64)
    fail(ErrorCode::kRuntime, "float_power_: the base given to float_power_ has dtype ",
         name_of(self.dtype()), " but the operation's result requires dtype float64");
  return pow_(self, to(b, DType::kFloat64));
}

Tensor ldexp(const Tensor& a, const Tensor& b) { return mul(a, exp2(b)); }
Tensor& ldexp_(Tensor& self, const Tensor& b) { return mul_(self, exp2(b)); }

Tensor isclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
  if (a.dtype() != b.dtype())
    fail(ErrorCode::kRuntime, "isclose: ", name_of(a.dtype()), " did not match ",
         name_of(b.dtype()));
  if (!(rtol >= 0))
    fail(ErrorCode::kRuntime, "isclose: rtol must be greater than or equal to zero, but got ",
         rtol);
  if (!(atol >= 0))
    fail(ErrorCode::kRuntime, "isclose: atol must be greater than or equal to zero, but got ",
         atol);
  Tensor close = eq(a, b);
  if (equal_nan) close = logical_or(close, logical_and(isnan(a), isnan(b)));
  if (rtol == 0 && atol == 0) return close;
  // Integers are compared as the reals they are.
  const Tensor x = is_floating(a.dtype()) ? a : to(a, DType::kFloat64);
  const Tensor y = is_floating(b.dtype()) ? b : to(b, DType::kFloat64);
  const Tensor distance = abs(x - y);
  return logical_or(close, logical_and(isfinite(distance), distance <= abs(y * rtol) + atol));
}

}  // namespace autograd
