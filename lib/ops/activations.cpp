// Activations with parameters: the checks, and the rows of pointwise.def behind them.
#include <limits>

#include "autograd/ops.hpp"
#include "autograd/random.hpp"
#include "core/text.hpp"
#include "ops/pointwise.hpp"

namespace autograd {

using cpu::PointwiseOp;
using detail::apply;
using detail::apply_in_place;

namespace {

double checked_alpha(double alpha) {
  if (alpha == 0) fail(ErrorCode::kRuntime, "ZeroDivisionError: alpha cannot be 0 for CELU");
  return alpha;
}

void check_limits(const Tensor& x, double min_val, double max_val) {
  if (x.dtype() == DType::kBool)
    fail(ErrorCode::kRuntime, "hardtanh: Bool inputs not supported for hardtanh");
  if (x.dtype() == DType::kUInt8 && (min_val < 0 || max_val < 0))
    fail(ErrorCode::kRuntime,
         "hardtanh: cannot do hardtanh on an unsigned type with negative limits");
  if (min_val > max_val)
    fail(ErrorCode::kValue, "hardtanh: min_val cannot be greater than max_val, got ", min_val,
         " and ", max_val);
}

double checked_lambda(const Tensor& x, double lambd) {
  const double most = x.dtype() == DType::kFloat32 ? std::numeric_limits<float>::max()
                                                   : std::numeric_limits<double>::max();
  if (is_floating(x.dtype()) && !(lambd >= 0 && lambd <= most))
    fail(ErrorCode::kRuntime, "softshrink: lambda must be in range [0, ", most,
         "] for input dtype ", name_of(x.dtype()), ", but found ", lambd);
  return lambd;
}

// Where training, the slopes are drawn and multiplied with the elements up to 0.
Tensor random_slopes(const Tensor& x, double lower, double upper) {
  Tensor slopes = empty(x.sizes(), x.dtype());
  uniform_(slopes, lower, upper);
  return slopes;
}

void check_slopes(const Tensor& x, double lower, double upper) {
  if (!is_floating(x.dtype()))
    fail(ErrorCode::kNotImplemented, "rrelu: not implemented for ", name_of(x.dtype()), " tensors");
  if (!(lower <= upper))
    fail(ErrorCode::kRuntime,
         "rrelu: Lower bound should be less than or equal to the upper bound, got ", lower, " and ",
         upper);
}

}  // namespace

Tensor leaky_relu(const Tensor& x, double negative_slope) {
  return apply(PointwiseOp::k_leaky_relu, {x}, negative_slope);
}
Tensor& leaky_relu_(Tensor& self, double negative_slope) {
  return apply_in_place(PointwiseOp::k_leaky_relu, self, {self}, negative_slope);
}

Tensor prelu(const Tensor& x, const Tensor& weight) {
  if (weight.dtype() != x.dtype())
    fail(ErrorCode::kRuntime, "prelu: Type promoting not supported. Got ", name_of(x.dtype()),
         " and ", name_of(weight.dtype()));
  if (weight.numel() == 1 && weight.dim() <= 1) {
    Shape sizes = Shape::filled(x.dim(), 1);
    return detail::dispatch(detail::pointwise_op(PointwiseOp::k_prelu),
                            {x, reshape(weight, sizes)});
  }
  if (weight.dim() > 1)
    fail(ErrorCode::kRuntime,
         "prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = ", weight.dim(),
         ", sizes ", weight.sizes());
  if (x.dim() == 0) fail(ErrorCode::kRuntime, "prelu: Not allow zero-dim input tensor.");
  const int64_t channels = x.dim() > 1 ? x.sizes()[1] : 1;
  if (weight.numel() != channels)
    fail(ErrorCode::kRuntime,
         "prelu: Mismatch of parameter numbers and input channel size. Found parameter numbers = ",
         weight.numel(), " and channel size = ", channels, "; got input of sizes ", x.sizes());
  Shape sizes = Shape::filled(x.dim(), 1);
  sizes[1] = channels;
  return detail::dispatch(detail::pointwise_op(PointwiseOp::k_prelu), {x, reshape(weight, sizes)});
}

Tensor rrelu(const Tensor& x, double lower, double upper, bool training) {
  check_slopes(x, lower, upper);
  if (!training) return leaky_relu(x, (lower + upper) / 2);
  return where(x > 0, x, x * random_slopes(x, lower, upper));
}
Tensor& rrelu_(Tensor& self, double lower, double upper, bool training) {
  check_slopes(self, lower, upper);
  if (!training) return leaky_relu_(self, (lower + upper) / 2);
  const Tensor slopes = random_slopes(self, lower, upper);
  return mul_(self, where(self.detach() > 0, scalar(1.0), slopes));
}

Tensor elu(const Tensor& x, double alpha) { return apply(PointwiseOp::k_elu, {x}, alpha); }
Tensor& elu_(Tensor& self, double alpha) {
  return apply_in_place(PointwiseOp::k_elu, self, {self}, alpha);
}

Tensor celu(const Tensor& x, double alpha) {
  return apply(PointwiseOp::k_celu, {x}, checked_alpha(alpha));
}
Tensor& celu_(Tensor& self, double alpha) {
  return apply_in_place(PointwiseOp::k_celu, self, {self}, checked_alpha(alpha));
}

Tensor softplus(const Tensor& x, double beta, double threshold) {
  return apply(PointwiseOp::k_softplus, {x}, beta, threshold);
}

Tensor softsign(const Tensor& x) {
  if (x.dtype() == DType::kBool) return abs(x);  // says that there is none
  return apply(PointwiseOp::k_softsign, {x});
}

Tensor hardtanh(const Tensor& x, double min_val, double max_val) {
  check_limits(x, min_val, max_val);
  return apply(PointwiseOp::k_hardtanh, {x}, min_val, max_val);
}
Tensor& hardtanh_(Tensor& self, double min_val, double max_val) {
  check_limits(self, min_val, max_val);
  return apply_in_place(PointwiseOp::k_hardtanh, self, {self}, min_val, max_val);
}
Tensor relu6(const Tensor& x) { return hardtanh(x, 0, 6); }
Tensor& relu6_(Tensor& self) { return hardtanh_(self, 0, 6); }

Tensor tanhshrink(const Tensor& x) { return x - tanh(x); }

Tensor softshrink(const Tensor& x, double lambd) {
  return apply(PointwiseOp::k_softshrink, {x}, checked_lambda(x, lambd));
}

Tensor hardshrink(const Tensor& x, double lambd) {
  return apply(PointwiseOp::k_hardshrink, {x}, lambd);
}

Tensor threshold(const Tensor& x, double threshold, double value) {
  return apply(PointwiseOp::k_threshold, {x}, threshold, value);
}
Tensor& threshold_(Tensor& self, double threshold, double value) {
  return apply_in_place(PointwiseOp::k_threshold, self, {self}, threshold, value);
}

Tensor glu(const Tensor& x, int64_t dim) {
  if (x.dim() == 0)
    fail(ErrorCode::kRuntime,
         "glu: glu does not support scalars because halving size must be even");
  if (!is_floating(x.dtype()))
    fail(ErrorCode::kNotImplemented, "glu: not implemented for ", name_of(x.dtype()), " tensors");
  const int64_t size = x.size(dim);
  if (size % 2 != 0)
    fail(ErrorCode::kRuntime, "glu: Halving dimension must be even, but dimension ",
         dim < 0 ? dim + x.dim() : dim, " is size ", size, "; got sizes ", x.sizes());
  return slice(x, dim, 0, size / 2) * sigmoid(slice(x, dim, size / 2, size));
}

}  // namespace autograd
