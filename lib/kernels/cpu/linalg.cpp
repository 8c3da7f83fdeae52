// LU, Cholesky and triangular solves, row by row, for every instruction set.
#include "kernels/cpu/linalg.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/element_types.hpp"
#include "kernels/cpu/pause.hpp"
#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/linalg.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// y -= factor * x
template <class T>
HWY_INLINE void subtract(T* y, T factor, const T* x, int64_t n) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto f = hn::Set(d, factor);
  int64_t j = 0;
  for (; j + lanes <= n; j += lanes)
    hn::StoreU(hn::NegMulAdd(f, hn::LoadU(d, x + j), hn::LoadU(d, y + j)), d, y + j);
  for (; j < n; ++j) y[j] -= factor * x[j];
}

template <class T>
HWY_INLINE T dot(const T* x, const T* y, int64_t n) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  T sum = 0;
  int64_t j = 0;
  if (n >= lanes) {
    auto total = hn::Zero(d);
    for (; j + lanes <= n; j += lanes)
      total = hn::MulAdd(hn::LoadU(d, x + j), hn::LoadU(d, y + j), total);
    sum = hn::GetLane(hn::SumOfLanes(d, total));
  }
  for (; j < n; ++j) sum += x[j] * y[j];
  return sum;
}

template <class T>
int64_t factor(int64_t m, int64_t n, T* a, int64_t* pivots, int* sign) {
  int64_t info = 0;
  *sign = 1;
  for (int64_t k = 0; k < std::min(m, n); ++k) {
    int64_t pivot = k;
    T largest = std::abs(a[k * n + k]);
    for (int64_t i = k + 1; i < m; ++i)
      if (std::abs(a[i * n + k]) > largest) largest = std::abs(a[(pivot = i) * n + k]);
    pivots[k] = pivot;
    if (pivot != k) {
      std::swap_ranges(a + k * n, a + (k + 1) * n, a + pivot * n);
      *sign = -*sign;
    }
    const T p = a[k * n + k];
    if (p == 0) {
      if (!info) info = k + 1;
      continue;
    }
    for (int64_t i = k + 1; i < m; ++i) {
      const T f = a[i * n + k] /= p;
      if (f != 0) subtract(a + i * n + k + 1, f, a + k * n + k + 1, n - k - 1);
    }
    pause_after((m - k) * (n - k));
  }
  return info;
}

template <class T>
void triangle(int64_t n, int64_t m, const T* a, bool upper, bool unit, T* b) {
  for (int64_t step = 0; step < n; ++step) {
    const int64_t i = upper ? n - 1 - step : step;
    T* row = b + i * m;
    const int64_t first = upper ? i + 1 : 0, last = upper ? n : i;
    pause_after((last - first) * m);
    if (m == 1) {
      row[0] -= dot(a + i * n + first, b + first, last - first);
    } else {
      for (int64_t j = first; j < last; ++j) subtract(row, a[i * n + j], b + j * m, m);
    }
    if (unit) continue;
    for (int64_t j = 0; j < m; ++j) row[j] /= a[i * n + i];
  }
}

template <class T>
void solve(int64_t n, int64_t m, const T* lu, const int64_t* pivots, T* b) {
  for (int64_t k = 0; k < n; ++k)
    if (pivots[k] != k) std::swap_ranges(b + k * m, b + (k + 1) * m, b + pivots[k] * m);
  triangle(n, m, lu, false, true, b);
  triangle(n, m, lu, true, false, b);
}

template <class T>
int64_t cholesky(int64_t n, T* a) {
  for (int64_t j = 0; j < n; ++j) {
    T* row = a + j * n;
    pause_after(j * j / 2);
    for (int64_t i = 0; i < j; ++i) row[i] = (row[i] - dot(row, a + i * n, i)) / a[i * n + i];
    const T rest = row[j] - dot(row, row, j);
    // Written so that NaN fails.
    if (!(rest > 0)) return j + 1;
    row[j] = std::sqrt(rest);
    std::fill(row + j + 1, row + n, T{0});
  }
  return 0;
}

#define AUTOGRAD_LINALG(suffix, T)                                                              \
  int64_t factor_##suffix(int64_t m, int64_t n, void* a, int64_t* pivots, int* sign) {          \
    return factor(m, n, static_cast<T*>(a), pivots, sign);                                      \
  }                                                                                             \
  void solve_##suffix(int64_t n, int64_t m, const void* lu, const int64_t* pivots, void* b) {   \
    solve(n, m, static_cast<const T*>(lu), pivots, static_cast<T*>(b));                         \
  }                                                                                             \
  void triangle_##suffix(int64_t n, int64_t m, const void* a, bool upper, bool unit, void* b) { \
    triangle(n, m, static_cast<const T*>(a), upper, unit, static_cast<T*>(b));                  \
  }                                                                                             \
  int64_t cholesky_##suffix(int64_t n, void* a) { return cholesky(n, static_cast<T*>(a)); }
