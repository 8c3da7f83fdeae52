// The vocabulary of pointwise.def's gradients as Tensor code, as far as it is not public: what the
// kernels call by the same names.
#pragma once
#include "autograd/ops.hpp"
#include "autograd/runtime.hpp"
#include "core/text.hpp"
#include "kernels/cpu/pointwise.hpp"

namespace autograd::detail {

using autograd::where;

inline Tensor where(const Tensor& c, const Tensor& a, const Scalar& b) {
  return autograd::where(c, a, scalar(b));
}
inline Tensor where(const Tensor& c, const Scalar& a, const Tensor& b) {
  return autograd::where(c, scalar(a), b);
}

/// The gradient of a function that is constant piece by piece.
inline Tensor zero(const Tensor& g) { return zeros(g.sizes(), g.dtype()); }

/// A plain number as exact as the gradient that it meets; any other tensor as it is.
inline Tensor like(const Tensor& g, const Tensor& x) {
  return x.head()->is_number ? to(x, g.dtype()) : x;
}

/// g b a^(b - 1), 0 for b = 0 whatever a is; finite there at every order.
inline Tensor power_slope(const Tensor& g, const Tensor& a, const Tensor& b) {
  if (!b.head()->is_number) return where(b == 0, 0, g * b * pow(a, where(b == 0, 1, b) - 1));
  double n;
  cpu::convert(b.data(), b.dtype(), 1, &n, DType::kFloat64, 1, 1);
  if (n == 0) return zero(g);
  return n == 2 ? g * (a * 2.0) : g * (pow(a, scalar(n - 1)) * n);
}

/// g n / (a^2 + b^2), 0 at the origin.
inline Tensor angle_slope(const Tensor& g, const Tensor& n, const Tensor& a, const Tensor& b) {
  const Tensor square = a * a + b * b;
  return where(square == 0, 0, g * (n / square));
}

/// For ops that PyTorch does not differentiate either.
[[noreturn]] inline Tensor no_derivative(const char* op) {
  fail(ErrorCode::kRuntime, "derivative for ", op, " is not implemented");
}

/// The density at x of the gamma distribution of shape a.
inline Tensor gamma_density(const Tensor& a, const Tensor& x) {
  return exp(xlogy(a - 1, x) - x - lgamma(a));
}

/// The probability that a normal number is below x, and its derivative.
inline Tensor normal_cdf(const Tensor& x) { return 0.5 * erfc(x * -0.707106781186547524); }
inline Tensor normal_density(const Tensor& x) { return exp(x * x * -0.5) * 0.398942280401432678; }

/// gelu_tanh(x) = x sigmoid(u) with this u, and its derivative where s is sigmoid(u).
inline Tensor gelu_angle(const Tensor& x) {
  return x * (x * x * 0.0713548162726009292 + 1.59576912160573071);
}
inline Tensor gelu_tanh_slope(const Tensor& x, const Tensor& s) {
  return s * (1 + x * (1 - s) * (x * x * 0.214064448817802788 + 1.59576912160573071));
}

/// mish(x) = x t with t = tanh_softplus(x), and its derivative.
inline Tensor tanh_softplus(const Tensor& x) { return tanh(softplus(x)); }
inline Tensor mish_slope(const Tensor& x, const Tensor& t) {
  return t + x * (1 - t * t) * sigmoid(x);
}

inline Tensor sinc_slope(const Tensor& x) {
  const Tensor angle = x * 3.14159265358979323846;
  return where(x == 0, 0, (cos(angle) - sin(angle) / angle) / x);
}

/// y / x for y = i1(x) or i1e(x), finite at 0 at every order.
inline Tensor i1_over_x(const Tensor& y, const Tensor& x) {
  const Tensor is_zero = x == 0;
  return where(is_zero, 0.5, y / where(is_zero, 1, x));
}

}  // namespace autograd::detail
