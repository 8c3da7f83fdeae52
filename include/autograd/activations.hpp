// Activations: pointwise, with gradients to every order. Integers and bool are refused unless said
// otherwise.
#pragma once
#include <optional>

#include "autograd/tensor.hpp"

namespace autograd {

Tensor relu(const Tensor& x);  ///< max(x, 0); integers too
/// x > 0 ? x : negative_slope * x
Tensor leaky_relu(const Tensor& x, double negative_slope = 0.01);
/// x > 0 ? x : weight * x; weight has one element, or one per channel (dim 1) of x.
Tensor prelu(const Tensor& x, const Tensor& weight);
/// leaky_relu with a slope drawn uniformly from [lower, upper) for each element, or, unless
/// training, with their mean.
Tensor rrelu(const Tensor& x, double lower = 1.0 / 8, double upper = 1.0 / 3,
             bool training = false);
Tensor elu(const Tensor& x, double alpha = 1);  ///< x > 0 ? x : alpha (e^x - 1)
Tensor selu(const Tensor& x);  ///< elu scaled so that networks normalise themselves
Tensor celu(const Tensor& x, double alpha = 1);  ///< x > 0 ? x : alpha (e^(x / alpha) - 1)
Tensor gelu(const Tensor& x);                    ///< x P(normal number < x)
Tensor gelu_tanh(const Tensor& x);  ///< gelu approximated: x (1 + tanh(0.798 (x + 0.0447 x^3))) / 2
Tensor silu(const Tensor& x);       ///< x sigmoid(x)
Tensor mish(const Tensor& x);       ///< x tanh(log(1 + e^x))
Tensor softplus(const Tensor& x, double beta = 1,
                double threshold = 20);  ///< log(1 + e^(beta x)) / beta; x where beta x > threshold
Tensor softsign(const Tensor& x);        ///< x / (1 + |x|); integers become floats
Tensor logsigmoid(const Tensor& x);      ///< log(sigmoid(x)), stable
/// x limited to [min_val, max_val], with no gradient at the limits; integers too.
Tensor hardtanh(const Tensor& x, double min_val = -1, double max_val = 1);
Tensor relu6(const Tensor& x);                           ///< hardtanh(x, 0, 6)
Tensor hardsigmoid(const Tensor& x);                     ///< min(max(x + 3, 0), 6) / 6
Tensor hardswish(const Tensor& x);                       ///< x hardsigmoid(x)
Tensor tanhshrink(const Tensor& x);                      ///< x - tanh(x); integers become floats
Tensor softshrink(const Tensor& x, double lambd = 0.5);  ///< x moved towards 0 by lambd >= 0, or 0
Tensor hardshrink(const Tensor& x, double lambd = 0.5);  ///< 0 where |x| <= lambd, else x
Tensor threshold(const Tensor& x, double threshold,
                 double value);  ///< x > threshold ? x : value; integers too
/// a sigmoid(b), where a and b are the halves of x along dim. Throws Error (runtime) unless the
/// size of dim is even.
Tensor glu(const Tensor& x, int64_t dim = -1);

// ---- in place: self keeps shape and dtype and becomes the result, for autograd too
Tensor& relu_(Tensor& self);
Tensor& leaky_relu_(Tensor& self, double negative_slope = 0.01);
Tensor& rrelu_(Tensor& self, double lower = 1.0 / 8, double upper = 1.0 / 3, bool training = false);
Tensor& elu_(Tensor& self, double alpha = 1);
Tensor& selu_(Tensor& self);
Tensor& celu_(Tensor& self, double alpha = 1);
Tensor& silu_(Tensor& self);
Tensor& mish_(Tensor& self);
Tensor& hardtanh_(Tensor& self, double min_val = -1, double max_val = 1);
Tensor& relu6_(Tensor& self);
Tensor& hardsigmoid_(Tensor& self);
Tensor& hardswish_(Tensor& self);
Tensor& threshold_(Tensor& self, double threshold, double value);

}  // namespace autograd
