// Pointwise ops: gradients to every order unless said otherwise; broadcasting and promotion follow
// PyTorch.
#pragma once
#include <optional>

#include "autograd/creation.hpp"
#include "autograd/tensor.hpp"

namespace autograd {

// ---- pointwise, one input
Tensor neg(const Tensor& x);
Tensor abs(const Tensor& x);
Tensor sign(const Tensor& x);
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor sigmoid(const Tensor& x);  ///< 1 / (1 + exp(-x))
Tensor relu(const Tensor& x);     ///< max(x, 0)
Tensor leaky_relu(const Tensor& x,
                  double negative_slope = 0.01);  ///< x > 0 ? x : negative_slope * x
Tensor clamp(const Tensor& x, std::optional<Scalar> min, std::optional<Scalar> max = std::nullopt);
Tensor clamp(const Tensor& x, const Tensor& min,
             const Tensor& max);          ///< either bound may be undefined
Tensor to(const Tensor& x, DType dtype);  ///< x itself if it has that dtype

// ---- pointwise, two and three inputs
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);  ///< true division: integers give float32
Tensor pow(const Tensor& a, const Tensor& b);
Tensor maximum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, const Tensor& b);
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
Tensor eq(const Tensor& a, const Tensor& b);  ///< comparisons give bool and no gradient
Tensor ne(const Tensor& a, const Tensor& b);
Tensor lt(const Tensor& a, const Tensor& b);
Tensor le(const Tensor& a, const Tensor& b);
Tensor gt(const Tensor& a, const Tensor& b);
Tensor ge(const Tensor& a, const Tensor& b);

#define AG_OPERATOR(symbol, name)                                                                \
  inline Tensor operator symbol(const Tensor& a, const Tensor& b) { return name(a, b); }         \
  inline Tensor operator symbol(const Tensor& a, const Scalar& b) { return name(a, scalar(b)); } \
  inline Tensor operator symbol(const Scalar& a, const Tensor& b) { return name(scalar(a), b); }
AG_OPERATOR(+, add)
AG_OPERATOR(-, sub)
AG_OPERATOR(*, mul)
AG_OPERATOR(/, div)
AG_OPERATOR(<, lt)
AG_OPERATOR(<=, le)
AG_OPERATOR(>, gt)
AG_OPERATOR(>=, ge)
AG_OPERATOR(==, eq)
AG_OPERATOR(!=, ne)
#undef AG_OPERATOR
inline Tensor operator-(const Tensor& x) { return neg(x); }

// ---- in place: self keeps shape and dtype and becomes the result, for autograd too
Tensor& add_(Tensor& self, const Tensor& other);
Tensor& sub_(Tensor& self, const Tensor& other);
Tensor& mul_(Tensor& self, const Tensor& other);
Tensor& div_(Tensor& self, const Tensor& other);
Tensor& pow_(Tensor& self, const Tensor& other);
Tensor& neg_(Tensor& self);
Tensor& abs_(Tensor& self);
Tensor& exp_(Tensor& self);
Tensor& log_(Tensor& self);
Tensor& sqrt_(Tensor& self);
Tensor& tanh_(Tensor& self);
Tensor& sigmoid_(Tensor& self);
Tensor& relu_(Tensor& self);
Tensor& clamp_(Tensor& self, const Tensor& min, const Tensor& max);
Tensor& copy_(Tensor& self, const Tensor& src);  ///< src broadcasts and is converted
Tensor& fill_(Tensor& self, const Tensor& value);
Tensor& zero_(Tensor& self);

}  // namespace autograd
