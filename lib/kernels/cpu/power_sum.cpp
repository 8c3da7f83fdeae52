// Sums of powers. Plain loops over lanes, which compilers turn into vector code: they are bound by
// memory.
#include "kernels/cpu/power_sum.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace autograd::cpu {
namespace {

constexpr int kLanes = 16;
// Floats are summed in blocks, so that the error does not grow with n.
constexpr int64_t kBlock = 4096;

template <class T, class Term>
double sum_of(const T* x, int64_t n, const Term& term) {
  double total = 0;
  for (int64_t start = 0; start < n; start += kBlock) {
    const T* block = x + start;
    const int64_t size = std::min(kBlock, n - start);
    T lanes[kLanes] = {};
    int64_t i = 0;
    for (; i + kLanes <= size; i += kLanes)
      for (int l = 0; l < kLanes; ++l) lanes[l] += term(block[i + l]);
    for (; i < size; ++i) total += static_cast<double>(term(block[i]));
    for (T lane : lanes) total += static_cast<double>(lane);
  }
  return total;
}

template <class T, class Better>
double extreme(const T* x, int64_t n, double start, const Better& better) {
  double best = start;
  for (int64_t i = 0; i < n; ++i) {
    const double value = std::abs(static_cast<double>(x[i]));
    if (std::isnan(value)) return value;
    if (better(value, best)) best = value;
  }
  return best;
}

template <class T>
double power_sum_of(const T* x, int64_t n, double p) {
  if (p == 2) return sum_of(x, n, [](T v) { return v * v; });
  if (p == 1) return sum_of(x, n, [](T v) { return std::abs(v); });
  if (p == 0) return sum_of(x, n, [](T v) { return static_cast<T>(v != 0); });
  const double infinity = std::numeric_limits<double>::infinity();
  if (p == infinity) return extreme(x, n, 0.0, [](double a, double b) { return a > b; });
  if (p == -infinity) return extreme(x, n, infinity, [](double a, double b) { return a < b; });
  return sum_of(x, n, [p](T v) { return std::pow(std::abs(v), static_cast<T>(p)); });
}

}  // namespace

double power_sum(DType dtype, const void* x, int64_t n, double p) {
  if (dtype == DType::kFloat64) return power_sum_of(static_cast<const double*>(x), n, p);
  return power_sum_of(static_cast<const float*>(x), n, p);
}

}  // namespace autograd::cpu
