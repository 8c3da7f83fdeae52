// Plain loops: the number of terms differs from element to element.
#include "kernels/cpu/bessel.hpp"

#include <cmath>

#include "kernels/cpu/pause.hpp"

namespace autograd::cpu {
namespace {

// From here on the smallest term of the asymptotic series is below the rounding of float64.
constexpr double kFar = 20;
constexpr double kSmall = 1e-17;
constexpr double kTau = 6.283185307179586;

// (x / 2)^order sum_k (x^2 / 4)^k / (k! (k + order)!), whose terms are all positive.
double near(int order, double x) {
  const double q = x * x / 4;
  double term = order ? x / 2 : 1, sum = term;
  for (int k = 1; term > kSmall * sum; ++k) {
    term *= q / (static_cast<double>(k) * (k + order));
    sum += term;
  }
  return sum;
}

// exp(-x) I(x) = sum_k prod_{j <= k} ((2 j - 1)^2 - 4 order^2) / (8 x j) / sqrt(2 pi x).
double far_scaled(int order, double x) {
  double term = 1, sum = 1;
  for (int k = 1; std::abs(term) > kSmall * sum; ++k) {
    const double odd = 2 * k - 1;
    term *= (odd * odd - 4 * order) / (8 * x * k);
    sum += term;
  }
  return sum / std::sqrt(kTau * x);
}

template <class T>
void run(int order, bool scaled, const T* x, T* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    y[i] = static_cast<T>(bessel_i(order, scaled, static_cast<double>(x[i])));
    pause_after(16);
  }
}

}  // namespace

double bessel_i(int order, bool scaled, double x) {
  const double size = std::abs(x);
  double y;
  if (std::isnan(x)) return x;
  if (std::isinf(x))
    y = scaled ? 0 : size;
  else if (size < kFar)
    y = near(order, size) * (scaled ? std::exp(-size) : 1);
  else if (scaled)
    y = far_scaled(order, size);
  else
    y = std::exp(size / 2) * far_scaled(order, size) * std::exp(size / 2);
  return order ? std::copysign(y, x) : y;
}

void bessel_i(DType dtype, int order, bool scaled, const void* x, void* y, int64_t n) {
  if (dtype == DType::kFloat32)
    run(order, scaled, static_cast<const float*>(x), static_cast<float*>(y), n);
  else
    run(order, scaled, static_cast<const double*>(x), static_cast<double*>(y), n);
}

}  // namespace autograd::cpu
