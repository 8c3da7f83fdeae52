// Plain loops: windows are short and strided, so that vectors find little to do.
#include "kernels/cpu/pool.hpp"

#include <cstring>
#include <limits>
#include <type_traits>

#include "kernels/cpu/element_types.hpp"
#include "kernels/cpu/pool_squares.hpp"

namespace autograd::cpu {
namespace {

int64_t in_size(const PoolDim (&d)[3]) { return d[0].in * d[1].in * d[2].in; }
int64_t out_size(const PoolDim (&d)[3]) { return d[0].out * d[1].out * d[2].out; }

template <class T>
bool beats(T value, T best) {
  if constexpr (std::is_floating_point_v<T>)
    return (value > best) | (value != value);
  else
    return value > best;
}

/// visit(window number, range of each dim) in order.
template <class Visit>
void for_windows(const PoolDim (&d)[3], const Visit& visit) {
  int64_t at = 0;
  for (int64_t i = 0; i < d[0].out; ++i)
    for (int64_t j = 0; j < d[1].out; ++j)
      for (int64_t k = 0; k < d[2].out; ++k)
        visit(at++, d[0].ranges[i], d[1].ranges[j], d[2].ranges[k]);
}

template <class T>
T lowest() {
  using Limits = std::numeric_limits<T>;
  if constexpr (Limits::has_infinity)
    return -Limits::infinity();
  else
    return Limits::lowest();
}

template <class T>
void max_plane(const PoolDim (&d)[3], const T* x, T* values, int64_t* indices) {
  const int64_t row = d[2].in, plane = d[1].in * row;
  for_windows(d, [&](int64_t at, const PoolRange& a, const PoolRange& b, const PoolRange& c) {
    T best = lowest<T>();
    int64_t index = a.begin * plane + b.begin * row + c.begin;
    for (int64_t i = a.begin; i < a.end; i += d[0].step)
      for (int64_t j = b.begin; j < b.end; j += d[1].step) {
        const int64_t start = i * plane + j * row;
        for (int64_t k = c.begin; k < c.end; k += d[2].step) {
          const T value = x[start + k];
          // A branch: with many elements it is seldom taken.
          if (value > best || value != value) {
            best = value;
            index = start + k;
          }
        }
      }
    values[at] = best;
    indices[at] = index;
  });
}

/// The most frequent windows, two by two elements side by side: no loops or branches inside.
template <class T>
void max_plane_2x2(const PoolDim (&d)[3], const T* x, T* values, int64_t* indices) {
  const int64_t row = d[2].in;
  for (int64_t j = 0; j < d[1].out; ++j) {
    const int64_t start = 2 * j * row;
    const T *upper = x + start, *lower = upper + row;
    for (int64_t k = 0; k < 2 * d[2].out; k += 2) {
      const int64_t right = beats(upper[k + 1], upper[k]);
      const int64_t lower_right = beats(lower[k + 1], lower[k]);
      const int64_t below = beats(lower[k + lower_right], upper[k + right]);
      const int64_t at = k + right + below * (row + lower_right - right);
      *values++ = upper[at];
      *indices++ = start + at;
    }
  }
}

/// The same along one dim only.
template <class T>
void max_plane_1x2(const PoolDim (&d)[3], const T* x, T* values, int64_t* indices) {
  for (int64_t k = 0; k < d[2].out; ++k) {
    const int64_t at = 2 * k + beats(x[2 * k + 1], x[2 * k]);
    values[k] = x[at];
    indices[k] = at;
  }
}

/// Windows of two, side by side and all inside.
bool is_pairs(const PoolDim& d) {
  if (d.step != 1) return false;
  for (int64_t i = 0; i < d.out; ++i)
    if (d.ranges[i].begin != 2 * i || d.ranges[i].end != 2 * i + 2) return false;
  return true;
}

bool is_single(const PoolDim& d) { return d.in == 1 && d.out == 1; }
bool is_2x2(const PoolDim (&d)[3]) { return is_single(d[0]) && is_pairs(d[1]) && is_pairs(d[2]); }
bool is_1x2(const PoolDim (&d)[3]) { return is_single(d[0]) && is_single(d[1]) && is_pairs(d[2]); }

template <class T>
T divisor_of(int64_t divisor, const PoolRange& a, const PoolRange& b, const PoolRange& c) {
  return static_cast<T>(divisor ? divisor : a.count * b.count * c.count);
}

template <class T>
void mean_plane(const PoolDim (&d)[3], int64_t divisor, const T* x, T* out) {
  const int64_t row = d[2].in, plane = d[1].in * row;
  for_windows(d, [&](int64_t at, const PoolRange& a, const PoolRange& b, const PoolRange& c) {
    T sum{};
    for (int64_t i = a.begin; i < a.end; ++i)
      for (int64_t j = b.begin; j < b.end; ++j) {
        const T* from = x + i * plane + j * row;
        for (int64_t k = c.begin; k < c.end; ++k) sum += from[k];
      }
    out[at] = sum / divisor_of<T>(divisor, a, b, c);
  });
}

template <class T>
void mean_plane_2x2(const PoolDim (&d)[3], int64_t divisor, const T* x, T* out) {
  const T parts = static_cast<T>(divisor ? divisor : 4);
  for (int64_t j = 0; j < d[1].out; ++j, out += d[2].out) {
    const T *upper = x + 2 * j * d[2].in, *lower = upper + d[2].in;
    for (int64_t k = 0; k < d[2].out; ++k)
      out[k] = (upper[2 * k] + upper[2 * k + 1] + lower[2 * k] + lower[2 * k + 1]) / parts;
  }
}

template <class T>
void spread_plane_2x2(const PoolDim (&d)[3], int64_t divisor, const T* g, T* x) {
  const T parts = static_cast<T>(divisor ? divisor : 4);
  const int64_t row = d[2].in, covered = 2 * d[2].out;
  for (int64_t j = 0; j < d[1].out; ++j, g += d[2].out) {
    T *upper = x + 2 * j * row, *lower = upper + row;
    for (int64_t k = 0; k < d[2].out; ++k) {
      const T part = g[k] / parts;
      upper[2 * k] = upper[2 * k + 1] = lower[2 * k] = lower[2 * k + 1] = part;
    }
    for (int64_t k = covered; k < row; ++k) upper[k] = lower[k] = T{};
  }
  for (int64_t i = 2 * d[1].out * row; i < d[1].in * row; ++i) x[i] = T{};
}

template <class T>
void spread_plane(const PoolDim (&d)[3], int64_t divisor, const T* g, T* x) {
  const int64_t row = d[2].in, plane = d[1].in * row;
  std::memset(x, 0, static_cast<size_t>(in_size(d)) * sizeof(T));
  for_windows(d, [&](int64_t at, const PoolRange& a, const PoolRange& b, const PoolRange& c) {
    const T part = g[at] / divisor_of<T>(divisor, a, b, c);
    for (int64_t i = a.begin; i < a.end; ++i)
      for (int64_t j = b.begin; j < b.end; ++j) {
        T* to = x + i * plane + j * row;
        for (int64_t k = c.begin; k < c.end; ++k) to[k] += part;
      }
  });
}

}  // namespace

void max_windows(DType dtype, const PoolDim (&dims)[3], int64_t planes, const void* x, void* values,
                 int64_t* indices) {
  const int64_t in = in_size(dims), out = out_size(dims);
  const bool squares = is_2x2(dims), pairs = is_1x2(dims);
  if (squares && dtype == DType::kFloat32 &&
      max_squares({planes, in, dims[2].in, dims[1].out, dims[2].out}, static_cast<const float*>(x),
                  static_cast<float*>(values), indices))
    return;
  by_dtype(dtype, [&](auto* type) {
    using T = Element<decltype(type)>;
    const T* from = static_cast<const T*>(x);
    T* to = static_cast<T*>(values);
    for (int64_t p = 0; p < planes; ++p)
      (squares ? max_plane_2x2<T>
       : pairs ? max_plane_1x2<T>
               : max_plane<T>)(dims, from + p * in, to + p * out, indices + p * out);
  });
}

void mean_windows(DType dtype, const PoolDim (&dims)[3], int64_t divisor, int64_t planes,
                  const void* x, void* out) {
  const int64_t size = in_size(dims), count = out_size(dims);
  const bool squares = is_2x2(dims);
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    for (int64_t p = 0; p < planes; ++p)
      (squares ? mean_plane_2x2<T> : mean_plane<T>)(dims, divisor,
                                                    static_cast<const T*>(x) + p * size,
                                                    static_cast<T*>(out) + p * count);
  };
  if (dtype == DType::kFloat32) return run(float{});
  if (dtype == DType::kFloat64) return run(double{});
  run(int64_t{});
}

