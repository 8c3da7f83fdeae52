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
void check_layer_norm(int64_t rows, int64_t n, bool weighted, bool shifted) {
  const std::vector<T> x = normal_numbers<T>(rows * n, 1), g = normal_numbers<T>(rows * n, 2),
                       w = normal_numbers<T>(n, 3), b = normal_numbers<T>(n, 4);
  const NormRows r{rows, n, weighted ? w.data() : nullptr, shifted ? b.data() : nullptr, kEps};
  Guarded<T> y(rows * n), dx(rows * n), mean(rows), rstd(rows), dw(n), db(n);
  std::fill_n(dw.data(), n, T(0));
  std::fill_n(db.data(), n, T(0));
  layer_norm(dtype_of<T>(), r, x.data(), y.data(), mean.data(), rstd.data());
  layer_norm_backward(dtype_of<T>(), r, g.data(), x.data(), mean.data(), rstd.data(), dx.data(),
                      dw.data(), db.data());
  // One of the sums alone, to what is there.
  Guarded<T> only_dw(n), only_db(n);
  std::fill_n(only_dw.data(), n, T(1));
  std::fill_n(only_db.data(), n, T(1));
  layer_norm_backward(dtype_of<T>(), r, g.data(), x.data(), mean.data(), rstd.data(), nullptr,
                      only_dw.data(), nullptr);
  layer_norm_backward(dtype_of<T>(), r, g.data(), x.data(), mean.data(), rstd.data(), nullptr,
                      nullptr, only_db.data());
  std::vector<double> want_dw(n), want_db(n);
  for (int64_t i = 0; i < rows; ++i) {
    const T *xi = x.data() + i * n, *gi = g.data() + i * n;
    const Moments m = moments(xi, n);
    const double scale = 1 / std::sqrt(m.m2 / n + kEps);
    double mean_gw = 0, mean_gx = 0;
    for (int64_t j = 0; j < n; ++j) {
      const double xhat = (xi[j] - m.mean) * scale, gw = gi[j] * (weighted ? w[j] : 1.0);
      mean_gw += gw / n;
      mean_gx += gw * xhat / n;
      want_dw[j] += gi[j] * xhat;
      want_db[j] += gi[j];
    }
    for (int64_t j = 0; j < n; ++j) {
      const double xhat = (xi[j] - m.mean) * scale, gw = gi[j] * (weighted ? w[j] : 1.0);
      const double want = xhat * (weighted ? w[j] : 1.0) + (shifted ? b[j] : 0.0);
      ASSERT_TRUE(close(y[i * n + j], want, tolerance<T>() * (1 + std::fabs(want)))) << n;
      const double slope = scale * (gw - mean_gw - xhat * mean_gx);
      ASSERT_TRUE(close(dx[i * n + j], slope, 20 * tolerance<T>() * (1 + scale))) << n;
    }
  }
  for (int64_t j = 0; j < n; ++j) {
    ASSERT_TRUE(close(dw[j], want_dw[j], 20 * tolerance<T>() * rows));
    ASSERT_TRUE(close(db[j], want_db[j], 20 * tolerance<T>() * rows));
    ASSERT_TRUE(close(only_dw[j], 1 + want_dw[j], 20 * tolerance<T>() * rows));
    ASSERT_TRUE(close(only_db[j], 1 + want_db[j], 20 * tolerance<T>() * rows));
  }
  for (Guarded<T>* each : {&y, &dx, &mean, &rstd, &dw, &db, &only_dw, &only_db})
    each->expect_intact();
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
  std::vector<double> want_dw(n);
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
      want_dw[j] += g[i * n + j] * xhat;
    }
  }
  for (int64_t j = 0; j < n; ++j) ASSERT_TRUE(close(dw[j], want_dw[j], 20 * tolerance<T>() * rows));
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

