// Products in float64 for every instruction set, of the columns of a matrix: a row is one whose
// columns are parts of one product. Of many float32, eight factors at a time are first multiplied
// as they are. The gradient divides the product by each factor, unless there is a zero or the
// product has left the range of float64; then it multiplies what is before by what is behind.
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

constexpr int kVectors = 8;        // more of them hide how long a product takes
constexpr int64_t kRows = 8;       // of a matrix, which pass together so that each is read in order
constexpr int64_t kAhead = 16384;  // bytes of a row that are fetched before they are needed
constexpr int64_t kTogether = 1024;  // columns whose products are formed together

/// Columns that one step takes.
int64_t step_columns() { return kVectors * static_cast<int64_t>(hn::Lanes(D())); }

/// A matrix of factors; each column has a product. `is_row`: the columns are parts of one product,
/// and their rows lie one behind the other.
template <class T>
struct Factors {
  const T* x;
  int64_t rows, stride, columns;
  bool is_row;
};

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

/// y[c] *= the factors of column c, in float64.
template <class T>
HWY_NOINLINE void multiply_columns(const Factors<T>& m, double* y) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(D())), step = step_columns();
  for (int64_t first = 0; first < m.rows; first += kRows) {
    const int64_t rows = std::min(kRows, m.rows - first);
    const T* const block = m.x + first * m.stride;
    int64_t c = 0;
    for (; c + step <= m.columns; c += step) {
      V product[kVectors];
      for (int k = 0; k < kVectors; ++k) product[k] = load(y + c + k * lanes);
      const T* x = block + c;
      for (int64_t r = 0; r < rows; ++r, x += m.stride) {
        if (m.is_row) fetch(x, step * static_cast<int64_t>(sizeof(T)));
        for (int k = 0; k < kVectors; ++k) product[k] = hn::Mul(product[k], load(x + k * lanes));
      }
      for (int k = 0; k < kVectors; ++k) store(product[k], y + c + k * lanes);
    }
    for (int64_t r = 0; r < rows && c < m.columns; ++r)
      for (int64_t i = c; i < m.columns; ++i) y[i] *= static_cast<double>(block[r * m.stride + i]);
  }
}

#undef AG_HAS_CHAINS
#define AG_HAS_CHAINS (AG_CAN_FLUSH_DENORMALS && HWY_TARGET != HWY_SCALAR)
#if AG_HAS_CHAINS
// kRows factors of a column are multiplied in float32 before they meet its product. While denormals
// are flushed, such a chain that leaves the normal numbers on its way ends as 0, infinite or NaN.

using DF = hn::ScalableTag<float>;
using VF = hn::Vec<DF>;

constexpr int kChains = kVectors / 2;  // as many columns as kVectors of float64
/// Steps that chains may fail at first. Each of them costs, each of the others earns.
constexpr int64_t kCredit = 64;

/// Denormals are none, flushed or not.
HWY_NOINLINE bool has_zero(const Factors<float>& m) {
  const DF d;
  const hn::RebindToUnsigned<DF> bits;
  const auto size = hn::Set(bits, 0x7fffffffu);
  for (int64_t r = 0; r < m.rows; ++r)
    for (int64_t c = 0; c < m.columns; c += static_cast<int64_t>(hn::Lanes(d))) {
      const auto x = hn::BitCast(bits, hn::LoadU(d, m.x + r * m.stride + c));
      if (!hn::AllFalse(bits, hn::Eq(hn::And(x, size), hn::Zero(bits)))) return true;
    }
  return false;
}

HWY_NOINLINE void multiply_exactly(const Factors<float>& m, double* y) {
  const DenormalsFlushed normal(false);
  multiply_columns(m, y);
}

