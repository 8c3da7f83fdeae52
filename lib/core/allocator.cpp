// Size classes: multiples of 64 bytes up to 2 KiB, then four per power of two up to 64 MiB; larger
// blocks go straight to the system. A block freed by another thread joins that thread's lists.
#include "core/allocator.hpp"

#include <pthread.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <new>

#include "autograd/runtime.hpp"
#include "core/text.hpp"
#include "core/thread_state.hpp"
#include "kernels/cpu/simd_targets.hpp"

namespace autograd {
namespace detail {
namespace {

constexpr size_t kAlign = 64;
constexpr size_t kHugePage = size_t{2} << 20;
constexpr int kLinearClasses = 32;                 // 64 .. 2048
constexpr int kClasses = kLinearClasses + 4 * 15;  // .. 64 MiB
constexpr size_t kLargest = size_t{1} << 26;
constexpr size_t kThreadBytesPerClass = size_t{4}
                                        << 20;      // a thread keeps at most this much per class
constexpr size_t kSharedBytes = size_t{512} << 20;  // the shared cache keeps at most this much

struct FreeBlock {
  FreeBlock* next;
};

int class_of(size_t bytes) {
  if (bytes <= 2048) return static_cast<int>((bytes - (bytes != 0)) / kAlign);
  const int log = std::bit_width(bytes - 1) - 1;  // 2^log < bytes <= 2^(log+1)
  const size_t quarter = size_t{1} << (log - 2);
  const int step = static_cast<int>((bytes - 1 - (size_t{1} << log)) / quarter);
  return kLinearClasses + 4 * (log - 11) + step;
}

constexpr size_t class_bytes(int c) {
  if (c < kLinearClasses) return static_cast<size_t>(c + 1) * kAlign;
  const int log = 11 + (c - kLinearClasses) / 4, step = (c - kLinearClasses) % 4;
  return (size_t{1} << log) + static_cast<size_t>(step + 1) * (size_t{1} << (log - 2));
}

// By class: how many blocks a thread keeps at most.
constexpr auto kMostBlocks = [] {
  std::array<int32_t, kClasses> most{};
  for (int c = 0; c < kClasses; ++c)
    most[static_cast<size_t>(c)] = static_cast<int32_t>(kThreadBytesPerClass / class_bytes(c)) + 1;
  return most;
}();

std::atomic<int64_t> reserved{0};
std::atomic<int64_t> finished_threads_allocated{0};

size_t whole_lines(size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

bool has_huge_pages(size_t bytes) { return bytes >= 2 * kHugePage; }

// Operands that are read and written side by side from the same place in their pages are on their
// way to the same part of the memory: large blocks start in different quarters of a page.
size_t next_start() {
  static std::atomic<size_t> count{0};
  return count.fetch_add(1, std::memory_order_relaxed) % 4 * 1024;
}

void* system_allocate(size_t bytes) {
  // Nothing is computed without memory: here, it costs nothing.
  if (const char* const missing = cpu::processor_lacks())
    fail(ErrorCode::kRuntime, "autograd: this build needs a processor with ", missing,
         " (x86-64-v2: those since 2009)");
  bytes = whole_lines(bytes);
  const bool huge = has_huge_pages(bytes);
  const size_t align = huge ? kHugePage : kAlign, start = huge ? next_start() : 0;
  char* block = bytes > size_t{1} << 60 ? nullptr
                                        : static_cast<char*>(std::aligned_alloc(
                                              align, (bytes + start + align - 1) / align * align));
  if (!block) fail(ErrorCode::kMemory, "out of memory: tried to allocate ", bytes, " bytes");
#ifdef MADV_HUGEPAGE
  // Fewer addresses to translate, and to give memory to. The system may refuse.
  if (huge) madvise(block, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
  reserved.fetch_add(static_cast<int64_t>(bytes), std::memory_order_relaxed);
  return block + start;
}

void system_free(void* block, size_t bytes) {
  bytes = whole_lines(bytes);
  reserved.fetch_sub(static_cast<int64_t>(bytes), std::memory_order_relaxed);
  const size_t start = has_huge_pages(bytes) ? reinterpret_cast<uintptr_t>(block) % kHugePage : 0;
  std::free(static_cast<char*>(block) - start);
}

}  // namespace

/// Free lists of one thread. Linked into a list of all threads so that live bytes can be added up.
struct ThreadCache {
  FreeBlock* free[kClasses] = {};
  int32_t count[kClasses] = {};
  std::atomic<int64_t> allocated{0};
  ThreadCache* next = nullptr;
  ThreadCache* previous = nullptr;
};

namespace {

struct SharedCache {
  std::mutex mutex;
  FreeBlock* free[kClasses] = {};
  size_t bytes = 0;
  ThreadCache threads;  // list head

  void put(FreeBlock* block, int c) {
    std::lock_guard lock(mutex);
    put_locked(block, c);
  }
  void put_locked(FreeBlock* block, int c) {
    if (bytes + class_bytes(c) > kSharedBytes) return system_free(block, class_bytes(c));
    block->next = free[c];
    free[c] = block;
    bytes += class_bytes(c);
  }
  void* take(int c) {
    std::lock_guard lock(mutex);
    FreeBlock* block = free[c];
    if (block) {
      free[c] = block->next;
      bytes -= class_bytes(c);
    }
    return block;
  }
  void release() {
    std::lock_guard lock(mutex);
    for (int c = 0; c < kClasses; ++c)
      while (FreeBlock* block = free[c]) {
        free[c] = block->next;
        system_free(block, class_bytes(c));
      }
    bytes = 0;
  }
};

// Never destroyed: tensors may outlive static destruction.
SharedCache& shared();

// A child must not find the lock taken by a thread that it does not have.
int keep_lock_over_forks() {
  return pthread_atfork([] { shared().mutex.lock(); }, [] { shared().mutex.unlock(); },
                        [] { shared().mutex.unlock(); });
}

SharedCache& shared() {
  static SharedCache* cache = new SharedCache;
  static const int registered = keep_lock_over_forks();
  (void)registered;
  return *cache;
}

void flush(ThreadCache& cache) {
  std::lock_guard lock(shared().mutex);
  for (int c = 0; c < kClasses; ++c) {
    while (FreeBlock* block = cache.free[c]) {
      cache.free[c] = block->next;
      shared().put_locked(block, c);
    }
    cache.count[c] = 0;
  }
}

struct ThreadCacheOwner {
  ThreadCache cache;
  ThreadCacheOwner() {
    std::lock_guard lock(shared().mutex);
    ThreadCache& head = shared().threads;
    cache.next = head.next;
    cache.previous = &head;
    if (head.next) head.next->previous = &cache;
    head.next = &cache;
  }
  ~ThreadCacheOwner() {
    thread_state.cache = nullptr;
    thread_state.cache_closed = true;
    flush(cache);
    std::lock_guard lock(shared().mutex);
    finished_threads_allocated += cache.allocated.load(std::memory_order_relaxed);
    cache.previous->next = cache.next;
    if (cache.next) cache.next->previous = cache.previous;
  }
};

ThreadCache* open_cache() {
  ThreadState& state = thread_state;
  if (state.cache_closed) return nullptr;
  thread_local ThreadCacheOwner owner;
  return state.cache = &owner.cache;
}

inline ThreadCache* cache_of_thread() {
  ThreadCache* cache = thread_state.cache;
  return cache ? cache : open_cache();
}

// Only the owning thread writes its counter: no locked instruction is needed.
inline void count_allocated(ThreadCache* cache, int64_t bytes) {
  if (cache)
    cache->allocated.store(cache->allocated.load(std::memory_order_relaxed) + bytes,
                           std::memory_order_relaxed);
  else
    finished_threads_allocated += bytes;
}

}  // namespace

void* allocate(size_t bytes) {
  ThreadCache* cache = cache_of_thread();
  void* block = nullptr;
  if (!kCacheBlocks || bytes > kLargest) {
    block = system_allocate(bytes);
  } else {
    const int c = class_of(bytes);
    if (cache && cache->free[c]) {
      FreeBlock* first = cache->free[c];
      cache->free[c] = first->next;
      --cache->count[c];
      block = first;
    } else {
      block = shared().take(c);
      if (!block) block = system_allocate(class_bytes(c));
    }
  }
  count_allocated(cache, static_cast<int64_t>(bytes));
  return block;
}

void deallocate(void* block, size_t bytes) noexcept {
  if (!block) return;
  ThreadCache* cache = cache_of_thread();
  count_allocated(cache, -static_cast<int64_t>(bytes));
  if (!kCacheBlocks || bytes > kLargest) return system_free(block, bytes);
  const int c = class_of(bytes);
  FreeBlock* free_block = static_cast<FreeBlock*>(block);
  if (!cache || cache->count[c] >= kMostBlocks[static_cast<size_t>(c)]) {
    shared().put(free_block, c);
    return;
  }
  free_block->next = cache->free[c];
  cache->free[c] = free_block;
  ++cache->count[c];
}

}  // namespace detail

int64_t memory_reserved() { return detail::reserved.load(std::memory_order_relaxed); }

int64_t memory_allocated() {
  std::lock_guard lock(detail::shared().mutex);
  int64_t total = detail::finished_threads_allocated.load(std::memory_order_relaxed);
  for (detail::ThreadCache* t = detail::shared().threads.next; t; t = t->next)
    total += t->allocated.load(std::memory_order_relaxed);
  return total;
}

void memory_release() {
  if (detail::ThreadCache* cache = detail::thread_state.cache) detail::flush(*cache);
  detail::shared().release();
}

}  // namespace autograd
