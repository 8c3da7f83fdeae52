// Convolution kernels: every instruction set against plain loops.
#include <algorithm>
#include <array>

#include "autograd/ops.hpp"
#include "autograd/random.hpp"
#include "autograd/runtime.hpp"
#include "kernel_test.hpp"
#include "kernels/cpu/conv.hpp"
#include "kernels/cpu/conv_gather.hpp"
#include "kernels/cpu/winograd.hpp"

namespace autograd::cpu {
namespace {

/// `rows` filters over `channels` sheets of height x width, of which the first out_h x out_w
/// positions are wanted.
struct ConvCase {
  int64_t rows, channels, height, width, out_h, out_w;
  bool bias;
};

constexpr ConvCase kConvCases[] = {
    {1, 1, 3, 3, 1, 1, false},   {6, 1, 12, 12, 8, 8, true},   {16, 3, 10, 21, 8, 19, true},
    {13, 2, 9, 9, 7, 7, false},  {64, 4, 6, 60, 4, 58, true},  {25, 5, 5, 130, 3, 128, false},
    {3, 2, 20, 4, 18, 2, false}, {7, 1, 4, 66, 2, 64, true},   {12, 8, 8, 8, 6, 6, true},
    {2, 3, 70, 3, 68, 1, true},  {11, 2, 6, 34, 6, 32, false},
};

/// Offsets of all taps of a kernel that just fits between the sheet and the output.
std::vector<int64_t> offsets_of(const ConvCase& c, int64_t stride) {
  std::vector<int64_t> offsets;
  for (int64_t channel = 0; channel < c.channels; ++channel)
    for (int64_t i = 0; i <= c.height - c.out_h; ++i)
      for (int64_t j = 0; j <= c.width - c.out_w; ++j)
        offsets.push_back(channel * stride + i * c.width + j);
  return offsets;
}

int64_t stride_of(const ConvCase& c) { return c.height * c.width + kConvBlock; }

/// Sheets of normal numbers; what lies behind each is NaN, which must not reach any result.
template <class T>
std::vector<T> sheets_of(const ConvCase& c, T behind) {
  const int64_t stride = stride_of(c), size = c.height * c.width;
  std::vector<T> sheets = normal_numbers<T>(static_cast<size_t>(c.channels * stride), 1);
  for (int64_t channel = 0; channel < c.channels; ++channel)
    std::fill(sheets.begin() + channel * stride + size, sheets.begin() + (channel + 1) * stride,
              behind);
  return sheets;
}

template <class T>
void check_rows(const ConvCase& c) {
  const int64_t stride = stride_of(c);
  const std::vector<int64_t> offsets = offsets_of(c, stride);
  const int64_t depth = static_cast<int64_t>(offsets.size()), taps = depth / c.channels;
  const std::vector<T> sheets = sheets_of<T>(c, static_cast<T>(kNaN));
  const std::vector<T> filters = normal_numbers<T>(static_cast<size_t>(c.rows * depth), 2);
  const std::vector<T> bias = normal_numbers<T>(static_cast<size_t>(c.rows), 3);
  std::vector<int64_t> order(static_cast<size_t>(taps));
  for (int64_t t = 0; t < taps; ++t) order[static_cast<size_t>(t)] = t;
  std::vector<T> packed(conv_packed_size(c.rows, depth));
  conv_pack(dtype_of<T>(), {filters.data(), c.rows, depth, c.channels, taps, order.data(), taps},
            packed.data());

  const int64_t length = (c.out_h - 1) * c.width + c.out_w, size = c.out_h * c.out_w;
  std::vector<uint64_t> wanted(static_cast<size_t>((length + kConvBlock - 1) / kConvBlock));
  for (int64_t i = 0; i < c.out_h; ++i)
    for (int64_t j = 0; j < c.out_w; ++j) {
      const int64_t q = i * c.width + j;
      wanted[static_cast<size_t>(q / kConvBlock)] |= uint64_t{1} << (q % kConvBlock);
    }
  std::vector<int64_t> at = {0};
  for (uint64_t bits : wanted) at.push_back(at.back() + __builtin_popcountll(bits));

  const int64_t blocks = static_cast<int64_t>(wanted.size());
  Guarded<T> out(static_cast<size_t>(c.rows * size));
  // In two pieces, the later one first: neither may touch what belongs to the other.
  for (const auto& [first, last] :
       {std::pair{blocks / 2, blocks}, std::pair{int64_t{0}, blocks / 2}})
    conv_rows(dtype_of<T>(), {packed.data(), c.rows, depth, sheets.data(), offsets.data(),
                              c.bias ? bias.data() : nullptr, out.data(), size, wanted.data(),
                              at.data(), first, last});
  out.expect_intact();
  for (int64_t r = 0; r < c.rows; ++r)
    for (int64_t i = 0; i < c.out_h; ++i)
      for (int64_t j = 0; j < c.out_w; ++j) {
        long double want = c.bias ? bias[static_cast<size_t>(r)] : T{0};
        long double magnitude = std::fabs(want);
        for (int64_t k = 0; k < depth; ++k) {
          const long double term =
              static_cast<long double>(filters[static_cast<size_t>(r * depth + k)]) *
              sheets[static_cast<size_t>(offsets[static_cast<size_t>(k)] + i * c.width + j)];
          want += term;
          magnitude += std::fabs(term);
        }
        const double bound = static_cast<double>(depth + 4) * std::numeric_limits<T>::epsilon() *
                             static_cast<double>(magnitude);
        ASSERT_TRUE(close(out[static_cast<size_t>(r * size + i * c.out_w + j)],
                          static_cast<double>(want), bound))
            << "row " << r << " at " << i << ", " << j;
      }
}

template <class T>
void check_dots(const ConvCase& c, bool accumulate) {
  const int64_t stride = stride_of(c), images = 2;
  const std::vector<int64_t> offsets = offsets_of(c, stride);
  const int64_t depth = static_cast<int64_t>(offsets.size());
  const int64_t length =
      ((c.out_h - 1) * c.width + c.out_w + kConvBlock - 1) / kConvBlock * kConvBlock;
  std::vector<T> sheets = sheets_of<T>(c, T{0});
  const std::vector<T> once = sheets;
  sheets.insert(sheets.end(), once.rbegin(), once.rend());
  sheets.resize(sheets.size() + kConvBlock);
  const std::vector<T> values = normal_numbers<T>(static_cast<size_t>(images * c.rows * length), 4);
  const std::vector<T> start = normal_numbers<T>(static_cast<size_t>(c.rows * depth), 5);
  Guarded<T> out(static_cast<size_t>(c.rows * depth));
  std::copy(start.begin(), start.end(), out.data());
  const int64_t sheet_image = c.channels * stride;
  conv_dots(dtype_of<T>(),
            {values.data(), c.rows, length, c.rows * length, sheets.data(), offsets.data(), depth,
             sheet_image, images, length, out.data(), depth, accumulate});
  out.expect_intact();
  for (int64_t r = 0; r < c.rows; ++r)
    for (int64_t k = 0; k < depth; ++k) {
      const size_t to = static_cast<size_t>(r * depth + k);
      long double want = accumulate ? start[to] : T{0}, magnitude = std::fabs(want);
      for (int64_t i = 0; i < images; ++i)
        for (int64_t q = 0; q < length; ++q) {
          const long double term =
              static_cast<long double>(values[static_cast<size_t>((i * c.rows + r) * length + q)]) *
              sheets[static_cast<size_t>(i * sheet_image + offsets[static_cast<size_t>(k)] + q)];
          want += term;
          magnitude += std::fabs(term);
        }
      const double bound = static_cast<double>(images * length + 4) *
                           std::numeric_limits<T>::epsilon() * static_cast<double>(magnitude);
      ASSERT_TRUE(close(out[to], static_cast<double>(want), bound)) << "row " << r << " tap " << k;
    }
}

TEST(ConvKernels, RowsAgreeWithPlainLoops) {
  for_each_target([] {
    for (const ConvCase& c : kConvCases) {
      SCOPED_TRACE(::testing::Message() << c.rows << " rows, sheets " << c.channels << " x "
                                        << c.height << " x " << c.width);
      check_rows<float>(c);
      check_rows<double>(c);
    }
  });
}

TEST(ConvKernels, DotsAgreeWithPlainLoops) {
  for_each_target([] {
    for (const ConvCase& c : kConvCases) {
      SCOPED_TRACE(::testing::Message() << c.rows << " rows, sheets " << c.channels << " x "
                                        << c.height << " x " << c.width);
      check_dots<float>(c, false);
      check_dots<double>(c, true);
    }
  });
}

TEST(ConvKernels, FiltersWithPickedTaps) {
  for_each_target([] {
    constexpr int64_t rows = 5, channels = 3, taps = 4;
    const std::vector<float> source = normal_numbers<float>(rows * channels * taps, 6);
    const std::array<int64_t, 2> picked = {3, 1};
    std::vector<float> packed(conv_packed_size(rows, channels * 2));
    conv_pack(DType::kFloat32, {source.data(), rows, taps, channels, rows * taps, picked.data(), 2},
              packed.data());
    // However the rows are cut into panels, each element is there once.
    std::vector<float> want;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t u = 0; u < channels; ++u)
        for (int64_t t : picked)
          want.push_back(source[static_cast<size_t>(r * taps + u * rows * taps + t)]);
    std::vector<float> got(packed.begin(), packed.begin() + rows * channels * 2);
    std::sort(want.begin(), want.end());
    std::sort(got.begin(), got.end());
    ASSERT_EQ(got, want);
  });
}

/// One band of height x width outputs; turned filters lie behind each other along the channels.
struct WinogradCase {
  int64_t channels, filters, height, width;
  bool turned;
};

void check_winograd(const WinogradCase& c) {
  constexpr int64_t kSpare = 5;  // of the elements between two numbers' tiles
  const int64_t rows = (c.height + 1) / 2, columns = (c.width + 1) / 2, tiles = rows * columns;
  const int64_t length = tiles + kSpare, from_row = 2 * columns + 34;
  const auto at = [](const std::vector<float>& v, int64_t i) { return v[static_cast<size_t>(i)]; };
  const std::vector<float> weight =
      normal_numbers<float>(static_cast<size_t>(c.filters * c.channels * 9), 1);
  const std::vector<float> image =
      normal_numbers<float>(static_cast<size_t>(c.channels * (2 * rows + 2) * from_row), 2);
  const int64_t row_stride = c.turned ? 9 : c.channels * 9,
                channel_stride = c.turned ? c.filters * 9 : 9;

  Guarded<float> numbers(static_cast<size_t>(kWinogradProducts * c.filters * c.channels));
  winograd_filters({weight.data(), c.filters, row_stride, c.channels, channel_stride, c.turned},
                   numbers.data());
  numbers.expect_intact();
  Guarded<float> inputs(static_cast<size_t>(kWinogradProducts * c.channels * length));
  for (int64_t channel = 0; channel < c.channels; ++channel)
    winograd_input({image.data() + channel * (2 * rows + 2) * from_row, from_row, rows, columns,
                    c.channels * length, length},
                   inputs.data() + channel * length);
  inputs.expect_intact();
  std::vector<float> sums(static_cast<size_t>(kWinogradProducts * c.filters * length + 16));
  for (int64_t k = 0; k < kWinogradProducts; ++k)
    for (int64_t f = 0; f < c.filters; ++f)
      for (int64_t t = 0; t < length; ++t)
        for (int64_t channel = 0; channel < c.channels; ++channel)
          sums[static_cast<size_t>((k * c.filters + f) * length + t)] +=
              numbers[static_cast<size_t>((k * c.filters + f) * c.channels + channel)] *
              inputs[static_cast<size_t>((k * c.channels + channel) * length + t)];
  for (int64_t f = 0; f < c.filters; ++f) {
    Guarded<float> out(static_cast<size_t>(c.height * c.width));
    winograd_output(
        {sums.data() + f * length, c.filters * length, columns, 0.5f, c.height, c.width, c.width},
        out.data());
    out.expect_intact();
    for (int64_t y = 0; y < c.height; ++y)
      for (int64_t x = 0; x < c.width; ++x) {
        double want = 0.5;
        for (int64_t channel = 0; channel < c.channels; ++channel)
          for (int64_t t = 0; t < 9; ++t)
            want += double{at(weight,
                              f * row_stride + channel * channel_stride + (c.turned ? 8 - t : t))} *
                    at(image, (channel * (2 * rows + 2) + y + t / 3) * from_row + x + t % 3);
        ASSERT_NEAR(out[static_cast<size_t>(y * c.width + x)], want, 2e-5)
            << f << " " << y << " " << x;
      }
  }
}

TEST(ConvKernels, WinogradsWayAgreesWithPlainLoops) {
  for_each_target([] {
    for (const WinogradCase& c : {WinogradCase{1, 1, 1, 1, false},
                                  {3, 2, 4, 6, false},
                                  {2, 3, 5, 7, true},
                                  {17, 4, 2, 33, false},
                                  {5, 2, 7, 32, true},
                                  {4, 3, 3, 70, false}})
      check_winograd(c);
  });
}

/// Batch, channels, filters, height, width, padding: what float32 takes by Winograd's way, also
/// where windows lie in the padding alone.
constexpr int64_t kManyChannels[][6] = {{3, 32, 33, 20, 21, 1},
                                        {2, 35, 48, 19, 16, 2},
                                        {2, 40, 32, 27, 30, 0},
                                        {2, 64, 64, 14, 13, 9},
                                        {1, 128, 128, 14, 14, 1}};

TEST(Convolution, ManyChannelsAreAsWithFloat64) {
  const int before = num_threads();
  for (int n_threads : {1, 2}) {
    set_num_threads(n_threads);
    for (const auto& c : kManyChannels) {
      const Shape image = {c[0], c[1], c[3], c[4]}, weight = {c[2], c[1], 3, 3};
      const Tensor x = randn(image), w = randn(weight), b = randn({c[2]});
      ConvOptions options;
      options.padding = {c[5], c[5]};
      const auto results = [&](DType dtype) {
        Tensor in = to(x, dtype).detach().requires_grad_();
        const Tensor y = conv2d(in, to(w, dtype), to(b, dtype), options);
        sum(y * y).backward();
        return std::array{to(y.detach(), DType::kFloat64), to(in.grad(), DType::kFloat64)};
      };
      const auto got = results(DType::kFloat32), want = results(DType::kFloat64);
      for (size_t i = 0; i < got.size(); ++i)
        EXPECT_LT(max(abs(got[i] - want[i])).item(), 1e-5 * max(abs(want[i])).item())
            << i << " of " << c[1] << " channels";
    }
  }
  set_num_threads(before);
}

TEST(ConvGather, ColumnsAreTransposedToWindows) {
  const Window w = {{2, 5, 7}, {1, 3, 2}, {2, 3, 4}, {1, 2, 2}, {0, 1, 1}, {1, 1, 2}};
  constexpr int64_t channels = 2;
  const int64_t size = channels * w.in_size(), columns = channels * w.taps() * w.out_size();
  const std::vector<double> x = normal_numbers<double>(static_cast<size_t>(size), 7),
                            y = normal_numbers<double>(static_cast<size_t>(columns), 8);
  Guarded<double> gathered(static_cast<size_t>(columns)), added(static_cast<size_t>(size));
  std::fill(added.data(), added.data() + size, 0.0);
  windows_to_columns(DType::kFloat64, w, x.data(), channels, gathered.data(), w.out_size());
  add_columns_to_windows(DType::kFloat64, w, y.data(), w.out_size(), channels, added.data());
  gathered.expect_intact();
  added.expect_intact();
  double left = 0, right = 0;
  for (int64_t i = 0; i < columns; ++i)
    left += gathered[static_cast<size_t>(i)] * y[static_cast<size_t>(i)];
  for (int64_t i = 0; i < size; ++i)
    right += added[static_cast<size_t>(i)] * x[static_cast<size_t>(i)];
  EXPECT_NEAR(left, right, 1e-9);
}

}  // namespace
}  // namespace autograd::cpu
