// Medians by partition, modes by sorting, of positions.
#include "kernels/cpu/order.hpp"

#include <algorithm>
#include <numeric>

namespace autograd::cpu {
namespace {

/// a before b: by value, NaN last, then by place.
template <class T>
struct Before {
  const T* x;
  bool operator()(int64_t a, int64_t b) const {
    const bool a_nan = x[a] != x[a], b_nan = x[b] != x[b];
    if (a_nan || b_nan) return a_nan == b_nan ? a < b : b_nan;
    return x[a] != x[b] ? x[a] < x[b] : a < b;
  }
};

template <class T>
int64_t median_of(const T* x, bool skip_nan, int64_t* places, int64_t n) {
  int64_t valid = n;
  for (int64_t i = 0; i < n; ++i)
    if (x[i] != x[i]) {
      if (!skip_nan) return i;
      --valid;
    }
  std::iota(places, places + n, int64_t{0});
  int64_t* middle = places + (valid > 0 ? (valid - 1) / 2 : 0);
  std::nth_element(places, middle, places + n, Before<T>{x});
  return *middle;
}

template <class T>
int64_t mode_of(const T* x, int64_t* places, int64_t n) {
  std::iota(places, places + n, int64_t{0});
  std::sort(places, places + n, Before<T>{x});
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

template <class Body>
void with_type(DType dtype, const Body& body) {
  switch (dtype) {
    case DType::kFloat32:
      return body(float{});
    case DType::kFloat64:
      return body(double{});
    case DType::kInt32:
      return body(int32_t{});
    case DType::kInt64:
      return body(int64_t{});
    case DType::kUInt8:
    case DType::kBool:
      return body(uint8_t{});
  }
}

}  // namespace

void median_rows(DType dtype, bool skip_nan, const void* x, void* values, int64_t* indices,
                 int64_t* scratch, int64_t rows, int64_t n) {
  with_type(dtype, [&](auto t) {
    using T = decltype(t);
    for (int64_t r = 0; r < rows; ++r) {
      const T* row = static_cast<const T*>(x) + r * n;
      indices[r] = median_of(row, skip_nan, scratch, n);
      static_cast<T*>(values)[r] = row[indices[r]];
    }
  });
}

void mode_rows(DType dtype, const void* x, void* values, int64_t* indices, int64_t* scratch,
               int64_t rows, int64_t n) {
  with_type(dtype, [&](auto t) {
    using T = decltype(t);
    for (int64_t r = 0; r < rows; ++r) {
      const T* row = static_cast<const T*>(x) + r * n;
      indices[r] = mode_of(row, scratch, n);
      static_cast<T*>(values)[r] = row[indices[r]];
    }
  });
}

}  // namespace autograd::cpu
