// Softmax cross entropy, forward, backward and both in one, for every instruction set.
#include "kernels/cpu/cross_entropy.hpp"

#include <algorithm>
#include <limits>

#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/cross_entropy.cpp"
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

template <class T>
void cross_entropy_of(const T* x, const int64_t* target, T* loss, T* lse, int64_t rows, int64_t n) {
  for_rows<T>(rows, n, [&](const auto l, size_t r) HWY_ATTR {
    const Tag<T> d;
    HWY_ALIGN T tile[l.kTile];
    HWY_ALIGN T max[hn::MaxLanes(d)];
    HWY_ALIGN T log[hn::MaxLanes(d)];
    const T* in = l.in(x + r * n, tile);
    const auto m = row_max<T>(l, in);
    const auto lg = log_of_sum<T>(row_sum_exp<T>(l, in, m, nullptr));
    hn::Store(m, d, max);
    hn::Store(lg, d, log);
    for (size_t i = 0; i < l.rows(); ++i) {
      lse[r + i] = max[i] + log[i];
      // In this order a large maximum costs no digits.
      loss[r + i] = log[i] + (max[i] - x[(r + i) * n + target[r + i]]);
    }
  });
}

/// Both backward kernels divide by the sum of exp(x - lse): it is 1 but for the rounding of lse,
/// which for logits of 10^4 would otherwise cost half the digits.
template <class T>
void cross_entropy_backward_of(const T* g, int64_t g_stride, T scale, const T* x,
                               const int64_t* target, const T* lse, T* dx, int64_t rows,
                               int64_t n) {
  for_rows<T>(rows, n, [&](const auto l, size_t r) HWY_ATTR {
    const Tag<T> d;
    HWY_ALIGN T tile[l.kTile];
    HWY_ALIGN T weight[hn::MaxLanes(d)];
    const T* in = l.in(x + r * n, tile);
    T* out = l.out(dx + r * n, tile);
    const auto gs = hn::Mul(l.per_row(g + r * g_stride, g_stride), hn::Set(d, scale));
    hn::Store(gs, d, weight);
    const auto factor = hn::Div(gs, row_sum_exp<T>(l, in, l.per_row(lse + r, 1), out));
    l.each([&](auto s) HWY_ATTR { l.put(hn::Mul(l.get(out, s, hn::Zero(d)), factor), out, s); });
    for (size_t i = 0; i < l.rows(); ++i) l.at(out, i, target[r + i]) -= weight[i];
    l.flush(tile, dx + r * n);
  });
}

template <class T>
void cross_entropy_probs_of(const T* x, const T* t, T* loss, T* lse, int64_t rows, int64_t n) {
  for_rows<T>(rows, n, [&](const auto l, size_t r) HWY_ATTR {
    const Tag<T> d;
    const auto zero = hn::Zero(d);
    HWY_ALIGN T x_tile[l.kTile];
    HWY_ALIGN T t_tile[l.kTile];
    HWY_ALIGN T result[2][hn::MaxLanes(d)];
    const T* in = l.in(x + r * n, x_tile);
    const T* tr = l.in(t + r * n, t_tile);
    const auto m = row_max<T>(l, in);
    const auto lg = log_of_sum<T>(row_sum_exp<T>(l, in, m, nullptr));
    const auto term = [&](auto s) HWY_ATTR {
      const auto p = l.get(tr, s, zero);
      const auto minus_log = hn::Add(lg, hn::Sub(m, l.get(in, s, zero)));
      return hn::IfThenZeroElse(hn::Eq(p, zero), hn::Mul(p, minus_log));
    };
    hn::Store(l.sum(l.fold(zero, term, Add())), d, result[0]);
    hn::Store(hn::Add(m, lg), d, result[1]);
    std::copy_n(result[0], l.rows(), loss + r);
    std::copy_n(result[1], l.rows(), lse + r);
  });
}

