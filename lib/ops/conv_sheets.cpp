// Convolution over padded sheets: each channel is copied once, with its padding, and every tap of
// every filter is an offset into that. The transposed map is a convolution of the outputs for each
// class of positions that the same taps reach.
#include <algorithm>
#include <cstring>

#include "autograd/runtime.hpp"
#include "core/parallel.hpp"
#include "kernels/cpu/conv.hpp"
#include "kernels/cpu/conv_gather.hpp"
#include "ops/conv_geometry.hpp"
#include "ops/scratch.hpp"

namespace autograd::detail {
namespace {

int64_t blocks_of(int64_t positions) { return (positions + cpu::kConvBlock - 1) / cpu::kConvBlock; }

/// How the taps of one dim read a sheet: its size, which elements each phase holds, and for each
/// tap its phase and how far it reads ahead.
struct DimTaps {
  int64_t size = 1, step = 1;
  Vector<int64_t> starts, tap, phase, ahead;
};

/// The sheets of one convolution, and where its outputs lie in them.
struct Sheets {
  DimTaps dims[3];
  int64_t image[3], box[3];       ///< sizes of the source, and of the output
  int64_t stride = 0;             ///< of channels: whole sheets and room to read behind them
  int64_t length = 0;             ///< positions up to the last output
  Vector<int64_t> taps, offsets;  ///< number in the kernel and place in the sheets, of each tap
  Vector<uint64_t> wanted;
  Vector<int64_t> at;

  int64_t blocks() const { return static_cast<int64_t>(wanted.size()); }
  int64_t box_size() const { return box[0] * box[1] * box[2]; }
  int64_t n_taps() const { return static_cast<int64_t>(taps.size()); }
  /// Part of the computed lanes that is wanted.
  double efficiency() const {
    const int64_t padded = (length + 15) / 16 * 16;
    return static_cast<double>(box_size()) / static_cast<double>(padded);
  }
  void copy(DType dtype, const char* source, int64_t channels, char* to) const {
    const cpu::SheetDim from[3] = {dim(0), dim(1), dim(2)};
    cpu::copy_to_sheets(dtype, from, source, image[0] * image[1] * image[2], channels, to, stride);
  }

