// Convolution as a matrix product with the columns of all windows. A product takes several small
// images at once.
#include <algorithm>
#include <cstring>

#include "core/parallel.hpp"
#include "kernels/cpu/conv_gather.hpp"
#include "kernels/cpu/element_types.hpp"
#include "kernels/cpu/gemm.hpp"
#include "ops/conv_geometry.hpp"
#include "ops/scratch.hpp"

namespace autograd::detail {
namespace {

// Elements of columns made at a time: they stay in a cache of a megabyte.
constexpr int64_t kColumns = 1 << 17;

void multiply(DType dtype, int64_t m, int64_t n, int64_t k, const cpu::MatrixView& a,
              const cpu::MatrixView& b, char* c, int64_t c_row, bool accumulate = false) {
  const Scratch workspace(cpu::gemm_workspace(dtype, m, n, k, a, b));
  cpu::gemm(dtype, m, n, k, a, b, c, c_row, {accumulate, nullptr}, workspace.data());
}

/// Sets or, if `add`, raises each channel of [channels, size] to, or by, its bias.
template <class T>
void bias_channels(const T* bias, bool add, int64_t channels, int64_t size, T* x) {
  for (int64_t c = 0; c < channels; ++c, x += size)
    for (int64_t i = 0; i < size; ++i) x[i] = add ? cpu::add(x[i], bias[c]) : bias[c];
}

void apply_bias(DType dtype, const char* bias, bool add, int64_t channels, int64_t size, char* x) {
  cpu::by_dtype(dtype, [&](auto* type) {
    using T = cpu::Element<decltype(type)>;
    bias_channels(reinterpret_cast<const T*>(bias), add, channels, size, reinterpret_cast<T*>(x));
  });
}

/// Some images of one group, and room for their columns [depth, images * out_size].
struct Batch {
  const ConvGeometry& g;
  DType dtype;
  int64_t group, first, images;
  char* columns;

  int64_t row() const { return images * g.window.out_size(); }
  int64_t at_image(int64_t i) const {
    return ((first + i) * g.channels + group * g.group_channels()) * g.window.in_size() *
           item_size(dtype);
  }
  int64_t at_out(int64_t i) const {
    return ((first + i) * g.filters + group * g.group_filters()) * g.window.out_size() *
           item_size(dtype);
  }
  int64_t at_weight() const { return group * g.group_filters() * g.depth() * item_size(dtype); }
  char* columns_of(int64_t i) const { return columns + i * g.window.out_size() * item_size(dtype); }

