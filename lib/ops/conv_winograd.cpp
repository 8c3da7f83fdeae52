// Convolutions with 3 x 3 filters, many channels and many filters by Winograd's way, which takes 4
// products for what takes 9 otherwise. The transposed map is the same with the filters turned.
#include <algorithm>
#include <cstring>

#include "autograd/runtime.hpp"
#include "core/parallel.hpp"
#include "kernels/cpu/conv.hpp"
#include "kernels/cpu/winograd.hpp"
#include "ops/conv_geometry.hpp"
#include "ops/scratch.hpp"

namespace autograd::detail {
namespace {

using cpu::kWinogradProducts;

/// out [batch, rows, out...] from source [batch, channels, in...], of which output (y, x) reads
/// from (y, x) - pad on.
struct TiledConvolution {
  int64_t batch, channels, rows;
  int64_t in[2], out[2], pad[2];
  const float* source;
  cpu::WinogradFilters filters;
  const float* bias;  ///< or nullptr
  float* result;
  const Pieces& pieces;
};

/// A band of an image: some rows of tiles, which are transformed, multiplied and transformed back
/// together.
struct Bands {
  int64_t tiles[2];         ///< of an image
  int64_t rows, count;      ///< of tiles in a band; bands in an image
  int64_t positions;        ///< tiles of a band, and room up to whole vectors
  int64_t from_row;         ///< elements of a padded row of the source
  Vector<uint64_t> wanted;  ///< as cpu::ConvRows has it
  Vector<int64_t> at, offsets;
};

constexpr int64_t kWidestVector = 16;
/// Floats that a band's products may take, about: what is transformed is multiplied while it is in
/// a cache.
constexpr int64_t kBand = 1 << 18;

int64_t rounded_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

Bands bands_of(const TiledConvolution& conv) {
  Bands b;
  for (int d = 0; d < 2; ++d) b.tiles[d] = (conv.out[d] + 1) / 2;
  const int64_t each = kWinogradProducts * (conv.channels + conv.rows) * b.tiles[1];
  const int64_t most = std::clamp<int64_t>(kBand / each, 1, b.tiles[0]);
  b.count = (b.tiles[0] + most - 1) / most;
  b.rows = (b.tiles[0] + b.count - 1) / b.count;
  b.positions = rounded_up(b.rows * b.tiles[1], kWidestVector);
  b.from_row = 2 * rounded_up(b.tiles[1], kWidestVector) + 2;
  b.at.push_back(0);
  for (int64_t left = b.positions; left > 0; left -= cpu::kConvBlock) {
    b.wanted.push_back(left >= cpu::kConvBlock ? ~uint64_t{0} : (uint64_t{1} << left) - 1);
    b.at.push_back(b.at.back() + std::min(left, cpu::kConvBlock));
  }
  for (int64_t c = 0; c < conv.channels; ++c) b.offsets.push_back(c * b.positions);
  return b;
}

/// What of `count` elements from `start` on lies in [0, size): the first of them, and how many.
struct Inside {
  int64_t first, count;
  Inside(int64_t start, int64_t count_, int64_t size)
      : first(std::clamp<int64_t>(-start, 0, count_)),
        count(std::clamp<int64_t>(size - start, first, count_) - first) {}
};

/// The transformed filters, packed one product after the other.
class Filters {
 public:
  explicit Filters(const cpu::WinogradFilters& f)
      : each_(static_cast<int64_t>(cpu::conv_packed_size(f.rows, f.channels))),
        memory_(static_cast<size_t>(kWinogradProducts * each_) * sizeof(float)) {
    const int64_t size = f.rows * f.channels, tap = 0;
    const Scratch spread(static_cast<size_t>(kWinogradProducts * size) * sizeof(float));
    float* const numbers = reinterpret_cast<float*>(spread.data());
    cpu::winograd_filters(f, numbers);
    for (int64_t k = 0; k < kWinogradProducts; ++k)
      cpu::conv_pack(DType::kFloat32,
                     {numbers + k * size, f.rows, f.channels, f.channels, 1, &tap, 1}, packed(k));
  }
  float* packed(int64_t product) const {
    return reinterpret_cast<float*>(memory_.data()) + product * each_;
  }