template <class T>
void cross_entropy_probs_backward_of(const T* g, int64_t g_stride, T scale, const T* x, const T* t,
                                     const T* lse, T* dx, int64_t rows, int64_t n) {
  for_rows<T>(rows, n, [&](const auto l, size_t r) HWY_ATTR {
    const Tag<T> d;
    const auto zero = hn::Zero(d);
    HWY_ALIGN T x_tile[l.kTile];
    HWY_ALIGN T t_tile[l.kTile];
    const T* in = l.in(x + r * n, x_tile);
    const T* tr = l.in(t + r * n, t_tile);
    T* out = l.out(dx + r * n, x_tile);
    const auto gs = hn::Mul(l.per_row(g + r * g_stride, g_stride), hn::Set(d, scale));
    const auto ts = [&](auto s) HWY_ATTR { return l.get(tr, s, zero); };
    const auto total = l.sum(l.fold(zero, ts, Add()));
    const auto factor = hn::Div(total, row_sum_exp<T>(l, in, l.per_row(lse + r, 1), out));
    l.each([&](auto s) HWY_ATTR {
      const auto diff = hn::MulSub(l.get(out, s, zero), factor, l.get(tr, s, zero));
      l.put(hn::Mul(diff, gs), out, s);
    });
    l.flush(x_tile, dx + r * n);
  });
}

/// Loss and gradient of each row while its numbers are at hand, as the functions above give them
/// one after the other.
template <class T>
void cross_entropy_step_of(T g, T scale, const T* x, const int64_t* target, T* loss, T* dx,
                           int64_t rows, int64_t n) {
  for_rows<T>(rows, n, [&](const auto l, size_t r) HWY_ATTR {
    const Tag<T> d;
    HWY_ALIGN T tile[l.kTile];
    HWY_ALIGN T max[hn::MaxLanes(d)];
    HWY_ALIGN T log[hn::MaxLanes(d)];
    const T* in = l.in(x + r * n, tile);
    const auto m = row_max<T>(l, in);
    const auto lg = log_of_sum<T>(row_sum_exp<T>(l, in, m, nullptr));
    hn::Store(m, d, max);
    hn::Store(lg, d, log);
    for (size_t i = 0; i < l.rows(); ++i)
      loss[r + i] = log[i] + (max[i] - x[(r + i) * n + target[r + i]]);
    T* out = l.out(dx + r * n, tile);
    const T weight = g * scale;
    const auto factor = hn::Div(hn::Set(d, weight), row_sum_exp<T>(l, in, hn::Add(m, lg), out));
    l.each([&](auto s) HWY_ATTR { l.put(hn::Mul(l.get(out, s, hn::Zero(d)), factor), out, s); });
    for (size_t i = 0; i < l.rows(); ++i) l.at(out, i, target[r + i]) -= weight;
    l.flush(tile, dx + r * n);
  });
}

template <class T>
void cross_entropy_probs_step_of(T g, T scale, const T* x, const T* t, T* loss, T* dx, int64_t rows,
                                 int64_t n) {
  for_rows<T>(rows, n, [&](const auto l, size_t r) HWY_ATTR {
    const Tag<T> d;
    const auto zero = hn::Zero(d);
    HWY_ALIGN T x_tile[l.kTile];
    HWY_ALIGN T t_tile[l.kTile];
    HWY_ALIGN T losses[hn::MaxLanes(d)];
    const T* in = l.in(x + r * n, x_tile);
    const T* tr = l.in(t + r * n, t_tile);
    const auto m = row_max<T>(l, in);
    const auto lg = log_of_sum<T>(row_sum_exp<T>(l, in, m, nullptr));
    const auto term = [&](auto s) HWY_ATTR {
      const auto p = l.get(tr, s, zero);
      const auto minus_log = hn::Add(lg, hn::Sub(m, l.get(in, s, zero)));
      return hn::IfThenZeroElse(hn::Eq(p, zero), hn::Mul(p, minus_log));
    };
    hn::Store(l.sum(l.fold(zero, term, Add())), d, losses);
    std::copy_n(losses, l.rows(), loss + r);
    T* out = l.out(dx + r * n, x_tile);
    const auto gs = hn::Set(d, g * scale);
    const auto ts = [&](auto s) HWY_ATTR { return l.get(tr, s, zero); };
    const auto total = l.sum(l.fold(zero, ts, Add()));
    const auto factor = hn::Div(total, row_sum_exp<T>(l, in, hn::Add(m, lg), out));
    l.each([&](auto s) HWY_ATTR {
      const auto diff = hn::MulSub(l.get(out, s, zero), factor, l.get(tr, s, zero));
      l.put(hn::Mul(diff, gs), out, s);
    });
    l.flush(x_tile, dx + r * n);
  });
}

}  // namespace

void cross_entropy_any(DType dtype, const void* x, const int64_t* target, void* loss, void* lse,
                       int64_t rows, int64_t n) {
  with_float(dtype, [&](auto t) {
    using T = decltype(t);
    cross_entropy_of(as<T>(x), target, as<T>(loss), as<T>(lse), rows, n);
  });
}

