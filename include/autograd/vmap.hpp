// One function applied to many examples at once: inside it a tensor stands for one example, and
// every op works on all of them.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "autograd/tensor.hpp"

namespace autograd {

/// What random ops do in a function that is mapped over examples.
enum class Randomness { kError, kSame, kDifferent };

/// While it lives, tensors of the calling thread may stand for one of `size` examples. Scopes nest.
class VmapScope {
 public:
  /// Throws Error (value) for a negative size.
  explicit VmapScope(int64_t size, Randomness randomness = Randomness::kError);
  ~VmapScope();
  VmapScope(const VmapScope&) = delete;
  VmapScope& operator=(const VmapScope&) = delete;

  /// One example of t, whose dim `dim` counts the examples: it has the other dims.
  Tensor example(const Tensor& t, int64_t dim = 0) const;
  /// All examples of t, with `dim` counting them; repeated if t is the same for all.
  Tensor all(const Tensor& t, int64_t dim = 0) const;
  /// True if t differs from example to example.
  bool varies(const Tensor& t) const;

 private:
  uint64_t level_;
};

/// The same with begin and end apart, for callers without scopes: a number for the level, which
/// names it in the functions below. Throws Error (runtime) if `level` is not the innermost.
uint64_t vmap_begin(int64_t size, Randomness randomness);
void vmap_end(uint64_t level);
Tensor vmap_example(const Tensor& t, int64_t dim, uint64_t level);
Tensor vmap_all(const Tensor& t, int64_t dim, uint64_t level);
bool vmap_varies(const Tensor& t, uint64_t level);
/// Throws Error (runtime) if t is an example, which has no memory of its own to be looked at.
void check_has_storage(const Tensor& t);
/// How many scopes the calling thread is in.
int vmap_depth();
/// Which of them, counted from 1, t is an example of; 0: of none. The innermost, if of several.
int vmap_depth_of(const Tensor& t);
/// `fresh`, a tensor made to be written to, as an example of all levels that `like` is one of.
Tensor vmap_like(const Tensor& fresh, const Tensor& like);
/// For printing: all examples of the innermost scope that t is an example of, as dim 0.
Tensor vmap_value(const Tensor& t);

/// f applied to all examples: dim in_dims[i] of inputs[i] counts them, unless it is kShared, which
/// makes the input the same for all. Dim 0 of the results counts examples.
inline constexpr int64_t kShared = INT64_MIN;
std::vector<Tensor> vmap(const std::function<std::vector<Tensor>(const std::vector<Tensor>&)>& f,
                         const std::vector<Tensor>& inputs,
                         const std::vector<int64_t>& in_dims = {},
                         Randomness randomness = Randomness::kError);

}  // namespace autograd
