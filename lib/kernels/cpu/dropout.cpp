// Dropout: plain loops the compiler vectorises; drawing the numbers takes longer.
#include "kernels/cpu/dropout.hpp"

namespace autograd::cpu {
namespace {

template <class T>
void mask_out(const void* x_bytes, const uint8_t* mask, double scale, void* y_bytes, int64_t n) {
  const T* x = static_cast<const T*>(x_bytes);
  T* y = static_cast<T*>(y_bytes);
  const T factor[2] = {T{0}, static_cast<T>(scale)};
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * (mask[i] ? factor[1] : factor[0]);
}

}  // namespace

void apply_mask(DType dtype, const void* x, const uint8_t* mask, double scale, void* y, int64_t n) {
  if (dtype == DType::kFloat32)
    mask_out<float>(x, mask, scale, y, n);
  else
    mask_out<double>(x, mask, scale, y, n);
}

void dropout(DType dtype, const void* x, const float* u, double p, double scale, void* y,
             uint8_t* mask, int64_t n) {
  // The comparison is one of floats: u has 24 bits.
  const float limit = static_cast<float>(p);
  for (int64_t i = 0; i < n; ++i) mask[i] = u[i] >= limit;
  apply_mask(dtype, x, mask, scale, y, n);
}

}  // namespace autograd::cpu
