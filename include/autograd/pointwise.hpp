// Pointwise ops: gradients to every order unless said otherwise; broadcasting and promotion follow
// PyTorch.
#pragma once
#include <optional>
#include <utility>

#include "autograd/creation.hpp"
#include "autograd/tensor.hpp"

namespace autograd {

// ---- one input
Tensor neg(const Tensor& x);
Tensor abs(const Tensor& x);
Tensor sign(const Tensor& x);   ///< -1, 0 or 1; 0 for NaN
Tensor floor(const Tensor& x);  ///< integers stay; no slope
Tensor ceil(const Tensor& x);
Tensor trunc(const Tensor& x);   ///< towards 0
Tensor round(const Tensor& x);   ///< halves go to the even neighbour
Tensor frac(const Tensor& x);    ///< x - trunc(x)
Tensor square(const Tensor& x);  ///< x^2; of bool int64
Tensor sqrt(const Tensor& x);
Tensor rsqrt(const Tensor& x);       ///< 1 / sqrt(x)
Tensor reciprocal(const Tensor& x);  ///< 1 / x
Tensor exp(const Tensor& x);
Tensor exp2(const Tensor& x);   ///< 2^x
Tensor expm1(const Tensor& x);  ///< e^x - 1
Tensor log(const Tensor& x);
Tensor log2(const Tensor& x);
Tensor log10(const Tensor& x);
Tensor log1p(const Tensor& x);  ///< log(1 + x)
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
Tensor tan(const Tensor& x);
Tensor asin(const Tensor& x);
Tensor acos(const Tensor& x);
Tensor atan(const Tensor& x);
Tensor sinh(const Tensor& x);
Tensor cosh(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor asinh(const Tensor& x);
Tensor acosh(const Tensor& x);
Tensor atanh(const Tensor& x);
Tensor sinc(const Tensor& x);     ///< sin(pi x) / (pi x)
Tensor sigmoid(const Tensor& x);  ///< 1 / (1 + exp(-x))
Tensor erf(const Tensor& x);      ///< 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x
Tensor erfc(const Tensor& x);     ///< 1 - erf(x)
Tensor erfinv(const Tensor& x);   ///< erf(erfinv(x)) = x
Tensor entr(const Tensor& x);     ///< -x log(x); 0 at 0, -inf below
Tensor lgamma(const Tensor& x);   ///< log |gamma(x)|
Tensor digamma(const Tensor& x);  ///< the derivative of lgamma
Tensor round_decimals(const Tensor& x, int64_t decimals);  ///< to 10^-decimals; floats only
Tensor deg2rad(const Tensor& x);
Tensor rad2deg(const Tensor& x);
Tensor i0(const Tensor& x);   ///< modified Bessel function of the first kind, order 0
Tensor i0e(const Tensor& x);  ///< i0(x) exp(-|x|)
Tensor i1(const Tensor& x);   ///< that of order 1
Tensor i1e(const Tensor& x);  ///< i1(x) exp(-|x|)
/// x = mantissa 2^exponent with 0.5 <= |mantissa| < 1, exponent int32; x itself and 0 where x is 0
/// or not finite.
std::pair<Tensor, Tensor> frexp(const Tensor& x);
Tensor polygamma(int64_t n, const Tensor& x);  ///< the derivative of order n >= 0 of digamma
/// log(x / (1 - x)); with eps x is first limited to [eps, 1 - eps].
Tensor logit(const Tensor& x, std::optional<double> eps = std::nullopt);
/// NaN and the infinities replaced; by default infinities by the largest finite numbers.
Tensor nan_to_num(const Tensor& x, double nan = 0, std::optional<double> posinf = std::nullopt,
                  std::optional<double> neginf = std::nullopt);
Tensor clamp(const Tensor& x, std::optional<Scalar> min, std::optional<Scalar> max = std::nullopt);
Tensor clamp(const Tensor& x, const Tensor& min,
             const Tensor& max);          ///< either bound may be undefined
Tensor to(const Tensor& x, DType dtype);  ///< x itself if it has that dtype
Tensor bitwise_not(const Tensor& x);      ///< integers and bool
// Predicates give bool and no gradient.
Tensor isnan(const Tensor& x);
Tensor isinf(const Tensor& x);
Tensor isposinf(const Tensor& x);
Tensor isneginf(const Tensor& x);
Tensor isfinite(const Tensor& x);
Tensor signbit(const Tensor& x);      ///< -0 has it, too
Tensor logical_not(const Tensor& x);  ///< x == 0

// ---- two and three inputs
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);  ///< true division: integers give float32
// Quotients made whole, and what remains. Integers: Error (runtime) where b is 0.
Tensor div_floor(const Tensor& a, const Tensor& b);     ///< floor(a / b), with a gradient of zeros
Tensor div_trunc(const Tensor& a, const Tensor& b);     ///< trunc(a / b), with a gradient of zeros
Tensor floor_divide(const Tensor& a, const Tensor& b);  ///< floor(a / b); backward is an error
Tensor remainder(const Tensor& a, const Tensor& b);     ///< a - floor(a / b) b
Tensor fmod(const Tensor& a, const Tensor& b);          ///< a - trunc(a / b) b
Tensor pow(const Tensor& a, const Tensor& b);
Tensor float_power(const Tensor& a, const Tensor& b);  ///< pow in float64
Tensor ldexp(const Tensor& a, const Tensor& b);        ///< a 2^b
Tensor maximum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, const Tensor& b);
Tensor fmax(const Tensor& a, const Tensor& b);  ///< the other number where one is NaN
Tensor fmin(const Tensor& a, const Tensor& b);
Tensor atan2(const Tensor& a, const Tensor& b);      ///< the angle of the point (b, a)
Tensor hypot(const Tensor& a, const Tensor& b);      ///< sqrt(a^2 + b^2); floats only
Tensor nextafter(const Tensor& a, const Tensor& b);  ///< the float next to a towards b; floats only
Tensor xlogy(const Tensor& a, const Tensor& b);      ///< a log(b), 0 where a is 0
/// The regularised incomplete gamma functions: the probability that a number of the gamma
/// distribution of shape a lies below b (igamma) and above (igammac). NaN for negative numbers.
Tensor igamma(const Tensor& a, const Tensor& b);
Tensor igammac(const Tensor& a, const Tensor& b);
/// db/da where igamma(a, b) is kept: how a number drawn from the gamma distribution moves with its
/// shape. No gradient.
Tensor gamma_number_slope(const Tensor& a, const Tensor& b);
Tensor logaddexp(const Tensor& a, const Tensor& b);   ///< log(e^a + e^b); floats only
Tensor logaddexp2(const Tensor& a, const Tensor& b);  ///< log2(2^a + 2^b); floats only
Tensor copysign(const Tensor& a, const Tensor& b);    ///< |a| with the sign of b
/// 0, b or 1 for a below, at or above 0; equal dtypes; backward is an error.
Tensor heaviside(const Tensor& a, const Tensor& b);
/// x + value a b.
Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, double value = 1);
/// x + value a / b; integers divided by integers are refused.
Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, double value = 1);
/// x + weight (end - x); x and end are floats of one dtype.
Tensor lerp(const Tensor& x, const Tensor& end, const Tensor& weight);
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
// Integers and bool, no gradient. Shifts and divisors: integers only.
Tensor bitwise_and(const Tensor& a, const Tensor& b);
Tensor bitwise_or(const Tensor& a, const Tensor& b);
Tensor bitwise_xor(const Tensor& a, const Tensor& b);
Tensor bitwise_left_shift(const Tensor& a, const Tensor& b);
Tensor bitwise_right_shift(const Tensor& a, const Tensor& b);
Tensor gcd(const Tensor& a, const Tensor& b);
Tensor lcm(const Tensor& a, const Tensor& b);
// Comparisons give bool and no gradient.
Tensor eq(const Tensor& a, const Tensor& b);
Tensor ne(const Tensor& a, const Tensor& b);
Tensor lt(const Tensor& a, const Tensor& b);
Tensor le(const Tensor& a, const Tensor& b);
Tensor gt(const Tensor& a, const Tensor& b);
Tensor ge(const Tensor& a, const Tensor& b);
Tensor logical_and(const Tensor& a, const Tensor& b);
Tensor logical_or(const Tensor& a, const Tensor& b);
Tensor logical_xor(const Tensor& a, const Tensor& b);
/// |a - b| <= atol + rtol |b|; equal dtypes.
Tensor isclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8,
               bool equal_nan = false);

