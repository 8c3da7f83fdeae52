// Layer, RMS, batch and group normalization, forward and backward, for every instruction set.
#include "kernels/cpu/normalize.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/normalize.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "kernels/cpu/partial_vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class T>
using Tag = hn::ScalableTag<T>;
template <class T>
using V = hn::Vec<Tag<T>>;

/// Where a vector of numbers lies: a full one, or the last `count` of a row.
struct Full {
  size_t at;
};
struct Tail {
  size_t at, count;
};

template <class T>
HWY_INLINE V<T> get(const T* p, Full s) {
  return hn::LoadU(Tag<T>(), p + s.at);
}
/// Zeros behind the last number.
template <class T>
HWY_INLINE V<T> get(const T* p, Tail s) {
  return partial::load_first(Tag<T>(), p + s.at, s.count);
}
template <class T>
HWY_INLINE void put(V<T> v, T* p, Full s) {
  hn::StoreU(v, Tag<T>(), p + s.at);
}
template <class T>
HWY_INLINE void put(V<T> v, T* p, Tail s) {
  partial::store_first(v, Tag<T>(), p + s.at, s.count);
}
template <class T>
HWY_INLINE V<T> only(V<T> v, Full) {
  return v;
}
/// v with zeros behind the last number.
template <class T>
HWY_INLINE V<T> only(V<T> v, Tail s) {
  return hn::IfThenElseZero(hn::FirstN(Tag<T>(), s.count), v);
}

template <class T, class F>
HWY_INLINE void each(size_t n, const F& f) {
  const size_t lanes = hn::Lanes(Tag<T>());
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) f(Full{i});
  if (i < n) f(Tail{i, n - i});
}

/// Two sums that are formed together.
template <class T>
struct Two {
  V<T> a, b;
  static HWY_INLINE Two zero() { return {hn::Zero(Tag<T>()), hn::Zero(Tag<T>())}; }
  HWY_INLINE void add(const Two& o) {
    a = hn::Add(a, o.a);
    b = hn::Add(b, o.b);
  }
};
template <class T>
struct One {
  V<T> a;
  static HWY_INLINE One zero() { return {hn::Zero(Tag<T>())}; }
  HWY_INLINE void add(const One& o) { a = hn::Add(a, o.a); }
};

/// The sum of term(slot) over a row, lane by lane. Blocks of 64 vectors keep rounding errors small.
template <class Sum, class T, class Term>
HWY_INLINE Sum sum_row(size_t n, const Term& term) {
  const size_t lanes = hn::Lanes(Tag<T>()), block = 64 * lanes;
  Sum total = Sum::zero();
  for (size_t begin = 0; begin < n; begin += block) {
    const size_t end = std::min(n, begin + block);
    Sum s0 = Sum::zero(), s1 = s0, s2 = s0, s3 = s0;
    size_t i = begin;
    for (; i + 4 * lanes <= end; i += 4 * lanes) {
      s0.add(term(Full{i}));
      s1.add(term(Full{i + lanes}));
      s2.add(term(Full{i + 2 * lanes}));
      s3.add(term(Full{i + 3 * lanes}));
    }
    for (; i + lanes <= end; i += lanes) s0.add(term(Full{i}));
    if (i < end) s1.add(term(Tail{i, end - i}));
    s0.add(s1);
    s2.add(s3);
    s0.add(s2);
    total.add(s0);
  }
  return total;
}

template <class T>
HWY_INLINE T across(V<T> v) {
  return hn::GetLane(hn::SumOfLanes(Tag<T>(), v));
}

template <class T>
HWY_INLINE T mean_of(const T* x, size_t n) {
  const auto value = [&](auto s) HWY_ATTR { return One<T>{get(x, s)}; };
  return across<T>(sum_row<One<T>, T>(n, value).a) / static_cast<T>(n);
}

