// Caching allocator: small blocks come from per-thread free lists, large ones from a shared cache.
#pragma once
#include <cstddef>
#include <vector>

namespace autograd::detail {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kCacheBlocks = false;  // let the sanitizer see every allocation
#else
inline constexpr bool kCacheBlocks = true;
#endif

/// 64-byte aligned memory of at least `bytes` bytes; throws Error (memory).
void* allocate(size_t bytes);
/// `bytes` is what was asked for.
void deallocate(void* block, size_t bytes) noexcept;

/// Lets standard containers take part, so that a steady state asks the system for nothing.
template <class T>
struct CachedAllocator {
  using value_type = T;
  CachedAllocator() = default;
  template <class U>
  CachedAllocator(const CachedAllocator<U>&) {}
  T* allocate(size_t n) { return static_cast<T*>(detail::allocate(n * sizeof(T))); }
  void deallocate(T* p, size_t n) noexcept { detail::deallocate(p, n * sizeof(T)); }
  template <class U>
  bool operator==(const CachedAllocator<U>&) const {
    return true;
  }
};

template <class T>
using Vector = std::vector<T, CachedAllocator<T>>;

}  // namespace autograd::detail
