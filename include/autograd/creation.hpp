// Creation of tensors; no gradient. Error (runtime) for negative sizes and more elements than
// memory can number, Error (memory) where the system has none left.
#pragma once
#include <vector>

#include "autograd/tensor.hpp"

namespace autograd {

Tensor empty(const Shape& sizes, DType dtype = DType::kFloat32);  ///< of any values
Tensor zeros(const Shape& sizes, DType dtype = DType::kFloat32);
Tensor ones(const Shape& sizes, DType dtype = DType::kFloat32);
Tensor full(const Shape& sizes, const Scalar& value, DType dtype = DType::kFloat32);
// Of the sizes and dtype of t.
Tensor empty_like(const Tensor& t);
Tensor zeros_like(const Tensor& t);
Tensor ones_like(const Tensor& t);
/// start, start + step, ... short of end.
Tensor arange(double start, double end, double step = 1, DType dtype = DType::kInt64);
/// `steps` evenly spaced numbers, both ends included.
Tensor linspace(double start, double end, int64_t steps, DType dtype = DType::kFloat32);
/// Windows of n weights w(x), x from 0 to 1; a periodic one lacks the last of n + 1 points. dtype
/// is of floats. a - b cos(2 pi x) + c cos(4 pi x): Hann's window is (0.5, 0.5, 0).
Tensor cosine_window(int64_t n, bool periodic, double a, double b, double c,
                     DType dtype = DType::kFloat32);
/// 1 - |2 x - 1|.
Tensor bartlett_window(int64_t n, bool periodic = true, DType dtype = DType::kFloat32);
/// I0(beta sqrt(1 - (2 x - 1)^2)) / I0(beta) with the modified Bessel function I0.
Tensor kaiser_window(int64_t n, bool periodic = true, double beta = 12,
                     DType dtype = DType::kFloat32);
/// [n, m] with ones on the diagonal.
Tensor eye(int64_t n, int64_t m, DType dtype = DType::kFloat32);
/// Rows and columns, [2, n], of the elements on and below (above) a diagonal of a matrix.
Tensor tril_indices(int64_t rows, int64_t columns, int64_t offset = 0, DType dtype = DType::kInt64);
Tensor triu_indices(int64_t rows, int64_t columns, int64_t offset = 0, DType dtype = DType::kInt64);
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

}  // namespace autograd