  void fill_columns(const char* image) const {
    for (int64_t i = 0; i < images; ++i)
      cpu::windows_to_columns(dtype, g.window, image + at_image(i), g.group_channels(),
                              columns_of(i), row());
  }
  /// Between out [images, filters, size] and one matrix [filters, images * size].
  void move_out(char* out, char* matrix, bool to_matrix) const {
    const size_t bytes = static_cast<size_t>(g.window.out_size() * item_size(dtype));
    for (int64_t i = 0; i < images; ++i)
      for (int64_t o = 0; o < g.group_filters(); ++o) {
        char* x = out + at_out(i) + o * static_cast<int64_t>(bytes);
        char* y = matrix + (o * images + i) * static_cast<int64_t>(bytes);
        std::memcpy(to_matrix ? y : x, to_matrix ? x : y, bytes);
      }
  }
};

int64_t images_at_once(const ConvGeometry& g) {
  const int64_t each = std::max<int64_t>(1, g.depth() * g.window.out_size());
  return std::clamp<int64_t>(kColumns / each, 1, std::max<int64_t>(g.batch, 1));
}

/// work(batch, room for [filters, images * size]) for every group and some images at a time.
template <class Work>
void for_batches(const ConvGeometry& g, DType dtype, int64_t group, int64_t begin, int64_t end,
                 const Work& work) {
  const int64_t most = std::min(images_at_once(g), end - begin);
  const int64_t size = most * g.window.out_size() * item_size(dtype);
  const Scratch columns(static_cast<size_t>(size * g.depth()));
  const Scratch matrix(static_cast<size_t>(most > 1 ? size * g.group_filters() : 0));
  for (int64_t i = begin; i < end; i += most)
    work(Batch{g, dtype, group, i, std::min(most, end - i), columns.data()}, matrix.data());
}

/// The same, the images shared out to threads.
template <class Work>
void for_batches_in_parallel(const ConvGeometry& g, DType dtype, const Work& work) {
  const double each = g.work() / static_cast<double>(std::max<int64_t>(1, g.batch));
  parallel_for(g.batch, conv_grain(each), [&](int64_t begin, int64_t end) {
    for (int64_t group = 0; group < g.groups; ++group)
      for_batches(g, dtype, group, begin, end, work);
  });
}

}  // namespace

void columns_convolution(const ConvGeometry& g, DType dtype, const char* image, const char* weight,
                         const char* bias, char* out, const Pieces& pieces) {
  const int64_t size = g.window.out_size();
  for_batches_in_parallel(g, dtype, [&](const Batch& b, char* matrix) {
    b.fill_columns(image);
    char* c = b.images > 1 ? matrix : out + b.at_out(0);
    multiply(dtype, g.group_filters(), b.row(), g.depth(), {weight + b.at_weight(), g.depth(), 1},
             {b.columns, b.row(), 1}, c, b.row());
    if (b.images > 1) b.move_out(out, matrix, false);
    for (int64_t i = 0; i < b.images; ++i) {
      if (bias)
        apply_bias(dtype, bias + b.group * g.group_filters() * item_size(dtype), true,
                   g.group_filters(), size, out + b.at_out(i));
      const int64_t at = b.at_out(i) / item_size(dtype);
      pieces.end_piece(at, at + g.group_filters() * size);
    }
  });
}

void columns_convolution_input(const ConvGeometry& g, DType dtype, const char* out,
                               const char* weight, const char* bias, char* image,
                               const Pieces& pieces) {
  for_batches_in_parallel(g, dtype, [&](const Batch& b, char* matrix) {
    const char* from = out + b.at_out(0);
    if (b.images > 1) {
      b.move_out(const_cast<char*>(out), matrix, true);
      from = matrix;
    }
    multiply(dtype, g.depth(), b.row(), g.group_filters(), {weight + b.at_weight(), 1, g.depth()},
             {from, b.row(), 1}, b.columns, b.row());
    for (int64_t i = 0; i < b.images; ++i) {
      char* to = image + b.at_image(i);
      if (bias)
        apply_bias(dtype, bias + b.group * g.group_channels() * item_size(dtype), false,
                   g.group_channels(), g.window.in_size(), to);
      else
        std::memset(
            to, 0, static_cast<size_t>(g.group_channels() * g.window.in_size() * item_size(dtype)));
      cpu::add_columns_to_windows(dtype, g.window, b.columns_of(i), b.row(), g.group_channels(),
                                  to);
      const int64_t at = b.at_image(i) / item_size(dtype);
      pieces.end_piece(at, at + g.group_channels() * g.window.in_size());
    }
  });
}

void columns_convolution_weight(const ConvGeometry& g, DType dtype, const char* out,
                                const char* image, char* weight) {
  const int64_t bytes = g.filters * g.depth() * item_size(dtype);
  std::memset(weight, 0, static_cast<size_t>(bytes));
  // Groups are apart in memory; the images of one group are added up in their order.
  parallel_for(g.groups, 1, [&](int64_t first, int64_t last) {
    for (int64_t group = first; group < last; ++group)
      for_batches(g, dtype, group, 0, g.batch, [&](const Batch& b, char* matrix) {
        b.fill_columns(image);
        const char* a = out + b.at_out(0);
        if (b.images > 1) {
          b.move_out(const_cast<char*>(out), matrix, true);
          a = matrix;
        }
        multiply(dtype, g.group_filters(), g.depth(), b.row(), {a, b.row(), 1},
                 {b.columns, 1, b.row()}, weight + b.at_weight(), g.depth(), true);
      });
  });
}

}  // namespace autograd::detail
