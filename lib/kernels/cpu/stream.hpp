// Stores past the caches, for results so large that they would only push everything else out.
#pragma once
#include <cstddef>
#include <cstdint>

namespace autograd::cpu {

/// A result of at least this size does not stay in a cache until its reader comes.
inline constexpr int64_t kStreamedBytes = int64_t{16} << 20;

/// Where stores past the caches may begin.
inline constexpr size_t kStreamAlign = 64;

/// Copies bytes; `to` is aligned to kStreamAlign. Before other threads read them: end_stream().
void stream(const void* from, void* to, size_t bytes);
void end_stream();

}  // namespace autograd::cpu
