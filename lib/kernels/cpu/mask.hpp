// Places of the true elements of a mask; one thread.
#pragma once
#include <cstdint>

namespace autograd::cpu {

/// The number of bytes that are not 0.
int64_t count_true(const uint8_t* mask, int64_t n);

/// Writes the positions of the `count` true bytes, plus `base`, to out; each byte is 0 or 1.
void true_positions(const uint8_t* mask, int64_t count, int64_t base, int64_t* out);

}  // namespace autograd::cpu
