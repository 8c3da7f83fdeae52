// Sums, extremes, their positions and variances of floats, for every instruction set.
#include "kernels/cpu/reduce.hpp"

#include <algorithm>
#include <limits>

#include "kernels/cpu/reduce_integer.hpp"
#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/reduce.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "kernels/cpu/partial_vector-inl.h"
#include "kernels/cpu/reduce_source-inl.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// What a sum adds up; `c` is the column of lane 0 (0 in a row)

template <class T>
struct Value {
  HWY_INLINE V<T> operator()(V<T> x, size_t) const { return x; }
  HWY_INLINE V<T> neutral() const { return hn::Zero(Tag<T>()); }
};

template <class T>
struct Magnitude : Value<T> {
  HWY_INLINE V<T> operator()(V<T> x, size_t) const { return hn::Abs(x); }
};

template <class T>
struct Square : Value<T> {
  HWY_INLINE V<T> operator()(V<T> x, size_t) const { return hn::Mul(x, x); }
};

template <class T>
struct Deviation {
  const T* pivot;
  HWY_INLINE V<T> operator()(V<T> x, size_t c) const {
    return hn::Sub(x, hn::LoadU(Tag<T>(), pivot + c));
  }
  HWY_INLINE V<T> neutral() const { return hn::LoadU(Tag<T>(), pivot); }
};

template <class T>
struct SquaredDeviation : Deviation<T> {
  HWY_INLINE V<T> operator()(V<T> x, size_t c) const {
    const auto dev = Deviation<T>::operator()(x, c);
    return hn::Mul(dev, dev);
  }
};

// Sums. No number passes through more than a few dozen additions per factor 16 of the length,
// so that errors grow as in pairwise summation (Higham, SIAM J. Sci. Comput. 14(4), 1993).

/// In kParts sums side by side.
template <size_t kParts, class T, class Source, class Term>
V<T> sum_row_block(const Source& source, const T* p, size_t n, const Term& term) {
  const Tag<T> d;
  const size_t lanes = hn::Lanes(d);
  V<T> part[kParts];
  for (auto& sum : part) sum = hn::Zero(d);
  size_t i = 0;
  for (; i + kParts * lanes <= n; i += kParts * lanes) {
    source.call_for(p + i, kParts);
    for (size_t k = 0; k < kParts; ++k)
      part[k] = hn::Add(part[k], term(source.all(source.at(p, i + k * lanes)), 0));
  }
  for (; i + lanes <= n; i += lanes)
    part[0] = hn::Add(part[0], term(source.all(source.at(p, i)), 0));
  if (i < n)
    part[1] = hn::Add(part[1], term(source.first(source.at(p, i), n - i, term.neutral()), 0));
  for (size_t half = kParts / 2; half > 0; half /= 2)
    for (size_t k = 0; k < half; ++k) part[k] = hn::Add(part[2 * k], part[2 * k + 1]);
  return part[0];
}

/// Blocks of 256 vectors, whose sums are added in a binary tree: tree[k] holds 2^k blocks.
template <class T, class Source, class Term>
HWY_NOINLINE T sum_row(const Source& source, const T* p, size_t n, const Term& term) {
  const Tag<T> d;
  const size_t lanes = hn::Lanes(d), block = 256 * lanes;
  if (n <= 64 * lanes) return hn::GetLane(hn::SumOfLanes(d, sum_row_block<4>(source, p, n, term)));
  V<T> tree[56];
  size_t done = 0;
  for (size_t i = 0; i < n; i += block, ++done) {
    auto sum = sum_row_block<8>(source, source.at(p, i), std::min(block, n - i), term);
    size_t k = 0;
    for (; (done >> k) & 1; ++k) sum = hn::Add(tree[k], sum);
    tree[k] = sum;
  }
  auto total = hn::Zero(d);
  for (size_t k = 0; done >> k; ++k) {
    if ((done >> k) & 1) total = hn::Add(tree[k], total);
  }
  return hn::GetLane(hn::SumOfLanes(d, total));
}

/// A matrix whose columns are reduced: element (r, c) at source.at(p + r * stride, c).
template <class T, class Source>
struct Columns {
  Source source;
  const T* p;
  size_t rows, cols;
  int64_t stride;