/// The chains of kRows rows and step_columns().
HWY_INLINE void multiply_chains(const Factors<float>& m, VF* chain) {
  const DF d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t bytes = kChains * lanes * static_cast<int64_t>(sizeof(float));
  const float* x = m.x;
  if (m.is_row) fetch(x, bytes);
  for (int c = 0; c < kChains; ++c) chain[c] = hn::LoadU(d, x + c * lanes);
// Fetched and read in turns, as many fetches in a row would hold up the reading.
#pragma GCC unroll 1
  for (int64_t r = 1; r < kRows; ++r) {
    x += m.stride;
    if (m.is_row) fetch(x, bytes);
    for (int c = 0; c < kChains; ++c) chain[c] = hn::Mul(chain[c], hn::LoadU(d, x + c * lanes));
  }
}

/// Is there a chain of 0 for a product that is not 0, or none of it?
HWY_INLINE bool has_lost(const VF* chain, const V* product) {
  const hn::Half<DF> half;
  const auto zero = hn::Zero(D());
  auto lost = hn::Lt(zero, zero);
  for (int c = 0; c < kVectors; ++c) {
    const auto part = c % 2 ? hn::UpperHalf(half, chain[c / 2]) : hn::LowerHalf(half, chain[c / 2]);
    const auto is_zero = hn::Eq(hn::PromoteTo(D(), part), zero);
    lost = hn::Or(lost, hn::AndNot(hn::Eq(product[c], zero), is_zero));
  }
  return !hn::AllFalse(D(), lost);
}

HWY_INLINE bool are_zero(const V* product) {
  auto size = hn::Abs(product[0]);
  for (int k = 1; k < kVectors; ++k) size = hn::Max(size, hn::Abs(product[k]));
  return hn::AllTrue(D(), hn::Eq(size, hn::Zero(D())));
}

/// Are these chains worth what their factors are? One that is infinite or NaN may not be; one that
/// is 0 is not, unless the product that it is for is 0 already. A factor of 0 settles a whole row.
HWY_INLINE bool are_sound(const Factors<float>& m, const VF* chain, V* product) {
  const DF d;
  const auto infinite = hn::Inf(d), zero = hn::Zero(d);
  auto finite = hn::Eq(zero, zero), positive = finite;
  for (int c = 0; c < kChains; ++c) {
    const auto size = hn::Abs(chain[c]);
    finite = hn::And(finite, hn::Lt(size, infinite));
    positive = hn::And(positive, hn::Gt(size, zero));
  }
  if (HWY_LIKELY(hn::AllTrue(d, hn::And(finite, positive)))) return true;
  if (!hn::AllTrue(d, finite)) return false;
  if (are_zero(product)) return true;
  if (m.is_row && has_zero(m)) {
    for (int k = 0; k < kVectors; ++k) product[k] = hn::Mul(product[k], hn::Zero(D()));
    return true;
  }
  return !has_lost(chain, product);
}

/// kRows rows and step_columns() while denormals are flushed; false if chains did not do.
HWY_INLINE bool multiply_step(const Factors<float>& m, double* y) {
  const hn::Half<DF> half;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(D()));
  VF chain[kChains];
  V product[kVectors];
  multiply_chains(m, chain);
  for (int k = 0; k < kVectors; ++k) product[k] = load(y + k * lanes);
  if (!are_sound(m, chain, product)) {
    multiply_exactly(m, y);
    return false;
  }
  for (int c = 0; c < kChains; ++c) {
    const V low = hn::PromoteTo(D(), hn::LowerHalf(half, chain[c]));
    const V high = hn::PromoteTo(D(), hn::UpperHalf(half, chain[c]));
    store(hn::Mul(product[2 * c], low), y + 2 * c * lanes);
    store(hn::Mul(product[2 * c + 1], high), y + (2 * c + 1) * lanes);
  }
  return true;
}