 private:
  cpu::SheetDim dim(int d) const {
    return {image[d], dims[d].size, dims[d].step, static_cast<int64_t>(dims[d].starts.size()),
            dims[d].starts.data()};
  }
};

/// Numbers the taps and positions. False if too much would be computed in vain.
bool finish(Sheets& s, const cpu::Window& w, double least) {
  const DimTaps *a = &s.dims[0], *b = &s.dims[1], *c = &s.dims[2];
  const double area = static_cast<double>(b->size) * static_cast<double>(c->size);
  if (static_cast<double>(a->size) * area > 1e9) return false;
  const int64_t row = c->size, plane = b->size * row, volume = a->size * plane;
  s.length = ((s.box[0] - 1) * b->size + s.box[1] - 1) * row + s.box[2];
  if (s.efficiency() < least) return false;
  const auto n = [](const Vector<int64_t>& v) { return static_cast<int64_t>(v.size()); };
  s.stride = n(a->starts) * n(b->starts) * n(c->starts) * volume + cpu::kConvBlock;
  for (size_t i = 0; i < a->tap.size(); ++i)
    for (size_t j = 0; j < b->tap.size(); ++j)
      for (size_t k = 0; k < c->tap.size(); ++k) {
        s.taps.push_back((a->tap[i] * w.kernel[1] + b->tap[j]) * w.kernel[2] + c->tap[k]);
        const int64_t phase =
            (a->phase[i] * n(b->starts) + b->phase[j]) * n(c->starts) + c->phase[k];
        s.offsets.push_back(phase * volume + a->ahead[i] * plane + b->ahead[j] * row + c->ahead[k]);
      }
  s.wanted.resize(static_cast<size_t>(blocks_of(s.length)));
  for (int64_t i = 0; i < s.box[0]; ++i)
    for (int64_t j = 0; j < s.box[1]; ++j) {
      const int64_t start = (i * b->size + j) * row;
      for (int64_t q = start; q < start + s.box[2]; ++q)
        s.wanted[static_cast<size_t>(q / 64)] |= uint64_t{1} << (q % 64);
    }
  s.at.push_back(0);
  for (uint64_t bits : s.wanted) s.at.push_back(s.at.back() + __builtin_popcountll(bits));
  return true;
}

/// The image of the convolution: tap k of dim d reads position p * stride + k * dilation - pad.
bool image_sheets(const ConvGeometry& g, Sheets& s, double least) {
  const cpu::Window& w = g.window;
  for (int d = 0; d < 3; ++d) {
    DimTaps& dim = s.dims[d];
    s.image[d] = w.in[d];
    s.box[d] = w.out[d];
    dim.step = w.stride[d];
    for (int64_t k = 0; k < w.kernel[d]; ++k) {
      const int64_t start = k * w.dilation[d] % w.stride[d] - w.pad[d];
      int64_t phase = 0;
      const int64_t known = static_cast<int64_t>(dim.starts.size());
      while (phase < known && dim.starts[static_cast<size_t>(phase)] != start) ++phase;
      if (phase == known) dim.starts.push_back(start);
      dim.tap.push_back(k);
      dim.phase.push_back(phase);
      dim.ahead.push_back(k * w.dilation[d] / w.stride[d]);
    }
    dim.size = w.out[d] + dim.ahead.back();
  }
  return finish(s, w, least);
}

int64_t floor_div(int64_t a, int64_t b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }

/// Positions i of a dim of the image with (i + pad) % stride == rest: i = (first + j) * stride +
/// rest - pad for j < count.
struct PositionClass {
  int64_t rest, first, count;
};

/// The outputs as the source for one class of positions of the image: only taps k with
/// k * dilation % stride == rest reach it, from output j - (k * dilation - rest) / stride.
bool output_sheets(const ConvGeometry& g, const PositionClass (&classes)[3], Sheets& s,
                   double least) {
  const cpu::Window& w = g.window;
  for (int d = 0; d < 3; ++d) {
    DimTaps& dim = s.dims[d];
    const PositionClass& c = classes[d];
    s.image[d] = w.out[d];
    s.box[d] = c.count;
    for (int64_t k = 0; k < w.kernel[d]; ++k)
      if (k * w.dilation[d] % w.stride[d] == c.rest) {
        dim.tap.push_back(k);
        dim.phase.push_back(0);
        dim.ahead.push_back((k * w.dilation[d] - c.rest) / w.stride[d]);
      }
    const int64_t most = dim.ahead.back();
    dim.starts.push_back(c.first - most);
    dim.size = c.count + most - dim.ahead.front();
    for (int64_t& ahead : dim.ahead) ahead = most - ahead;
  }
  return finish(s, w, least);
}

/// The offsets of all elements of a filter over `channels` sheets.
Vector<int64_t> filter_offsets(const Sheets& s, int64_t channels) {
  Vector<int64_t> offsets;
  offsets.reserve(static_cast<size_t>(channels * s.n_taps()));
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t offset : s.offsets) offsets.push_back(c * s.stride + offset);
  return offsets;
}

/// One convolution of sheets of `channels` per group to `rows` per group.
struct SheetJob {
  const Sheets& sheets;
  DType dtype;
  int64_t batch, groups, channels, rows;
  const char* source;
  const char* weight;
  int64_t weight_row, weight_channel;  ///< strides of a filter's elements
  const char* bias;
  char* out;  ///< dense [batch, groups, rows, box]
  const Pieces& pieces;
};

void run_job(const SheetJob& job) {
  const Sheets& s = job.sheets;
  const int64_t depth = job.channels * s.n_taps(), bytes = item_size(job.dtype);
  const int64_t size = s.image[0] * s.image[1] * s.image[2];
  const Vector<int64_t> offsets = filter_offsets(s, job.channels);
  const int64_t packed_bytes = static_cast<int64_t>(cpu::conv_packed_size(job.rows, depth)) * bytes;
  const Scratch packed(static_cast<size_t>(packed_bytes * job.groups));
  for (int64_t group = 0; group < job.groups; ++group) {
    // Groups follow each other along the filters, or along the channels of the transposed map;
    // either way a group is a whole slab of the weight.
    const int64_t slab = std::max(job.rows * job.weight_row, job.channels * job.weight_channel);
    cpu::conv_pack(job.dtype,
                   {job.weight + group * slab * bytes, job.rows, job.weight_row, job.channels,
                    job.weight_channel, s.taps.data(), s.n_taps()},
                   packed.data() + group * packed_bytes);
  }
  const auto multiply = [&](int64_t unit, const char* sheets, int64_t first, int64_t last) {
    const int64_t group = unit % job.groups;
    cpu::conv_rows(job.dtype,
                   {packed.data() + group * packed_bytes, job.rows, depth, sheets, offsets.data(),
                    job.bias ? job.bias + group * job.rows * bytes : nullptr,
                    job.out + unit * job.rows * s.box_size() * bytes, s.box_size(), s.wanted.data(),
                    s.at.data(), first, last});
  };
  const auto copy = [&](int64_t unit, char* to) {
    s.copy(job.dtype, job.source + unit * job.channels * size * bytes, job.channels, to);
  };
  const auto finish = [&](int64_t unit) {
    const int64_t size_out = job.rows * s.box_size();
    job.pieces.end_piece(unit * size_out, (unit + 1) * size_out);
  };
  const size_t sheet_bytes = static_cast<size_t>((job.channels * s.stride + 64) * bytes);
  const int64_t units = job.batch * job.groups;
  const double work = static_cast<double>(job.rows * depth) * static_cast<double>(s.length);
  if (units >= 2 * num_threads() || num_threads() == 1 || work < kConvThreadWork) {
    parallel_for(units, conv_grain(work), [&](int64_t begin, int64_t end) {
      const Scratch sheets(sheet_bytes);
      for (int64_t unit = begin; unit < end; ++unit) {
        copy(unit, sheets.data());
        multiply(unit, sheets.data(), 0, s.blocks());
        finish(unit);
      }
    });
    return;
  }
  // Few large images: the threads share each.
  const Scratch sheets(sheet_bytes);
  for (int64_t unit = 0; unit < units; ++unit) {
    copy(unit, sheets.data());
    parallel_for(s.blocks(), conv_grain(work / static_cast<double>(s.blocks())),
                 [&](int64_t first, int64_t last) { multiply(unit, sheets.data(), first, last); });
    finish(unit);
  }
}

// Below this part of useful lanes, columns and products are faster.
constexpr double kLeastEfficiency = 0.4;

/// What positions hold that no tap reaches: the bias of their channel, or zero.
void fill_planes(const ConvGeometry& g, DType dtype, const char* bias, char* image) {
  const int64_t size = g.window.in_size();
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    T* to = reinterpret_cast<T*>(image);
    const T* values = reinterpret_cast<const T*>(bias);
    for (int64_t i = 0; i < g.batch; ++i)
      for (int64_t c = 0; c < g.channels; ++c, to += size) std::fill(to, to + size, values[c]);
  };
  if (!bias)
    std::memset(image, 0, static_cast<size_t>(g.batch * g.channels * size * item_size(dtype)));
  else if (dtype == DType::kFloat32)
    run(float{});
  else
    run(double{});
}

