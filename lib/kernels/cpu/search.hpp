// Searching in sorted rows, comparing slices; one thread.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// For each of m values the number of the first of the n sorted elements that is not less (right:
/// that is greater); order, if not nullptr, says in which order the elements are sorted.
void search_sorted(DType dtype, const void* sorted, const int64_t* order, int64_t n,
                   const void* values, int64_t m, bool right, int64_t* out);

/// The runs of equal elements among n, read in an order (nullptr: as they lie): for each element
/// the number of its run, and for each run where in the order it starts. Returns how many there
/// are; starts has room for n. NaN is equal to nothing.
int64_t find_runs(DType dtype, const void* x, const int64_t* order, int64_t n, int64_t* run_of,
                  int64_t* starts);

/// Less than, equal to or greater than 0 as slice a, n elements, comes before, with or after b. NaN
/// comes last, and with no other.
int compare_slices(DType dtype, const void* a, const void* b, int64_t n);

}  // namespace autograd::cpu
