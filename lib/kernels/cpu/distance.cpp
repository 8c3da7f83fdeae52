// Distances of rows for every instruction set. A norm is a struct with its terms and its slope.
#include "kernels/cpu/distance.hpp"

#include <algorithm>
#include <limits>

#include "kernels/cpu/element_types.hpp"
#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/distance.cpp"
// foreach_target.h must come first.
// clang-format off
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
// clang-format on
#include "kernels/cpu/each_vector-inl.h"
#include "kernels/cpu/vector_power-inl.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace {

template <class T>
HWY_INLINE T sum_of(Vec<T> total) {
  const hn::ScalableTag<T> d;
  return hn::GetLane(hn::SumOfLanes(d, total.raw));
}

// add: the total with one more vector of differences. across: of all lanes. norm: what a total
// becomes. factor: what is the same for all columns of a pair; slope: the rest of it.

struct CountNorm {
  template <class V>
  HWY_INLINE V add(V total, V x) const {
    return total + where(x != 0, V(1), V(0));
  }
  template <class V>
  HWY_INLINE V norm(V total) const {
    return total;
  }
  template <class T>
  static HWY_INLINE T across(Vec<T> total) {
    return sum_of(total);
  }
};

struct SumNorm {
  template <class V>
  HWY_INLINE V add(V total, V x) const {
    return total + abs(x);
  }
  template <class V>
  HWY_INLINE V norm(V total) const {
    return total;
  }
  template <class T>
  static HWY_INLINE T across(Vec<T> total) {
    return sum_of(total);
  }
  template <class V>
  HWY_INLINE V factor(V g, V) const {
    return g;
  }
  template <class V>
  HWY_INLINE V slope(V x, V factor, V) const {
    return sign(x) * factor;
  }
};

struct RootNorm {
  template <class V>
  HWY_INLINE V add(V total, V x) const {
    return fma(x, x, total);
  }
  template <class V>
  HWY_INLINE V norm(V total) const {
    return sqrt(total);
  }
  template <class T>
  static HWY_INLINE T across(Vec<T> total) {
    return sum_of(total);
  }
  template <class V>
  HWY_INLINE V factor(V g, V d) const {
    return where(d == 0, V(0), g / d);
  }
  template <class V>
  HWY_INLINE V slope(V x, V factor, V) const {
    return x * factor;
  }
};

struct LargestNorm {
  template <class V>
  HWY_INLINE V add(V total, V x) const {
    return maximum(abs(x), total);
  }
  template <class V>
  HWY_INLINE V norm(V total) const {
    return total;
  }
  template <class T>
  static HWY_INLINE T across(Vec<T> total) {
    const hn::ScalableTag<T> d;
    if (!all(total == total)) return std::numeric_limits<T>::quiet_NaN();
    return hn::GetLane(hn::MaxOfLanes(d, total.raw));
  }
  template <class V>
  HWY_INLINE V factor(V g, V) const {
    return g;
  }
  template <class V>
  HWY_INLINE V slope(V x, V factor, V d) const {
    return where(abs(x) == d, sign(x) * factor, V(0));
  }
};

struct PowerNorm {
  double p;
  template <class V>
  HWY_INLINE V add(V total, V x) const {
    return total + pow(abs(x), V(p));
  }
  template <class V>
  HWY_INLINE V norm(V total) const {
    return pow(total, V(1 / p));
  }
  template <class T>
  static HWY_INLINE T across(Vec<T> total) {
    return sum_of(total);
  }
  template <class V>
  HWY_INLINE V factor(V g, V) const {
    return g;
  }
  template <class V>
  HWY_INLINE V slope(V x, V factor, V d) const {
    return where(x == 0, V(0), sign(x) * pow(abs(x) / d, V(p - 1)) * factor);
  }
};

/// The totals of one row and kRows rows.
template <size_t kRows, class T, class Norm>
HWY_INLINE void totals(const Norm& norm, const T* a, const T* b, int64_t size, T* out) {
  Vec<T> total[kRows];
  for (Vec<T>& each : total) each = 0;
  each_vector<T>(size, [&](size_t at, size_t count) HWY_ATTR {
    const Vec<T> x = load(a + at, count);
    for (size_t r = 0; r < kRows; ++r)
      total[r] = norm.add(total[r], x - load(b + static_cast<int64_t>(r) * size + at, count));
  });
  for (size_t r = 0; r < kRows; ++r) out[r] = Norm::across(total[r]);
}

template <class T, class Norm>
void forward(const Norm& norm, const RowPairs& pairs, const T* a, const T* b, int64_t begin,
             int64_t end, T* out) {
  for (int64_t i = begin; i < end; ++i) {
    const T* row = a + i * pairs.size;
    T* to = out + pairs.at(i);
    int64_t j = pairs.first(i);
    for (; j + 4 <= pairs.rows2; j += 4, to += 4)
      totals<4>(norm, row, b + j * pairs.size, pairs.size, to);
    for (; j < pairs.rows2; ++j, ++to) totals<1>(norm, row, b + j * pairs.size, pairs.size, to);
  }
  T* const first = out + pairs.at(begin);
  each_vector<T>(pairs.at(end) - pairs.at(begin), [&](size_t at, size_t count) HWY_ATTR {
    store<T>(norm.norm(load(first + at, count)), first + at, count);
  });
}

