// Plain loops, the inner ones over consecutive elements: bound by memory.
#include "kernels/cpu/resample.hpp"

namespace autograd::cpu {
namespace {

template <class T>
void forward_rows(const T* x, T* out, const Taps& taps, int64_t outer) {
  for (int64_t o = 0; o < outer; ++o, x += taps.n_in, out += taps.n_out)
    for (int64_t i = 0; i < taps.n_out; ++i) {
      int64_t k = taps.begin[i];
      T sum = static_cast<T>(taps.weight[k]) * x[taps.from[k]];
      for (++k; k < taps.begin[i + 1]; ++k) sum += static_cast<T>(taps.weight[k]) * x[taps.from[k]];
      out[i] = sum;
    }
}

template <class T>
void forward(const T* x, T* out, const Taps& taps, int64_t outer, int64_t inner) {
  if (inner == 1) return forward_rows(x, out, taps, outer);
  for (int64_t o = 0; o < outer; ++o, x += taps.n_in * inner)
    for (int64_t i = 0; i < taps.n_out; ++i, out += inner) {
      int64_t k = taps.begin[i];
      const T* from = x + taps.from[k] * inner;
      T w = static_cast<T>(taps.weight[k]);
      for (int64_t j = 0; j < inner; ++j) out[j] = w * from[j];
      for (++k; k < taps.begin[i + 1]; ++k) {
        from = x + taps.from[k] * inner;
        w = static_cast<T>(taps.weight[k]);
        for (int64_t j = 0; j < inner; ++j) out[j] += w * from[j];
      }
    }
}

template <class T>
void backward(const T* g, T* dx, const Taps& taps, int64_t outer, int64_t inner) {
  for (int64_t o = 0; o < outer; ++o, dx += taps.n_in * inner)
    for (int64_t i = 0; i < taps.n_out; ++i, g += inner)
      for (int64_t k = taps.begin[i]; k < taps.begin[i + 1]; ++k) {
        T* to = dx + taps.from[k] * inner;
        const T w = static_cast<T>(taps.weight[k]);
        for (int64_t j = 0; j < inner; ++j) to[j] += w * g[j];
      }
}

}  // namespace

void resample(DType dtype, const void* x, void* out, const Taps& taps, int64_t outer,
              int64_t inner) {
  if (dtype == DType::kFloat32)
    forward(static_cast<const float*>(x), static_cast<float*>(out), taps, outer, inner);
  else
    forward(static_cast<const double*>(x), static_cast<double*>(out), taps, outer, inner);
}

void resample_backward(DType dtype, const void* g, void* dx, const Taps& taps, int64_t outer,
                       int64_t inner) {
  if (dtype == DType::kFloat32)
    backward(static_cast<const float*>(g), static_cast<float*>(dx), taps, outer, inner);
  else
    backward(static_cast<const double*>(g), static_cast<double*>(dx), taps, outer, inner);
}

}  // namespace autograd::cpu