/// Copies the box of a class into the positions of the image that it stands for.
void spread_class(const ConvGeometry& g, DType dtype, const PositionClass (&c)[3], const char* box,
                  char* image) {
  const cpu::Window& w = g.window;
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    const T* from = reinterpret_cast<const T*>(box);
    T* to = reinterpret_cast<T*>(image);
    const auto position = [&](int d, int64_t j) {
      return (c[d].first + j) * w.stride[d] + c[d].rest - w.pad[d];
    };
    for (int64_t plane = 0; plane < g.batch * g.channels; ++plane, to += w.in_size())
      for (int64_t i = 0; i < c[0].count; ++i)
        for (int64_t j = 0; j < c[1].count; ++j) {
          T* row = to + (position(0, i) * w.in[1] + position(1, j)) * w.in[2] + position(2, 0);
          for (int64_t k = 0; k < c[2].count; ++k) row[k * w.stride[2]] = *from++;
        }
  };
  if (dtype == DType::kFloat32) return run(float{});
  run(double{});
}

/// The classes of a dim that some tap reaches and that have positions.
Vector<PositionClass> classes_of(const cpu::Window& w, int d) {
  Vector<PositionClass> found;
  for (int64_t k = 0; k < w.kernel[d]; ++k) {
    const int64_t stride = w.stride[d], rest = k * w.dilation[d] % stride;
    bool known = false;
    for (const PositionClass& c : found) known |= c.rest == rest;
    if (known) continue;
    const int64_t first = -floor_div(rest - w.pad[d], stride);
    const int64_t last = floor_div(w.in[d] - 1 + w.pad[d] - rest, stride);
    found.push_back({rest, first, last - first + 1});
  }
  return found;
}

}  // namespace

bool sheets_convolution(const ConvGeometry& g, DType dtype, const char* image, const char* weight,
                        const char* bias, char* out, const Pieces& pieces) {
  Sheets s;
  if (!image_sheets(g, s, kLeastEfficiency)) return false;
  run_job({s, dtype, g.batch, g.groups, g.group_channels(), g.group_filters(), image, weight,
           g.depth(), g.window.taps(), bias, out, pieces});
  return true;
}

