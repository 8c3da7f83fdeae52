// The ops: free functions over tensors, each with gradients to every order unless it says
// otherwise. Broadcasting, promotion and negative dims follow PyTorch. `dims` empty means all dims.
#pragma once
#include <optional>
#include <vector>

#include "autograd/tensor.hpp"

namespace autograd {

// ---- creation (no gradient)
Tensor empty(const Shape& sizes, DType dtype = DType::kFloat32);
Tensor zeros(const Shape& sizes, DType dtype = DType::kFloat32);
Tensor ones(const Shape& sizes, DType dtype = DType::kFloat32);
Tensor full(const Shape& sizes, const Scalar& value, DType dtype = DType::kFloat32);
Tensor empty_like(const Tensor& t);
Tensor zeros_like(const Tensor& t);
Tensor ones_like(const Tensor& t);
/// start, start + step, ... short of end.
Tensor arange(double start, double end, double step = 1, DType dtype = DType::kInt64);
/// `steps` evenly spaced numbers, both ends included.
Tensor linspace(double start, double end, int64_t steps, DType dtype = DType::kFloat32);
/// [n, m] with ones on the diagonal.
Tensor eye(int64_t n, int64_t m, DType dtype = DType::kFloat32);
/// A copy of prod(sizes) elements.
Tensor from_data(const void* data, DType dtype, const Shape& sizes);
/// A tensor over memory of the caller; deleter(context) is called when the last user is gone.
Tensor from_blob(void* data, DType dtype, const Shape& sizes, const Shape& strides,
                 void (*deleter)(void*) = nullptr, void* context = nullptr);
Tensor from_blob(void* data, DType dtype, const Shape& sizes);
/// A copy of the vector as a tensor of the given sizes.
template <class T>
Tensor tensor(const std::vector<T>& values, const Shape& sizes) {
  Tensor check = empty(sizes, detail::DTypeOf<T>::value);
  if (check.numel() != static_cast<int64_t>(values.size()))
    throw Error(ErrorCode::kValue, "tensor: " + std::to_string(values.size()) +
                                       " values do not fill a tensor of sizes " + to_string(sizes));
  return from_data(values.data(), detail::DTypeOf<T>::value, sizes);
}
template <class T>
Tensor tensor(const std::vector<T>& values) {
  return tensor(values, {static_cast<int64_t>(values.size())});
}
/// A 0-d wrapped number: promotion looks only at its category.
Tensor scalar(const Scalar& value);

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

// ---- products
Tensor mm(const Tensor& a, const Tensor& b);   ///< [m, k] x [k, n]
Tensor bmm(const Tensor& a, const Tensor& b);  ///< [B, m, k] x [B, k, n]
Tensor matmul(const Tensor& a,
              const Tensor& b);  ///< PyTorch's rules for vectors, matrices and batches
Tensor addmm(const Tensor& input, const Tensor& a, const Tensor& b, double beta = 1,
             double alpha = 1);
/// x [..., in] times weight [out, in] transposed, plus bias [out] (may be undefined).
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = Tensor());

// ---- reductions
Tensor sum(const Tensor& x, const Shape& dims = {}, bool keepdim = false,
           std::optional<DType> dtype = std::nullopt);
Tensor mean(const Tensor& x, const Shape& dims = {}, bool keepdim = false,
            std::optional<DType> dtype = std::nullopt);
/// sum (x - mean)^2 / max(0, N - correction)
Tensor var(const Tensor& x, const Shape& dims = {}, double correction = 1, bool keepdim = false);
Tensor amax(const Tensor& x, const Shape& dims = {},
            bool keepdim = false);  ///< ties share the gradient
Tensor amin(const Tensor& x, const Shape& dims = {}, bool keepdim = false);
Tensor max(const Tensor& x);
Tensor min(const Tensor& x);
/// Values and int64 positions along one dim; the gradient goes to the position.
std::pair<Tensor, Tensor> max(const Tensor& x, int64_t dim, bool keepdim = false);
std::pair<Tensor, Tensor> min(const Tensor& x, int64_t dim, bool keepdim = false);
/// Position of the first maximum along dim, or in the flattened tensor; int64, no gradient.
Tensor argmax(const Tensor& x, std::optional<int64_t> dim = std::nullopt, bool keepdim = false);
Tensor argmin(const Tensor& x, std::optional<int64_t> dim = std::nullopt, bool keepdim = false);

// ---- shape: views where PyTorch gives views
Tensor reshape(const Tensor& x, const Shape& sizes);  ///< one size may be -1
Tensor view(const Tensor& x, const Shape& sizes);  ///< Error (runtime) where a copy would be needed
Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1);
Tensor permute(const Tensor& x, const Shape& dims);
Tensor expand(const Tensor& x, const Shape& sizes);  ///< -1 keeps a size
Tensor squeeze(const Tensor& x, const Shape& dims = {});
Tensor unsqueeze(const Tensor& x, int64_t dim);
Tensor flatten(const Tensor& x, int64_t start_dim = 0, int64_t end_dim = -1);
Tensor select(const Tensor& x, int64_t dim, int64_t index);
/// x[..., start:end:step, ...] with Python's slice rules, step > 0.
Tensor slice(const Tensor& x, int64_t dim, int64_t start, int64_t end, int64_t step = 1);
/// One item of basic indexing.
struct Index {
  enum class Kind : int64_t { kInt = 0, kSlice = 1, kNewaxis = 2, kEllipsis = 3 };
  Kind kind;
  int64_t a = 0, b = 0, c = 1;  ///< position, or start, end, step (INT64_MIN, INT64_MAX: absent)
};
Tensor index(const Tensor& x, const std::vector<Index>& items);
/// Writes src, broadcast and converted, to the part of self that index() reads.
Tensor& index_put_(Tensor& self, const std::vector<Index>& items, const Tensor& src);
Tensor cat(const std::vector<Tensor>& tensors, int64_t dim = 0);
Tensor stack(const std::vector<Tensor>& tensors, int64_t dim = 0);
std::vector<Tensor> split(const Tensor& x, const std::vector<int64_t>& sizes, int64_t dim = 0);
std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim = 0);
/// Slices number index[i] along dim (index: integer, 0-d or 1-d); a copy.
Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index);
Tensor contiguous(const Tensor& x);
Tensor clone(const Tensor& x);

// ---- softmax and losses
enum class Reduction : int32_t { kNone = 0, kMean = 1, kSum = 2 };
Tensor softmax(const Tensor& x, int64_t dim);
Tensor log_softmax(const Tensor& x, int64_t dim);
/// logsumexp(x) - x[target] (class indices, int64) or sum_j t_j (logsumexp(x) - x_j)
/// (probabilities), over dim 1 (dim 0 if logits are 1-d).
Tensor cross_entropy(const Tensor& logits, const Tensor& target,
                     Reduction reduction = Reduction::kMean);
Tensor mse_loss(const Tensor& input, const Tensor& target, Reduction reduction = Reduction::kMean);

}  // namespace autograd
