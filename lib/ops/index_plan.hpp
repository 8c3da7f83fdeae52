// How a tensor of positions picks parts of another one, in the form that the kernels know.
#pragma once
#include <algorithm>

#include "core/op.hpp"
#include "core/parallel.hpp"
#include "kernels/cpu/index.hpp"
#include "kernels/cpu/pause.hpp"

namespace autograd::detail {

/// What positions may be, and how an error is worded. Negative ones count from the end in kWrap,
/// kFill and kFlat.
enum class Range : int64_t {
  kSelect,  ///< index_select, embedding
  kWrap,    ///< x[...]
  kFlat,    ///< take, put_
  kAdd,     ///< index_add
  kCopy,    ///< index_copy
};

/// Dims of x that positions count through, row-major, in ascending order; `place` is the number of
/// other dims that come before those of the positions in the result.
struct Indexed {
  const Shape& dims;
  int place;
};

/// The sizes of the result for positions of sizes `index`.
Shape indexed_sizes(const Shape& x, const Indexed& indexed, const Shape& index);

/// For each position, checked, the distance in elements that it stands for in x; contiguous int64.
Tensor offsets_of(const TensorBody& x, const Shape& dims, TensorBody& index, Range range);

/// The loops over x and a dense tensor y of the result's sizes; repeat: y is one element.
struct BlockPlan {
  cpu::Blocks blocks;
  Shape sizes, x_strides, y_strides;  ///< of the loops around it
};
BlockPlan plan_blocks(const TensorBody& x, const Indexed& indexed, int64_t count, bool repeat);

/// Which of the loops may be cut up for the thread pool: equal offsets forbid it for writes.
enum class Split { kOuterOrCount, kOuterOrInner };

/// Calls work(blocks, first offset, element of x, element of y), in turn and with pauses if they
/// are many.
template <class Work>
void run_in_turn(const cpu::Blocks& all, int64_t first, int64_t x, int64_t y, const Work& work) {
  if (all.count * all.inner <= cpu::kPart) return work(all, first, x, y);
  const int64_t each = std::max<int64_t>(1, cpu::kPart / all.inner);
  cpu::Blocks part = all;
  part.outer = 1;
  for (int64_t o = 0; o < all.outer; ++o, x += all.x_outer, y += all.y_outer)
    for (int64_t begin = 0; begin < all.count; begin += each) {
      if (begin > 0) cpu::pause();
      part.count = std::min(each, all.count - begin);
      work(part, first + begin, x, y + begin * all.y_count);
    }
}

/// The same for all blocks, in parallel if they are many.
template <class Work>
void run_blocks(const BlockPlan& plan, Split split, const Work& work) {
  const cpu::Blocks& all = plan.blocks;
  if (all.outer == 0 || all.count == 0 || all.inner == 0) return;
  const int64_t total = all.outer * all.count * all.inner;
  const int64_t other = split == Split::kOuterOrCount ? all.count : all.inner;
  const bool by_outer = all.outer >= other;
  const int64_t length = by_outer ? all.outer : other;
  // A block begins at any address: more work than for a pointwise op of the same size.
  const int64_t grain = std::max<int64_t>(1, kGrain / 2 * length / total);
  const auto run = [&](int64_t x_at, int64_t y_at) {
    parallel_for(length, grain, [&](int64_t begin, int64_t end) {
      cpu::Blocks part = all;
      int64_t x = x_at, y = y_at, first = 0;
      if (by_outer) {
        part.outer = end - begin;
        x += begin * all.x_outer, y += begin * all.y_outer;
      } else if (split == Split::kOuterOrCount) {
        part.count = end - begin;
        first = begin, y += begin * all.y_count;
      } else {
        part.inner = end - begin;
        x += begin * all.x_inner, y += begin * all.y_inner;
      }
      run_in_turn(part, first, x, y, work);
    });
  };
  Shape at = Shape::filled(plan.sizes.size(), 0);
  int64_t x_at = 0, y_at = 0;
  for (int64_t n : plan.sizes)
    if (n == 0) return;
  for (;;) {
    run(x_at, y_at);
    int d = plan.sizes.size() - 1;
    for (; d >= 0; --d) {
      x_at += plan.x_strides[d], y_at += plan.y_strides[d];
      if (++at[d] < plan.sizes[d]) break;
      x_at -= at[d] * plan.x_strides[d], y_at -= at[d] * plan.y_strides[d];
      at[d] = 0;
    }
    if (d < 0) return;
  }
}

}  // namespace autograd::detail
