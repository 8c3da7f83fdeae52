// Runs one row of pointwise.def over contiguous arrays: the bodies of all pointwise kernels.
#if defined(AUTOGRAD_KERNELS_CPU_POINTWISE_RUN_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AUTOGRAD_KERNELS_CPU_POINTWISE_RUN_INL_H_
#undef AUTOGRAD_KERNELS_CPU_POINTWISE_RUN_INL_H_
#else
#define AUTOGRAD_KERNELS_CPU_POINTWISE_RUN_INL_H_
#endif

#include <cstring>

#include "hwy/highway.h"
#include "kernels/cpu/pointwise.hpp"
#include "kernels/cpu/pointwise_rows-inl.h"
#include "kernels/cpu/scalar_math-inl.h"
#include "kernels/cpu/vector_bessel-inl.h"
#include "kernels/cpu/vector_gamma-inl.h"
#include "kernels/cpu/vector_integer-inl.h"
#include "kernels/cpu/vector_math-inl.h"
#include "kernels/cpu/vector_power-inl.h"
#include "kernels/cpu/vector_special-inl.h"
#include "kernels/cpu/vector_trig-inl.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {

/// A run shorter than a vector: padded with zeros to one vector on the stack.
inline HWY_NOINLINE void run_padded(PointwiseKernel kernel, size_t element, int64_t lanes,
                                    int inputs, const void* const* in, void* out, int64_t n,
                                    const double* params) {
  HWY_ALIGN char padded[4][HWY_MAX_BYTES] = {};
  const void* in_padded[3] = {};
  if (n <= 0) return;
  const size_t bytes = static_cast<size_t>(n) * element;
  for (int k = 0; k < inputs; ++k) {
    if (in[k] == nullptr) continue;
    std::memcpy(padded[k], in[k], bytes);
    in_padded[k] = padded[k];
  }
  kernel(in_padded, padded[3], lanes, params);
  std::memcpy(out, padded[3], bytes);
}

/// The inputs of a row; those that its expression does not mention are never touched.
template <class Row, class T>
struct Inputs {
  const T* data[3];

  HWY_INLINE explicit Inputs(const void* const* in) {
    for (int k = 0; k < Row::kInputs; ++k) data[k] = static_cast<const T*>(in[k]);
  }
  template <int k>
  HWY_INLINE Vec<T> load(int64_t i) const {
    if constexpr (Row::kReads[k]) {
      auto loaded = hn::LoadU(hn::ScalableTag<T>(), data[k] + i);
#if defined(__GNUC__) && HWY_ARCH_X86
      // The compiler would make it a load under the mask, which waits until the mask is known:
      // data in memory come at half the speed.
      if constexpr (Row::kSelects) asm("" : "+v"(loaded.raw));
#endif
      return loaded;
    }
    return Vec<T>(0);
  }
};

/// Float rows. The last, possibly overlapping vector is loaded before anything is stored, because
/// the output may be one of the inputs.
template <class Row, class T>
void run_vector(const void* const* in, void* out, int64_t n, const double* params) {
  using V = Vec<T>;
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  if (n < lanes) {
    return run_padded(&run_vector<Row, T>, sizeof(T), lanes, Row::kInputs, in, out, n, params);
  }
  const Inputs<Row, T> inputs(in);
  T* const y = static_cast<T*>(out);
  const V p = Row::kUsesP ? params[0] : 0.0, q = Row::kUsesQ ? params[1] : 0.0,
          r = Row::kUsesR ? params[2] : 0.0;
  const int64_t last = n - lanes;
  const V last0 = inputs.template load<0>(last), last1 = inputs.template load<1>(last),
          last2 = inputs.template load<2>(last);
  for (int64_t i = 0; i < last; i += lanes) {
    const V value = Row::template of<V>(inputs.template load<0>(i), inputs.template load<1>(i),
                                        inputs.template load<2>(i), p, q, r);
    hn::StoreU(value.raw, d, y + i);
  }
  hn::StoreU(V(Row::template of<V>(last0, last1, last2, p, q, r)).raw, d, y + last);
}

template <class T>
using StoredAs = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;

template <class Row, class T, int k>
HWY_INLINE Scalar<T> load_scalar(const void* const* in, int64_t i) {
  if constexpr (Row::kReads[k]) return Scalar<T>::load(static_cast<const StoredAs<T>*>(in[k]) + i);
  return Scalar<T>(0);
}

/// Integer and bool rows.
template <class Row, class T>
void run_scalar(const void* const* in, void* out, int64_t n, const double* params) {
  using V = Scalar<T>;
  const void* const data[3] = {in[0], Row::kInputs > 1 ? in[1] : nullptr,
                               Row::kInputs > 2 ? in[2] : nullptr};
  StoredAs<T>* const y = static_cast<StoredAs<T>*>(out);
  const V p = Row::kUsesP ? params[0] : 0.0, q = Row::kUsesQ ? params[1] : 0.0,
          r = Row::kUsesR ? params[2] : 0.0;
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    const V value =
        Row::template of<V>(load_scalar<Row, T, 0>(data, i), load_scalar<Row, T, 1>(data, i),
                            load_scalar<Row, T, 2>(data, i), p, q, r);
    value.store(y + i);
  }
}

