#include "kernels/cpu/nll.hpp"

#include "kernels/cpu/element_types.hpp"

namespace autograd::cpu {

int64_t count_ignored(const int64_t* t, int64_t n, int64_t classes, int64_t ignore) {
  int64_t ignored = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (t[i] == ignore)
      ++ignored;
    else if (t[i] < 0 || t[i] >= classes)
      return -1 - i;
  }
  return ignored;
}

namespace {

template <class T>
double weights_of(const int64_t* t, const T* w, T* out, int64_t n, int64_t ignore) {
  double total = 0;
  for (int64_t i = 0; i < n; ++i) {
    out[i] = t[i] == ignore ? T(0) : w ? w[t[i]] : T(1);
    total += static_cast<double>(out[i]);
  }
  return total;
}

template <class T>
void pick(const T* x, const int64_t* t, const T* w, T* out, int64_t n, int64_t classes,
          int64_t ignore) {
  for (int64_t i = 0; i < n; ++i) out[i] = t[i] == ignore ? T(0) : -x[i * classes + t[i]] * w[i];
}

template <class T>
void put(const T* g, int64_t g_stride, const int64_t* t, const T* w, T* dx, int64_t n,
         int64_t classes, int64_t ignore) {
  for (int64_t i = 0; i < n; ++i)
    if (t[i] != ignore) dx[i * classes + t[i]] = -w[i] * g[i * g_stride];
}

template <class T>
void margins(const T* x, const int64_t* t, const T* w, T* out, int64_t n, int64_t classes,
             int64_t p, T margin) {
  for (int64_t i = 0; i < n; ++i, x += classes) {
    const T least = x[t[i]] - margin;
    T sum = 0;
    for (int64_t j = 0; j < classes; ++j) {
      const T excess = j == t[i] || x[j] <= least ? T(0) : x[j] - least;
      sum += p == 1 ? excess : excess * excess;
    }
    out[i] = sum / static_cast<T>(classes) * (w ? w[t[i]] : T(1));
  }
}

template <class T>
void margin_slopes(const T* g, int64_t g_stride, T scale, const T* x, const int64_t* t, const T* w,
                   T* dx, int64_t n, int64_t classes, int64_t p, T margin) {
  for (int64_t i = 0; i < n; ++i, x += classes, dx += classes) {
    const T least = x[t[i]] - margin;
    const T by = g[i * g_stride] * scale / static_cast<T>(classes) * (w ? w[t[i]] : T(1));
    T sum = 0;
    for (int64_t j = 0; j < classes; ++j) {
      const bool counts = j != t[i] && !(x[j] <= least);
      dx[j] = counts ? by * (p == 1 ? T(1) : 2 * (x[j] - least)) : T(0);
      sum += dx[j];
    }
    dx[t[i]] = -sum;
  }
}

}  // namespace

double class_weights(DType dtype, const int64_t* t, const void* w, void* out, int64_t n,
                     int64_t ignore) {
  return dtype == DType::kFloat32
             ? weights_of(t, static_cast<const float*>(w), static_cast<float*>(out), n, ignore)
             : weights_of(t, static_cast<const double*>(w), static_cast<double*>(out), n, ignore);
}

void nll(DType dtype, const void* x, const int64_t* t, const void* w, void* out, int64_t n,
         int64_t classes, int64_t ignore) {
  if (dtype == DType::kFloat32)
    pick(static_cast<const float*>(x), t, static_cast<const float*>(w), static_cast<float*>(out), n,
         classes, ignore);
  else
    pick(static_cast<const double*>(x), t, static_cast<const double*>(w), static_cast<double*>(out),
         n, classes, ignore);
}

void nll_backward(DType dtype, const void* g, int64_t g_stride, const int64_t* t, const void* w,
                  void* dx, int64_t n, int64_t classes, int64_t ignore) {
  if (dtype == DType::kFloat32)
    put(static_cast<const float*>(g), g_stride, t, static_cast<const float*>(w),
        static_cast<float*>(dx), n, classes, ignore);
  else
    put(static_cast<const double*>(g), g_stride, t, static_cast<const double*>(w),
        static_cast<double*>(dx), n, classes, ignore);
}

void multi_margin(DType dtype, const void* x, const int64_t* t, const void* w, void* out, int64_t n,
                  int64_t classes, int64_t p, double margin) {
  by_float(dtype, [&](auto* type) {
    using T = Element<decltype(type)>;
    margins(static_cast<const T*>(x), t, static_cast<const T*>(w), static_cast<T*>(out), n, classes,
            p, static_cast<T>(margin));
  });
}

void multi_margin_backward(DType dtype, const void* g, int64_t g_stride, double scale,
                           const void* x, const int64_t* t, const void* w, void* dx, int64_t n,
                           int64_t classes, int64_t p, double margin) {
  by_float(dtype, [&](auto* type) {
    using T = Element<decltype(type)>;
    margin_slopes(static_cast<const T*>(g), g_stride, static_cast<T>(scale),
                  static_cast<const T*>(x), t, static_cast<const T*>(w), static_cast<T*>(dx), n,
                  classes, p, static_cast<T>(margin));
  });
}

}  // namespace autograd::cpu
