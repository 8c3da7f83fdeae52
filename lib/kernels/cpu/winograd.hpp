// The transforms of a convolution with 3 x 3 filters by tiles of 2 x 2 outputs, which takes 16
// products of filters and channels in place of 36: F(2x2, 3x3) of Lavin and Gray, "Fast Algorithms
// for Convolutional Neural Networks", 2015. Out of a tile of 4 x 4 inputs d and a filter g become
// the 16 numbers of B'dB and GgG', which are multiplied one by one and summed over channels to m;
// A'mA are the outputs.
#pragma once
#include <cstdint>

namespace autograd::cpu {

inline constexpr int64_t kWinogradProducts = 16;

/// Filters: number k of filter (r, c) is to[(k * rows + r) * channels + c]; its taps are at
/// source[r * row_stride + c * channel_stride + t], where t counts up through rows of three, or
/// down if the filters are turned.
struct WinogradFilters {
  const float* source;
  int64_t rows, row_stride, channels, channel_stride;
  bool turned;
};
void winograd_filters(const WinogradFilters& filters, float* to);

/// One channel: number k of tile (i, j) is to[k * product + i * columns + j]. Up to `length`
/// elements, which may lie behind the last tile, are written; the others are zero.
struct WinogradInput {
  const float* from;  ///< 2 * rows + 2 rows, in which whole vectors behind 2 * columns + 2 elements
                      ///< can be read
  int64_t from_row;
  int64_t rows, columns;  ///< of tiles
  int64_t product, length;
};
void winograd_input(const WinogradInput& q, float* to);

/// One filter: out[i * out_row + j] for i < height, j < width, plus the bias; the sums are laid out
/// as the input's.
struct WinogradOutput {
  const float* from;
  int64_t product, columns;
  float bias;
  int64_t height, width, out_row;
};
void winograd_output(const WinogradOutput& q, float* out);

}  // namespace autograd::cpu
