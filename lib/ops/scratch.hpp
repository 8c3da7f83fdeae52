// Memory of one worker for the length of a scope.
#pragma once
#include <cstddef>

#include "core/allocator.hpp"

namespace autograd::detail {

/// Aligned to cache lines and not set; nothing (nullptr) for 0 bytes.
class Scratch {
 public:
  explicit Scratch(size_t bytes)
      : bytes_(bytes), data_(bytes ? static_cast<char*>(allocate(bytes)) : nullptr) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    if (data_) deallocate(data_, bytes_);
  }

  char* data() const { return data_; }
  /// The next of several buffers, which begin at cache lines.
  char* take(size_t bytes) {
    char* p = data_ + used_;
    used_ += (bytes + 63) / 64 * 64;
    return p;
  }

 private:
  size_t bytes_, used_ = 0;
  char* data_;
};

}  // namespace autograd::detail
