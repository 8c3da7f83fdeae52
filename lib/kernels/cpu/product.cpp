// Products in float64 for every instruction set: a row runs through the lanes, columns lie across
// them. Of a long row of float32, eight factors at a time are first multiplied as they are. The
// gradient divides the product by each factor, unless there is a zero or the product has
// left the range of float64; then it multiplies what is before by what is behind.
#include "kernels/cpu/product.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/cpu/denormals.hpp"
#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/product.cpp"
// foreach_target.h must come first.
// clang-format off
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/cache_control.h"
#include "hwy/highway.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<double>;
using V = hn::Vec<D>;

HWY_INLINE V load(const double* p) { return hn::LoadU(D(), p); }
HWY_INLINE V load(const float* p) {
  return hn::PromoteTo(D(), hn::LoadU(hn::Rebind<float, D>(), p));
}
HWY_INLINE void store(V v, double* p) { hn::StoreU(v, D(), p); }
HWY_INLINE void store(V v, float* p) {
  const hn::Rebind<float, D> half;
  hn::StoreU(hn::DemoteTo(half, v), half, p);
}

constexpr int kVectors = 4;
constexpr int kRowVectors = 8;    // more of them hide how long a product takes
constexpr int64_t kAhead = 4096;  // bytes that are fetched before they are needed

/// In halves, so that few products wait for each other.
template <class Tag>
HWY_INLINE double product_of_lanes([[maybe_unused]] Tag d, hn::Vec<Tag> v) {
#if HWY_TARGET != HWY_SCALAR
  if constexpr (hn::MaxLanes(d) > 1) {
    const hn::Half<Tag> half;
    return product_of_lanes(half, hn::Mul(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
#endif
  return hn::GetLane(v);
}

HWY_INLINE void fetch(const void* from, int64_t bytes) {
  const char* const ahead = static_cast<const char*>(from) + kAhead;
  for (int64_t i = 0; i < bytes; i += 64) hwy::Prefetch(ahead + i);
}

HWY_INLINE double product_of(V* acc) {
  for (int k = kRowVectors / 2; k > 0; k /= 2)
    for (int i = 0; i < k; ++i) acc[i] = hn::Mul(acc[i], acc[i + k]);
  return product_of_lanes(D(), acc[0]);
}

/// Multiplies the lanes of acc by whole steps of factors; returns how many those are.
template <class T>
HWY_INLINE int64_t multiply_lanes(const T* x, int64_t n, V* acc) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(D())), step = kRowVectors * lanes;
  int64_t j = 0;
  for (; j + step <= n; j += step) {
    fetch(x + j, step * static_cast<int64_t>(sizeof(T)));
    for (int k = 0; k < kRowVectors; ++k) acc[k] = hn::Mul(acc[k], load(x + j + k * lanes));
  }
  return j;
}

template <class T>
double row_product(const T* x, int64_t n) {
  V acc[kRowVectors];
  for (V& a : acc) a = hn::Set(D(), 1.0);
  int64_t j = multiply_lanes(x, n, acc);
  double product = product_of(acc);
  for (; j < n; ++j) product *= static_cast<double>(x[j]);
  return product;
}

#undef AG_HAS_CHAINS
#define AG_HAS_CHAINS (AG_CAN_FLUSH_DENORMALS && HWY_TARGET != HWY_SCALAR)
#if AG_HAS_CHAINS
// Factors in float32 go through the lanes as in row_product, but kChain of a lane are multiplied as
// they are before they meet its product. While denormals are flushed, a chain that leaves the
// normal numbers on its way ends as 0, infinite or NaN.

using DF = hn::ScalableTag<float>;
using VF = hn::Vec<DF>;

constexpr int kChain = 8, kChains = kRowVectors / 2;

int64_t chain_step() { return kChain * kChains * static_cast<int64_t>(hn::Lanes(DF())); }

[[gnu::noinline]] double exact_row_product(const float* x, int64_t n) {
  const DenormalsFlushed normal(false);
  return row_product(x, n);
}

/// Denormals are none, flushed or not.
[[gnu::noinline]] bool has_zero(const float* x, int64_t n) {
  const DF d;
  const hn::RebindToUnsigned<DF> bits;
  const auto size = hn::Set(bits, 0x7fffffffu);
  for (int64_t j = 0; j < n; j += static_cast<int64_t>(hn::Lanes(d))) {
    const auto sizes = hn::And(hn::BitCast(bits, hn::LoadU(d, x + j)), size);
    if (!hn::AllFalse(bits, hn::Eq(sizes, hn::Zero(bits)))) return true;
  }
  return false;
}

/// One step: the products of its chains.
HWY_INLINE void multiply_chains(const float* x, VF* chain) {
  const DF d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), width = kChains * lanes;
  fetch(x, width * static_cast<int64_t>(sizeof(float)));
  for (int c = 0; c < kChains; ++c) chain[c] = hn::LoadU(d, x + c * lanes);
// Fetched and read in turns, as many fetches in a row would hold up the reading.
#pragma GCC unroll 1
  for (int i = 1; i < kChain; ++i) {
    x += width;
    fetch(x, width * static_cast<int64_t>(sizeof(float)));
    for (int c = 0; c < kChains; ++c) chain[c] = hn::Mul(chain[c], hn::LoadU(d, x + c * lanes));
  }
}