#define AG_OPERATOR(symbol, name)                                                                \
  inline Tensor operator symbol(const Tensor& a, const Tensor& b) { return name(a, b); }         \
  inline Tensor operator symbol(const Tensor& a, const Scalar& b) { return name(a, scalar(b)); } \
  inline Tensor operator symbol(const Scalar& a, const Tensor& b) { return name(scalar(a), b); }
AG_OPERATOR(+, add)
AG_OPERATOR(-, sub)
AG_OPERATOR(*, mul)
AG_OPERATOR(/, div)
AG_OPERATOR(%, remainder)
AG_OPERATOR(&, bitwise_and)
AG_OPERATOR(|, bitwise_or)
AG_OPERATOR(^, bitwise_xor)
AG_OPERATOR(<, lt)
AG_OPERATOR(<=, le)
AG_OPERATOR(>, gt)
AG_OPERATOR(>=, ge)
AG_OPERATOR(==, eq)
AG_OPERATOR(!=, ne)
#undef AG_OPERATOR
inline Tensor operator-(const Tensor& x) { return neg(x); }
inline Tensor operator~(const Tensor& x) { return bitwise_not(x); }

// ---- in place: self keeps shape and dtype and becomes the result, for autograd too
#define AG_IN_PLACE(name) Tensor& name##_(Tensor& self);
#define AG_IN_PLACE_2(name) Tensor& name##_(Tensor& self, const Tensor& other);
AG_IN_PLACE(neg)
AG_IN_PLACE(abs)
AG_IN_PLACE(sign)
AG_IN_PLACE(floor)
AG_IN_PLACE(ceil)
AG_IN_PLACE(trunc)
AG_IN_PLACE(round)
AG_IN_PLACE(frac)
AG_IN_PLACE(square)
AG_IN_PLACE(sqrt)
AG_IN_PLACE(rsqrt)
AG_IN_PLACE(reciprocal)
AG_IN_PLACE(exp)
AG_IN_PLACE(exp2)
AG_IN_PLACE(expm1)
AG_IN_PLACE(log)
AG_IN_PLACE(log2)
AG_IN_PLACE(log10)
AG_IN_PLACE(log1p)
AG_IN_PLACE(sin)
AG_IN_PLACE(cos)
AG_IN_PLACE(tan)
AG_IN_PLACE(asin)
AG_IN_PLACE(acos)
AG_IN_PLACE(atan)
AG_IN_PLACE(sinh)
AG_IN_PLACE(cosh)
AG_IN_PLACE(tanh)
AG_IN_PLACE(asinh)
AG_IN_PLACE(acosh)
AG_IN_PLACE(atanh)
AG_IN_PLACE(sinc)
AG_IN_PLACE(sigmoid)
AG_IN_PLACE(erf)
AG_IN_PLACE(erfc)
AG_IN_PLACE(erfinv)
AG_IN_PLACE(lgamma)
AG_IN_PLACE(digamma)
AG_IN_PLACE(deg2rad)
AG_IN_PLACE(rad2deg)
AG_IN_PLACE(bitwise_not)
AG_IN_PLACE(logical_not)
AG_IN_PLACE_2(add)
AG_IN_PLACE_2(sub)
AG_IN_PLACE_2(mul)
AG_IN_PLACE_2(div)
AG_IN_PLACE_2(div_floor)
AG_IN_PLACE_2(div_trunc)
AG_IN_PLACE_2(floor_divide)
AG_IN_PLACE_2(remainder)
AG_IN_PLACE_2(fmod)
AG_IN_PLACE_2(pow)
AG_IN_PLACE_2(float_power)
AG_IN_PLACE_2(ldexp)
AG_IN_PLACE_2(atan2)
AG_IN_PLACE_2(hypot)
AG_IN_PLACE_2(xlogy)
AG_IN_PLACE_2(igamma)
AG_IN_PLACE_2(igammac)
AG_IN_PLACE_2(copysign)
AG_IN_PLACE_2(nextafter)
AG_IN_PLACE_2(heaviside)
AG_IN_PLACE_2(bitwise_and)
AG_IN_PLACE_2(bitwise_or)
AG_IN_PLACE_2(bitwise_xor)
AG_IN_PLACE_2(bitwise_left_shift)
AG_IN_PLACE_2(bitwise_right_shift)
AG_IN_PLACE_2(gcd)
AG_IN_PLACE_2(lcm)
AG_IN_PLACE_2(eq)
AG_IN_PLACE_2(ne)
AG_IN_PLACE_2(lt)
AG_IN_PLACE_2(le)
AG_IN_PLACE_2(gt)
AG_IN_PLACE_2(ge)
AG_IN_PLACE_2(logical_and)
AG_IN_PLACE_2(logical_or)
AG_IN_PLACE_2(logical_xor)
#undef AG_IN_PLACE
#undef AG_IN_PLACE_2
Tensor& round_decimals_(Tensor& self, int64_t decimals);
Tensor& polygamma_(Tensor& self, int64_t n);
Tensor& logit_(Tensor& self, std::optional<double> eps = std::nullopt);
Tensor& nan_to_num_(Tensor& self, double nan = 0, std::optional<double> posinf = std::nullopt,
                    std::optional<double> neginf = std::nullopt);
Tensor& clamp_(Tensor& self, const Tensor& min, const Tensor& max);
Tensor& addcmul_(Tensor& self, const Tensor& a, const Tensor& b, double value = 1);
Tensor& addcdiv_(Tensor& self, const Tensor& a, const Tensor& b, double value = 1);
Tensor& lerp_(Tensor& self, const Tensor& end, const Tensor& weight);
Tensor& copy_(Tensor& self, const Tensor& src);  ///< src broadcasts and is converted
Tensor& fill_(Tensor& self, const Tensor& value);
Tensor& zero_(Tensor& self);

}  // namespace autograd
