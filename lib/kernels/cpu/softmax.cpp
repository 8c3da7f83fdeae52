// Softmax, log softmax and cross entropy, forward and backward, for every instruction set.
#include "kernels/cpu/softmax.hpp"

#include <algorithm>
#include <limits>

#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/softmax.cpp"
// foreach_target.h must come first.
// clang-format off
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
// clang-format on
#include "kernels/cpu/exp_below-inl.h"
#include "kernels/cpu/partial_vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using exponential::exp_below;

template <class T>
using Tag = hn::ScalableTag<T>;
template <class T>
using V = hn::Vec<Tag<T>>;

/// log of a sum of exponentials: at least 1, or NaN.
template <class T>
HWY_INLINE V<T> log_of_sum(V<T> s) {
  return hn::IfThenElse(hn::IsNaN(s), s, hn::Log(Tag<T>(), s));
}

/// Where a vector of numbers lies: a full one, or the last `count` of a row.
struct Full {
  size_t at;
};
struct Tail {
  size_t at, count;
};

/// One row, consecutive numbers in the lanes; statistics are the same in every lane.
template <class T>
struct AcrossRow {
  using D = Tag<T>;
  static constexpr size_t kTile = 1;
  size_t n;

  size_t rows() const { return 1; }
  const T* in(const T* p, T*) const { return p; }
  T* out(T* p, T*) const { return p; }
  void flush(const T*, T*) const {}
  T& at(T* p, size_t, size_t j) const { return p[j]; }
  V<T> per_row(const T* p, size_t) const { return hn::Set(D(), *p); }

  V<T> get(const T* p, Full s, V<T>) const { return hn::LoadU(D(), p + s.at); }
  V<T> get(const T* p, Tail s, V<T> fill) const {
    return partial::load_first(D(), p + s.at, s.count, fill);
  }
  void put(V<T> v, T* p, Full s) const { hn::StoreU(v, D(), p + s.at); }
  void put(V<T> v, T* p, Tail s) const { partial::store_first(v, D(), p + s.at, s.count); }

  template <class F>
  HWY_INLINE void each(F f) const {
    const size_t lanes = hn::Lanes(D());
    size_t j = 0;
    for (; j + lanes <= n; j += lanes) f(Full{j});
    if (j < n) f(Tail{j, n - j});
  }
  /// Two accumulators hide the latency of `join`.
  template <class F, class J>
  HWY_INLINE V<T> fold(V<T> init, F f, J join) const {
    const size_t lanes = hn::Lanes(D());
    V<T> a = init, b = init;
    size_t j = 0;
    for (; j + 2 * lanes <= n; j += 2 * lanes) {
      a = join(a, f(Full{j}));
      b = join(b, f(Full{j + lanes}));
    }
    if (j + lanes <= n) {
      a = join(a, f(Full{j}));
      j += lanes;
    }
    if (j < n) b = join(b, f(Tail{j, n - j}));
    return join(a, b);
  }
  V<T> max(V<T> v) const { return hn::MaxOfLanes(D(), v); }
  V<T> sum(V<T> v) const { return hn::SumOfLanes(D(), v); }
};

/// As many rows as there are lanes, one row in each lane: what makes rows of 2 to 16 numbers fast.
/// Numbers pass through a transposed tile; lanes behind the last row repeat it.
template <class T>
struct RowPerLane {
  using D = Tag<T>;
  static constexpr size_t kMaxN = 16;
  static constexpr size_t kTile = kMaxN * hn::MaxLanes(D());
  size_t n, valid;

  size_t rows() const { return valid; }
  T& at(T* p, size_t row, size_t j) const { return p[j * hn::Lanes(D()) + row]; }

