#include "kernels/cpu/mask.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/cpu/element_types.hpp"
#include "kernels/cpu/pause.hpp"

namespace autograd::cpu {

int64_t count_true(const uint8_t* mask, int64_t n) {
  int64_t total = 0;
  for (int64_t i = 0; i < n;) {
    // Bytes summed in bytes, 16 at a time, as long as they cannot overflow.
    uint8_t sums[16] = {};
    const int64_t end = i + 255 * 16 < n ? i + 255 * 16 : n;
    for (; i + 16 <= end; i += 16)
      for (int k = 0; k < 16; ++k) sums[k] = static_cast<uint8_t>(sums[k] + (mask[i + k] != 0));
    for (int k = 0; k < 16; ++k) total += sums[k];
    for (; i < end; ++i) total += mask[i] != 0;
  }
  return total;
}

namespace {
// The first `count` positions; returns how many bytes were looked at. Every position is written,
// and overwritten by the next one unless it was true: no branch to guess. The loop ends with the
// last true byte, so nothing is written behind the end.
[[gnu::noinline]] int64_t first_positions(const uint8_t* mask, int64_t count, int64_t base,
                                          int64_t* out) {
  int64_t i = 0;
  for (int64_t found = 0; found < count; ++i) {
    out[found] = base + i;
    found += mask[i];
  }
  return i;
}
}  // namespace

void true_positions(const uint8_t* mask, int64_t count, int64_t base, int64_t* out) {
  int64_t at = 0;
  in_parts(count, [&](int64_t begin, int64_t end) {
    at += first_positions(mask + at, end - begin, base + at, out + begin);
  });
}

namespace {
template <class T>
void put_elements(const uint8_t* mask, int64_t n, const T* x, const T* next, const T* last,
                  T* out) {
  in_parts(n, [&](int64_t begin, int64_t end) {
    // One is read at every step, the last again when all are taken: no branch to guess.
    for (int64_t i = begin; i < end; ++i) {
      const T value = *std::min(next, last);
      out[i] = mask[i] ? value : x[i];
      next += mask[i] != 0;
    }
  });
}
}  // namespace

void put_where_true(int64_t bytes, const uint8_t* mask, int64_t n, const void* x,
                    const void* source, int64_t given, void* out) {
  if (given == 0) {
    if (n > 0) std::memcpy(out, x, static_cast<size_t>(n * bytes));
    return;
  }
  by_size(bytes, [&](auto* type) {
    using T = Element<decltype(type)>;
    const T* const first = static_cast<const T*>(source);
    put_elements(mask, n, static_cast<const T*>(x), first, first + given - 1, static_cast<T*>(out));
  });
}

}  // namespace autograd::cpu
