#include "kernels/cpu/search.hpp"

#include "kernels/cpu/element_types.hpp"

namespace autograd::cpu {

namespace {

template <class T>
int64_t place_of(const T* sorted, const int64_t* order, int64_t n, T value, bool right) {
  int64_t low = 0, high = n;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    const T at = sorted[order ? order[middle] : middle];
    // Worded so that NaN is behind everything.
    if (right ? !(at > value) : !(at >= value))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

template <class T>
int compare(const T* a, const T* b, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    if (a[i] == b[i]) continue;
    if (a[i] < b[i]) return -1;
    if (a[i] > b[i]) return 1;
    return a[i] != a[i] && b[i] == b[i] ? 1 : -1;
  }
  return 0;
}

}  // namespace

void search_sorted(DType dtype, const void* sorted, const int64_t* order, int64_t n,
                   const void* values, int64_t m, bool right, int64_t* out) {
  by_dtype(dtype, [&](auto* t) {
    using T = Element<decltype(t)>;
    for (int64_t i = 0; i < m; ++i)
      out[i] = place_of(static_cast<const T*>(sorted), order, n, static_cast<const T*>(values)[i],
                        right);
  });
}

int compare_slices(DType dtype, const void* a, const void* b, int64_t n) {
  int result = 0;
  by_dtype(dtype, [&](auto* t) {
    using T = Element<decltype(t)>;
    result = compare(static_cast<const T*>(a), static_cast<const T*>(b), n);
  });
  return result;
}

}  // namespace autograd::cpu