  Columns part(size_t r, size_t row_count, size_t c, size_t col_count) const {
    return {source, source.at(p + static_cast<int64_t>(r) * stride, c), row_count, col_count,
            stride};
  }
};

/// What becomes of the sums of a block of rows. With kAdd, `out` has room for whole vectors.
enum class Sums { kStore, kAdd };

template <class T>
HWY_INLINE void put(Sums how, V<T> sum, T* out, size_t count) {
  const Tag<T> d;
  if (how == Sums::kAdd) {
    hn::StoreU(hn::Add(hn::LoadU(d, out), sum), d, out);
  } else if (count == hn::Lanes(d)) {
    hn::StoreU(sum, d, out);
  } else {
    partial::store_first(sum, d, out, count);
  }
}

template <class T, class Source, class Term>
HWY_NOINLINE void sum_column_block(const Columns<T, Source>& m, const Term& term, Sums how,
                                   T* out) {
  const Tag<T> d;
  const size_t lanes = hn::Lanes(d);
  size_t col = 0;
  for (; col + 4 * lanes <= m.cols; col += 4 * lanes) {
    auto a = hn::Zero(d), b = a, c = a, e = a;
    const T* p = m.source.at(m.p, col);
    for (size_t r = 0; r < m.rows; ++r, p += m.stride) {
      a = hn::Add(a, term(m.source.all(p), col));
      b = hn::Add(b, term(m.source.all(m.source.at(p, lanes)), col + lanes));
      c = hn::Add(c, term(m.source.all(m.source.at(p, 2 * lanes)), col + 2 * lanes));
      e = hn::Add(e, term(m.source.all(m.source.at(p, 3 * lanes)), col + 3 * lanes));
    }
    put(how, a, out + col, lanes);
    put(how, b, out + col + lanes, lanes);
    put(how, c, out + col + 2 * lanes, lanes);
    put(how, e, out + col + 3 * lanes, lanes);
  }
  for (; col < m.cols; col += lanes) {
    const size_t count = std::min(lanes, m.cols - col);
    const T* p = m.source.at(m.p, col);
    auto a = hn::Zero(d), b = a;
    const auto load = [&](const T* q) HWY_ATTR {
      return term(count == lanes ? m.source.all(q) : m.source.first(q, count, hn::Zero(d)), col);
    };
    size_t r = 0;
    for (; r + 2 <= m.rows; r += 2, p += 2 * m.stride) {
      a = hn::Add(a, load(p));
      b = hn::Add(b, load(p + m.stride));
    }
    if (r < m.rows) a = hn::Add(a, load(p));
    put(how, hn::Add(a, b), out + col, count);
  }
}

/// Rows of a block whose sum is formed in registers, and sums that a level of the cascade takes.
constexpr size_t kFan = 16;
/// Columns that go through the cascade together.
template <class T>
constexpr size_t kTile = 1024 / sizeof(T);

/// At most kTile columns: blocks of rows go to level 0, every 16th sum of a level to the next.
template <class T, class Source, class Term>
void sum_tile(const Columns<T, Source>& m, const Term& term, T* out) {
  const Tag<T> d;
  const size_t lanes = hn::Lanes(d);
  const size_t width = hwy::RoundUpTo(m.cols, lanes);
  HWY_ALIGN T level[16][kTile<T>];
  size_t levels = 1;
  for (size_t blocks = m.rows / kFan; blocks >= kFan; blocks /= kFan) ++levels;
  for (size_t k = 0; k < levels; ++k) std::fill_n(level[k], width, T{0});
  const auto flow = [&](T* from, T* to) HWY_ATTR {
    for (size_t c = 0; c < width; c += lanes) {
      hn::Store(hn::Add(hn::Load(d, to + c), hn::Load(d, from + c)), d, to + c);
      hn::Store(hn::Zero(d), d, from + c);
    }
  };
  size_t done = 0;
  for (size_t r = 0; r < m.rows; r += kFan) {
    const auto block = m.part(r, std::min(kFan, m.rows - r), 0, m.cols);
    sum_column_block(block, term, Sums::kAdd, level[0]);
    size_t k = 0;
    for (size_t n = ++done; n % kFan == 0 && k + 1 < levels; n /= kFan, ++k) {
      flow(level[k], level[k + 1]);
    }
  }
  for (size_t k = 0; k + 1 < levels; ++k) flow(level[k], level[k + 1]);
  std::copy_n(level[levels - 1], m.cols, out);
}

