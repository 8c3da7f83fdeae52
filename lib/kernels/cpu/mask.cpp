#include "kernels/cpu/mask.hpp"

#include <cstring>

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

void true_positions(const uint8_t* mask, int64_t count, int64_t base, int64_t* out) {
  // Every position is written, and overwritten by the next one unless it was true: no branch to
  // guess. The loop ends with the last true byte, so nothing is written behind the end.
  int64_t i = 0;
  for (int64_t found = 0; found < count; ++i) {
    out[found] = base + i;
    found += mask[i];
  }
}

}  // namespace autograd::cpu
