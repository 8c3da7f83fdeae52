#include "kernels/cpu/search.hpp"

#include <algorithm>

#include "kernels/cpu/element_types.hpp"
#include "kernels/cpu/pause.hpp"

namespace autograd::cpu {

namespace {

constexpr int64_t kTogether = 8;  // values that are searched for side by side

/// Bisection, where is_before(i, value) says of element i whether the value's place is behind it.
/// All values take a step before any takes the next, without a branch to guess, so that a step
/// hides how long the others take.
template <class T, class IsBefore>
void find_places(int64_t n, const T* values, int64_t m, int64_t* out, const IsBefore& is_before) {
  // Of l elements in question l / 2 or one less remain: so many steps there are for every value.
  int steps = 0;
  while ((int64_t{2} << steps) <= n + 1) ++steps;
  for (int64_t begin = 0; begin < m; begin += kTogether) {
    const int64_t count = std::min(kTogether, m - begin);
    T wanted[kTogether];
    int64_t place[kTogether], left[kTogether];
    for (int64_t k = 0; k < kTogether; ++k) {
      wanted[k] = values[begin + std::min(k, count - 1)];
      place[k] = 0;
      left[k] = n;
    }
    for (int step = 0; step < steps; ++step)
      for (int64_t k = 0; k < kTogether; ++k) {
        const int64_t half = left[k] / 2;
        const int64_t moves = -static_cast<int64_t>(is_before(place[k] + half, wanted[k]));
        place[k] += (half + 1) & moves;
        left[k] = half - (~left[k] & 1 & moves);
      }
    // One element is in question, or none.
    for (int64_t k = 0; k < count; ++k)
      out[begin + k] = place[k] + (left[k] > 0 && is_before(place[k], wanted[k]));
  }
}

// Worded so that NaN is behind everything.
template <class T, class At>
void find_places(int64_t n, const T* values, int64_t m, bool right, int64_t* out, const At& at) {
  if (right)
    find_places(n, values, m, out, [&](int64_t i, T value) { return !(at(i) > value); });
  else
    find_places(n, values, m, out, [&](int64_t i, T value) { return !(at(i) >= value); });
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
    const T *const x = static_cast<const T*>(sorted), *const wanted = static_cast<const T*>(values);
    if (order)
      find_places(n, wanted, m, right, out, [x, order](int64_t i) { return x[order[i]]; });
    else
      find_places(n, wanted, m, right, out, [x](int64_t i) { return x[i]; });
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