/// Integer rows with a vector form, of two inputs.
template <class Row, class T>
void run_integer_vector(const void* const* in, void* out, int64_t n, const double* params) {
  const hn::ScalableTag<std::make_unsigned_t<T>> d;
  using U = hn::TFromD<decltype(d)>;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), last = n - lanes;
  if (last < 0)
    return run_padded(&run_integer_vector<Row, T>, sizeof(T), lanes, 2, in, out, n, params);
  const U* const a = static_cast<const U*>(in[0]);
  const U* const b = static_cast<const U*>(in[1]);
  U* const y = static_cast<U*>(out);
  const auto value = [&](auto first, auto second)
                         HWY_ATTR { return IntegerForm<Row, T>::of(d, first, second); };
  const auto last_a = hn::LoadU(d, a + last), last_b = hn::LoadU(d, b + last);
  for (int64_t i = 0; i < last; i += lanes)
    hn::StoreU(value(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, y + i);
  hn::StoreU(value(last_a, last_b), d, y + last);
}

/// Comparisons and predicates: T to bool.
template <class Row, class T>
void run_compare(const void* const* in, void* out, int64_t n, const double*) {
  using V = Scalar<T>;
  const void* const data[2] = {in[0], Row::kInputs > 1 ? in[1] : nullptr};
  uint8_t* const y = static_cast<uint8_t*>(out);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    y[i] = Row::template of<V>(load_scalar<Row, T, 0>(data, i), load_scalar<Row, T, 1>(data, i), 0,
                               0, 0, 0)
               ? 1
               : 0;
  }
}

/// where: a condition of bytes that chooses between two T.
template <class Row, class T>
void run_select(const void* const* in, void* out, int64_t n, const double*) {
  using V = Scalar<T>;
  const void* const data[3] = {in[0], in[1], in[2]};
  const uint8_t* const c = static_cast<const uint8_t*>(in[0]);
  StoredAs<T>* const y = static_cast<StoredAs<T>*>(out);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    const V value = Row::template of<V>(c[i] != 0, load_scalar<Row, T, 1>(data, i),
                                        load_scalar<Row, T, 2>(data, i), 0, 0, 0);
    value.store(y + i);
  }
}

/// Exponents that need no pow, exact at every special value; see run_pow.
AUTOGRAD_ROW(to_the_0, FLOAT, 1, x, unused1, unused2, V, V(1))
AUTOGRAD_ROW(to_the_1, FLOAT, 1, x, unused1, unused2, V, x)
AUTOGRAD_ROW(to_the_2, FLOAT, 1, x, unused1, unused2, V, x* x)
AUTOGRAD_ROW(to_the_3, FLOAT, 1, x, unused1, unused2, V, x* x* x)
AUTOGRAD_ROW(to_the_minus_1, FLOAT, 1, x, unused1, unused2, V, 1 / x)
// pow(-inf, 0.5) is inf and pow(-0, 0.5) is +0, unlike sqrt.
AUTOGRAD_ROW(to_the_half, FLOAT, 1, x, unused1, unused2, V,
             where(x == -V::kInf, V::kInf, sqrt(x + 0)))

/// pow of floats; the common exponents have loops of their own when the whole run shares one.
template <class T>
void run_pow(const void* const* in, void* out, int64_t n, const double* params) {
  struct Special {
    T exponent;
    PointwiseKernel kernel;
  };
  static constexpr Special kSpecial[] = {
      {T(2), &run_vector<to_the_2, T>}, {T(0.5), &run_vector<to_the_half, T>},
      {T(3), &run_vector<to_the_3, T>}, {T(-1), &run_vector<to_the_minus_1, T>},
      {T(1), &run_vector<to_the_1, T>}, {T(0), &run_vector<to_the_0, T>}};
  const T* const b = static_cast<const T*>(in[1]);
  bool constant = true;
  for (int64_t i = 1; i < n && constant; ++i) constant = b[i] == b[0];
  for (const Special& special : kSpecial) {
    if (n > 0 && constant && b[0] == special.exponent) return special.kernel(in, out, n, params);
  }
  run_vector<pow_row, T>(in, out, n, params);
}

/// The kernel of a row for elements of type T, nullptr where the row is not defined for them.
template <class Row, class T>
constexpr PointwiseKernel kernel_of() {
  constexpr bool is_float = std::is_floating_point_v<T>;
  if constexpr (!is_defined(Row::kClass, is_float, std::is_same_v<T, bool>))
    return nullptr;
  else if constexpr (Row::kClass == RowClass::kCompare)
    return &run_compare<Row, T>;
  else if constexpr (Row::kClass == RowClass::kSelect)
    return &run_select<Row, T>;
  else if constexpr (!is_float && IntegerForm<Row, T>::kExists)
    return &run_integer_vector<Row, T>;
  else if constexpr (!is_float)
    return &run_scalar<Row, T>;
  else if constexpr (std::is_same_v<Row, pow_row>)
    return &run_pow<T>;
  else
    return &run_vector<Row, T>;
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
