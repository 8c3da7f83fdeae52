// Medians and modes of rows, from the positions that sorting gives.
#include "kernels/cpu/order.hpp"

#include <algorithm>
#include <limits>

#include "kernels/cpu/element_types.hpp"
#include "kernels/cpu/nth_value.hpp"
#include "kernels/cpu/sort.hpp"

namespace autograd::cpu {
namespace {

template <class T>
int64_t median_of(DType dtype, const T* x, bool skip_nan, int64_t n, void* scratch) {
  int64_t nans = 0;
  for (int64_t i = 0; i < n; ++i) nans += x[i] != x[i];
  if (nans > 0 && !skip_nan) return std::find_if(x, x + n, [](T v) { return v != v; }) - x;
  const int64_t valid = n - nans;
  int64_t place;
  nth_of_rows(dtype, x, &place, 1, n, valid > 0 ? (valid - 1) / 2 : 0, scratch);
  return place;
}

template <class T>
int64_t mode_of(DType dtype, const T* x, int64_t* places, int64_t n, void* scratch) {
  sort_rows(dtype, x, places, 1, n, n, false, scratch);
  int64_t best = places[0], most = 0;
  for (int64_t i = 0; i < n;) {
    int64_t end = i + 1;
    while (end < n && x[places[end]] == x[places[i]]) ++end;
    if (end - i > most) {
      most = end - i;
      best = places[end - 1];
    }
    i = end;
  }
  return best;
}

}  // namespace

size_t order_scratch(DType dtype, int64_t n) {
  return static_cast<size_t>(n) * sizeof(int64_t) + sort_scratch(dtype, n);
}

void median_rows(DType dtype, bool skip_nan, const void* x, void* values, int64_t* indices,
                 void* scratch, int64_t rows, int64_t n) {
  by_dtype(dtype, [&](auto* t) {
    using T = Element<decltype(t)>;
    for (int64_t r = 0; r < rows; ++r) {
      const T* row = static_cast<const T*>(x) + r * n;
      indices[r] = median_of(dtype, row, skip_nan, n, scratch);
      static_cast<T*>(values)[r] = row[indices[r]];
    }
  });
}

void median_values(DType dtype, bool skip_nan, const void* x, void* values, int64_t* places,
                   void* scratch, int64_t rows, int64_t n) {
  if (dtype != DType::kFloat32 && dtype != DType::kFloat64)
    return median_rows(dtype, skip_nan, x, values, places, scratch, rows, n);
  by_float(dtype, [&](auto* t) {
    using T = Element<decltype(t)>;
    T* const numbers = static_cast<T*>(scratch);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t valid = copy_numbers(static_cast<const T*>(x) + r * n, numbers, n);
      const bool is_nan = valid == 0 || (valid < n && !skip_nan);
      static_cast<T*>(values)[r] = is_nan ? std::numeric_limits<T>::quiet_NaN()
                                          : nth_value(numbers, numbers + n, valid, (valid - 1) / 2);
    }
  });
}

void mode_rows(DType dtype, const void* x, void* values, int64_t* indices, void* scratch,
               int64_t rows, int64_t n) {
  int64_t* places = static_cast<int64_t*>(scratch);
  by_dtype(dtype, [&](auto* t) {
    using T = Element<decltype(t)>;
    for (int64_t r = 0; r < rows; ++r) {
      const T* row = static_cast<const T*>(x) + r * n;
      indices[r] = mode_of(dtype, row, places, n, places + n);
      static_cast<T*>(values)[r] = row[indices[r]];
    }
  });
}

}  // namespace autograd::cpu
