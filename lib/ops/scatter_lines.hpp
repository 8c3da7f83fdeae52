// The way from tensors of positions along a dim to the kernels: loops over the dims of the index.
#pragma once
#include <algorithm>

#include "core/parallel.hpp"
#include "core/tensor_body.hpp"
#include "kernels/cpu/pause.hpp"
#include "kernels/cpu/scatter.hpp"

namespace autograd::detail {

struct Loop {
  int64_t size, x, index, y;
  bool along;  // the loop over dim itself: its turns may write to the same element
};

struct Lines {
  Vector<Loop> loops;  // outermost first, at least two
  int64_t along, size;
};

inline Lines lines_of(const TensorBody& x, const TensorBody& index, const TensorBody& y, int dim,
                      bool repeat_y) {
  Lines lines{{}, x.sizes.empty() ? 1 : x.strides[dim], x.sizes.empty() ? 1 : x.sizes[dim]};
  for (int d = 0; d < index.sizes.size(); ++d) {
    if (index.sizes[d] == 1) continue;
    const bool along = d == dim;
    const Loop loop{index.sizes[d], along || x.sizes.empty() ? 0 : x.strides[d], index.strides[d],
                    repeat_y ? 0 : y.strides[d], along};
    if (!lines.loops.empty()) {
      Loop& outer = lines.loops.back();
      if (outer.along == along && outer.x == loop.x * loop.size &&
          outer.index == loop.index * loop.size && outer.y == loop.y * loop.size) {
        outer = {outer.size * loop.size, loop.x, loop.index, loop.y, along};
        continue;
      }
    }
    lines.loops.push_back(loop);
  }
  while (lines.loops.size() < 2) lines.loops.insert(lines.loops.begin(), {1, 0, 0, 0, false});
  return lines;
}

/// Calls work(positions, element of x, of index, of y) for every pair of innermost loops.
template <class Work>
void run_loops(const Vector<Loop>& loops, const Lines& lines, int64_t x, int64_t index, int64_t y,
               const Work& work) {
  const size_t outer = loops.size() - 2;
  const Loop &row = loops[outer], &col = loops[outer + 1];
  const cpu::Positions inner{row.size,  col.size,  row.x, col.x, lines.along,
                             row.index, col.index, row.y, col.y, lines.size};
  int64_t at[kMaxDims] = {};
  for (;;) {
    work(inner, x, index, y);
    size_t d = outer;
    for (; d > 0; --d) {
      const Loop& loop = loops[d - 1];
      x += loop.x, index += loop.index, y += loop.y;
      if (++at[d - 1] < loop.size) break;
      x -= at[d - 1] * loop.x, index -= at[d - 1] * loop.index, y -= at[d - 1] * loop.y;
      at[d - 1] = 0;
    }
    if (d == 0) return;
  }
}

/// Turns begin to end of loop i, those of the longest loop in parts with pauses in between.
/// Elements are written to in the same order.
template <class Work>
void run_turns(const Lines& lines, size_t i, int64_t begin, int64_t end, const Work& work) {
  Vector<Loop> loops = lines.loops;
  loops[i].size = end - begin;
  int64_t numel = 1, start[3] = {begin * lines.loops[i].x, begin * lines.loops[i].index,
                                 begin * lines.loops[i].y};
  size_t longest = 0;
  for (size_t k = 0; k < loops.size(); ++k) {
    numel *= loops[k].size;
    if (loops[k].size > loops[longest].size) longest = k;
  }
  const Loop whole = loops[longest];
  const int64_t part = std::max<int64_t>(1, whole.size / std::max<int64_t>(1, numel / cpu::kPart));
  for (int64_t at = 0; at < whole.size; at += part) {
    if (at > 0) cpu::pause();
    loops[longest].size = std::min(part, whole.size - at);
    run_loops(loops, lines, start[0] + at * whole.x, start[1] + at * whole.index,
              start[2] + at * whole.y, work);
  }
}

/// All turns, cut up for the thread pool where turns of a loop cannot meet in one element.
template <class Work>
void run_lines(const Lines& lines, int64_t numel, bool writes, const Work& work) {
  if (numel < kGrain / 2) return run_loops(lines.loops, lines, 0, 0, 0, work);
  size_t split = lines.loops.size();
  for (size_t i = 0; i < lines.loops.size(); ++i)
    if (!(writes && lines.loops[i].along) &&
        (split == lines.loops.size() || lines.loops[i].size > lines.loops[split].size))
      split = i;
  if (split == lines.loops.size()) return run_turns(lines, 0, 0, lines.loops[0].size, work);
  const int64_t size = lines.loops[split].size;
  parallel_for(size, std::max<int64_t>(1, kGrain / 4 * size / numel),
               [&](int64_t begin, int64_t end) { run_turns(lines, split, begin, end, work); });
}

}  // namespace autograd::detail
