// Layer and RMS norm, moments and channels against loops in double, for every instruction set.
#include <algorithm>
#include <cmath>

#include "kernel_test.hpp"
#include "kernels/cpu/normalize.hpp"

namespace autograd::cpu {
namespace {

constexpr double kEps = 1e-5;

template <class T>
double tolerance() {
  return sizeof(T) == 4 ? 2e-5 : 1e-13;
}

struct Moments {
  double mean = 0, m2 = 0;
};

template <class T>
Moments moments(const T* x, int64_t n, int64_t step = 1) {
  Moments m;
  for (int64_t i = 0; i < n; ++i) m.mean += static_cast<double>(x[i * step]) / n;
  for (int64_t i = 0; i < n; ++i) m.m2 += std::pow(static_cast<double>(x[i * step]) - m.mean, 2);
  return m;
}

template <class T>
void check_layer_norm(int64_t rows, int64_t n, bool affine) {
  const std::vector<T> x = normal_numbers<T>(rows * n, 1), g = normal_numbers<T>(rows * n, 2),
                       w = normal_numbers<T>(n, 3), b = normal_numbers<T>(n, 4);
  const NormRows r{rows, n, affine ? w.data() : nullptr, affine ? b.data() : nullptr, kEps};
  Guarded<T> y(rows * n), dx(rows * n), mean(rows), rstd(rows), dw(n), db(n);
  std::fill_n(dw.data(), n, T(0));
  std::fill_n(db.data(), n, T(0));
  layer_norm(dtype_of<T>(), r, x.data(), y.data(), mean.data(), rstd.data());
  layer_norm_backward(dtype_of<T>(), r, g.data(), x.data(), mean.data(), rstd.data(), dx.data(),
                      dw.data(), db.data());
  std::vector<double> want_dw(n), want_db(n);
  for (int64_t i = 0; i < rows; ++i) {
    const T *xi = x.data() + i * n, *gi = g.data() + i * n;
    const Moments m = moments(xi, n);
    const double scale = 1 / std::sqrt(m.m2 / n + kEps);
    double mean_gw = 0, mean_gx = 0;
    for (int64_t j = 0; j < n; ++j) {
      const double xhat = (xi[j] - m.mean) * scale, gw = gi[j] * (affine ? w[j] : 1.0);
      mean_gw += gw / n;
      mean_gx += gw * xhat / n;
      want_dw[j] += gi[j] * xhat;
      want_db[j] += gi[j];
    }
    for (int64_t j = 0; j < n; ++j) {
      const double xhat = (xi[j] - m.mean) * scale, gw = gi[j] * (affine ? w[j] : 1.0);
      const double want = affine ? xhat * w[j] + b[j] : xhat;
      ASSERT_TRUE(close(y[i * n + j], want, tolerance<T>() * (1 + std::fabs(want)))) << n;
      const double slope = scale * (gw - mean_gw - xhat * mean_gx);
      ASSERT_TRUE(close(dx[i * n + j], slope, 20 * tolerance<T>() * (1 + scale))) << n;
    }
  }
  for (int64_t j = 0; j < n; ++j) {
    ASSERT_TRUE(close(dw[j], want_dw[j], 20 * tolerance<T>() * rows));
    ASSERT_TRUE(close(db[j], want_db[j], 20 * tolerance<T>() * rows));
  }
  for (Guarded<T>* each : {&y, &dx, &mean, &rstd, &dw, &db}) each->expect_intact();
}

template <class T>
void check_rms_norm(int64_t rows, int64_t n) {
  const std::vector<T> x = normal_numbers<T>(rows * n, 1), g = normal_numbers<T>(rows * n, 2),
                       w = normal_numbers<T>(n, 3);
  const NormRows r{rows, n, w.data(), nullptr, kEps};
  Guarded<T> y(rows * n), dx(rows * n), rstd(rows), dw(n);
  std::fill_n(dw.data(), n, T(0));
  rms_norm(dtype_of<T>(), r, x.data(), y.data(), rstd.data());
  rms_norm_backward(dtype_of<T>(), r, g.data(), x.data(), rstd.data(), dx.data(), dw.data());
  for (int64_t i = 0; i < rows; ++i) {
    double square = 0, mean_gx = 0;
    for (int64_t j = 0; j < n; ++j) square += std::pow(static_cast<double>(x[i * n + j]), 2) / n;
    const double scale = 1 / std::sqrt(square + kEps);
    for (int64_t j = 0; j < n; ++j)
      mean_gx += static_cast<double>(g[i * n + j]) * w[j] * x[i * n + j] * scale / n;
    for (int64_t j = 0; j < n; ++j) {
      const double xhat = x[i * n + j] * scale, want = xhat * w[j];
      ASSERT_TRUE(close(y[i * n + j], want, tolerance<T>() * (1 + std::fabs(want))));
      const double slope = scale * (static_cast<double>(g[i * n + j]) * w[j] - xhat * mean_gx);
      ASSERT_TRUE(close(dx[i * n + j], slope, 20 * tolerance<T>() * (1 + scale)));
    }
  }
  for (Guarded<T>* each : {&y, &dx, &rstd, &dw}) each->expect_intact();
}

template <class T>
void check_moments(int64_t rows, int64_t n) {
  const std::vector<T> x = normal_numbers<T>(rows * n, 5);
  Guarded<T> mean(rows), m2(rows), column_mean(n), column_m2(n);
  row_moments(dtype_of<T>(), x.data(), mean.data(), m2.data(), rows, n);
  column_moments(dtype_of<T>(), x.data(), column_mean.data(), column_m2.data(), rows, n, n);
  for (int64_t i = 0; i < rows; ++i) {
    const Moments m = moments(x.data() + i * n, n);
    ASSERT_TRUE(close(mean[i], m.mean, tolerance<T>()));
    ASSERT_TRUE(close(m2[i], m.m2, tolerance<T>() * (1 + m.m2)));
  }
  for (int64_t j = 0; j < n; ++j) {
    const Moments m = moments(x.data() + j, rows, n);
    ASSERT_TRUE(close(column_mean[j], m.mean, tolerance<T>()));
    ASSERT_TRUE(close(column_m2[j], m.m2, tolerance<T>() * (1 + m.m2)));
  }
  for (Guarded<T>* each : {&mean, &m2, &column_mean, &column_m2}) each->expect_intact();
}

template <class T>
void check_channels(int64_t outer, int64_t channels, int64_t inner) {
  const int64_t total = outer * channels * inner;
  const std::vector<T> x = normal_numbers<T>(total, 6), mean = normal_numbers<T>(channels, 7),
                       scale = normal_numbers<T>(channels, 8),
                       bias = normal_numbers<T>(channels, 9);
  Guarded<T> y(total);
  const int64_t rows = inner == 1 ? outer : outer * channels;
  // In two pieces, as two threads would.
  const int64_t middle = rows / 3;
  for (const auto& [first, count] : {std::pair{int64_t{0}, middle}, {middle, rows - middle}})
    scale_channels(dtype_of<T>(), {channels, inner, first, count}, x.data(), mean.data(),
                   scale.data(), bias.data(), y.data());
  for (int64_t i = 0; i < total; ++i) {
    const int64_t c = i / inner % channels;
    const double want = (static_cast<double>(x[i]) - mean[c]) * scale[c] + bias[c];
    ASSERT_TRUE(close(y[i], want, tolerance<T>() * (4 + std::fabs(want)))) << i;
  }
  y.expect_intact();
}

TEST(NormalizeKernels, AgainstLoops) {
  for_each_target([] {
    for (const int64_t n : {1, 2, 7, 8, 16, 31, 64, 100, 513})
      for (const int64_t rows : {1, 3, 17}) {
        for (const bool affine : {false, true}) {
          check_layer_norm<float>(rows, n, affine);
          check_layer_norm<double>(rows, n, affine);
        }
        check_rms_norm<float>(rows, n);
        check_rms_norm<double>(rows, n);
        check_moments<float>(rows, n);
        check_moments<double>(rows, n);
        check_channels<float>(rows, 3, n);
        check_channels<double>(rows, n, 1);
      }
  });
}

}  // namespace
}  // namespace autograd::cpu