AUTOGRAD_LINALG(float, float)
AUTOGRAD_LINALG(double, double)
#undef AUTOGRAD_LINALG

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {
namespace {

HWY_EXPORT(factor_float);
HWY_EXPORT(factor_double);
HWY_EXPORT(solve_float);
HWY_EXPORT(solve_double);
HWY_EXPORT(triangle_float);
HWY_EXPORT(triangle_double);
HWY_EXPORT(cholesky_float);
HWY_EXPORT(cholesky_double);

template <class T>
void determinant(int64_t n, const T* lu, int sign, T* det) {
  T product = static_cast<T>(sign);
  for (int64_t i = 0; i < n; ++i) product *= lu[i * n + i];
  *det = product;
}

template <class T>
void log_determinant(int64_t n, const T* lu, int sign, T* sign_out, T* log) {
  T total = 0, s = static_cast<T>(sign);
  for (int64_t i = 0; i < n; ++i) {
    const T p = lu[i * n + i];
    total += std::log(std::abs(p));
    s = p == 0 ? T{0} : p < 0 ? -s : s;
  }
  *sign_out = s;
  *log = total;
}

template <class T>
void cross_of(int64_t outer, int64_t inner, const void* a_data, const void* b_data, void* out) {
  const T *a = static_cast<const T*>(a_data), *b = static_cast<const T*>(b_data);
  T* c = static_cast<T*>(out);
  for (int64_t o = 0; o < outer; ++o, a += 3 * inner, b += 3 * inner, c += 3 * inner) {
    for (int k = 0; k < 3; ++k) {
      const int64_t x = (k + 1) % 3 * inner, y = (k + 2) % 3 * inner;
      for (int64_t i = 0; i < inner; ++i)
        c[k * inner + i] = static_cast<T>(a[x + i] * b[y + i] - a[y + i] * b[x + i]);
    }
  }
}

template <class T>
void lift(int64_t n, T* lu) {
  for (int64_t i = 0; i < n; ++i)
    if (lu[i * n + i] == 0) lu[i * n + i] = std::numeric_limits<T>::epsilon();
}

}  // namespace

int64_t lu_factor(DType dtype, int64_t m, int64_t n, void* a, int64_t* pivots, int* sign) {
  return dtype == DType::kFloat64 ? HWY_DYNAMIC_DISPATCH(factor_double)(m, n, a, pivots, sign)
                                  : HWY_DYNAMIC_DISPATCH(factor_float)(m, n, a, pivots, sign);
}

void lu_solve(DType dtype, int64_t n, int64_t m, const void* lu, const int64_t* pivots, void* b) {
  if (m == 0) return;
  if (dtype == DType::kFloat64)
    HWY_DYNAMIC_DISPATCH(solve_double)(n, m, lu, pivots, b);
  else
    HWY_DYNAMIC_DISPATCH(solve_float)(n, m, lu, pivots, b);
}

void lu_determinant(DType dtype, int64_t n, const void* lu, int sign, void* det) {
  if (dtype == DType::kFloat64)
    determinant(n, static_cast<const double*>(lu), sign, static_cast<double*>(det));
  else
    determinant(n, static_cast<const float*>(lu), sign, static_cast<float*>(det));
}

void lu_log_determinant(DType dtype, int64_t n, const void* lu, int sign, void* sign_out,
                        void* log) {
  if (dtype == DType::kFloat64)
    log_determinant(n, static_cast<const double*>(lu), sign, static_cast<double*>(sign_out),
                    static_cast<double*>(log));
  else
    log_determinant(n, static_cast<const float*>(lu), sign, static_cast<float*>(sign_out),
                    static_cast<float*>(log));
}

void lu_lift(DType dtype, int64_t n, void* lu) {
  if (dtype == DType::kFloat64)
    lift(n, static_cast<double*>(lu));
  else
    lift(n, static_cast<float*>(lu));
}

void cross(DType dtype, int64_t outer, int64_t inner, const void* a, const void* b, void* out) {
  // Signed integers wrap around like their unsigned twins.
  switch (dtype) {
    case DType::kFloat32:
      return cross_of<float>(outer, inner, a, b, out);
    case DType::kFloat64:
      return cross_of<double>(outer, inner, a, b, out);
    case DType::kInt32:
      return cross_of<uint32_t>(outer, inner, a, b, out);
    case DType::kInt64:
      return cross_of<uint64_t>(outer, inner, a, b, out);
    case DType::kUInt8:
    case DType::kBool:
      return cross_of<uint8_t>(outer, inner, a, b, out);
  }
}

void traces(DType dtype, const void* x, void* out, int64_t count, int64_t step, int64_t n,
            int64_t stride) {
  by_dtype(dtype, [&](auto* type) {
    using T = Element<decltype(type)>;
    // Integers wrap around.
    using Sum = std::conditional_t<std::is_floating_point_v<T>, double, uint64_t>;
    using Out = std::conditional_t<std::is_floating_point_v<T>, T, int64_t>;
    for (int64_t k = 0; k < count; ++k) {
      const T* from = static_cast<const T*>(x) + k * step;
      Sum sum = 0;
      for (int64_t i = 0; i < n; ++i) sum += static_cast<Sum>(from[i * stride]);
      static_cast<Out*>(out)[k] = static_cast<Out>(sum);
    }
  });
}

int64_t cholesky_factor(DType dtype, int64_t n, void* a) {
  return dtype == DType::kFloat64 ? HWY_DYNAMIC_DISPATCH(cholesky_double)(n, a)
                                  : HWY_DYNAMIC_DISPATCH(cholesky_float)(n, a);
}

void solve_triangular(DType dtype, int64_t n, int64_t m, const void* a, bool upper, bool unit,
                      void* b) {
  if (m == 0) return;
  if (dtype == DType::kFloat64)
    HWY_DYNAMIC_DISPATCH(triangle_double)(n, m, a, upper, unit, b);
  else
    HWY_DYNAMIC_DISPATCH(triangle_float)(n, m, a, upper, unit, b);
}

}  // namespace autograd::cpu
#endif  // HWY_ONCE