/// Sum of squared deviations from `mean`.
template <class T>
HWY_INLINE T squares_of(const T* x, size_t n, T mean) {
  const auto m = hn::Set(Tag<T>(), mean);
  const auto square = [&](auto s) HWY_ATTR {
    const auto dev = only<T>(hn::Sub(get(x, s), m), s);
    return One<T>{hn::Mul(dev, dev)};
  };
  return across<T>(sum_row<One<T>, T>(n, square).a);
}

// ---- rows normalized by themselves; kCentred: layer norm, else RMS norm

template <bool kCentred, class T>
void norm_rows(const NormRows& r, const T* x, T* y, T* mean, T* rstd) {
  const Tag<T> d;
  const auto n = static_cast<size_t>(r.n);
  const T *weight = static_cast<const T*>(r.weight), *bias = static_cast<const T*>(r.bias);
  for (int64_t row = 0; row < r.rows; ++row, x += r.n, y += r.n) {
    const T centre = kCentred ? mean_of(x, n) : T{0};
    const T variance = squares_of(x, n, centre) / static_cast<T>(n);
    const T scale = T{1} / std::sqrt(variance + static_cast<T>(r.eps));
    if (kCentred) mean[row] = centre;
    rstd[row] = scale;
    const auto m = hn::Set(d, centre), k = hn::Set(d, scale);
    const auto xhat = [&](auto s) HWY_ATTR {
      return kCentred ? hn::Mul(hn::Sub(get(x, s), m), k) : hn::Mul(get(x, s), k);
    };
    if (weight && bias) {
      each<T>(n, [&](auto s)
                     HWY_ATTR { put<T>(hn::MulAdd(xhat(s), get(weight, s), get(bias, s)), y, s); });
    } else if (weight) {
      each<T>(n, [&](auto s) HWY_ATTR { put<T>(hn::Mul(xhat(s), get(weight, s)), y, s); });
    } else if (bias) {
      each<T>(n, [&](auto s) HWY_ATTR { put<T>(hn::Add(xhat(s), get(bias, s)), y, s); });
    } else {
      each<T>(n, [&](auto s) HWY_ATTR { put<T>(xhat(s), y, s); });
    }
  }
}

/// One row of dx.
template <bool kCentred, class T, class Gradient, class Normal>
HWY_INLINE void norm_row_dx(size_t n, T rstd, const Gradient& gw, const Normal& xhat, T* dx) {
  const Tag<T> d;
  const auto terms = [&](auto s) HWY_ATTR {
    const auto g = gw(s);
    return Two<T>{g, hn::Mul(g, xhat(s))};
  };
  const auto sums = sum_row<Two<T>, T>(n, terms);
  const T by_n = T{1} / static_cast<T>(n);
  const auto k = hn::Set(d, rstd);
  const auto mean_g = hn::Set(d, kCentred ? across<T>(sums.a) * by_n : T{0});
  const auto mean_gx = hn::Set(d, across<T>(sums.b) * by_n);
  each<T>(n, [&](auto s) HWY_ATTR {
    const auto centred = kCentred ? hn::Sub(gw(s), mean_g) : gw(s);
    put<T>(hn::Mul(k, hn::NegMulAdd(xhat(s), mean_gx, centred)), dx, s);
  });
}

