// Moves image elements to where products want them: columns of windows, padded sheets, and back.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// Windows over an image of three spatial dims: window p of tap k reads position
/// p * stride + k * dilation - pad of each dim, zero outside.
struct Window {
  int64_t in[3], kernel[3], out[3], stride[3], pad[3], dilation[3];

  int64_t in_size() const { return in[0] * in[1] * in[2]; }
  int64_t out_size() const { return out[0] * out[1] * out[2]; }
  int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
};

/// columns[(c * taps + k) * row + p] = image[c, window p, tap k]; channels lie in_size apart.
void windows_to_columns(DType dtype, const Window& w, const void* image, int64_t channels,
                        void* columns, int64_t row);

/// image[c, window p, tap k] += columns[(c * taps + k) * row + p].
void add_columns_to_windows(DType dtype, const Window& w, const void* columns, int64_t row,
                            int64_t channels, void* image);

/// One spatial dim of a sheet: position j of phase f holds element j * step + start[f] of the
/// image, zero outside.
struct SheetDim {
  int64_t in, size, step, phases;
  const int64_t* start;
};

/// Copies channels that lie `image_stride` elements apart to sheets [phases..., sizes...] that lie
/// `sheet_stride` apart; the rest of that stride becomes zero. Floats only.
void copy_to_sheets(DType dtype, const SheetDim (&dims)[3], const void* image, int64_t image_stride,
                    int64_t channels, void* sheets, int64_t sheet_stride);

}  // namespace autograd::cpu