template <class T, class Source, class Term>
HWY_NOINLINE void sum_columns(const Columns<T, Source>& m, const Term& term, T* out) {
  if (m.rows <= 2 * kFan) return sum_column_block(m, term, Sums::kStore, out);
  for (size_t c = 0; c < m.cols; c += kTile<T>) {
    sum_tile(m.part(0, m.rows, c, std::min(kTile<T>, m.cols - c)), term, out + c);
  }
}

// Variance: squared deviations from a pivot near the mean, less what the pivot is off by
// (Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983, eq. 1.7)

/// From the sums of deviations and of squared deviations.
template <class T>
HWY_INLINE V<T> variance_of(V<T> deviations, V<T> squares, size_t n, double correction) {
  const Tag<T> d;
  const double freedom = std::max(static_cast<double>(n) - correction, 0.0);
  const auto off = hn::Div(hn::Mul(deviations, deviations), hn::Set(d, static_cast<T>(n)));
  const auto m2 = hn::Sub(squares, off);
  const auto positive = hn::IfThenZeroElse(hn::Lt(m2, hn::Zero(d)), m2);
  return hn::Div(positive, hn::Set(d, static_cast<T>(freedom)));
}

template <class T, class Source>
T variance_row(const Source& source, const T* p, size_t n, double correction) {
  const Tag<T> d;
  HWY_ALIGN T pivot[hn::MaxLanes(d)];
  hn::Store(hn::Set(d, sum_row(source, p, n, Value<T>()) / static_cast<T>(n)), d, pivot);
  const auto deviations = hn::Set(d, sum_row(source, p, n, Deviation<T>{pivot}));
  const auto squares = hn::Set(d, sum_row(source, p, n, SquaredDeviation<T>{{pivot}}));
  return hn::GetLane(variance_of<T>(deviations, squares, n, correction));
}

template <class T, class Source>
void variance_columns(const Columns<T, Source>& m, double correction, T* out) {
  const Tag<T> d;
  const size_t lanes = hn::Lanes(d);
  const auto n = hn::Set(d, static_cast<T>(m.rows));
  HWY_ALIGN T pivot[kTile<T>];
  HWY_ALIGN T deviations[kTile<T>];
  HWY_ALIGN T squares[kTile<T>];
  for (size_t c = 0; c < m.cols; c += kTile<T>) {
    const auto tile = m.part(0, m.rows, c, std::min(kTile<T>, m.cols - c));
    const size_t width = hwy::RoundUpTo(tile.cols, lanes);
    for (T* sums : {pivot, deviations, squares}) std::fill_n(sums, width, T{0});
    sum_columns(tile, Value<T>(), pivot);
    for (size_t i = 0; i < width; i += lanes) {
      hn::Store(hn::Div(hn::Load(d, pivot + i), n), d, pivot + i);
    }
    sum_columns(tile, Deviation<T>{pivot}, deviations);
    sum_columns(tile, SquaredDeviation<T>{{pivot}}, squares);
    for (size_t i = 0; i < width; i += lanes) {
      const auto dev = hn::Load(d, deviations + i), sq = hn::Load(d, squares + i);
      hn::Store(variance_of<T>(dev, sq, m.rows, correction), d, squares + i);
    }
    std::copy_n(squares, tile.cols, out + c);
  }
}

// Extremes

/// The largest (smallest) number so far and whether there was a NaN, per lane.
template <class T, bool kMax>
struct Extreme {
  V<T> best;
  hn::Mask<Tag<T>> nan;

  static V<T> neutral() {
    const T inf = std::numeric_limits<T>::infinity();
    return hn::Set(Tag<T>(), kMax ? -inf : inf);
  }
  explicit Extreme(V<T> start) : best(start), nan(hn::IsNaN(start)) {}
  HWY_INLINE void take(V<T> x) {
    best = kMax ? hn::Max(best, x) : hn::Min(best, x);
    nan = hn::Or(nan, hn::IsNaN(x));
  }
  HWY_INLINE void take(const Extreme& e) {
    best = kMax ? hn::Max(best, e.best) : hn::Min(best, e.best);
    nan = hn::Or(nan, e.nan);
  }
  HWY_INLINE V<T> lanes() const {
    const T quiet = std::numeric_limits<T>::quiet_NaN();
    return hn::IfThenElse(nan, hn::Set(Tag<T>(), quiet), best);
  }
  HWY_INLINE T across() const {
    const Tag<T> d;
    if (!hn::AllFalse(d, nan)) return std::numeric_limits<T>::quiet_NaN();
    return hn::GetLane(kMax ? hn::MaxOfLanes(d, best) : hn::MinOfLanes(d, best));
  }
};