/// multiply_columns while denormals are flushed. A step that chains did not do for costs `credit`.
void multiply_flushed(const Factors<float>& m, double* y, int64_t& credit) {
  const int64_t step = step_columns(), whole = m.columns / step * step;
  int64_t r = 0;
  for (; r + kRows <= m.rows && credit > 0; r += kRows)
    for (int64_t c = 0; c < whole; c += step) {
      const Factors<float> part = {m.x + r * m.stride + c, kRows, m.stride, step, m.is_row};
      credit += multiply_step(part, y + c) ? 1 : -8;
    }
  if (r < m.rows) multiply_exactly({m.x + r * m.stride, m.rows - r, m.stride, whole, m.is_row}, y);
  if (whole < m.columns)
    multiply_exactly({m.x + whole, m.rows, m.stride, m.columns - whole, m.is_row}, y + whole);
}
#endif

/// What multiply(factors, products) makes of one row: of a matrix, and of what it leaves over.
template <class T, class Multiply>
HWY_INLINE double row_product(const T* x, int64_t n, const Multiply& multiply) {
  HWY_ALIGN double part[kVectors * hn::MaxLanes(D())];
  const int64_t width = step_columns(), rows = n / width, rest = n % width;
  std::fill_n(part, width, 1.0);
  if (rows > 0) multiply(Factors<T>{x, rows, width, width, true}, part);
  if (rest > 0) multiply(Factors<T>{x + rows * width, 1, rest, rest, true}, part);
  V product[kVectors];
  for (int k = 0; k < kVectors; ++k) product[k] = load(part + k * (width / kVectors));
  for (int k = kVectors / 2; k > 0; k /= 2)
    for (int i = 0; i < k; ++i) product[i] = hn::Mul(product[i], product[i + k]);
  return product_of_lanes(D(), product[0]);
}

/// The products of `count` rows of n, one after the other.
template <class T>
void row_products(const T* x, int64_t n, int64_t count, double* y) {
#if AG_HAS_CHAINS
  if (sizeof(T) == 4 && n >= 2 * kRows * step_columns()) {
    if constexpr (sizeof(T) == 4) {
      const DenormalsFlushed flushed(true);
      int64_t credit = kCredit;
      const auto multiply = [&](const Factors<T>& m, double* part)
                                HWY_ATTR { multiply_flushed(m, part, credit); };
      for (int64_t o = 0; o < count; ++o) y[o] = row_product(x + o * n, n, multiply);
    }
    return;
  }
#endif
  for (int64_t o = 0; o < count; ++o) y[o] = row_product(x + o * n, n, multiply_columns<T>);
}

/// The products of the columns.
template <class T>
void column_products(const Factors<T>& m, double* y) {
  std::fill_n(y, m.columns, 1.0);
#if AG_HAS_CHAINS
  if constexpr (sizeof(T) == 4) {
    if (m.rows >= 4 * kRows && m.columns >= step_columns()) {
      const DenormalsFlushed flushed(true);
      int64_t credit = kCredit * m.columns / step_columns();
      return multiply_flushed(m, y, credit);
    }
  }
#endif
  multiply_columns(m, y);
}

template <class T, class R>
void products(const T* x, R* y, const ScanShape& s) {
  double found[kTogether];
  const auto put = [&](int64_t count, R* to) {
    for (int64_t i = 0; i < count; ++i) to[i] = static_cast<R>(found[i]);
  };
  for (int64_t o = 0; s.inner == 1 && o < s.outer; o += kTogether) {
    const int64_t count = std::min(kTogether, s.outer - o);
    row_products(x + o * s.n, s.n, count, found);
    put(count, y + o);
  }
  for (int64_t o = 0; s.inner != 1 && o < s.outer; ++o, x += s.n * s.inner, y += s.inner)
    for (int64_t i = 0; i < s.inner; i += kTogether) {
      const int64_t count = std::min(kTogether, s.inner - i);
      column_products(Factors<T>{x + i, s.n, s.inner, count, false}, found);
      put(count, y + i);
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
  const double product = row_product(x, n, multiply_columns<T>), total = g * product;
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
  std::fill_n(product, count, 1.0);
  multiply_columns(Factors<T>{x, n, stride, count, false}, product);
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
