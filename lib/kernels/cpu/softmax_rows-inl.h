// Rows of numbers, across the lanes of vectors or one in each lane: what softmax and cross entropy
// are made of.

// Included once per instruction set, hence the toggling guard (see Highway's quick reference).
#if defined(AUTOGRAD_KERNELS_CPU_SOFTMAX_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AUTOGRAD_KERNELS_CPU_SOFTMAX_ROWS_INL_H_
#undef AUTOGRAD_KERNELS_CPU_SOFTMAX_ROWS_INL_H_
#else
#define AUTOGRAD_KERNELS_CPU_SOFTMAX_ROWS_INL_H_
#endif

#include <algorithm>
#include <limits>

// clang-format off
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
// clang-format on
#include "autograd/dtype.hpp"
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
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#endif  // AUTOGRAD_KERNELS_CPU_SOFTMAX_ROWS_INL_H_