template <bool kMax, class T, class Source>
HWY_NOINLINE T exact_extreme_row(const Source& source, const T* p, size_t n) {
  using E = Extreme<T, kMax>;
  const size_t lanes = hn::Lanes(Tag<T>());
  E a(E::neutral()), b = a, c = a, e = a;
  size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    a.take(source.all(source.at(p, i)));
    b.take(source.all(source.at(p, i + lanes)));
    c.take(source.all(source.at(p, i + 2 * lanes)));
    e.take(source.all(source.at(p, i + 3 * lanes)));
  }
  for (; i + lanes <= n; i += lanes) a.take(source.all(source.at(p, i)));
  if (i < n) b.take(source.first(source.at(p, i), n - i, E::neutral()));
  c.take(e);
  a.take(b);
  a.take(c);
  return a.across();
}

/// A NaN would make the sum of all numbers one; so may infinities, but then a second look is taken.
template <bool kMax, class T, class Source>
HWY_NOINLINE T extreme_row(const Source& source, const T* p, size_t n) {
  const Tag<T> d;
  const size_t lanes = hn::Lanes(d);
  if (n < 16 * lanes) return exact_extreme_row<kMax>(source, p, n);
  V<T> best[4], sum[4];
  for (size_t k = 0; k < 4; ++k) {
    best[k] = source.all(source.at(p, k * lanes));
    sum[k] = best[k];
  }
  const auto take = [&](size_t k, V<T> x) HWY_ATTR {
    best[k] = kMax ? hn::Max(best[k], x) : hn::Min(best[k], x);
    sum[k] = hn::Add(sum[k], x);
  };
  size_t i = 4 * lanes;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    source.call_for(p + i, 4);
    take(0, source.all(source.at(p, i)));
    take(1, source.all(source.at(p, i + lanes)));
    take(2, source.all(source.at(p, i + 2 * lanes)));
    take(3, source.all(source.at(p, i + 3 * lanes)));
  }
  for (; i < n; i += lanes) {  // the last vector reaches back over numbers seen before
    take(0, source.all(source.at(p, std::min(i, n - lanes))));
  }
  const auto total = hn::Add(hn::Add(sum[0], sum[1]), hn::Add(sum[2], sum[3]));
  if (!hn::AllFalse(d, hn::IsNaN(total))) return exact_extreme_row<kMax>(source, p, n);
  const auto join = [](V<T> a, V<T> b) HWY_ATTR { return kMax ? hn::Max(a, b) : hn::Min(a, b); };
  const auto v = join(join(best[0], best[1]), join(best[2], best[3]));
  return hn::GetLane(kMax ? hn::MaxOfLanes(d, v) : hn::MinOfLanes(d, v));
}

/// A few rows pass at a time, `out` carrying the extremes on, so that each of them is read in
/// order.
template <bool kMax, class T, class Source>
void extreme_columns(const Columns<T, Source>& m, T* out) {
  using E = Extreme<T, kMax>;
  const Tag<T> d;
  const size_t lanes = hn::Lanes(d);
  constexpr size_t kBlock = 8;
  for (size_t r0 = 0; r0 < m.rows; r0 += kBlock) {
    const size_t rows = std::min(kBlock, m.rows - r0);
    size_t c = 0;
    for (; c + 2 * lanes <= m.cols; c += 2 * lanes) {
      E a(r0 == 0 ? E::neutral() : hn::LoadU(d, out + c));
      E b(r0 == 0 ? E::neutral() : hn::LoadU(d, out + c + lanes));
      const T* p = m.source.at(m.p + static_cast<int64_t>(r0) * m.stride, c);
      for (size_t r = 0; r < rows; ++r, p += m.stride) {
        a.take(m.source.all(p));
        b.take(m.source.all(m.source.at(p, lanes)));
      }
      hn::StoreU(a.lanes(), d, out + c);
      hn::StoreU(b.lanes(), d, out + c + lanes);
    }
    for (; c < m.cols; c += lanes) {
      const size_t n = std::min(lanes, m.cols - c);
      E a(r0 == 0 ? E::neutral() : partial::load_first(d, out + c, n));
      const T* p = m.source.at(m.p + static_cast<int64_t>(r0) * m.stride, c);
      for (size_t r = 0; r < rows; ++r, p += m.stride) {
        a.take(n == lanes ? m.source.all(p) : m.source.first(p, n, E::neutral()));
      }
      partial::store_first(a.lanes(), d, out + c, n);
    }
  }
}