 private:
  int64_t each_;
  Scratch memory_;
};

class Band {
 public:
  Band(const TiledConvolution& conv, const Bands& bands, const Filters& filters)
      : conv_(conv),
        bands_(bands),
        filters_(filters),
        memory_(static_cast<size_t>(padded_size() + inputs_size() + sums_size() + 4 * 16) *
                sizeof(float)),
        padded_(take(padded_size())),
        inputs_(take(inputs_size())),
        sums_(take(sums_size())) {}

  /// The outputs of some of an image's bands.
  void run(int64_t image, int64_t begin, int64_t end) {
    for (int64_t band = begin; band < end; ++band) run(image, band);
  }

 private:
  void run(int64_t image, int64_t band) {
    const int64_t first = band * bands_.rows, rows = std::min(bands_.rows, bands_.tiles[0] - first);
    transform_inputs(image, first, rows);
    multiply();
    transform_sums(image, first, rows);
  }

  int64_t padded_size() const { return (2 * bands_.rows + 2) * bands_.from_row; }
  int64_t inputs_size() const {
    return kWinogradProducts * conv_.channels * bands_.positions + cpu::kConvBlock;
  }
  int64_t sums_size() const {
    return kWinogradProducts * conv_.rows * bands_.positions + kWidestVector;
  }
  float* take(int64_t size) {
    return reinterpret_cast<float*>(memory_.take(static_cast<size_t>(size) * sizeof(float)));
  }

  void transform_inputs(int64_t image, int64_t first, int64_t rows) {
    const Inside down(2 * first - conv_.pad[0], 2 * rows + 2, conv_.in[0]);
    const Inside across(-conv_.pad[1], 2 * bands_.tiles[1] + 2, conv_.in[1]);
    std::fill(padded_, padded_ + padded_size(), 0.0f);
    for (int64_t c = 0; c < conv_.channels; ++c) {
      const float* from = conv_.source + (image * conv_.channels + c) * conv_.in[0] * conv_.in[1] +
                          (2 * first - conv_.pad[0] + down.first) * conv_.in[1] + across.first -
                          conv_.pad[1];
      float* to = padded_ + down.first * bands_.from_row + across.first;
      for (int64_t y = 0; y < down.count; ++y, from += conv_.in[1], to += bands_.from_row)
        std::memcpy(to, from, static_cast<size_t>(across.count) * sizeof(float));
      cpu::winograd_input({padded_, bands_.from_row, rows, bands_.tiles[1],
                           conv_.channels * bands_.positions, bands_.positions},
                          inputs_ + c * bands_.positions);
    }
  }

  void multiply() {
    for (int64_t k = 0; k < kWinogradProducts; ++k)
      cpu::conv_rows(
          DType::kFloat32,
          {filters_.packed(k), conv_.rows, conv_.channels,
           inputs_ + k * conv_.channels * bands_.positions, bands_.offsets.data(), nullptr,
           sums_ + k * conv_.rows * bands_.positions, bands_.positions, bands_.wanted.data(),
           bands_.at.data(), 0, static_cast<int64_t>(bands_.wanted.size())});
  }

  void transform_sums(int64_t image, int64_t first, int64_t rows) {
    const int64_t height = std::min(2 * rows, conv_.out[0] - 2 * first);
    for (int64_t r = 0; r < conv_.rows; ++r)
      cpu::winograd_output(
          {sums_ + r * bands_.positions, conv_.rows * bands_.positions, bands_.tiles[1],
           conv_.bias ? conv_.bias[r] : 0.0f, height, conv_.out[1], conv_.out[1]},
          conv_.result + ((image * conv_.rows + r) * conv_.out[0] + 2 * first) * conv_.out[1]);
  }

