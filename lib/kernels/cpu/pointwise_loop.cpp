// The loop that drives a contiguous kernel over strided, broadcast and mixed-dtype operands.
#include <algorithm>
#include <cassert>
#include <numeric>

#include "kernels/cpu/convert.hpp"
#include "kernels/cpu/pointwise.hpp"
#include "kernels/cpu/stream.hpp"

namespace autograd::cpu {
namespace {

constexpr int kMaxDims = 12;
constexpr int kMaxOperands = 1 + kMaxPointwiseInputs;
/// Elements per buffered chunk: five buffers of doubles still fit into a 32 KB cache.
constexpr int64_t kChunk = 512;
/// Innermost runs at least this long go to the kernel one by one, shorter ones are gathered.
constexpr int64_t kLongRun = 128;
/// Elements that are made before they go past the caches together.
constexpr int64_t kStreamChunk = 1024;
/// Rows of a tile: a cache line of float32.
constexpr int64_t kTileRows = 16;

/// The index space after merging dimensions that act as one; dimension 0 is innermost.
struct Space {
  int dims = 0;
  int operands;
  int64_t size[kMaxDims];
  int64_t stride[kMaxDims][kMaxOperands];

  void add(const Operand* operand, int d, int64_t extent) {
    if (extent == 1) return;
    int64_t* const next = stride[dims];
    bool mergeable = dims > 0;
    for (int k = 0; k < operands; ++k) {
      next[k] = operand[k].data == nullptr ? 0 : operand[k].strides[d];
      mergeable = mergeable && next[k] == stride[dims - 1][k] * size[dims - 1];
    }
    if (mergeable) {
      size[dims - 1] *= extent;
    } else {
      size[dims++] = extent;
    }
  }

  /// Does operand k lie in row-major order without gaps?
  bool is_contiguous(int k) const {
    int64_t expected = 1;
    for (int d = 0; d < dims; ++d) {
      if (stride[d][k] != expected) return false;
      expected *= size[d];
    }
    return true;
  }

  /// The number of elements after which operand k repeats itself, 0 if it does not.
  int64_t period(int k) const {
    int outer = dims;
    while (outer > 0 && stride[outer - 1][k] == 0) --outer;
    if (outer == dims) return 0;
    return std::accumulate(size, size + outer, int64_t{1},
                           [](int64_t a, int64_t b) { return a * b; });
  }
};

/// Builds the space from the innermost dimension outwards. When all of it is visited the order is
/// free: then the dimension in which the output is densest becomes the innermost.
Space make_space(const Operand* operands, int count, const int64_t* sizes, int ndim, bool whole) {
  Space space;
  space.operands = count;
  const int64_t* const out = operands[0].strides;
  int order[kMaxDims];
  int used = 0;
  for (int d = ndim - 1; d >= 0; --d) {
    if (sizes[d] == 1) continue;
    int place = used++;
    for (; whole && place > 0 && out[order[place - 1]] > out[d]; --place)
      order[place] = order[place - 1];
    order[place] = d;
  }
  for (int i = 0; i < used; ++i) space.add(operands, order[i], sizes[order[i]]);
  if (space.dims == 0) {
    space.dims = 1;
    space.size[0] = 1;
    std::fill_n(space.stride[0], count, 1);
  }
  return space;
}

/// Where one operand stands in the space: a counter per dimension and the element offset.
struct Cursor {
  int64_t index[kMaxDims];
  int64_t offset = 0;

  /// Steps over n elements of the current innermost run.
  void advance(const Space& space, int k, int64_t n) {
    index[0] += n;
    offset += n * space.stride[0][k];
    carry(space, k, 0);
  }
  /// Steps over whole runs from the start of one.
  void advance_runs(const Space& space, int k, int64_t runs) {
    index[1] += runs;
    offset += runs * space.stride[1][k];
    carry(space, k, 1);
  }
  void carry(const Space& space, int k, int d) {
    for (; index[d] == space.size[d] && d + 1 < space.dims; ++d) {
      index[d] = 0;
      ++index[d + 1];
      offset += space.stride[d + 1][k] - space.size[d] * space.stride[d][k];
    }
  }
  /// Elements left of the current innermost run.
  int64_t left(const Space& space) const { return space.size[0] - index[0]; }
};

char* element(const Operand& operand, int64_t offset) {
  return static_cast<char*>(operand.data) + offset * static_cast<int64_t>(size_of(operand.stored));
}

/// A call of pointwise_loop that cannot hand its operands to the kernel as they are.
class BufferedLoop {
 public:
  BufferedLoop(PointwiseKernel kernel, const double* p, const Operand* operands,
               const Space& space);