/// A row while denormals are flushed; false if float32 has not the range for its chains. A factor
/// of 0 makes it 0, so that from there on chains may vanish.
HWY_INLINE bool chained_row_product(const float* x, int64_t n, double* out) {
  const DF d;
  const hn::Half<DF> half;
  const int64_t step = chain_step();
  const auto infinite = hn::Inf(d);
  V acc[kRowVectors];
  for (V& a : acc) a = hn::Set(D(), 1.0);
  bool is_zero = false;
  int64_t j = 0;
  for (; j + step <= n; j += step) {
    VF chain[kChains];
    multiply_chains(x + j, chain);
    auto finite = hn::Eq(infinite, infinite), normal = finite;
    for (const VF& product : chain) {
      const auto size = hn::Abs(product);
      finite = hn::And(finite, hn::Lt(size, infinite));
      normal = hn::And(normal, hn::Gt(size, hn::Zero(d)));
    }
    if (!hn::AllTrue(d, hn::And(finite, normal)) && !is_zero) is_zero = has_zero(x + j, step);
    if (!hn::AllTrue(d, finite) || !(is_zero || hn::AllTrue(d, normal))) return false;
    for (int c = 0; c < kChains; ++c) {
      acc[2 * c] = hn::Mul(acc[2 * c], hn::PromoteTo(D(), hn::LowerHalf(half, chain[c])));
      acc[2 * c + 1] = hn::Mul(acc[2 * c + 1], hn::PromoteTo(D(), hn::UpperHalf(half, chain[c])));
    }
  }
  *out = product_of(acc);
  if (j < n) *out *= exact_row_product(x + j, n - j);
  return true;
}

/// The products of rows of n, until two of them have not the range; returns how many it has
/// written.
int64_t chained_row_products(const float* x, double* y, int64_t count, int64_t n, int& tries) {
  const DenormalsFlushed flushed(true);
  int64_t o = 0;
  for (; o < count && tries > 0; ++o, x += n) {
    if (chained_row_product(x, n, y + o)) continue;
    y[o] = exact_row_product(x, n);
    --tries;
  }
  return o;
}
#endif

/// Products that are formed together.
constexpr int64_t kTogether = 256;

/// The products of `count` rows of n, one after the other.
template <class T, class R>
void row_products(const T* x, R* y, int64_t count, int64_t n) {
  int64_t o = 0;
#if AG_HAS_CHAINS
  if constexpr (sizeof(T) == 4) {
    double found[kTogether];
    int tries = n < 2 * chain_step() ? 0 : 2;
    while (o < count && tries > 0) {
      const int64_t done =
          chained_row_products(x + o * n, found, std::min(kTogether, count - o), n, tries);
      for (int64_t i = 0; i < done; ++i) y[o + i] = static_cast<R>(found[i]);
      o += done;
    }
  }
#endif
  for (; o < count; ++o) y[o] = static_cast<R>(row_product(x + o * n, n));
}

