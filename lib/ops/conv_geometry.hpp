// What the three records of convolutions have in common: sizes, and how they run.
#pragma once
#include <algorithm>

#include "core/op.hpp"
#include "kernels/cpu/conv_gather.hpp"
#include "ops/pieces.hpp"

namespace autograd::detail {

/// A convolution of `channels` to `filters`; spatial dims are padded to three with leading ones.
struct ConvGeometry {
  int64_t batch, channels, filters, groups;
  cpu::Window window;

  int64_t group_channels() const { return channels / groups; }
  int64_t group_filters() const { return filters / groups; }
  /// Length of a filter: the products that are summed for one output.
  int64_t depth() const { return group_channels() * window.taps(); }
  /// Multiply-adds.
  double work() const {
    return static_cast<double>(batch) * static_cast<double>(filters) *
           static_cast<double>(depth()) * static_cast<double>(window.out_size());
  }
};

// The ops; attributes as the records in conv.cpp say, checked by the callers in convolution.cpp.
Tensor convolution(const Tensor& x, const Tensor& w, const Tensor& bias, const Attrs& attrs);
Tensor convolution_transpose(const Tensor& x, const Tensor& w, const Tensor& bias,
                             const Attrs& attrs);

/// Multiply-adds below which a second thread costs more than it brings.
inline constexpr double kConvThreadWork = 1 << 21;

/// How many units with so many multiply-adds each a thread is to take at least.
inline int64_t conv_grain(double each) {
  return static_cast<int64_t>(std::min(1e9, 1 + kConvThreadWork / std::max(each, 1.0)));
}

// All memory is dense: image [N, C, in...], weight [O, C / groups, kernel...], out [N, O, out...];
// bias may be nullptr.

/// out = the convolution of image with weight, plus bias [O]; pieces are images, or groups of one.
void run_convolution(const ConvGeometry& g, DType dtype, const char* image, const char* weight,
                     const char* bias, char* out, const Pieces& pieces = {});
/// image = the transposed map of that, applied to out, plus bias [C].
void run_convolution_input(const ConvGeometry& g, DType dtype, const char* out, const char* weight,
                           const char* bias, char* image, const Pieces& pieces = {});
/// weight = the gradient of <out, convolution(image, weight)>.
void run_convolution_weight(const ConvGeometry& g, DType dtype, const char* out, const char* image,
                            char* weight);

// The same by columns of windows and matrix products: for every dtype and geometry.
void columns_convolution(const ConvGeometry& g, DType dtype, const char* image, const char* weight,
                         const char* bias, char* out, const Pieces& pieces);
void columns_convolution_input(const ConvGeometry& g, DType dtype, const char* out,
                               const char* weight, const char* bias, char* image,
                               const Pieces& pieces);
void columns_convolution_weight(const ConvGeometry& g, DType dtype, const char* out,
                                const char* image, char* weight);

// The same without copies of windows, for floats; false if this geometry is better off with
// columns, and then nothing is done.
bool sheets_convolution(const ConvGeometry& g, DType dtype, const char* image, const char* weight,
                        const char* bias, char* out, const Pieces& pieces);
bool sheets_convolution_input(const ConvGeometry& g, DType dtype, const char* out,
                              const char* weight, const char* bias, char* image,
                              const Pieces& pieces);
bool sheets_convolution_weight(const ConvGeometry& g, DType dtype, const char* out,
                               const char* image, char* weight);

// The same by Winograd's way, for 3 x 3 filters over many channels of float32; false, as above, for
// all others.
bool winograd_convolution(const ConvGeometry& g, DType dtype, const char* image, const char* weight,
                          const char* bias, char* out, const Pieces& pieces);
bool winograd_convolution_input(const ConvGeometry& g, DType dtype, const char* out,
                                const char* weight, const char* bias, char* image,
                                const Pieces& pieces);

}  // namespace autograd::detail
