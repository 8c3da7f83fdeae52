// What batch norm and group norm share: channels of [N, C, ...], and what is done to all of them in
// parallel, in pieces if something stands around them (ops/pieces.hpp).
#pragma once
#include <algorithm>

#include "core/parallel.hpp"
#include "kernels/cpu/element_types.hpp"
#include "kernels/cpu/normalize.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/normalize.hpp"
#include "ops/pieces.hpp"

namespace autograd::detail {

/// Columns that one thread takes at least.
inline constexpr int64_t kColumns = 256;

struct Layout {
  int64_t outer = 1, channels = 1, inner = 1;
};

inline Layout layout_of(const Shape& sizes) {
  Layout l{sizes[0], sizes[1], 1};
  for (int d = 2; d < sizes.size(); ++d) l.inner *= sizes[d];
  return l;
}

// One number per channel, of the tensor's type.
template <class T>
struct Lists {
  Lists(int count, int64_t n, DType dtype)
      : n(n), memory(make_tensor({count, n}, dtype)), first(static_cast<T*>(memory.data())) {}
  T* operator[](int i) { return first + i * n; }
  int64_t n;
  Tensor memory;
  T* first;
};

template <class T>
const T* numbers(const Tensor& t) {
  return t ? static_cast<const T*>(t.data()) : nullptr;
}

inline Tensor dense_or_none(const Call& call, int i) {
  return call.has(i) ? dense(call.in(i)) : Tensor();
}

inline int64_t grain(int64_t n) {
  return std::max<int64_t>(1, kGrain / (2 * std::max<int64_t>(1, n)));
}

// ---- parts that both share, in parallel

/// Rows [begin, end) of n numbers block by block: with steps around them, blocks that stay in the
/// cache.
template <class Work>
void for_blocks(bool whole, int64_t n, int64_t begin, int64_t end, const Work& work) {
  const int64_t block = whole ? end - begin : std::max<int64_t>(1, kPiece / n);
  for (int64_t first = begin; first < end; first += block)
    work(first, std::min(end, first + block));
}

/// Rows that channels are worked on in: as cpu::ChannelRows says.
struct LayoutRows {
  explicit LayoutRows(const Layout& l)
      : count(l.inner == 1 ? l.outer : l.outer * l.channels),
        n(l.inner == 1 ? l.channels : l.inner) {}
  int64_t count, n;
};

/// Calls work for all rows; what stands behind runs after each block of them.
template <class Work>
void for_rows(const Layout& l, const Pieces& pieces, const Work& work) {
  const LayoutRows rows(l);
  parallel_for(rows.count, grain(rows.n), [&](int64_t begin, int64_t end) {
    for_blocks(!pieces.after, rows.n, begin, end, [&](int64_t first, int64_t last) {
      work(cpu::ChannelRows{l.channels, l.inner, first, last - first});
      pieces.end_piece(first * rows.n, last * rows.n);
    });
  });
}

/// What stands before, for all elements.
inline void make_all(const Layout& l, const Pieces& pieces) {
  if (!pieces.before) return;
  const LayoutRows rows(l);
  parallel_for(rows.count, grain(rows.n), [&](int64_t begin, int64_t end) {
    pieces.begin_piece(begin * rows.n, end * rows.n);
  });
}

// y = (x - mean) * scale + bias with one number per channel.
inline void scale_channels(DType dtype, const Layout& l, const void* x, const void* mean,
                           const void* scale, const void* bias, void* y, const Pieces& pieces) {
  for_rows(l, pieces, [&](const cpu::ChannelRows& rows) {
    cpu::scale_channels(dtype, rows, x, mean, scale, bias, y);
  });
}

inline void combine_channels(DType dtype, const Layout& l, const void* g, const void* x,
                             const void* mean, const void* a, const void* b, const void* k,
                             void* dx, const Pieces& pieces) {
  for_rows(l, pieces, [&](const cpu::ChannelRows& rows) {
    cpu::combine_channels(dtype, rows, g, x, mean, a, b, k, dx);
  });
}

// Means and sums of squared deviations of rows of n.
template <class T>
void row_moments(DType dtype, const T* x, T* mean, T* m2, int64_t rows, int64_t n,
                 const Pieces& pieces) {
  parallel_for(rows, grain(n), [&](int64_t begin, int64_t end) {
    for_blocks(!pieces.before, n, begin, end, [&](int64_t first, int64_t last) {
      pieces.begin_piece(first * n, last * n);
      cpu::row_moments(dtype, x + first * n, mean + first, m2 + first, last - first, n);
    });
  });
}

// Sums of g and of g * (x - mean) of each of outer * channels rows.
template <class T>
void row_products(DType dtype, const Layout& l, const T* g, const T* x, const T* mean, T* sum_g,
                  T* sum_gx, const Pieces& pieces) {
  const int64_t n = l.inner;
  parallel_for(l.outer * l.channels, grain(n), [&](int64_t begin, int64_t end) {
    for_blocks(!pieces.before, n, begin, end, [&](int64_t first, int64_t last) {
      pieces.begin_piece(first * n, last * n);
      cpu::row_products(dtype, {l.channels, n, first, last - first}, g + first * n, x + first * n,
                        mean, sum_g + first, sum_gx + first);
    });
  });
}

inline void check_rank(const Call& call) {
  const TensorBody& x = call.in(0);
  if (x.sizes.size() < 2)
    fail(ErrorCode::kRuntime, call.op.name,
         ": Expected at least 2 dimensions for input tensor but received ", x.sizes.size(),
         ", sizes ", x.sizes);
  if (!is_floating(x.dtype))
    fail(ErrorCode::kNotImplemented, call.op.name, ": not implemented for ", name_of(x.dtype));
}

// The gradients of both; ints[1]: those that are wanted.
inline void infer_channels_backward(const Call& call, OutputMetas& outputs) {
  infer_norm_backward(call, outputs, 1, {call.in(1).sizes[1]});
}

template <class T>
void write_affine_gradients(const Call& call, const T* dweight, const T* dbias, int64_t n) {
  if (call.attrs.ints[1] & 2) std::copy_n(dweight, n, reinterpret_cast<T*>(call.out(1).data));
  if (call.attrs.ints[1] & 4) std::copy_n(dbias, n, reinterpret_cast<T*>(call.out(2).data));
}

inline void check_channels_backward(const Call& call) {
  need_counts(call, 3, 4, 3);
  need_number(call, 1, 0, 7);
  need_float(call, 1);
  need(call, call.in(1).sizes.size() >= 2, "channels are wanted");
  need_like(call, 0, 1);
  need_sizes(call, 3, {call.in(1).sizes[1]});
  for (int i : {2, 3}) need_dtype_of(call, i, 1);
}

inline constexpr uint32_t kChannelReads = reads_input(0) | reads_input(1) | reads_output(1);

}  // namespace autograd::detail
