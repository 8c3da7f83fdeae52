// Places of the true elements of a mask; one thread.
#pragma once
#include <cstdint>

namespace autograd::cpu {

/// The number of bytes that are not 0.
int64_t count_true(const uint8_t* mask, int64_t n);

/// Writes the positions of the `count` true bytes, plus `base`, to out; each byte is 0 or 1.
void true_positions(const uint8_t* mask, int64_t count, int64_t base, int64_t* out);

/// Copies n elements of x (of 1, 4 or 8 bytes), but where the mask is true takes the next of
/// `given` ones from source, of which there are enough.
void put_where_true(int64_t bytes, const uint8_t* mask, int64_t n, const void* x,
                    const void* source, int64_t given, void* out);

}  // namespace autograd::cpu