/// First finds the extreme, then where it stands.
template <bool kMax, class T, class Source>
int64_t find_row(const Source& source, const T* p, size_t n) {
  const Tag<T> d;
  const size_t lanes = hn::Lanes(d);
  const T value = extreme_row<kMax>(source, p, n);
  const bool nan = value != value;
  const auto wanted = hn::Set(d, value);
  const auto other = hn::Set(d, nan ? T{0} : std::numeric_limits<T>::quiet_NaN());
  for (size_t i = 0; i < n; i += lanes) {
    const auto x =
        i + lanes <= n ? source.all(source.at(p, i)) : source.first(source.at(p, i), n - i, other);
    const auto at = hn::FindFirstTrue(d, nan ? hn::IsNaN(x) : hn::Eq(x, wanted));
    if (at >= 0) return static_cast<int64_t>(i) + at;
  }
  return 0;
}

template <bool kMax, class T, class Source>
void find_columns(const Columns<T, Source>& m, int64_t* out) {
  const Tag<T> d;
  const hn::RebindToSigned<Tag<T>> di;
  using TI = hn::TFromD<decltype(di)>;
  const size_t lanes = hn::Lanes(d);
  if (m.rows > static_cast<size_t>(std::numeric_limits<TI>::max())) {
    for (size_t c = 0; c < m.cols; ++c) {
      out[c] = find_row<kMax>(Spread<T>(m.stride), m.source.at(m.p, c), m.rows);
    }
    return;
  }
  for (size_t c = 0; c < m.cols; c += lanes) {
    const size_t n = std::min(lanes, m.cols - c);
    const T* p = m.source.at(m.p, c);
    const auto load = [&]() HWY_ATTR {
      return n == lanes ? m.source.all(p) : m.source.first(p, n, hn::Zero(d));
    };
    auto best = load();
    auto index = hn::Zero(di);
    for (size_t r = 1; r < m.rows; ++r) {
      p += m.stride;
      const auto x = load();
      const auto better = kMax ? hn::Gt(x, best) : hn::Lt(x, best);
      const auto take = hn::Or(better, hn::AndNot(hn::IsNaN(best), hn::IsNaN(x)));
      best = hn::IfThenElse(take, x, best);
      index = hn::IfThenElse(hn::RebindMask(di, take), hn::Set(di, static_cast<TI>(r)), index);
    }
    HWY_ALIGN TI found[hn::MaxLanes(d)];
    hn::Store(index, di, found);
    copy_places(found, n, out + c);
  }
}

// From shape to kernel

template <class T, class Source>
void reduce_columns(ReduceOp op, const Columns<T, Source>& m, void* out, const double* p) {
  T* values = static_cast<T*>(out);
  int64_t* places = static_cast<int64_t*>(out);
  switch (op) {
    case ReduceOp::kSum:
      return sum_columns(m, Value<T>(), values);
    case ReduceOp::kMax:
      return extreme_columns<true>(m, values);
    case ReduceOp::kMin:
      return extreme_columns<false>(m, values);
    case ReduceOp::kArgmax:
      return find_columns<true>(m, places);
    case ReduceOp::kArgmin:
      return find_columns<false>(m, places);
    case ReduceOp::kVar:
      return variance_columns(m, p[0], values);
    case ReduceOp::kSumAbs:
      return sum_columns(m, Magnitude<T>(), values);
    case ReduceOp::kSumSquares:
      return sum_columns(m, Square<T>(), values);
  }
}