template <bool kCentred, class T>
void norm_rows_backward(const NormRows& r, const T* g, const T* x, const T* mean, const T* rstd,
                        T* dx, T* dweight, T* dbias) {
  const Tag<T> d;
  const auto n = static_cast<size_t>(r.n);
  const T* weight = static_cast<const T*>(r.weight);
  for (int64_t row = 0; row < r.rows; ++row, g += r.n, x += r.n) {
    const auto m = hn::Set(d, kCentred ? mean[row] : T{0}), k = hn::Set(d, rstd[row]);
    const auto xhat = [&](auto s) HWY_ATTR {
      const auto v = kCentred ? hn::Mul(hn::Sub(get(x, s), m), k) : hn::Mul(get(x, s), k);
      return v;
    };
    if (dx && weight) {
      norm_row_dx<kCentred>(
          n, rstd[row], [&](auto s) HWY_ATTR { return hn::Mul(get(g, s), get(weight, s)); }, xhat,
          dx + row * r.n);
    } else if (dx) {
      norm_row_dx<kCentred>(
          n, rstd[row], [&](auto s) HWY_ATTR { return get(g, s); }, xhat, dx + row * r.n);
    }
    if (dweight && dbias) {
      each<T>(n, [&](auto s) HWY_ATTR {
        const auto gs = get(g, s);
        put<T>(hn::MulAdd(gs, xhat(s), get(dweight, s)), dweight, s);
        put<T>(hn::Add(gs, get(dbias, s)), dbias, s);
      });
    } else if (dweight) {
      each<T>(n, [&](auto s) HWY_ATTR {
        put<T>(hn::MulAdd(get(g, s), xhat(s), get(dweight, s)), dweight, s);
      });
    } else if (dbias) {
      each<T>(n, [&](auto s) HWY_ATTR { put<T>(hn::Add(get(g, s), get(dbias, s)), dbias, s); });
    }
  }
}

// ---- moments

template <class T>
void row_moments_of(const T* x, T* mean, T* m2, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r, x += n) {
    mean[r] = mean_of(x, static_cast<size_t>(n));
    m2[r] = squares_of(x, static_cast<size_t>(n), mean[r]);
  }
}

/// Columns that are worked on together, and rows whose moments are formed before they are joined to
/// those of the rows above.
template <class T>
constexpr size_t kTile = 1024 / sizeof(T);
constexpr size_t kBlock = 32;

/// Adds a block of `rows` with moments (mean_b, m2_b) to `seen` rows with moments (mean, m2): Chan,
/// Golub and LeVeque, "Updating formulae and a pairwise algorithm", 1979.
template <class T>
HWY_INLINE void join_moments(size_t cols, T seen, T rows, const T* mean_b, const T* m2_b, T* mean,
                             T* m2) {
  const Tag<T> d;
  const auto share = hn::Set(d, rows / (seen + rows));
  const auto weight = hn::Set(d, seen * (rows / (seen + rows)));
  each<T>(cols, [&](auto s) HWY_ATTR {
    const auto delta = hn::Sub(get(mean_b, s), get(mean, s));
    put<T>(hn::Add(hn::Add(get(m2, s), get(m2_b, s)), hn::Mul(hn::Mul(delta, delta), weight)), m2,
           s);
    put<T>(hn::MulAdd(delta, share, get(mean, s)), mean, s);
  });
}

template <class T>
void column_moments_of(const T* x, T* mean, T* m2, size_t rows, size_t cols, size_t stride) {
  const Tag<T> d;
  HWY_ALIGN T mean_b[kTile<T>];
  HWY_ALIGN T m2_b[kTile<T>];
  for (size_t c = 0; c < cols; c += kTile<T>) {
    const size_t width = std::min(kTile<T>, cols - c);
    std::fill_n(mean + c, width, T{0});
    std::fill_n(m2 + c, width, T{0});
    for (size_t r = 0; r < rows; r += kBlock) {
      const size_t count = std::min(kBlock, rows - r);
      const T* p = x + r * stride + c;
      std::fill_n(mean_b, width, T{0});
      std::fill_n(m2_b, width, T{0});
      for (size_t i = 0; i < count; ++i) {
        each<T>(width, [&](auto s) HWY_ATTR {
          put<T>(hn::Add(get(mean_b, s), get(p + i * stride, s)), mean_b, s);
        });
      }
      const auto share = hn::Set(d, T{1} / static_cast<T>(count));
      each<T>(width, [&](auto s) HWY_ATTR { put<T>(hn::Mul(get(mean_b, s), share), mean_b, s); });
      for (size_t i = 0; i < count; ++i) {
        each<T>(width, [&](auto s) HWY_ATTR {
          const auto dev = hn::Sub(get(p + i * stride, s), get(mean_b, s));
          put<T>(hn::MulAdd(dev, dev, get(m2_b, s)), m2_b, s);
        });
      }
      join_moments(width, static_cast<T>(r), static_cast<T>(count), mean_b, m2_b, mean + c, m2 + c);
    }
  }
}

