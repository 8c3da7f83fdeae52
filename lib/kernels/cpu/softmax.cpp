// Softmax, log softmax and logsumexp, forward and backward, for every instruction set.
#include "kernels/cpu/softmax.hpp"

#include <algorithm>
#include <limits>

#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/softmax.cpp"
// foreach_target.h must come first.
// clang-format off
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
// clang-format on
#include "kernels/cpu/softmax_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace {

#include "kernels/cpu/softmax_columns-inl.h"

template <class T>
void softmax_of(bool log, const T* x, T* y, int64_t rows, int64_t n, int64_t inner) {
  if (inner != 1)
    return softmax_columns(log, x, y, static_cast<size_t>(rows), static_cast<size_t>(n),
                           static_cast<size_t>(inner));
  for_rows<T>(rows, n, [&](const auto l, size_t r) HWY_ATTR {
    const Tag<T> d;
    const size_t at = r * static_cast<size_t>(n);
    const auto zero = hn::Zero(d);
    HWY_ALIGN T tile[l.kTile];
    const T* in = l.in(x + at, tile);
    T* out = l.out(y + at, tile);
    const auto m = row_max<T>(l, in);
    if (log) {
      const auto lg = log_of_sum<T>(row_sum_exp<T>(l, in, m, nullptr));
      l.each([&](auto s) HWY_ATTR { l.put(hn::Sub(hn::Sub(l.get(in, s, zero), m), lg), out, s); });
    } else {
      const auto factor = hn::Div(hn::Set(d, T{1}), row_sum_exp<T>(l, in, m, out));
      l.each([&](auto s) HWY_ATTR { l.put(hn::Mul(l.get(out, s, zero), factor), out, s); });
    }
    l.flush(tile, y + at);
  });
}

template <class T>
void logsumexp_of(const T* x, T* y, int64_t rows, int64_t n, int64_t inner) {
  if (inner != 1)
    return logsumexp_columns(x, y, static_cast<size_t>(rows), static_cast<size_t>(n),
                             static_cast<size_t>(inner));
  for_rows<T>(rows, n, [&](const auto l, size_t r) HWY_ATTR {
    const Tag<T> d;
    HWY_ALIGN T tile[l.kTile];
    HWY_ALIGN T max[hn::MaxLanes(d)];
    HWY_ALIGN T log[hn::MaxLanes(d)];
    const T* in = l.in(x + r * n, tile);
    const auto m = row_max<T>(l, in);
    hn::Store(m, d, max);
    hn::Store(log_of_sum<T>(row_sum_exp<T>(l, in, m, nullptr)), d, log);
    for (size_t i = 0; i < l.rows(); ++i) {
      const T top = max[i];
      y[r + i] = top + log[i];
      if (top - top == T{0}) continue;
      // Infinite: the sum is too, unless there is a NaN.
      const T* row = x + (r + i) * n;
      y[r + i] = std::any_of(row, row + n, [](T v) { return v != v; })
                     ? std::numeric_limits<T>::quiet_NaN()
                     : top;
    }
  });
}

template <class T>
void softmax_backward_of(bool log, const T* g, const T* y, T* dx, int64_t rows, int64_t n,
                         int64_t inner) {
  if (inner != 1)
    return softmax_backward_columns(log, g, y, dx, static_cast<size_t>(rows),
                                    static_cast<size_t>(n), static_cast<size_t>(inner));
  for_rows<T>(rows, n, [&](const auto l, size_t r) HWY_ATTR {
    const size_t at = r * static_cast<size_t>(n);
    const auto zero = hn::Zero(Tag<T>());
    HWY_ALIGN T g_tile[l.kTile];
    HWY_ALIGN T y_tile[l.kTile];
    const T* gr = l.in(g + at, g_tile);
    const T* yr = l.in(y + at, y_tile);
    T* out = l.out(dx + at, g_tile);
    if (log) {
      const auto gs = [&](auto s) HWY_ATTR { return l.get(gr, s, zero); };
      const auto sum = l.sum(l.fold(zero, gs, Add()));
      l.each([&](auto s) HWY_ATTR {
        l.put(hn::NegMulAdd(exp_below(l.get(yr, s, zero)), sum, l.get(gr, s, zero)), out, s);
      });
    } else {
      const auto gy = [&](auto s)
                          HWY_ATTR { return hn::Mul(l.get(gr, s, zero), l.get(yr, s, zero)); };
      const auto sum = l.sum(l.fold(zero, gy, Add()));
      l.each([&](auto s) HWY_ATTR {
        l.put(hn::Mul(l.get(yr, s, zero), hn::Sub(l.get(gr, s, zero), sum)), out, s);
      });
    }
    l.flush(g_tile, dx + at);
  });
}

}  // namespace

void softmax_any(DType dtype, bool log, const void* x, void* y, int64_t rows, int64_t n,
                 int64_t inner) {
  with_float(dtype, [&](auto t) {
    using T = decltype(t);
    softmax_of(log, as<T>(x), as<T>(y), rows, n, inner);
  });
}

void softmax_backward_any(DType dtype, bool log, const void* g, const void* y, void* dx,
                          int64_t rows, int64_t n, int64_t inner) {
  with_float(dtype, [&](auto t) {
    using T = decltype(t);
    softmax_backward_of(log, as<T>(g), as<T>(y), as<T>(dx), rows, n, inner);
  });
}

void logsumexp_any(DType dtype, const void* x, void* y, int64_t rows, int64_t n, int64_t inner) {
  with_float(dtype, [&](auto t) {
    using T = decltype(t);
    logsumexp_of(as<T>(x), as<T>(y), rows, n, inner);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {

HWY_EXPORT(softmax_any);
HWY_EXPORT(softmax_backward_any);
HWY_EXPORT(logsumexp_any);

void softmax(DType dtype, bool log, const void* x, void* y, int64_t rows, int64_t n,
             int64_t inner) {
  HWY_DYNAMIC_DISPATCH(softmax_any)(dtype, log, x, y, rows, n, inner);
}

void softmax_backward(DType dtype, bool log, const void* g, const void* y, void* dx, int64_t rows,
                      int64_t n, int64_t inner) {
  HWY_DYNAMIC_DISPATCH(softmax_backward_any)(dtype, log, g, y, dx, rows, n, inner);
}

void logsumexp(DType dtype, const void* x, void* y, int64_t rows, int64_t n, int64_t inner) {
  HWY_DYNAMIC_DISPATCH(logsumexp_any)(dtype, x, y, rows, n, inner);
}

}  // namespace autograd::cpu
#endif  // HWY_ONCE
