// Medians and modes of rows, over raw memory, one thread.
#pragma once
#include <cstddef>
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// Bytes of scratch memory, aligned to 8, that the functions below need for rows of n elements.
size_t order_scratch(DType dtype, int64_t n);

/// The lower median of each contiguous row of n >= 1 numbers and where it stands; NaN, and the
/// first one, if there is a NaN and not skip_nan. n < 2^32. Any dtype but bool.
void median_rows(DType dtype, bool skip_nan, const void* x, void* values, int64_t* indices,
                 void* scratch, int64_t rows, int64_t n);

/// The values alone; of floats, `places` is not used.
void median_values(DType dtype, bool skip_nan, const void* x, void* values, int64_t* places,
                   void* scratch, int64_t rows, int64_t n);

/// The most frequent number of each row (the smallest of several) and where it stands last. Any
/// dtype.
void mode_rows(DType dtype, const void* x, void* values, int64_t* indices, void* scratch,
               int64_t rows, int64_t n);

}  // namespace autograd::cpu