/// The products of `count` columns of a matrix with rows `stride` apart, to y.
template <class T>
void column_products(const T* x, int64_t n, int64_t stride, int64_t count, double* y) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(D())), step = kVectors * lanes;
  int64_t c = 0;
  for (; c + step <= count; c += step) {
    V acc[kVectors];
    for (V& a : acc) a = hn::Set(D(), 1.0);
    const T* row = x + c;
    for (int64_t j = 0; j < n; ++j, row += stride)
      for (int k = 0; k < kVectors; ++k) acc[k] = hn::Mul(acc[k], load(row + k * lanes));
    for (int k = 0; k < kVectors; ++k) store(acc[k], y + c + k * lanes);
  }
  std::fill(y + c, y + count, 1.0);
  for (int64_t j = 0; j < n && c < count; ++j)
    for (int64_t i = c; i < count; ++i) y[i] *= static_cast<double>(x[j * stride + i]);
}

template <class T, class R>
void products(const T* x, R* y, const ScanShape& s) {
  if (s.inner == 1) return row_products(x, y, s.outer, s.n);
  double found[kTogether];
  for (int64_t o = 0; o < s.outer; ++o, x += s.n * s.inner, y += s.inner) {
    for (int64_t i = 0; i < s.inner; i += kTogether) {
      const int64_t count = std::min(kTogether, s.inner - i);
      column_products(x + i, s.n, s.inner, count, found);
      for (int64_t k = 0; k < count; ++k) y[i + k] = static_cast<R>(found[k]);
    }
  }
}

/// May the product, and the gradient times it, be divided by a factor without loss?
bool is_safe(double product, double total) {
  const double size = std::abs(product), all = std::abs(total);
  return size > 1e-250 && size < 1e250 && all < 1e250 && (all > 1e-250 || all == 0);
}

/// Does a product this small leave nothing to the gradients, as no factor of type T is smaller?
template <class T>
bool is_nothing(double product, double total) {
  return std::isfinite(total) && (product == 0 || (sizeof(T) == 4 && std::abs(product) < 1e-250 &&
                                                   std::abs(total) < 1e-200));
}

/// Without denormal numbers, which are a hundred times as slow.
double normal(double x) { return std::abs(x) < 2.3e-308 ? 0.0 : x; }

/// One column with `stride` between its elements: what is before times what is behind.
template <class T>
void multiply_around(double g, const T* x, T* dx, int64_t n, int64_t stride) {
  double left = g, right = 1;
  for (int64_t j = 0; j < n; ++j) {
    dx[j * stride] = static_cast<T>(left);
    left = normal(left * static_cast<double>(x[j * stride]));
  }
  for (int64_t j = n - 1; j >= 0; --j) {
    dx[j * stride] = static_cast<T>(static_cast<double>(dx[j * stride]) * right);
    right = normal(right * static_cast<double>(x[j * stride]));
  }
}

/// One column with a single factor of 0, which alone has a gradient; dx is 0 before.
template <class T>
void at_zero(double g, const T* x, T* dx, int64_t n, int64_t stride) {
  double others = g;
  int64_t place = 0;
  for (int64_t j = 0; j < n; ++j) {
    if (x[j * stride] == 0)
      place = j;
    else
      others = normal(others * static_cast<double>(x[j * stride]));
  }
  dx[place * stride] = static_cast<T>(others);
}

/// total / x, and 0 where x is 0.
HWY_INLINE V quotient(V total, V x) {
  return hn::IfThenZeroElse(hn::Eq(x, hn::Zero(D())), hn::Div(total, x));
}