  const TiledConvolution& conv_;
  const Bands& bands_;
  const Filters& filters_;
  Scratch memory_;
  float *padded_, *inputs_, *sums_;
};

void run_tiled(const TiledConvolution& conv) {
  const Bands bands = bands_of(conv);
  const Filters filters(conv.filters);
  const auto finish = [&](int64_t image) {
    const int64_t size = conv.rows * conv.out[0] * conv.out[1];
    conv.pieces.end_piece(image * size, (image + 1) * size);
  };
  const double work = static_cast<double>(kWinogradProducts * conv.channels * conv.rows) *
                      static_cast<double>(bands.count * bands.positions);
  if (conv.batch >= 2 * num_threads() || num_threads() == 1 || work < kConvThreadWork) {
    parallel_for(conv.batch, conv_grain(work), [&](int64_t begin, int64_t end) {
      Band band(conv, bands, filters);
      for (int64_t image = begin; image < end; ++image) {
        band.run(image, 0, bands.count);
        finish(image);
      }
    });
    return;
  }
  // Few large images: the threads share each.
  for (int64_t image = 0; image < conv.batch; ++image) {
    parallel_for(bands.count, 1, [&](int64_t begin, int64_t end) {
      Band(conv, bands, filters).run(image, begin, end);
    });
    finish(image);
  }
}

/// 3 x 3 without gaps, and enough of everything for the transforms, of filters as well, to be the
/// smaller part.
bool fits(const ConvGeometry& g, DType dtype, const int64_t* out) {
  const cpu::Window& w = g.window;
  constexpr int64_t kLeastChannels = 32, kLeastTiles = 6000;
  const int64_t least = std::min(g.channels, g.filters);
  const int64_t tiles = g.batch * ((out[1] + 1) / 2) * ((out[2] + 1) / 2);
  const bool is_flat = w.in[0] == 1 && w.out[0] == 1 && w.kernel[0] == 1 && w.pad[0] == 0;
  const bool is_dense =
      w.stride[1] == 1 && w.stride[2] == 1 && w.dilation[1] == 1 && w.dilation[2] == 1;
  return dtype == DType::kFloat32 && g.groups == 1 && is_flat && is_dense && w.kernel[1] == 3 &&
         w.kernel[2] == 3 && least >= kLeastChannels && tiles * least >= kLeastTiles;
}

const float* floats(const char* data) { return reinterpret_cast<const float*>(data); }

}  // namespace

bool winograd_convolution(const ConvGeometry& g, DType dtype, const char* image, const char* weight,
                          const char* bias, char* out, const Pieces& pieces) {
  const cpu::Window& w = g.window;
  if (!fits(g, dtype, w.out)) return false;
  run_tiled({g.batch,
             g.channels,
             g.filters,
             {w.in[1], w.in[2]},
             {w.out[1], w.out[2]},
             {w.pad[1], w.pad[2]},
             floats(image),
             {floats(weight), g.filters, g.channels * 9, g.channels, 9, false},
             floats(bias),
             reinterpret_cast<float*>(out),
             pieces});
  return true;
}

bool winograd_convolution_input(const ConvGeometry& g, DType dtype, const char* out,
                                const char* weight, const char* bias, char* image,
                                const Pieces& pieces) {
  const cpu::Window& w = g.window;
  if (!fits(g, dtype, w.in)) return false;
  run_tiled({g.batch,
             g.filters,
             g.channels,
             {w.out[1], w.out[2]},
             {w.in[1], w.in[2]},
             {2 - w.pad[1], 2 - w.pad[2]},
             floats(out),
             {floats(weight), g.channels, 9, g.filters, g.channels * 9, true},
             floats(bias),
             reinterpret_cast<float*>(image),
             pieces});
  return true;
}

}  // namespace autograd::detail