void spread_windows(DType dtype, const PoolDim (&dims)[3], int64_t divisor, int64_t planes,
                    const void* g, void* x) {
  const int64_t size = in_size(dims), count = out_size(dims);
  const bool squares = is_2x2(dims);
  by_float(dtype, [&](auto* type) {
    using T = Element<decltype(type)>;
    for (int64_t p = 0; p < planes; ++p)
      (squares ? spread_plane_2x2<T> : spread_plane<T>)(dims, divisor,
                                                        static_cast<const T*>(g) + p * count,
                                                        static_cast<T*>(x) + p * size);
  });
}

void scatter_planes(DType dtype, const void* g, const int64_t* index, int64_t planes, int64_t count,
                    int64_t size, void* x) {
  std::memset(x, 0, static_cast<size_t>(planes * size) * size_of(dtype));
  by_float(dtype, [&](auto* type) {
    using T = Element<decltype(type)>;
    const T* from = static_cast<const T*>(g);
    T* to = static_cast<T*>(x);
    for (int64_t p = 0; p < planes; ++p, from += count, index += count, to += size)
      for (int64_t i = 0; i < count; ++i) to[index[i]] += from[i];
  });
}

void gather_planes(DType dtype, const void* x, const int64_t* index, int64_t planes, int64_t count,
                   int64_t size, void* out) {
  by_float(dtype, [&](auto* type) {
    using T = Element<decltype(type)>;
    const T* from = static_cast<const T*>(x);
    T* to = static_cast<T*>(out);
    for (int64_t p = 0; p < planes; ++p, from += size, index += count, to += count)
      for (int64_t i = 0; i < count; ++i) to[i] = from[index[i]];
  });
}

}  // namespace autograd::cpu
