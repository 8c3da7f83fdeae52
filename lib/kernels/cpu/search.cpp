#include "kernels/cpu/search.hpp"

#include "kernels/cpu/element_types.hpp"
#include "kernels/cpu/pause.hpp"

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

// Every start is written, and overwritten by the next one unless it was one: no branch to guess.
template <class T>
int64_t runs(const T* x, const int64_t* order, int64_t n, int64_t* run_of, int64_t* starts) {
  int64_t count = 0;
  in_parts(n, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t at = order ? order[i] : i, before = i == 0 ? at : order ? order[i - 1] : i - 1;
      starts[count] = i;
      count += i == 0 || x[at] != x[before];
      run_of[at] = count - 1;
    }
  });
  return count;
}

}  // namespace

int64_t find_runs(DType dtype, const void* x, const int64_t* order, int64_t n, int64_t* run_of,
                  int64_t* starts) {
  int64_t count = 0;
  by_dtype(dtype, [&](auto* t) {
    count = runs(static_cast<const Element<decltype(t)>*>(x), order, n, run_of, starts);
  });
  return count;
}

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