void cross_entropy_backward_any(DType dtype, const void* g, int64_t g_stride, double scale,
                                const void* x, const int64_t* target, const void* lse, void* dx,
                                int64_t rows, int64_t n) {
  with_float(dtype, [&](auto t) {
    using T = decltype(t);
    cross_entropy_backward_of(as<T>(g), g_stride, static_cast<T>(scale), as<T>(x), target,
                              as<T>(lse), as<T>(dx), rows, n);
  });
}

void cross_entropy_probs_any(DType dtype, const void* x, const void* t, void* loss, void* lse,
                             int64_t rows, int64_t n) {
  with_float(dtype, [&](auto tag) {
    using T = decltype(tag);
    cross_entropy_probs_of(as<T>(x), as<T>(t), as<T>(loss), as<T>(lse), rows, n);
  });
}

void cross_entropy_probs_backward_any(DType dtype, const void* g, int64_t g_stride, double scale,
                                      const void* x, const void* t, const void* lse, void* dx,
                                      int64_t rows, int64_t n) {
  with_float(dtype, [&](auto tag) {
    using T = decltype(tag);
    cross_entropy_probs_backward_of(as<T>(g), g_stride, static_cast<T>(scale), as<T>(x), as<T>(t),
                                    as<T>(lse), as<T>(dx), rows, n);
  });
}

void cross_entropy_step_any(DType dtype, double g, double scale, const void* x,
                            const int64_t* target, const void* probs, void* loss, void* dx,
                            int64_t rows, int64_t n) {
  with_float(dtype, [&](auto tag) {
    using T = decltype(tag);
    const T by = static_cast<T>(g), times = static_cast<T>(scale);
    if (probs)
      cross_entropy_probs_step_of(by, times, as<T>(x), as<T>(probs), as<T>(loss), as<T>(dx), rows,
                                  n);
    else
      cross_entropy_step_of(by, times, as<T>(x), target, as<T>(loss), as<T>(dx), rows, n);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {

HWY_EXPORT(cross_entropy_any);
HWY_EXPORT(cross_entropy_backward_any);
HWY_EXPORT(cross_entropy_probs_any);
HWY_EXPORT(cross_entropy_probs_backward_any);
HWY_EXPORT(cross_entropy_step_any);

void cross_entropy(DType dtype, const void* x, const int64_t* target, void* loss, void* lse,
                   int64_t rows, int64_t n) {
  HWY_DYNAMIC_DISPATCH(cross_entropy_any)(dtype, x, target, loss, lse, rows, n);
}

void cross_entropy_backward(DType dtype, const void* g, int64_t g_stride, double scale,
                            const void* x, const int64_t* target, const void* lse, void* dx,
                            int64_t rows, int64_t n) {
  HWY_DYNAMIC_DISPATCH(cross_entropy_backward_any)
  (dtype, g, g_stride, scale, x, target, lse, dx, rows, n);
}

void cross_entropy_probs(DType dtype, const void* x, const void* t, void* loss, void* lse,
                         int64_t rows, int64_t n) {
  HWY_DYNAMIC_DISPATCH(cross_entropy_probs_any)(dtype, x, t, loss, lse, rows, n);
}

void cross_entropy_probs_backward(DType dtype, const void* g, int64_t g_stride, double scale,
                                  const void* x, const void* t, const void* lse, void* dx,
                                  int64_t rows, int64_t n) {
  HWY_DYNAMIC_DISPATCH(cross_entropy_probs_backward_any)
  (dtype, g, g_stride, scale, x, t, lse, dx, rows, n);
}

void cross_entropy_step(DType dtype, double g, double scale, const void* x, const int64_t* target,
                        void* loss, void* dx, int64_t rows, int64_t n) {
  HWY_DYNAMIC_DISPATCH(cross_entropy_step_any)
  (dtype, g, scale, x, target, nullptr, loss, dx, rows, n);
}

void cross_entropy_probs_step(DType dtype, double g, double scale, const void* x, const void* t,
                              void* loss, void* dx, int64_t rows, int64_t n) {
  HWY_DYNAMIC_DISPATCH(cross_entropy_step_any)
  (dtype, g, scale, x, nullptr, t, loss, dx, rows, n);
}

}  // namespace autograd::cpu
#endif  // HWY_ONCE