/// One row of a and `rows` rows of b, with their factors and distances.
template <class T, class Norm>
struct RowSlopes {
  const Norm& norm;
  const T *a, *b, *d, *factor;
  int64_t rows, stride;
  T *da, *db;

  /// In kVectors vectors of columns from c on, of `count` numbers each.
  template <size_t kVectors>
  HWY_INLINE void columns(int64_t c, size_t count) const {
    const hn::ScalableTag<T> tag;
    Vec<T> x[kVectors], sum[kVectors];
    for (size_t v = 0; v < kVectors; ++v) {
      x[v] = load(a + c + v * count, count);
      sum[v] = load(da + c + v * count, count);
    }
    for (int64_t j = 0; j < rows; ++j) {
      const Vec<T> f = hn::Set(tag, factor[j]), distance = hn::Set(tag, d[j]);
      for (size_t v = 0; v < kVectors; ++v) {
        const size_t at = static_cast<size_t>(j * stride + c) + v * count;
        const Vec<T> slope = norm.slope(x[v] - load(b + at, count), f, distance);
        sum[v] = sum[v] + slope;
        store<T>(load(db + at, count) - slope, db + at, count);
      }
    }
    for (size_t v = 0; v < kVectors; ++v) store<T>(sum[v], da + c + v * count, count);
  }
};

template <class T, class Norm>
void backward(const Norm& norm, const RowPairs& pairs, const T* a, const T* b, const T* d,
              const T* g, int64_t begin, int64_t end, T* da, T* db) {
  // Rows of b at a time: they, their slopes and the factors of one row stay in the nearest cache.
  constexpr int64_t kBlock = 64;
  const size_t lanes = hn::Lanes(hn::ScalableTag<T>());
  const int64_t stride = pairs.size, step = static_cast<int64_t>(lanes);
  HWY_ALIGN T factor[kBlock];
  for (int64_t block = 0; block < pairs.rows2; block += kBlock)
    for (int64_t i = 0; i < pairs.rows1; ++i) {
      const int64_t j = std::max(block, pairs.first(i)),
                    rows = std::min(block + kBlock, pairs.rows2) - j;
      if (rows <= 0) break;
      const int64_t at = pairs.at(i) + j - pairs.first(i);
      each_vector<T>(rows, [&](size_t k, size_t count) HWY_ATTR {
        store<T>(norm.factor(load(g + at + k, count), load(d + at + k, count)), factor + k, count);
      });
      const RowSlopes<T, Norm> row{norm, a + i * stride, b + j * stride,  d + at,         factor,
                                   rows, stride,         da + i * stride, db + j * stride};
      int64_t c = begin;
      for (; c + 4 * step <= end; c += 4 * step) row.template columns<4>(c, lanes);
      for (; c + step <= end; c += step) row.template columns<1>(c, lanes);
      if (c < end) row.template columns<1>(c, static_cast<size_t>(end - c));
    }
}

/// Calls work with the norm.
template <class Work>
HWY_INLINE void by_norm(double p, const Work& work) {
  if (p == 2) return work(RootNorm());
  if (p == 1) return work(SumNorm());
  if (p == 0) return work(CountNorm());
  if (p == std::numeric_limits<double>::infinity()) return work(LargestNorm());
  work(PowerNorm{p});
}

}  // namespace

void Forward(DType dtype, double p, const RowPairs& pairs, const void* a, const void* b,
             int64_t begin, int64_t end, void* out) {
  by_float(dtype, [&](auto* t) {
    using T = Element<decltype(t)>;
    by_norm(p, [&](const auto& norm) {
      forward(norm, pairs, static_cast<const T*>(a), static_cast<const T*>(b), begin, end,
              static_cast<T*>(out));
    });
  });
}

void BackwardOf(DType dtype, double p, const RowPairs& pairs, const void* a, const void* b,
                const void* d, const void* g, int64_t begin, int64_t end, void* da, void* db) {
  by_float(dtype, [&](auto* t) {
    using T = Element<decltype(t)>;
    by_norm(p, [&](const auto& norm) {
      if constexpr (!std::is_same_v<decltype(norm), const CountNorm&>)
        backward(norm, pairs, static_cast<const T*>(a), static_cast<const T*>(b),
                 static_cast<const T*>(d), static_cast<const T*>(g), begin, end,
                 static_cast<T*>(da), static_cast<T*>(db));
    });
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {

HWY_EXPORT(Forward);
HWY_EXPORT(BackwardOf);

void distances(DType dtype, double p, const RowPairs& pairs, const void* a, const void* b,
               int64_t begin, int64_t end, void* out) {
  HWY_DYNAMIC_DISPATCH(Forward)(dtype, p, pairs, a, b, begin, end, out);
}

void distances_backward(DType dtype, double p, const RowPairs& pairs, const void* a, const void* b,
                        const void* d, const void* g, int64_t begin, int64_t end, void* da,
                        void* db) {
  HWY_DYNAMIC_DISPATCH(BackwardOf)(dtype, p, pairs, a, b, d, g, begin, end, da, db);
}

}  // namespace autograd::cpu
#endif