template <class T>
void check_channel_gradients(int64_t outer, int64_t channels, int64_t inner) {
  const int64_t total = outer * channels * inner, rows = inner == 1 ? outer : outer * channels;
  const std::vector<T> x = normal_numbers<T>(total, 6), g = normal_numbers<T>(total, 10),
                       mean = normal_numbers<T>(channels, 7), a = normal_numbers<T>(channels, 8),
                       b = normal_numbers<T>(channels, 9), k = normal_numbers<T>(channels, 11);
  Guarded<T> dx(total);
  const int64_t middle = rows / 3;
  for (const auto& [first, count] : {std::pair{int64_t{0}, middle}, {middle, rows - middle}})
    combine_channels(dtype_of<T>(), {channels, inner, first, count}, g.data(), x.data(),
                     mean.data(), a.data(), b.data(), k.data(), dx.data());
  for (int64_t i = 0; i < total; ++i) {
    const int64_t c = i / inner % channels;
    const double dev = static_cast<double>(x[i]) - mean[c], want = g[i] * a[c] + dev * b[c] + k[c];
    ASSERT_TRUE(close(dx[i], want, tolerance<T>() * (8 + std::fabs(want)))) << i;
  }
  dx.expect_intact();

  // Rows [first, end) of the outer * channels runs.
  const int64_t runs = outer * channels, first = runs / 2, count = runs - first;
  Guarded<T> sum_g(count), sum_gx(count);
  row_products(dtype_of<T>(), {channels, inner, first, count}, g.data() + first * inner,
               x.data() + first * inner, mean.data(), sum_g.data(), sum_gx.data());
  for (int64_t r = 0; r < count; ++r) {
    double want_g = 0, want_gx = 0;
    for (int64_t i = (first + r) * inner; i < (first + r + 1) * inner; ++i) {
      want_g += g[i];
      want_gx += g[i] * (static_cast<double>(x[i]) - mean[(first + r) % channels]);
    }
    ASSERT_TRUE(close(sum_g[r], want_g, tolerance<T>() * (8 + inner)));
    ASSERT_TRUE(close(sum_gx[r], want_gx, tolerance<T>() * (8 + inner)));
  }
  sum_g.expect_intact();
  sum_gx.expect_intact();
}

template <class T>
void check_column_products(int64_t rows, int64_t cols, int64_t stride) {
  const std::vector<T> x = normal_numbers<T>(rows * stride, 6),
                       g = normal_numbers<T>(rows * stride, 10), mean = normal_numbers<T>(cols, 7);
  Guarded<T> sum_g(cols), sum_gx(cols);
  column_products(dtype_of<T>(), g.data(), x.data(), mean.data(), sum_g.data(), sum_gx.data(), rows,
                  cols, stride);
  for (int64_t c = 0; c < cols; ++c) {
    double want_g = 0, want_gx = 0;
    for (int64_t i = c; i < rows * stride; i += stride) {
      want_g += g[i];
      want_gx += g[i] * (static_cast<double>(x[i]) - mean[c]);
    }
    ASSERT_TRUE(close(sum_g[c], want_g, tolerance<T>() * (8 + rows)));
    ASSERT_TRUE(close(sum_gx[c], want_gx, tolerance<T>() * (8 + rows)));
  }
  sum_g.expect_intact();
  sum_gx.expect_intact();
}

TEST(NormalizeKernels, GradientsOfChannels) {
  for_each_target([] {
    for (const int64_t n : {1, 2, 7, 16, 31, 100, 513})
      for (const int64_t rows : {1, 3, 17, 70}) {
        check_channel_gradients<float>(rows, 3, n);
        check_channel_gradients<double>(rows, n, 1);
        check_column_products<float>(rows, n, n + 2);
        check_column_products<double>(rows, n, n);
      }
  });
}

TEST(NormalizeKernels, AgainstLoops) {
  for_each_target([] {
    for (const int64_t n : {1, 2, 7, 8, 16, 31, 64, 100, 513})
      for (const int64_t rows : {1, 3, 17}) {
        for (const bool weighted : {false, true})
          for (const bool shifted : {false, true}) {
            check_layer_norm<float>(rows, n, weighted, shifted);
            check_layer_norm<double>(rows, n, weighted, shifted);
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