  /// Walks the elements [begin, end) in the way that suits the space.
  void walk(int64_t begin, int64_t end);

 private:
  bool absent(int k) const { return operands_[k].data == nullptr; }
  /// Is the operand denser across the runs than along them?
  bool lies_across(int k) const {
    const int64_t along = space_.stride[0][k], across = space_.stride[1][k];
    return !absent(k) && across > 0 && across < along;
  }
  void* place(int k) const { return element(operands_[k], cursors_[k].offset); }
  void place_cursors(int64_t linear);
  void walk_long_runs(int64_t begin, int64_t end);
  void walk_tiles(int64_t rows);
  void walk_short_runs(int64_t begin, int64_t end);
  void move_block(int k, void* memory, int64_t first, int64_t rows, int64_t n);
  void move_chunk(int k, int64_t n);

  PointwiseKernel kernel_;
  const double* p_;
  const Operand* operands_;
  const Space& space_;
  bool converts_[kMaxOperands];
  ConvertBlock convert_[kMaxOperands];
  Cursor cursors_[kMaxOperands];
  alignas(64) char buffers_[kMaxOperands][kChunk * sizeof(double)];
};

BufferedLoop::BufferedLoop(PointwiseKernel kernel, const double* p, const Operand* operands,
                           const Space& space)
    : kernel_(kernel), p_(p), operands_(operands), space_(space) {
  for (int k = 0; k < space.operands; ++k) {
    const DType stored = operands[k].stored, as = operands[k].as;
    converts_[k] = stored != as;
    convert_[k] = k == 0 ? convert_block(as, stored) : convert_block(stored, as);
  }
}

void BufferedLoop::walk(int64_t begin, int64_t end) {
  place_cursors(begin);
  const int64_t run = space_.size[0];
  if (run < kLongRun) return walk_short_runs(begin, end);
  bool across = false;
  for (int k = 0; k < space_.operands && space_.dims > 1; ++k) across = across || lies_across(k);
  if (!across) return walk_long_runs(begin, end);
  // Tiles need whole rows; what is before and after them goes run by run.
  while (begin < end) {
    const int64_t left = cursors_[0].left(space_);
    const int64_t rows =
        std::min({kTileRows, space_.size[1] - cursors_[0].index[1], (end - begin) / run});
    if (left < run || rows < 2) {
      const int64_t n = std::min(left, end - begin);
      walk_long_runs(begin, begin + n);
      begin += n;
    } else {
      walk_tiles(rows);
      begin += rows * run;
    }
  }
}

void BufferedLoop::place_cursors(int64_t linear) {
  for (int d = 0; d < space_.dims; ++d) {
    const int64_t outer = linear == 0 || d + 1 == space_.dims ? 0 : linear / space_.size[d];
    const int64_t index = linear - outer * space_.size[d];
    for (int k = 0; k < space_.operands; ++k) {
      cursors_[k].index[d] = index;
      cursors_[k].offset += index * space_.stride[d][k];
    }
    linear = outer;
  }
}

/// Moves a block of runs from operand k's memory to element `first` of its buffer; the output:
/// back.
void BufferedLoop::move_block(int k, void* memory, int64_t first, int64_t rows, int64_t n) {
  char* const buffer = buffers_[k] + first * static_cast<int64_t>(size_of(operands_[k].as));
  const int64_t stride = space_.stride[0][k], row = rows > 1 ? space_.stride[1][k] : 0;
  if (k == 0) {
    convert_[k](buffer, n, 1, memory, row, stride, rows, n);
  } else if (row > 0 && row < stride) {
    convert_[k](memory, stride, row, buffer, 1, n, n, rows);
  } else {
    convert_[k](memory, row, stride, buffer, n, 1, rows, n);
  }
}

/// The same for the next n elements of the space; the operand's cursor moves on.
void BufferedLoop::move_chunk(int k, int64_t n) {
  Cursor& cursor = cursors_[k];
  const int64_t run = space_.size[0];
  for (int64_t done = 0; done < n;) {
    const int64_t rows = cursor.index[0] != 0 || space_.dims == 1
                             ? 0
                             : std::min((n - done) / run, space_.size[1] - cursor.index[1]);
    if (rows > 1) {
      move_block(k, place(k), done, rows, run);
      cursor.advance_runs(space_, k, rows);
      done += rows * run;
    } else {
      const int64_t part = std::min(n - done, cursor.left(space_));
      move_block(k, place(k), done, 1, part);
      cursor.advance(space_, k, part);
      done += part;
    }
  }
}

/// Run by run: an operand dense along the run is used in place, one constant along it fills its
/// buffer once for as long as its value stays, any other is gathered chunk by chunk.
void BufferedLoop::walk_long_runs(int64_t begin, int64_t end) {
  const int count = space_.operands;
  void* at[kMaxOperands];
  bool in_place[kMaxOperands];
  int64_t filled[kMaxOperands] = {}, filled_from[kMaxOperands];
  int64_t chunk = end - begin;
  for (int k = 0; k < count; ++k) {
    at[k] = absent(k) ? nullptr : buffers_[k];
    in_place[k] = absent(k) || (space_.stride[0][k] == 1 && !converts_[k]);
    if (!in_place[k]) chunk = std::min(chunk, kChunk);
  }
  for (int64_t i = begin, n; i < end; i += n) {
    n = std::min({chunk, end - i, cursors_[0].left(space_)});
    for (int k = 0; k < count; ++k) {
      const int64_t offset = cursors_[k].offset;
      if (in_place[k]) {
        if (!absent(k)) at[k] = place(k);
      } else if (k > 0 && (space_.stride[0][k] != 0 || filled[k] < n || filled_from[k] != offset)) {
        move_block(k, place(k), 0, 1, n);
        filled[k] = n;
        filled_from[k] = offset;
      }
    }
    kernel_(at + 1, at[0], n, p_);
    if (!in_place[0]) move_block(0, place(0), 0, 1, n);
    for (int k = 0; k < count; ++k) cursors_[k].advance(space_, k, n);
  }
}

/// The next few whole rows in tiles that fit the buffers, so that an operand stored column by
/// column (a transposed matrix) has its cache lines read once.
void BufferedLoop::walk_tiles(int64_t rows) {
  const int count = space_.operands;
  const int64_t run = space_.size[0], width = kChunk / rows;
  void* at[kMaxOperands];
  for (int k = 0; k < count; ++k) at[k] = absent(k) ? nullptr : buffers_[k];
  for (int64_t column = 0; column < run; column += width) {
    const int64_t n = std::min(width, run - column);
    for (int k = 1; k < count; ++k) {
      if (absent(k)) continue;
      move_block(k, element(operands_[k], cursors_[k].offset + column * space_.stride[0][k]), 0,
                 rows, n);
    }
    kernel_(at + 1, at[0], rows * n, p_);
    move_block(0, element(operands_[0], cursors_[0].offset + column * space_.stride[0][0]), 0, rows,
               n);
  }
  for (int k = 0; k < count; ++k) cursors_[k].advance_runs(space_, k, rows);
}

/// Chunk by chunk across short runs: only wholly contiguous operands are used in place. The chunk
/// is a multiple of the periods of the operands that repeat, so that their buffers are filled once.
void BufferedLoop::walk_short_runs(int64_t begin, int64_t end) {
  const int count = space_.operands;
  void* at[kMaxOperands];
  bool in_place[kMaxOperands], repeats[kMaxOperands] = {};
  int64_t step = 1;
  for (int k = 0; k < count; ++k) {
    at[k] = absent(k) ? nullptr : buffers_[k];
    in_place[k] = absent(k) || (!converts_[k] && space_.is_contiguous(k));
    const int64_t period = k == 0 || in_place[k] ? 0 : space_.period(k);
    if (period == 0 || period > kChunk) continue;
    const int64_t common = period == 1 || period == step ? step : std::lcm(step, period);
    if (common > kChunk) continue;
    repeats[k] = true;
    step = common;
  }
  const int64_t chunk = end - begin <= kChunk ? end - begin : kChunk / step * step;
  for (int64_t i = begin, n; i < end; i += n) {
    n = std::min(chunk, end - i);
    for (int k = 0; k < count; ++k) {
      if (in_place[k]) {
        if (!absent(k)) at[k] = element(operands_[k], i);
      } else if (k > 0 && (!repeats[k] || i == begin)) {
        move_chunk(k, n);
      }
    }
    kernel_(at + 1, at[0], n, p_);
    if (!in_place[0]) move_chunk(0, n);
  }
}

/// Is every operand dense along the innermost runs, or an input that is constant there?
bool has_broadcast_rows(const Operand* operands, const Space& space) {
  constexpr int64_t kShort = 16;  // shorter runs are better gathered
  if (space.operands != 3 || space.dims < 2 || space.size[0] < kShort) return false;
  for (int k = 0; k < 3; ++k) {
    const int64_t stride = space.stride[0][k];
    if (!operands[k].data || operands[k].stored != operands[k].as) return false;
    if (stride != 1 && (k == 0 || stride != 0)) return false;
  }
  return true;
}

/// The rows [first, last) of such a space.
void run_broadcast_rows(PointwiseRowsKernel kernel, const Operand* operands, const Space& space,
                        int64_t first, int64_t last) {
  while (first < last) {
    int64_t offset[3] = {}, rest = first / space.size[1];
    const int64_t start = first % space.size[1],
                  rows = std::min(space.size[1] - start, last - first);
    for (int d = 2; d < space.dims; ++d) {
      const int64_t index = rest % space.size[d];
      rest /= space.size[d];
      for (int k = 0; k < 3; ++k) offset[k] += index * space.stride[d][k];
    }
    BroadcastRows r;
    for (int k = 0; k < 3; ++k) {
      void* const at = element(operands[k], offset[k] + start * space.stride[1][k]);
      if (k == 0) {
        r.out = at;
        r.out_row = space.stride[1][0];
      } else {
        r.in[k - 1] = at;
        r.row[k - 1] = space.stride[1][k];
        r.constant[k - 1] = space.stride[0][k] == 0;
      }
    }
    r.rows = rows;
    r.n = space.size[0];
    kernel(r);
    first += rows;
  }
}

/// How an operand lies in memory, as far as the common cases care.
enum class Layout { kContiguous, kConstant, kOther };

Layout layout_of(const Operand& operand, const int64_t* sizes, int ndim) {
  if (operand.data == nullptr) return Layout::kContiguous;
  bool contiguous = operand.stored == operand.as, constant = true;
  int64_t expected = 1;
  for (int d = ndim - 1; d >= 0; --d) {
    if (sizes[d] == 1) continue;
    contiguous = contiguous && operand.strides[d] == expected;
    constant = constant && operand.strides[d] == 0;
    expected *= sizes[d];
  }
  return contiguous ? Layout::kContiguous : constant ? Layout::kConstant : Layout::kOther;
}

/// Can results go past the caches? Not if they are small, replace an input, or lie askew. Several
/// cores fetch the lines that they write fast enough to win by what is still in the last cache, of
/// one input and the result; of more, nothing is. Gradients have three inputs, given or not.
bool streams(const Operand* operands, int count, const Layout* layouts, int64_t total, bool alone) {
  const size_t size = size_of(operands[0].as);
  const auto arrays = count - std::count(layouts, layouts + count, Layout::kConstant);
  const int64_t least = (alone || arrays > 2 ? 1 : 2) * kStreamedBytes;
  if (total * static_cast<int64_t>(size) < least) return false;
  if (reinterpret_cast<uintptr_t>(operands[0].data) % size != 0) return false;
  for (int k = 1; k < count; ++k)
    if (layouts[k] == Layout::kContiguous && operands[k].data == operands[0].data) return false;
  return true;
}

/// Contiguous operands go to the kernel as they are. Constant inputs fill a buffer first; then the
/// kernel is called once per length of that buffer. Results that go past the caches are made in a
/// buffer, too.
void run_contiguous(PointwiseKernel kernel, const double* p, const Operand* operands, int count,
                    const Layout* layouts, bool streamed, int64_t begin, int64_t end) {
  alignas(64) char buffers[kMaxPointwiseInputs][kChunk * sizeof(double)];
  void* at[kMaxOperands];
  int64_t step[kMaxOperands], chunk = end - begin;
  for (int k = 0; k < count; ++k) {
    const Operand& operand = operands[k];
    const bool constant = layouts[k] == Layout::kConstant;
    at[k] = operand.data == nullptr ? nullptr : element(operand, constant ? 0 : begin);
    step[k] =
        operand.data == nullptr || constant ? 0 : static_cast<int64_t>(size_of(operand.stored));
    if (!constant) continue;
    chunk = std::min(chunk, kChunk);
    convert(operand.data, operand.stored, 0, buffers[k - 1], operand.as, 1, chunk);
    at[k] = buffers[k - 1];
  }
  alignas(64) char results[kStreamChunk * sizeof(double)];
  int64_t n = 0;
  if (streamed) {
    chunk = std::min(chunk, kStreamChunk);
    // The first chunk ends where the aligned ones begin.
    const size_t over = reinterpret_cast<uintptr_t>(at[0]) % kStreamAlign;
    n = over ? static_cast<int64_t>((kStreamAlign - over) / size_of(operands[0].as)) : 0;
  }
  for (int64_t i = begin; i < end; i += n) {
    const bool aligned = streamed && (i > begin || n == 0);
    n = std::min(aligned || !streamed ? chunk : n, end - i);
    kernel(at + 1, aligned ? results : at[0], n, p);
    if (aligned) stream(results, at[0], static_cast<size_t>(n * step[0]));
    for (int k = 0; k < count; ++k) {
      if (step[k] != 0) at[k] = static_cast<char*>(at[k]) + n * step[k];
    }
  }
  if (streamed) end_stream();
}

/// Of two inputs, one of them a number: without a buffer full of it.
void run_with_number(PointwiseRowsKernel kernel, const Operand* operands, const Layout* layouts,
                     int64_t begin, int64_t end) {
  alignas(sizeof(double)) char numbers[2][sizeof(double)];
  BroadcastRows r;
  r.out = element(operands[0], begin);
  r.out_row = 0;
  for (int k = 0; k < 2; ++k) {
    const Operand& operand = operands[k + 1];
    r.row[k] = 0;
    r.constant[k] = layouts[k + 1] == Layout::kConstant;
    r.in[k] = r.constant[k] ? numbers[k] : element(operand, begin);
    if (r.constant[k]) convert(operand.data, operand.stored, 0, numbers[k], operand.as, 1, 1);
  }
  r.rows = 1;
  r.n = end - begin;
  kernel(r);
}

}  // namespace

void pointwise_loop(PointwiseKernel kernel, const double* p, const Operand* operands, int inputs,
                    const int64_t* sizes, int ndim, int64_t begin, int64_t end,
                    PointwiseRowsKernel by_rows) {
  if (end <= begin) return;
  assert(inputs <= kMaxPointwiseInputs && ndim <= kMaxDims);
  const int count = 1 + inputs;
  Layout layouts[kMaxOperands];
  bool simple = true;
  for (int k = 0; k < count && simple; ++k) {
    layouts[k] = layout_of(operands[k], sizes, ndim);
    simple = layouts[k] == Layout::kContiguous || (layouts[k] == Layout::kConstant && k > 0);
  }
  int64_t total = 1;
  for (int d = 0; d < ndim; ++d) total *= sizes[d];
  if (simple) {
    const bool streamed = streams(operands, count, layouts, total, end - begin == total);
    const bool with_number =
        count == 3 && (layouts[1] == Layout::kConstant || layouts[2] == Layout::kConstant);
    if (by_rows && with_number && !streamed)
      return run_with_number(by_rows, operands, layouts, begin, end);
    return run_contiguous(kernel, p, operands, count, layouts, streamed, begin, end);
  }
  const Space space = make_space(operands, count, sizes, ndim, begin == 0 && end == total);
  if (by_rows && has_broadcast_rows(operands, space)) {
    // Whole rows; what is before and behind them goes the other way.
    const int64_t n = space.size[0], first = (begin + n - 1) / n, last = end / n;
    if (first < last) {
      if (begin < first * n) BufferedLoop(kernel, p, operands, space).walk(begin, first * n);
      run_broadcast_rows(by_rows, operands, space, first, last);
      if (last * n < end) BufferedLoop(kernel, p, operands, space).walk(last * n, end);
      return;
    }
  }
  BufferedLoop(kernel, p, operands, space).walk(begin, end);
}

}  // namespace autograd::cpu
