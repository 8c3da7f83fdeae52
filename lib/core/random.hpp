// The process's random stream.
#pragma once
#include <cstdint>

#include "autograd/random.hpp"
#include "kernels/cpu/random.hpp"

namespace autograd::detail {

/// Where the stream that the calling thread draws from stands, and the way back there.
RandomState random_position();
void set_random_position(const RandomState& position);

/// Reserves n elements of the stream and returns where they start.
cpu::Philox take_random(int64_t n);

}  // namespace autograd::detail