// ---- channels

template <class T>
void scale_channels_of(const ChannelRows& r, const T* x, const T* mean, const T* scale,
                       const T* bias, T* y) {
  const Tag<T> d;
  const int64_t n = r.inner == 1 ? r.channels : r.inner;
  x += r.first * n;
  y += r.first * n;
  for (int64_t row = r.first; row < r.first + r.rows; ++row, x += n, y += n) {
    if (r.inner == 1) {
      each<T>(static_cast<size_t>(n), [&](auto s) HWY_ATTR {
        put<T>(hn::MulAdd(hn::Sub(get(x, s), get(mean, s)), get(scale, s), get(bias, s)), y, s);
      });
      continue;
    }
    const int64_t c = row % r.channels;
    const auto m = hn::Set(d, mean[c]), k = hn::Set(d, scale[c]), b = hn::Set(d, bias[c]);
    each<T>(static_cast<size_t>(n),
            [&](auto s) HWY_ATTR { put<T>(hn::MulAdd(hn::Sub(get(x, s), m), k, b), y, s); });
  }
}

template <class T>
void combine_channels_of(const ChannelRows& r, const T* g, const T* x, const T* mean, const T* a,
                         const T* b, const T* k, T* dx) {
  const Tag<T> d;
  const int64_t n = r.inner == 1 ? r.channels : r.inner;
  g += r.first * n;
  x += r.first * n;
  dx += r.first * n;
  for (int64_t row = r.first; row < r.first + r.rows; ++row, g += n, x += n, dx += n) {
    if (r.inner == 1) {
      each<T>(static_cast<size_t>(n), [&](auto s) HWY_ATTR {
        const auto linear = hn::MulAdd(hn::Sub(get(x, s), get(mean, s)), get(b, s), get(k, s));
        put<T>(hn::MulAdd(get(g, s), get(a, s), linear), dx, s);
      });
      continue;
    }
    const int64_t c = row % r.channels;
    const auto m = hn::Set(d, mean[c]), va = hn::Set(d, a[c]), vb = hn::Set(d, b[c]),
               vk = hn::Set(d, k[c]);
    each<T>(static_cast<size_t>(n), [&](auto s) HWY_ATTR {
      put<T>(hn::MulAdd(get(g, s), va, hn::MulAdd(hn::Sub(get(x, s), m), vb, vk)), dx, s);
    });
  }
}

template <class T>
void row_products_of(const ChannelRows& r, const T* g, const T* x, const T* mean, T* sum_g,
                     T* sum_gx) {
  if (r.inner == 1) {
    for (int64_t i = 0; i < r.rows; ++i) {
      sum_g[i] = g[i];
      sum_gx[i] = g[i] * (x[i] - mean[(r.first + i) % r.channels]);
    }
    return;
  }
  for (int64_t row = 0; row < r.rows; ++row, g += r.inner, x += r.inner) {
    const auto m = hn::Set(Tag<T>(), mean[(r.first + row) % r.channels]);
    const auto terms = [&](auto s) HWY_ATTR {
      const auto gs = get(g, s);
      return Two<T>{gs, hn::Mul(gs, hn::Sub(get(x, s), m))};
    };
    const auto sums = sum_row<Two<T>, T>(static_cast<size_t>(r.inner), terms);
    sum_g[row] = across<T>(sums.a);
    sum_gx[row] = across<T>(sums.b);
  }
}