template <class T, class Source>
void reduce_rows(ReduceOp op, const Source& source, const T* in, const ReduceShape& s, void* out,
                 const double* p) {
  const size_t n = static_cast<size_t>(s.reduce);
  const auto each = [&](auto* results, auto kernel) HWY_ATTR {
    for (int64_t o = 0; o < s.outer; ++o) results[o] = kernel(in + o * s.outer_stride);
  };
  T* values = static_cast<T*>(out);
  int64_t* places = static_cast<int64_t*>(out);
  using P = const T*;
  switch (op) {
    case ReduceOp::kSum:
      return each(values, [&](P x) HWY_ATTR { return sum_row(source, x, n, Value<T>()); });
    case ReduceOp::kMax:
      return each(values, [&](P x) HWY_ATTR { return extreme_row<true>(source, x, n); });
    case ReduceOp::kMin:
      return each(values, [&](P x) HWY_ATTR { return extreme_row<false>(source, x, n); });
    case ReduceOp::kArgmax:
      return each(places, [&](P x) HWY_ATTR { return find_row<true>(source, x, n); });
    case ReduceOp::kArgmin:
      return each(places, [&](P x) HWY_ATTR { return find_row<false>(source, x, n); });
    case ReduceOp::kVar:
      return each(values, [&](P x) HWY_ATTR { return variance_row(source, x, n, p[0]); });
    case ReduceOp::kSumAbs:
      return each(values, [&](P x) HWY_ATTR { return sum_row(source, x, n, Magnitude<T>()); });
    case ReduceOp::kSumSquares:
      return each(values, [&](P x) HWY_ATTR { return sum_row(source, x, n, Square<T>()); });
  }
}

/// So much is not in the nearer caches.
constexpr size_t kFarBytes = size_t{1} << 18;

/// Short rows, and rows with gaps if there are many, lie across the lanes, one row in each.
template <class T>
void reduce_of(ReduceOp op, const void* in_bytes, void* out, const ReduceShape& s,
               const double* p) {
  const T* in = static_cast<const T*>(in_bytes);
  const auto rows = static_cast<size_t>(s.reduce), outer = static_cast<size_t>(s.outer);
  const size_t lanes = hn::Lanes(Tag<T>());
  const size_t result = op == ReduceOp::kArgmax || op == ReduceOp::kArgmin ? 8 : sizeof(T);
  if (s.inner != 1) {
    Columns<T, Neighbours<T>> m{{}, in, rows, static_cast<size_t>(s.inner), s.reduce_stride};
    char* bytes = static_cast<char*>(out);
    for (size_t o = 0; o < outer; ++o, m.p += s.outer_stride, bytes += m.cols * result) {
      reduce_columns(op, m, bytes, p);
    }
  } else if (s.outer_stride == 1 && s.reduce_stride != 1) {
    reduce_columns(op, Columns<T, Neighbours<T>>{{}, in, rows, outer, s.reduce_stride}, out, p);
  } else if (outer >= lanes && (s.reduce_stride != 1 || rows <= 2 * lanes)) {
    const Spread<T> spread(s.outer_stride);
    reduce_columns(op, Columns<T, Spread<T>>{spread, in, rows, outer, s.reduce_stride}, out, p);
  } else if (s.reduce_stride != 1) {
    reduce_rows(op, Spread<T>(s.reduce_stride), in, s, out, p);
  } else {
    reduce_rows(op, Neighbours<T>{outer * rows * sizeof(T) >= kFarBytes}, in, s, out, p);
  }
}

}  // namespace

void reduce_float(ReduceOp op, DType dtype, const void* in, void* out, const ReduceShape& shape,
                  const double* p) {
  if (dtype == DType::kFloat32) {
    reduce_of<float>(op, in, out, shape, p);
  } else {
    reduce_of<double>(op, in, out, shape, p);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {

HWY_EXPORT(reduce_float);

bool reduce(ReduceOp op, DType dtype, const void* in, void* out, const ReduceShape& shape,
            const double* p) {
  if (!is_floating(dtype)) return reduce_integer(op, dtype, in, out, shape);
  HWY_DYNAMIC_DISPATCH(reduce_float)(op, dtype, in, out, shape, p);
  return true;
}

}  // namespace autograd::cpu
#endif  // HWY_ONCE
