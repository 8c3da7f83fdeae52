// What is done to a run of neighbours without computing: filling, and conversion to another dtype.
#pragma once
#include <cstddef>
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// n elements of 1, 4 or 8 bytes at `to` become the one at `element`.
void fill_run(const void* element, size_t size, void* to, int64_t n);

/// n elements at `to` become those at `from`, converted as convert() does.
using ConvertRun = void (*)(const void* from, void* to, int64_t n);
ConvertRun convert_run(DType from, DType to);

}  // namespace autograd::cpu