template <class T>
void column_products_of(const T* g, const T* x, const T* mean, T* sum_g, T* sum_gx, size_t rows,
                        size_t cols, size_t stride) {
  HWY_ALIGN T block_g[kTile<T>];
  HWY_ALIGN T block_gx[kTile<T>];
  std::fill_n(sum_g, cols, T{0});
  std::fill_n(sum_gx, cols, T{0});
  for (size_t r = 0; r < rows; r += kBlock) {
    for (size_t c = 0; c < cols; c += kTile<T>) {
      const size_t width = std::min(kTile<T>, cols - c);
      std::fill_n(block_g, width, T{0});
      std::fill_n(block_gx, width, T{0});
      for (size_t i = r; i < std::min(r + kBlock, rows); ++i) {
        const T *gs = g + i * stride + c, *xs = x + i * stride + c;
        each<T>(width, [&](auto s) HWY_ATTR {
          const auto v = get(gs, s), dev = hn::Sub(get(xs, s), get(mean + c, s));
          put<T>(hn::Add(get(block_g, s), v), block_g, s);
          put<T>(hn::MulAdd(v, dev, get(block_gx, s)), block_gx, s);
        });
      }
      each<T>(width, [&](auto s) HWY_ATTR {
        put<T>(hn::Add(get(sum_g + c, s), get(block_g, s)), sum_g + c, s);
        put<T>(hn::Add(get(sum_gx + c, s), get(block_gx, s)), sum_gx + c, s);
      });
    }
  }
}

// ---- from bytes to types

template <class T>
const T* in(const void* p) {
  return static_cast<const T*>(p);
}
template <class T>
T* out(void* p) {
  return static_cast<T*>(p);
}

template <class Body>
void with_float(DType dtype, const Body& body) {
  if (dtype == DType::kFloat32) {
    body(float{});
  } else {
    body(double{});
  }
}

}  // namespace

void norm_rows_any(DType dtype, const NormRows& r, const void* x, void* y, void* mean, void* rstd) {
  with_float(dtype, [&](auto t) {
    using T = decltype(t);
    if (mean) {
      norm_rows<true>(r, in<T>(x), out<T>(y), out<T>(mean), out<T>(rstd));
    } else {
      norm_rows<false>(r, in<T>(x), out<T>(y), out<T>(mean), out<T>(rstd));
    }
  });
}

void norm_rows_backward_any(DType dtype, const NormRows& r, const void* g, const void* x,
                            const void* mean, const void* rstd, void* dx, void* dweight,
                            void* dbias) {
  with_float(dtype, [&](auto t) {
    using T = decltype(t);
    if (mean) {
      norm_rows_backward<true>(r, in<T>(g), in<T>(x), in<T>(mean), in<T>(rstd), out<T>(dx),
                               out<T>(dweight), out<T>(dbias));
    } else {
      norm_rows_backward<false>(r, in<T>(g), in<T>(x), in<T>(mean), in<T>(rstd), out<T>(dx),
                                out<T>(dweight), out<T>(dbias));
    }
  });
}

void row_moments_any(DType dtype, const void* x, void* mean, void* m2, int64_t rows, int64_t n) {
  with_float(dtype, [&](auto t) {
    using T = decltype(t);
    row_moments_of(in<T>(x), out<T>(mean), out<T>(m2), rows, n);
  });
}

void column_moments_any(DType dtype, const void* x, void* mean, void* m2, int64_t rows,
                        int64_t cols, int64_t stride) {
  with_float(dtype, [&](auto t) {
    using T = decltype(t);
    column_moments_of(in<T>(x), out<T>(mean), out<T>(m2), static_cast<size_t>(rows),
                      static_cast<size_t>(cols), static_cast<size_t>(stride));
  });
}

void scale_channels_any(DType dtype, const ChannelRows& r, const void* x, const void* mean,
                        const void* scale, const void* bias, void* y) {
  with_float(dtype, [&](auto t) {
    using T = decltype(t);
    scale_channels_of(r, in<T>(x), in<T>(mean), in<T>(scale), in<T>(bias), out<T>(y));
  });
}

void combine_channels_any(DType dtype, const ChannelRows& r, const void* g, const void* x,
                          const void* mean, const void* a, const void* b, const void* k, void* dx) {
  with_float(dtype, [&](auto t) {
    using T = decltype(t);
    combine_channels_of(r, in<T>(g), in<T>(x), in<T>(mean), in<T>(a), in<T>(b), in<T>(k),
                        out<T>(dx));
  });
}