template <class T>
void row_backward(double g, const T* x, T* dx, int64_t n) {
  const double product = row_product(x, n), total = g * product;
  if (is_safe(product, total)) {
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(D()));
    const V all = hn::Set(D(), total);
    int64_t j = 0;
    for (; j + lanes <= n; j += lanes) store(hn::Div(all, load(x + j)), dx + j);
    for (; j < n; ++j) dx[j] = static_cast<T>(total / static_cast<double>(x[j]));
  } else if (is_nothing<T>(product, total)) {
    std::fill_n(dx, n, T{0});
    if (product == 0 && std::count(x, x + n, T{0}) == 1) at_zero(g, x, dx, n, 1);
  } else {
    multiply_around(g, x, dx, n, 1);
  }
}

/// Up to kTogether columns, row by row.
template <class T>
void columns_backward(const T* g, const T* x, T* dx, int64_t n, int64_t stride, int64_t count) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(D()));
  double total[kTogether], product[kTogether];
  int64_t zeros[kTogether] = {};
  column_products(x, n, stride, count, product);
  bool all_safe = true;
  for (int64_t i = 0; i < count; ++i) {
    total[i] = static_cast<double>(g[i]) * product[i];
    all_safe = all_safe && is_safe(product[i], total[i]);
  }
  for (int64_t j = 0; j < n && !all_safe; ++j)
    for (int64_t i = 0; i < count; ++i) zeros[i] += x[j * stride + i] == 0;
  if (!all_safe)
    for (int64_t i = 0; i < count; ++i)
      if (is_nothing<T>(product[i], total[i])) total[i] = 0;
  for (int64_t j = 0; j < n; ++j) {
    const T* from = x + j * stride;
    T* to = dx + j * stride;
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes) store(quotient(load(total + i), load(from + i)), to + i);
    for (; i < count; ++i)
      to[i] = from[i] == 0 ? T{0} : static_cast<T>(total[i] / static_cast<double>(from[i]));
  }
  for (int64_t i = 0; i < count && !all_safe; ++i) {
    const double grad = static_cast<double>(g[i]);
    if (is_safe(product[i], total[i])) continue;
    if (!is_nothing<T>(product[i], total[i]))
      multiply_around(grad, x + i, dx + i, n, stride);
    else if (zeros[i] == 1)
      at_zero(grad, x + i, dx + i, n, stride);
  }
}

template <class T>
void products_backward(const T* g, const T* x, T* dx, const ScanShape& s) {
  for (int64_t o = 0; o < s.outer; ++o, g += s.inner, x += s.n * s.inner, dx += s.n * s.inner) {
    if (s.inner == 1) {
      row_backward(static_cast<double>(*g), x, dx, s.n);
      continue;
    }
    for (int64_t i = 0; i < s.inner; i += kTogether)
      columns_backward(g + i, x + i, dx + i, s.n, s.inner, std::min(kTogether, s.inner - i));
  }
}

}  // namespace

template <class T>
void forward_from(const T* x, DType to, void* y, const ScanShape& s) {
  if (to == DType::kFloat64)
    products(x, static_cast<double*>(y), s);
  else
    products(x, static_cast<float*>(y), s);
}

void forward_of(DType dtype, const void* x, DType to, void* y, const ScanShape& s) {
  if (dtype == DType::kFloat64)
    forward_from(static_cast<const double*>(x), to, y, s);
  else
    forward_from(static_cast<const float*>(x), to, y, s);
}

void backward_of(DType dtype, const void* g, const void* x, void* dx, const ScanShape& s) {
  if (dtype == DType::kFloat64)
    products_backward(static_cast<const double*>(g), static_cast<const double*>(x),
                      static_cast<double*>(dx), s);
  else
    products_backward(static_cast<const float*>(g), static_cast<const float*>(x),
                      static_cast<float*>(dx), s);
}

}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {

HWY_EXPORT(forward_of);
HWY_EXPORT(backward_of);

void float_products(DType dtype, const void* x, DType to, void* y, const ScanShape& s) {
  HWY_DYNAMIC_DISPATCH(forward_of)(dtype, x, to, y, s);
}

void float_products_backward(DType dtype, const void* g, const void* x, void* dx,
                             const ScanShape& s) {
  HWY_DYNAMIC_DISPATCH(backward_of)(dtype, g, x, dx, s);
}

}  // namespace autograd::cpu
#endif  // HWY_ONCE
