// Plain loops: the elements of a point lie far apart, one in each plane.
#include "kernels/cpu/grid_sample.hpp"

#include <cmath>
#include <limits>

namespace autograd::cpu {
namespace {

// A place along a dim, and its slope.
template <class T>
struct Place {
  T at, slope;
};

template <class T>
Place<T> clipped(Place<T> p, int64_t size) {
  const T last = static_cast<T>(size - 1);
  if (!(p.at > 0)) return {0, 0};  // NaN as well
  if (p.at >= last) return {last, 0};
  return p;
}

// Mirrored at the centres of the corner elements, or at the edges of the image.
template <class T>
Place<T> reflected(Place<T> p, int64_t size, bool aligned) {
  const T low = aligned ? T(0) : T(-0.5);
  const T span = static_cast<T>(aligned ? size - 1 : size);
  if (span == 0) return {0, 0};
  T from = p.at - low, slope = p.slope;
  if (from < 0) from = -from, slope = -slope;
  const T rest = std::fmod(from, span);
  const bool is_even = std::fmod(std::floor(from / span), T(2)) == 0;
  return is_even ? Place<T>{rest + low, slope} : Place<T>{span - rest + low, -slope};
}

template <class T>
Place<T> padded(Place<T> p, int64_t size, const SampleGrid& s) {
  if (s.padding == SamplePadding::kZeros) return p;
  if (s.padding == SamplePadding::kReflection) p = reflected(p, size, s.aligned);
  return clipped(p, size);
}

// The elements that a point reads along a dim: their positions (-1 outside), what each counts for,
// and its slope.
template <class T>
struct Taps {
  int n;
  int64_t at[4];
  T weight[4], slope[4];

