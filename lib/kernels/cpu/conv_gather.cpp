// Plain loops over rows: these are bound by memory.
#include "kernels/cpu/conv_gather.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/cpu/element_types.hpp"

namespace autograd::cpu {
namespace {

struct Range {
  int64_t begin, end;
};

/// The positions j in [0, count) for which j * step + start lies in [0, size).
Range inside(int64_t start, int64_t step, int64_t size, int64_t count) {
  const int64_t begin = start >= 0 ? 0 : (-start + step - 1) / step;
  const int64_t end = start >= size ? 0 : std::min(count, (size - 1 - start) / step + 1);
  return {std::min(begin, end), end};
}

template <class T>
void gather_row(const T* from, int64_t step, const Range& valid, int64_t count, T* to) {
  if (valid.begin > 0) std::memset(to, 0, static_cast<size_t>(valid.begin) * sizeof(T));
  const int64_t n = valid.end - valid.begin;
  if (step == 1) {
    if (n > 0) std::memcpy(to + valid.begin, from, static_cast<size_t>(n) * sizeof(T));
  } else {
    for (int64_t j = 0; j < n; ++j) to[valid.begin + j] = from[j * step];
  }
  if (valid.end < count)
    std::memset(to + valid.end, 0, static_cast<size_t>(count - valid.end) * sizeof(T));
}

/// Calls visit(image offset of the first valid element, valid range, column offset) for every row
/// of windows of tap (a, b, c); the range is empty where the row lies in the padding.
template <class Visit>
void for_rows(const Window& w, int64_t a, int64_t b, int64_t c, const Visit& visit) {
  const int64_t first = c * w.dilation[2] - w.pad[2];
  const Range valid = inside(first, w.stride[2], w.in[2], w.out[2]);
  int64_t at = 0;
  for (int64_t i = 0; i < w.out[0]; ++i) {
    const int64_t z = i * w.stride[0] + a * w.dilation[0] - w.pad[0];
    for (int64_t j = 0; j < w.out[1]; ++j, at += w.out[2]) {
      const int64_t y = j * w.stride[1] + b * w.dilation[1] - w.pad[1];
      if (z < 0 || z >= w.in[0] || y < 0 || y >= w.in[1] || valid.begin == valid.end)
        visit(int64_t{0}, Range{0, 0}, at);
      else
        visit((z * w.in[1] + y) * w.in[2] + valid.begin * w.stride[2] + first, valid, at);
    }
  }
}

template <class Visit>
void for_taps(const Window& w, const Visit& visit) {
  for (int64_t a = 0; a < w.kernel[0]; ++a)
    for (int64_t b = 0; b < w.kernel[1]; ++b)
      for (int64_t c = 0; c < w.kernel[2]; ++c) visit(a, b, c);
}

template <class T>
void gather(const Window& w, const T* image, int64_t channels, T* columns, int64_t row) {
  for (int64_t channel = 0; channel < channels; ++channel, image += w.in_size())
    for_taps(w, [&](int64_t a, int64_t b, int64_t c) {
      for_rows(w, a, b, c, [&](int64_t from, const Range& valid, int64_t at) {
        gather_row(image + from, w.stride[2], valid, w.out[2], columns + at);
      });
      columns += row;
    });
}

template <class T>
void scatter(const Window& w, const T* columns, int64_t row, int64_t channels, T* image) {
  for (int64_t channel = 0; channel < channels; ++channel, image += w.in_size())
    for_taps(w, [&](int64_t a, int64_t b, int64_t c) {
      for_rows(w, a, b, c, [&](int64_t to, const Range& valid, int64_t at) {
        T* out = image + to;
        const T* from = columns + at + valid.begin;
        const int64_t n = valid.end - valid.begin, step = w.stride[2];
        if (step == 1)
          for (int64_t j = 0; j < n; ++j) out[j] = add(out[j], from[j]);
        else
          for (int64_t j = 0; j < n; ++j) out[j * step] = add(out[j * step], from[j]);
      });
      columns += row;
    });
}

template <class T>
T* copy_phase(const SheetDim (&dims)[3], const int64_t (&start)[3], const T* image, T* to) {
  const SheetDim &d = dims[0], &h = dims[1], &w = dims[2];
  const Range valid = inside(start[2], w.step, w.in, w.size);
  for (int64_t i = 0; i < d.size; ++i) {
    const int64_t z = i * d.step + start[0];
    for (int64_t j = 0; j < h.size; ++j, to += w.size) {
      const int64_t y = j * h.step + start[1];
      if (z < 0 || z >= d.in || y < 0 || y >= h.in)
        gather_row(image, 1, {0, 0}, w.size, to);
      else
        gather_row(image + (z * h.in + y) * w.in + valid.begin * w.step + start[2], w.step, valid,
                   w.size, to);
    }
  }
  return to;
}

template <class T>
void copy_channels(const SheetDim (&dims)[3], const T* image, int64_t image_stride,
                   int64_t channels, T* sheets, int64_t sheet_stride) {
  for (int64_t channel = 0; channel < channels; ++channel, image += image_stride) {
    T *to = sheets, *end = sheets + sheet_stride;
    for (int64_t a = 0; a < dims[0].phases; ++a)
      for (int64_t b = 0; b < dims[1].phases; ++b)
        for (int64_t c = 0; c < dims[2].phases; ++c)
          to = copy_phase(dims, {dims[0].start[a], dims[1].start[b], dims[2].start[c]}, image, to);
    std::memset(to, 0, static_cast<size_t>(end - to) * sizeof(T));
    sheets = end;
  }
}

}  // namespace

void windows_to_columns(DType dtype, const Window& w, const void* image, int64_t channels,
                        void* columns, int64_t row) {
  by_size(static_cast<int64_t>(size_of(dtype)), [&](auto* type) {
    using T = Element<decltype(type)>;
    gather(w, static_cast<const T*>(image), channels, static_cast<T*>(columns), row);
  });
}

void add_columns_to_windows(DType dtype, const Window& w, const void* columns, int64_t row,
                            int64_t channels, void* image) {
  by_dtype(dtype, [&](auto* type) {
    using T = Element<decltype(type)>;
    scatter(w, static_cast<const T*>(columns), row, channels, static_cast<T*>(image));
  });
}

void copy_to_sheets(DType dtype, const SheetDim (&dims)[3], const void* image, int64_t image_stride,
                    int64_t channels, void* sheets, int64_t sheet_stride) {
  if (dtype == DType::kFloat32)
    copy_channels(dims, static_cast<const float*>(image), image_stride, channels,
                  static_cast<float*>(sheets), sheet_stride);
  else
    copy_channels(dims, static_cast<const double*>(image), image_stride, channels,
                  static_cast<double*>(sheets), sheet_stride);
}

}  // namespace autograd::cpu
