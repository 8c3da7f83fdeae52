#include "kernels/cpu/matrix_exp.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/gemm.hpp"
#include "kernels/cpu/linalg.hpp"

namespace autograd::cpu {
namespace {

constexpr double kMostNorm = 5.371920351148152;  // up to here the quotient is exact to rounding
constexpr double kCoefficients[] = {64764752532480000,
                                    32382376266240000,
                                    7771770303897600,
                                    1187353796428800,
                                    129060195264000,
                                    10559470521600,
                                    670442572800,
                                    33522128640,
                                    1323241920,
                                    40840800,
                                    960960,
                                    16380,
                                    182,
                                    1};
constexpr int kMatrices = 6;  // in the room

MatrixView view(int64_t n, const double* a) { return {a, n, 1}; }

size_t matrix_bytes(int64_t n) {
  return (static_cast<size_t>(n * n) * sizeof(double) + 63) / 64 * 64;
}

double largest_column_sum(int64_t n, const double* a) {
  double largest = 0;
  for (int64_t j = 0; j < n; ++j) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += std::abs(a[i * n + j]);
    // Written so that NaN stays.
    largest = sum <= largest ? largest : sum;
  }
  return largest;
}

/// out = c6 x6 + c4 x4 + c2 x2 + c0 I, added to what is there if `accumulate`.
void polynomial(int64_t n, const double* x6, const double* x4, const double* x2, double c6,
                double c4, double c2, double c0, bool accumulate, double* out) {
  for (int64_t k = 0; k < n * n; ++k)
    out[k] = (accumulate ? out[k] : 0) + c6 * x6[k] + c4 * x4[k] + c2 * x2[k];
  for (int64_t i = 0; i < n; ++i) out[i * (n + 1)] += c0;
}

}  // namespace

size_t matrix_exp_room(int64_t n) {
  return kMatrices * matrix_bytes(n) +
         gemm_workspace(DType::kFloat64, n, n, n, view(n, nullptr), view(n, nullptr));
}

void matrix_exp(int64_t n, double* a, int64_t* pivots, void* room) {
  const double norm = largest_column_sum(n, a);
  if (!std::isfinite(norm)) return void(std::fill_n(a, n * n, norm - norm));
  double* matrices[kMatrices];
  for (int i = 0; i < kMatrices; ++i)
    matrices[i] = reinterpret_cast<double*>(static_cast<char*>(room) +
                                            static_cast<size_t>(i) * matrix_bytes(n));
  const auto [x2, x4, x6, odd, even, free] = matrices;
  const auto multiply = [&](const double* x, const double* y, double* out) {
    gemm(DType::kFloat64, n, n, n, view(n, x), view(n, y), out, n, {},
         static_cast<char*>(room) + kMatrices * matrix_bytes(n));
  };
  int squarings = 0;
  if (norm > kMostNorm) squarings = std::max(0, std::ilogb(norm / kMostNorm) + 1);
  for (int64_t k = 0; k < n * n; ++k) a[k] = std::ldexp(a[k], -squarings);

  const double* c = kCoefficients;
  multiply(a, a, x2);
  multiply(x2, x2, x4);
  multiply(x2, x4, x6);
  polynomial(n, x6, x4, x2, c[13], c[11], c[9], 0, false, free);
  multiply(x6, free, even);
  polynomial(n, x6, x4, x2, c[7], c[5], c[3], c[1], true, even);
  multiply(a, even, odd);
  polynomial(n, x6, x4, x2, c[12], c[10], c[8], 0, false, free);
  multiply(x6, free, even);
  polynomial(n, x6, x4, x2, c[6], c[4], c[2], c[0], true, even);
  for (int64_t k = 0; k < n * n; ++k) {
    a[k] = even[k] + odd[k];
    even[k] -= odd[k];
  }
  int sign;
  lu_factor(DType::kFloat64, n, n, even, pivots, &sign);
  lu_solve(DType::kFloat64, n, n, even, pivots, a);

  for (int i = 0; i < squarings; ++i) {
    multiply(a, a, free);
    std::copy_n(free, n * n, a);
  }
}

}  // namespace autograd::cpu