  void add(T position, T w, T dw, int64_t size, int64_t stride) {
    const bool inside = position >= 0 && position < static_cast<T>(size);
    at[n] = inside ? static_cast<int64_t>(position) * stride : -1;
    weight[n] = w;
    slope[n++] = dw;
  }
};

// Keys' kernel with a = -0.75 at distances 1 + t, t, 1 - t, 2 - t, and its slope in t.
template <class T>
void add_cubic(Taps<T>& taps, Place<T> p, int64_t size, int64_t stride, const SampleGrid& s) {
  const T a = T(-0.75), floor = std::floor(p.at), t = p.at - floor;
  const auto near = [a](T x) { return ((a + 2) * x - (a + 3)) * x * x + 1; };
  const auto far = [a](T x) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; };
  const auto near_slope = [a](T x) { return (3 * (a + 2) * x - 2 * (a + 3)) * x; };
  const auto far_slope = [a](T x) { return (3 * a * x - 10 * a) * x + 8 * a; };
  const T weights[4] = {far(1 + t), near(t), near(1 - t), far(2 - t)};
  const T slopes[4] = {far_slope(1 + t), near_slope(t), -near_slope(1 - t), -far_slope(2 - t)};
  for (int k = 0; k < 4; ++k) {
    const Place<T> place = padded(Place<T>{floor - 1 + static_cast<T>(k), 0}, size, s);
    taps.add(place.at, weights[k], slopes[k] * p.slope, size, stride);
  }
}

template <class T>
Taps<T> taps_of(T coordinate, int64_t size, int64_t stride, const SampleGrid& s) {
  const T steps = static_cast<T>(s.aligned ? size - 1 : size);
  Place<T> p{(coordinate + 1) * (steps / 2) - (s.aligned ? T(0) : T(0.5)), steps / 2};
  Taps<T> taps;
  taps.n = 0;
  if (s.mode == SampleMode::kCubic) {
    add_cubic(taps, p, size, stride, s);
    return taps;
  }
  p = padded(p, size, s);
  if (s.mode == SampleMode::kNearest) {
    taps.add(std::nearbyint(p.at), 1, 0, size, stride);
    return taps;
  }
  const T floor = std::floor(p.at), t = p.at - floor;
  taps.add(floor, 1 - t, -p.slope, size, stride);
  taps.add(floor + 1, t, p.slope, size, stride);
  return taps;
}

// Calls visit(offset, taps of each dim, number along each dim) for the elements that a point reads.
template <class T, class Visit>
void each_element(const SampleGrid& s, const Taps<T>* taps, const Visit& visit) {
  int k[3] = {0, 0, 0};
  for (;;) {
    int64_t offset = 0;
    bool inside = true;
    for (int d = 0; d < s.dims; ++d) {
      inside &= taps[d].at[k[d]] >= 0;
      offset += taps[d].at[k[d]];
    }
    if (inside) visit(offset, k);
    int d = s.dims - 1;
    for (; d >= 0; --d) {
      if (++k[d] < taps[d].n) break;
      k[d] = 0;
    }
    if (d < 0) return;
  }
}

template <class T>
T weight_of(const SampleGrid& s, const Taps<T>* taps, const int* k) {
  T w = 1;
  for (int d = 0; d < s.dims; ++d) w *= taps[d].weight[k[d]];
  return w;
}

struct Plane {
  int64_t strides[3], numel;
};

Plane plane_of(const SampleGrid& s) {
  Plane plane{{1, 1, 1}, 1};
  for (int d = s.dims - 1; d >= 0; --d) {
    plane.strides[d] = plane.numel;
    plane.numel *= s.sizes[d];
  }
  return plane;
}

// The taps of a point; true if what it reads is a number at all.
template <class T>
bool read_point(const SampleGrid& s, const Plane& plane, const T* coordinates, Taps<T>* taps) {
  T sum = 0;
  for (int d = 0; d < s.dims; ++d) {
    taps[d] = taps_of(coordinates[s.dims - 1 - d], s.sizes[d], plane.strides[d], s);
    sum += taps[d].weight[0];
  }
  return sum == sum;
}

template <class T>
void forward(const SampleGrid& s, const T* x, const T* grid, int64_t images, T* out) {
  const Plane plane = plane_of(s);
  Taps<T> taps[3];
  for (int64_t n = 0; n < images; ++n, x += s.channels * plane.numel, out += s.channels * s.points)
    for (int64_t p = 0; p < s.points; ++p, grid += s.dims) {
      const bool is_number = read_point(s, plane, grid, taps);
      const T start = is_number ? T(0) : std::numeric_limits<T>::quiet_NaN();
      for (int64_t c = 0; c < s.channels; ++c) out[c * s.points + p] = start;
      each_element(s, taps, [&](int64_t offset, const int* k) {
        const T w = weight_of(s, taps, k);
        for (int64_t c = 0; c < s.channels; ++c)
          out[c * s.points + p] += w * x[c * plane.numel + offset];
      });
    }
}

template <class T>
void backward(const SampleGrid& s, const T* g, const T* x, const T* grid, int64_t images, T* dx,
              T* dgrid) {
  const Plane plane = plane_of(s);
  const int64_t image = s.channels * plane.numel;
  Taps<T> taps[3];
  for (int64_t n = 0; n < images; ++n, g += s.channels * s.points, x += image)
    for (int64_t p = 0; p < s.points; ++p, grid += s.dims) {
      read_point(s, plane, grid, taps);
      T slopes[3] = {0, 0, 0};
      each_element(s, taps, [&](int64_t offset, const int* k) {
        if (dx) {
          const T w = weight_of(s, taps, k);
          T* to = dx + n * image + offset;
          for (int64_t c = 0; c < s.channels; ++c) to[c * plane.numel] += w * g[c * s.points + p];
        }
        if (!dgrid || s.mode == SampleMode::kNearest) return;
        T sum = 0;
        for (int64_t c = 0; c < s.channels; ++c)
          sum += g[c * s.points + p] * x[c * plane.numel + offset];
        for (int d = 0; d < s.dims; ++d) {
          T w = sum * taps[d].slope[k[d]];
          for (int e = 0; e < s.dims; ++e)
            if (e != d) w *= taps[e].weight[k[e]];
          slopes[d] += w;
        }
      });
      if (!dgrid) continue;
      T* to = dgrid + (n * s.points + p) * s.dims;
      for (int d = 0; d < s.dims; ++d) to[s.dims - 1 - d] = slopes[d];
    }
}

}  // namespace

void grid_sample(DType dtype, const SampleGrid& s, const void* x, const void* grid, int64_t images,
                 void* out) {
  if (dtype == DType::kFloat32)
    forward(s, static_cast<const float*>(x), static_cast<const float*>(grid), images,
            static_cast<float*>(out));
  else
    forward(s, static_cast<const double*>(x), static_cast<const double*>(grid), images,
            static_cast<double*>(out));
}

void grid_sample_backward(DType dtype, const SampleGrid& s, const void* g, const void* x,
                          const void* grid, int64_t images, void* dx, void* dgrid) {
  if (dtype == DType::kFloat32)
    backward(s, static_cast<const float*>(g), static_cast<const float*>(x),
             static_cast<const float*>(grid), images, static_cast<float*>(dx),
             static_cast<float*>(dgrid));
  else
    backward(s, static_cast<const double*>(g), static_cast<const double*>(x),
             static_cast<const double*>(grid), images, static_cast<double*>(dx),
             static_cast<double*>(dgrid));
}

}  // namespace autograd::cpu