  const T* in(const T* p, T* tile) const {
    const D d;
    const size_t lanes = hn::Lanes(d);
    if (n == 4 && valid == lanes) {
      V<T> a, b, c, e;
      hn::LoadInterleaved4(d, p, a, b, c, e);
      hn::Store(a, d, tile);
      hn::Store(b, d, tile + lanes);
      hn::Store(c, d, tile + 2 * lanes);
      hn::Store(e, d, tile + 3 * lanes);
      return tile;
    }
    using TI = hn::TFromD<hn::RebindToSigned<D>>;
    const hn::RebindToSigned<D> di;
    const auto row = hn::Min(hn::Iota(di, 0), hn::Set(di, static_cast<TI>(valid - 1)));
    HWY_ALIGN TI rows_at[hn::MaxLanes(d)];
    hn::Store(row, di, rows_at);
    for (size_t i = 0; i < lanes; ++i) rows_at[i] *= static_cast<TI>(n);
    const auto index = hn::Load(di, rows_at);
    for (size_t j = 0; j < n; ++j) {
      hn::Store(hn::GatherIndex(d, p + j, index), d, tile + j * lanes);
    }
    return tile;
  }
  T* out(T*, T* tile) const { return tile; }
  void flush(const T* tile, T* p) const {
    const D d;
    const size_t lanes = hn::Lanes(d);
    if (n == 4 && valid == lanes) {
      hn::StoreInterleaved4(hn::Load(d, tile), hn::Load(d, tile + lanes),
                            hn::Load(d, tile + 2 * lanes), hn::Load(d, tile + 3 * lanes), d, p);
      return;
    }
    for (size_t i = 0; i < valid; ++i) {
      for (size_t j = 0; j < n; ++j) p[i * n + j] = tile[j * lanes + i];
    }
  }
  /// p[row * stride] in each lane.
  V<T> per_row(const T* p, size_t stride) const {
    const D d;
    if (stride == 0) return hn::Set(d, *p);
    if (stride == 1 && valid == hn::Lanes(d)) return hn::LoadU(d, p);
    HWY_ALIGN T v[hn::MaxLanes(d)];
    for (size_t i = 0; i < hn::Lanes(d); ++i) v[i] = p[std::min(i, valid - 1) * stride];
    return hn::Load(d, v);
  }

  V<T> get(const T* p, Full s, V<T>) const { return hn::Load(D(), p + s.at); }
  void put(V<T> v, T* p, Full s) const { hn::Store(v, D(), p + s.at); }
  template <class F>
  HWY_INLINE void each(F f) const {
    for (size_t j = 0; j < n; ++j) f(Full{j * hn::Lanes(D())});
  }
  template <class F, class J>
  HWY_INLINE V<T> fold(V<T> init, F f, J join) const {
    V<T> a = init;
    for (size_t j = 0; j < n; ++j) a = join(a, f(Full{j * hn::Lanes(D())}));
    return a;
  }
  V<T> max(V<T> v) const { return v; }
  V<T> sum(V<T> v) const { return v; }
};

struct Max {
  template <class W>
  HWY_INLINE W operator()(W a, W b) const {
    return hn::Max(a, b);
  }
};
struct Add {
  template <class W>
  HWY_INLINE W operator()(W a, W b) const {
    return hn::Add(a, b);
  }
};

/// Calls body(layout, first row) until all rows are done.
template <class T, class Body>
HWY_INLINE void for_rows(int64_t rows, int64_t n, const Body& body) {
  const auto count = static_cast<size_t>(rows), width = static_cast<size_t>(n);
  if (width <= RowPerLane<T>::kMaxN && count > 1) {
    const size_t lanes = hn::Lanes(Tag<T>());
    for (size_t r = 0; r < count; r += lanes) {
      body(RowPerLane<T>{width, std::min(lanes, count - r)}, r);
    }
  } else {
    for (size_t r = 0; r < count; ++r) body(AcrossRow<T>{width}, r);
  }
}

/// Maximum of a row (any number if it has a NaN: the differences to it carry the NaN on).
template <class T, class L>
HWY_INLINE V<T> row_max(const L& l, const T* x) {
  const auto lowest = hn::Set(Tag<T>(), -std::numeric_limits<T>::infinity());
  return l.max(l.fold(
      lowest, [&](auto s) HWY_ATTR { return l.get(x, s, lowest); }, Max()));
}

/// sum of exp(x - shift) over a row; the terms go to e unless it is null.
template <class T, class L>
HWY_INLINE V<T> row_sum_exp(const L& l, const T* x, V<T> shift, T* e) {
  const Tag<T> d;
  const auto lowest = hn::Set(d, -std::numeric_limits<T>::infinity());
  const auto term = [&](auto s) HWY_ATTR {
    const auto v = exp_below(hn::Sub(l.get(x, s, lowest), shift));
    if (e != nullptr) l.put(v, e, s);
    return v;
  };
  return l.sum(l.fold(hn::Zero(d), term, Add()));
}

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

/// Calls f(T()) with the floating type T that `dtype` names.
template <class F>
HWY_INLINE void with_float(DType dtype, F f) {
  if (dtype == DType::kFloat32) {
    f(float());
  } else {
    f(double());
  }
}

template <class T>
HWY_INLINE const T* as(const void* p) {
  return static_cast<const T*>(p);
}
template <class T>
HWY_INLINE T* as(void* p) {
  return static_cast<T*>(p);
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

}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {

HWY_EXPORT(softmax_any);
HWY_EXPORT(softmax_backward_any);
HWY_EXPORT(logsumexp_any);
HWY_EXPORT(cross_entropy_any);
HWY_EXPORT(cross_entropy_backward_any);
HWY_EXPORT(cross_entropy_probs_any);
HWY_EXPORT(cross_entropy_probs_backward_any);

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

}  // namespace autograd::cpu
#endif  // HWY_ONCE
