// Sorting and selecting in rows; one thread. NaN is the largest number, -0 equals 0.
#pragma once
#include <cstddef>
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// Bytes of scratch memory, aligned to 8, that the functions below need for rows of n elements.
size_t sort_scratch(DType dtype, int64_t n);

/// For each row x[r, 0..n): the positions of its k first elements in ascending (or descending)
/// order, equal ones in the order of the row, to indices[r, 0..k); n < 2^32.
void sort_rows(DType dtype, const void* x, int64_t* indices, int64_t rows, int64_t n, int64_t k,
               bool descending, void* scratch);

/// For each row the position of its k-th smallest element (from 0) to indices[r].
void nth_of_rows(DType dtype, const void* x, int64_t* indices, int64_t rows, int64_t n, int64_t k,
                 void* scratch);

}  // namespace autograd::cpu
