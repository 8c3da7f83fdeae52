// Convolution over padded sheets, without copies of windows. Positions of a sheet are numbered
// through its rows; a tap is an offset, the same for all positions. Vectors may reach over the end
// of a row of outputs: what they compute of the positions behind it is dropped.
#pragma once
#include <cstddef>
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// Positions come in blocks of this many; sheets can be read that far behind their last position.
inline constexpr int64_t kConvBlock = 64;

/// Filters, ready to be multiplied with: element (row, u * n_taps + t) comes from
/// source[row * row_stride + u * step + taps[t]].
struct ConvFilters {
  const void* source;
  int64_t rows, row_stride;
  int64_t channels, step;
  const int64_t* taps;
  int64_t n_taps;
};
/// Elements that conv_pack writes, and room behind them.
inline size_t conv_packed_size(int64_t rows, int64_t depth) {
  return static_cast<size_t>(rows * depth) + 64;
}
void conv_pack(DType dtype, const ConvFilters& filters, void* packed);

/// out[r * out_row + p] = bias[r] + sum_k filters[r, k] sheets[offsets[k] + q] for the p-th wanted
/// position q of the blocks [first, last).
struct ConvRows {
  const void* packed;
  int64_t rows, depth;
  const void* sheets;
  const int64_t* offsets;
  const void* bias;  ///< or nullptr
  void* out;
  int64_t out_row;
  const uint64_t* wanted;  ///< [blocks]; bit i: position i of the block is one of the output's
  const int64_t* at;       ///< [blocks + 1]: wanted positions before each block
  int64_t first, last;
};
void conv_rows(DType dtype, const ConvRows& q);

/// out[r * out_row + k] (+)= sum_i sum_q rows[i * row_image + r * row_stride + q]
///                                        * sheets[i * sheet_image + offsets[k] + q]
/// for q < length, a multiple of kConvBlock.
struct ConvDots {
  const void* row_values;
  int64_t rows, row_stride, row_image;
  const void* sheets;
  const int64_t* offsets;
  int64_t depth, sheet_image, images, length;
  void* out;
  int64_t out_row;
  bool accumulate;
};
void conv_dots(DType dtype, const ConvDots& q);

}  // namespace autograd::cpu
