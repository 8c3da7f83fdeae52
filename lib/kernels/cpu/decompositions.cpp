// Eigenvalues of symmetric matrices.
#include "kernels/cpu/decompositions.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "kernels/cpu/pause.hpp"

namespace autograd::cpu {
namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

/// y += factor x
void add(double* y, double factor, const double* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] += factor * x[i];
}

/// x, y = c x - s y, s x + c y
void rotate(double* x, double* y, double c, double s, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const double xi = x[i], yi = y[i];
    x[i] = c * xi - s * yi;
    y[i] = s * xi + c * yi;
  }
}

/// The reflection I - tau v v^T that turns the vector x of n elements, stride apart, into a
/// multiple of the first unit vector: v[0] = 1, the rest of v replaces that of x, the multiple
/// x[0].
double reflection(int64_t n, double* x, int64_t stride) {
  double rest = 0;
  for (int64_t i = 1; i < n; ++i) rest += x[i * stride] * x[i * stride];
  if (rest == 0) return 0;
  const double first = x[0], length = -std::copysign(std::sqrt(first * first + rest), first);
  for (int64_t i = 1; i < n; ++i) x[i * stride] /= first - length;
  x[0] = length;
  return (length - first) / length;
}

/// rows [m, n], `step` apart, become (I - tau v v^T) rows; v[0] is 1 and not read. room has n.
void reflect(double tau, const double* v, int64_t stride, double* rows, int64_t step, int64_t m,
             int64_t n, double* room) {
  if (tau == 0) return;
  std::copy_n(rows, n, room);
  for (int64_t i = 1; i < m; ++i) add(room, v[i * stride], rows + i * step, n);
  add(rows, -tau, room, n);
  for (int64_t i = 1; i < m; ++i) add(rows + i * step, -tau * v[i * stride], room, n);
}

/// a [n, n], of which the lower triangle is read, becomes T with A = Q T Q^T: d on its diagonal, e
/// beside it. v becomes Q^T; p is room for n numbers.
void tridiagonal(int64_t n, double* a, double* d, double* e, double* v, double* p) {
  double* tau = d;  // until T's diagonal is read off at the end
  for (int64_t k = 0; k + 2 < n; ++k) {
    const int64_t size = n - k - 1;
    double* x = a + (k + 1) * n + k;  // below the diagonal, n apart
    double* block = x + 1;
    tau[k] = reflection(size, x, n);
    e[k] = x[0];
    if (tau[k] == 0) continue;
    x[0] = 1;
    // p = tau A x, then p -= tau (p x) x / 2, and A -= x p^T + p x^T.
    std::fill_n(p, size, 0.0);
    for (int64_t i = 0; i < size; ++i) {
      const double* row = block + i * n;
      double sum = row[i] * x[i * n];
      for (int64_t j = 0; j < i; ++j) {
        sum += row[j] * x[j * n];
        p[j] += row[j] * x[i * n];
      }
      p[i] += sum;
    }
    double along = 0;
    for (int64_t i = 0; i < size; ++i) along += (p[i] *= tau[k]) * x[i * n];
    for (int64_t i = 0; i < size; ++i) p[i] -= tau[k] * along / 2 * x[i * n];
    for (int64_t i = 0; i < size; ++i) {
      double* row = block + i * n;
      for (int64_t j = 0; j <= i; ++j) row[j] -= x[i * n] * p[j] + p[i] * x[j * n];
    }
    pause_after(size * size);
  }
  if (n >= 2) e[n - 2] = a[n * n - 2];
  e[n - 1] = 0;

  std::fill_n(v, n * n, 0.0);
  for (int64_t i = 0; i < n; ++i) v[i * (n + 1)] = 1;
  for (int64_t k = n - 3; k >= 0; --k) {
    const int64_t size = n - k - 1;
    reflect(tau[k], a + (k + 1) * n + k, n, v + (k + 1) * (n + 1), n, size, size, p);
    pause_after(size * size);
  }
  for (int64_t i = 0; i < n; ++i) {
    d[i] = a[i * (n + 1)];
    for (int64_t j = 0; j < i; ++j) std::swap(v[i * n + j], v[j * n + i]);
  }
}

/// d and e of a tridiagonal matrix become its eigenvalues and 0; the rows of v turn with them.
bool ql(int64_t n, double* d, double* e, double* v) {
  constexpr int kMostSteps = 60;
  // Far below what making the matrix tridiagonal has rounded off.
  double nothing = 0;
  for (int64_t i = 0; i < n; ++i) nothing = std::max(nothing, std::abs(d[i]) + std::abs(e[i]));
  if (!(nothing <= std::numeric_limits<double>::max())) return false;
  nothing *= kEpsilon / 64;
  for (int64_t first = 0; first < n; ++first) {
    for (int step = 0;; ++step) {
      int64_t last = first;  // the block that is still coupled
      while (last + 1 < n &&
             !(std::abs(e[last]) <=
               nothing + kEpsilon / 2 * (std::abs(d[last]) + std::abs(d[last + 1]))))
        ++last;
      if (last == first) break;
      if (step == kMostSteps) return false;
      // The shift is the eigenvalue of the first 2 x 2 that is nearer to d[first].
      const double ratio = (d[first + 1] - d[first]) / (2 * e[first]);
      double g =
          d[last] - d[first] + e[first] / (ratio + std::copysign(std::hypot(ratio, 1.0), ratio));
      double s = 1, c = 1, moved = 0;
      bool split = false;
      for (int64_t i = last - 1; i >= first; --i) {
        const double f = s * e[i], b = c * e[i], length = std::hypot(f, g);
        e[i + 1] = length;
        if (length == 0) {  // the block falls apart here
          d[i + 1] -= moved;
          e[last] = 0;
          split = true;
          break;
        }
        s = f / length;
        c = g / length;
        g = d[i + 1] - moved;
        const double r = (d[i] - g) * s + 2 * c * b;
        moved = s * r;
        d[i + 1] = g + moved;
        g = c * r - b;
        rotate(v + i * n, v + (i + 1) * n, c, s, n);
        pause_after(n);
      }
      if (split) continue;
      d[first] -= moved;
      e[first] = g;
      e[last] = 0;
    }
    if (!(std::abs(d[first]) <= std::numeric_limits<double>::max())) return false;
  }
  return true;
}

/// Exchanges numbers, and rows of their vectors, until the numbers ascend.
void sort_rows(int64_t n, double* numbers, double* x) {
  for (int64_t i = 0; i < n; ++i) {
    const int64_t best = std::min_element(numbers + i, numbers + n) - numbers;
    if (best == i) continue;
    std::swap(numbers[i], numbers[best]);
    std::swap_ranges(x + i * n, x + (i + 1) * n, x + best * n);
  }
}

}  // namespace

bool symmetric_eigen(int64_t n, double* a, double* w, double* v, double* room) {
  if (n == 0) return true;
  tridiagonal(n, a, w, room, v, room + n);
  if (!ql(n, w, room, v)) return false;
  sort_rows(n, w, v);
  return true;
}

}  // namespace autograd::cpu
