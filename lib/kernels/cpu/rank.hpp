// The places of a few keys in sorted order; one thread.
#pragma once
#include <cstdint>

namespace autograd::cpu {

/// Keys up to which counting beats sorting: the work grows with the square.
constexpr int64_t kMostRanked = 128;

/// ranks[i] = the place of keys[i] in a stable ascending sort of the n keys, from 0: how many keys
/// are smaller, or equal and before it.
void rank_keys(const int32_t* keys, int32_t* ranks, int64_t n);
void rank_keys(const int64_t* keys, int64_t* ranks, int64_t n);

}  // namespace autograd::cpu
