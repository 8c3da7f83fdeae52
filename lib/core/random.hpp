// The process's random stream.
#pragma once
#include <cstdint>

#include "kernels/cpu/random.hpp"

namespace autograd::detail {

/// Reserves n elements of the stream and returns where they start.
cpu::Philox take_random(int64_t n);

}  // namespace autograd::detail