void row_products_any(DType dtype, const ChannelRows& r, const void* g, const void* x,
                      const void* mean, void* sum_g, void* sum_gx) {
  with_float(dtype, [&](auto t) {
    using T = decltype(t);
    row_products_of(r, in<T>(g), in<T>(x), in<T>(mean), out<T>(sum_g), out<T>(sum_gx));
  });
}

void column_products_any(DType dtype, const void* g, const void* x, const void* mean, void* sum_g,
                         void* sum_gx, int64_t rows, int64_t cols, int64_t stride) {
  with_float(dtype, [&](auto t) {
    using T = decltype(t);
    column_products_of(in<T>(g), in<T>(x), in<T>(mean), out<T>(sum_g), out<T>(sum_gx),
                       static_cast<size_t>(rows), static_cast<size_t>(cols),
                       static_cast<size_t>(stride));
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {

HWY_EXPORT(norm_rows_any);
HWY_EXPORT(norm_rows_backward_any);
HWY_EXPORT(row_moments_any);
HWY_EXPORT(column_moments_any);
HWY_EXPORT(scale_channels_any);
HWY_EXPORT(combine_channels_any);
HWY_EXPORT(row_products_any);
HWY_EXPORT(column_products_any);

void layer_norm(DType dtype, const NormRows& r, const void* x, void* y, void* mean, void* rstd) {
  HWY_DYNAMIC_DISPATCH(norm_rows_any)(dtype, r, x, y, mean, rstd);
}

void layer_norm_backward(DType dtype, const NormRows& r, const void* g, const void* x,
                         const void* mean, const void* rstd, void* dx, void* dweight, void* dbias) {
  HWY_DYNAMIC_DISPATCH(norm_rows_backward_any)
  (dtype, r, g, x, mean, rstd, dx, dweight, dbias);
}

void rms_norm(DType dtype, const NormRows& r, const void* x, void* y, void* rstd) {
  HWY_DYNAMIC_DISPATCH(norm_rows_any)(dtype, r, x, y, nullptr, rstd);
}

void rms_norm_backward(DType dtype, const NormRows& r, const void* g, const void* x,
                       const void* rstd, void* dx, void* dweight) {
  HWY_DYNAMIC_DISPATCH(norm_rows_backward_any)
  (dtype, r, g, x, nullptr, rstd, dx, dweight, nullptr);
}

void row_moments(DType dtype, const void* x, void* mean, void* m2, int64_t rows, int64_t n) {
  HWY_DYNAMIC_DISPATCH(row_moments_any)(dtype, x, mean, m2, rows, n);
}

void column_moments(DType dtype, const void* x, void* mean, void* m2, int64_t rows, int64_t cols,
                    int64_t stride) {
  HWY_DYNAMIC_DISPATCH(column_moments_any)(dtype, x, mean, m2, rows, cols, stride);
}

void scale_channels(DType dtype, const ChannelRows& r, const void* x, const void* mean,
                    const void* scale, const void* bias, void* y) {
  HWY_DYNAMIC_DISPATCH(scale_channels_any)(dtype, r, x, mean, scale, bias, y);
}

void combine_channels(DType dtype, const ChannelRows& r, const void* g, const void* x,
                      const void* mean, const void* a, const void* b, const void* k, void* dx) {
  HWY_DYNAMIC_DISPATCH(combine_channels_any)(dtype, r, g, x, mean, a, b, k, dx);
}

void row_products(DType dtype, const ChannelRows& r, const void* g, const void* x, const void* mean,
                  void* sum_g, void* sum_gx) {
  HWY_DYNAMIC_DISPATCH(row_products_any)(dtype, r, g, x, mean, sum_g, sum_gx);
}

void column_products(DType dtype, const void* g, const void* x, const void* mean, void* sum_g,
                     void* sum_gx, int64_t rows, int64_t cols, int64_t stride) {
  HWY_DYNAMIC_DISPATCH(column_products_any)(dtype, g, x, mean, sum_g, sum_gx, rows, cols, stride);
}

}  // namespace autograd::cpu
#endif  // HWY_ONCE