bool sheets_convolution_input(const ConvGeometry& g, DType dtype, const char* out,
                              const char* weight, const char* bias, char* image,
                              const Pieces& pieces) {
  const cpu::Window& w = g.window;
  const bool whole = w.stride[0] == 1 && w.stride[1] == 1 && w.stride[2] == 1;
  const Vector<PositionClass> classes[3] = {classes_of(w, 0), classes_of(w, 1), classes_of(w, 2)};
  const size_t n0 = classes[0].size(), n1 = classes[1].size(), n2 = classes[2].size();
  if (n0 * n1 * n2 > 16) return false;
  Vector<Sheets> all(n0 * n1 * n2);
  const auto chosen = [&](size_t i, PositionClass(&c)[3]) {
    c[0] = classes[0][i / (n1 * n2)];
    c[1] = classes[1][i / n2 % n1];
    c[2] = classes[2][i % n2];
    return c[0].count > 0 && c[1].count > 0 && c[2].count > 0;
  };
  for (size_t i = 0; i < all.size(); ++i) {
    PositionClass c[3];
    if (chosen(i, c) && !output_sheets(g, c, all[i], kLeastEfficiency)) return false;
  }
  const int64_t bytes = item_size(dtype);
  if (!whole) fill_planes(g, dtype, bias, image);
  for (size_t i = 0; i < all.size(); ++i) {
    PositionClass c[3];
    if (!chosen(i, c)) continue;
    const Sheets& s = all[i];
    const Scratch box(whole ? 0 : static_cast<size_t>(g.batch * g.channels * s.box_size() * bytes));
    run_job({s, dtype, g.batch, g.groups, g.group_filters(), g.group_channels(), out, weight,
             w.taps(), g.depth(), bias, whole ? image : box.data(), whole ? pieces : Pieces()});
    if (!whole) spread_class(g, dtype, c, box.data(), image);
  }
  // Positions of one image come from several boxes.
  if (!whole) pieces.end_piece(0, g.batch * g.channels * w.in_size());
  return true;
}

bool sheets_convolution_weight(const ConvGeometry& g, DType dtype, const char* out,
                               const char* image, char* weight) {
  Sheets s;
  if (!image_sheets(g, s, kLeastEfficiency)) return false;
  const cpu::Window& w = g.window;
  const int64_t bytes = item_size(dtype), channels = g.group_channels(),
                filters = g.group_filters();
  const int64_t length = s.blocks() * cpu::kConvBlock;
  // The outputs' gradient on rows as long as the sheets', zero in between.
  const int64_t zero = 0;
  const cpu::SheetDim rows[3] = {{w.out[0], w.out[0], 1, 1, &zero},
                                 {w.out[1], s.dims[1].size, 1, 1, &zero},
                                 {w.out[2], s.dims[2].size, 1, 1, &zero}};
  const int64_t row = std::max(length, w.out[0] * rows[1].size * rows[2].size);
  const Vector<int64_t> offsets = filter_offsets(s, channels);
  // Several small images are one long sum: what a tile adds up has to be worth its last steps, and
  // all of it should stay in a cache.
  const int64_t each = std::max<int64_t>(1, channels * s.stride + filters * row);
  const int64_t images = std::clamp<int64_t>(
      std::max((1 << 16) / each, std::min((1 << 22) / each, 2048 / length)), 1, g.batch);
  const auto run = [&](int64_t group, int64_t begin, int64_t end) {
    const Scratch sheets(static_cast<size_t>((images * channels * s.stride + 64) * bytes));
    const Scratch values(static_cast<size_t>(images * (end - begin) * row * bytes));
    for (int64_t i = 0; i < g.batch; i += images) {
      const int64_t count = std::min(images, g.batch - i);
      for (int64_t n = 0; n < count; ++n) {
        const int64_t at = (i + n) * g.channels + group * channels;
        s.copy(dtype, image + at * w.in_size() * bytes, channels,
               sheets.data() + n * channels * s.stride * bytes);
        const int64_t from = (i + n) * g.filters + group * filters + begin;
        cpu::copy_to_sheets(dtype, rows, out + from * w.out_size() * bytes, w.out_size(),
                            end - begin, values.data() + n * (end - begin) * row * bytes, row);
      }
      cpu::conv_dots(dtype,
                     {values.data(), end - begin, row, (end - begin) * row, sheets.data(),
                      offsets.data(), g.depth(), channels * s.stride, count, length,
                      weight + (group * filters + begin) * g.depth() * bytes, g.depth(), i > 0});
    }
  };
  // Threads share the filters: every one copies the images, but no sums have to be added up.
  constexpr int64_t kTogether = 4;
  const int64_t tiles = (filters + kTogether - 1) / kTogether;
  const int64_t units = g.groups * tiles;
  const int64_t least = static_cast<int64_t>(
      std::min(1e9, 1 + kConvThreadWork * static_cast<double>(units) / std::max(g.work(), 1.0)));
  const int64_t grain = std::max(least, (units + num_threads() - 1) / num_threads());
  parallel_for(units, grain, [&](int64_t first, int64_t last) {
    while (first < last) {
      const int64_t group = first / tiles, stop = std::min(last, (group + 1) * tiles);
      run(group, first % tiles * kTogether, std::min(filters, (stop - group * tiles) * kTogether));
      first = stop;
    }
  });
  return true;
}

}  // namespace autograd::detail
