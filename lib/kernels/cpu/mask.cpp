#include "kernels/cpu/mask.hpp"

#include <cstring>

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

}  // namespace autograd::cpu
