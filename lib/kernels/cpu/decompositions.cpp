// QR, eigenvalues of symmetric matrices and singular values.
#include "kernels/cpu/decompositions.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "kernels/cpu/pause.hpp"

namespace autograd::cpu {
namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

/// Four sums at a time, which the compiler may keep in vectors.
double dot(const double* x, const double* y, int64_t n) {
  double sums[4] = {};
  int64_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (int k = 0; k < 4; ++k) sums[k] += x[i + k] * y[i + k];
  for (; i < n; ++i) sums[0] += x[i] * y[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

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

/// Exchanges numbers, and rows of their vectors, until the numbers are in order.
template <class Before>
void sort_rows(int64_t n, double* numbers, double* x, int64_t x_size, double* y, int64_t y_size,
               const Before& before) {
  for (int64_t i = 0; i < n; ++i) {
    const int64_t best = std::min_element(numbers + i, numbers + n, before) - numbers;
    if (best == i) continue;
    std::swap(numbers[i], numbers[best]);
    std::swap_ranges(x + i * x_size, x + (i + 1) * x_size, x + best * x_size);
    if (y) std::swap_ranges(y + i * y_size, y + (i + 1) * y_size, y + best * y_size);
  }
}

/// Row `next` of u [.., m] becomes orthogonal to the `next` rows before it, which are orthonormal.
void complete(int64_t m, int64_t next, double* u) {
  // The unit vector of which the rows hold least.
  int64_t axis = 0;
  double least = std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < m; ++i) {
    double held = 0;
    for (int64_t j = 0; j < next; ++j) held += u[j * m + i] * u[j * m + i];
    if (held < least) {
      least = held;
      axis = i;
    }
  }
  double* row = u + next * m;
  std::fill_n(row, m, 0.0);
  row[axis] = 1;
  for (int again = 0; again < 2; ++again)
    for (int64_t j = 0; j < next; ++j) add(row, -dot(row, u + j * m, m), u + j * m, m);
  const double length = std::sqrt(dot(row, row, m));
  for (int64_t i = 0; i < m; ++i) row[i] /= length;
}

}  // namespace

void qr_factor(int64_t m, int64_t n, double* a, double* tau, double* room) {
  for (int64_t k = 0; k < std::min(m, n); ++k) {
    double* corner = a + k * (n + 1);
    tau[k] = reflection(m - k, corner, n);
    reflect(tau[k], corner, n, corner + 1, n, m - k, n - k - 1, room);
    pause_after((m - k) * (n - k));
  }
}

void qr_columns(int64_t m, int64_t n, int64_t k, const double* a, const double* tau, double* q,
                double* room) {
  std::fill_n(q, m * k, 0.0);
  for (int64_t i = 0; i < k; ++i) q[i * (k + 1)] = 1;
  for (int64_t i = std::min(m, n) - 1; i >= 0; --i) {
    reflect(tau[i], a + i * (n + 1), n, q + i * (k + 1), k, m - i, k - i, room);
    pause_after((m - i) * (k - i));
  }
}

bool symmetric_eigen(int64_t n, double* a, double* w, double* v, double* room) {
  if (n == 0) return true;
  tridiagonal(n, a, w, room, v, room + n);
  if (!ql(n, w, room, v)) return false;
  sort_rows(n, w, v, n, nullptr, 0, std::less<double>());
  return true;
}

bool singular_values(int64_t m, int64_t n, int64_t n_left, double* a, double* s, double* v,
                     double* u) {
  constexpr int kMostSweeps = 60;
  std::fill_n(v, n * n, 0.0);
  for (int64_t i = 0; i < n; ++i) v[i * (n + 1)] = 1;
  // Columns are turned in pairs until all are orthogonal to each other, up to what dot() rounds
  // off.
  const double small = kEpsilon * std::sqrt(static_cast<double>(m));
  // A column this short is what others' rotations have rounded off: it has no direction to turn.
  const double nothing = small * small * dot(a, a, m * n);
  for (int sweep = 0, turned = 1; turned; ++sweep) {
    if (sweep == kMostSweeps) return false;
    turned = 0;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = i + 1; j < n; ++j) {
        double *x = a + i * m, *y = a + j * m;
        const double xx = dot(x, x, m), yy = dot(y, y, m), xy = dot(x, y, m);
        pause_after(m);
        if (!(xy == xy)) return false;
        if (std::abs(xy) <= small * std::sqrt(xx * yy) || std::min(xx, yy) <= nothing) continue;
        const double ratio = (yy - xx) / (2 * xy);
        const double t = std::copysign(1 / (std::abs(ratio) + std::hypot(ratio, 1.0)), ratio);
        const double c = 1 / std::hypot(t, 1.0);
        rotate(x, y, c, t * c, m);
        rotate(v + i * n, v + j * n, c, t * c, n);
        turned = 1;
      }
  }
  for (int64_t i = 0; i < n; ++i) s[i] = std::sqrt(dot(a + i * m, a + i * m, m));
  sort_rows(n, s, a, m, v, n, std::greater<double>());
  // What is left of a column that belongs to a singular value of 0 is rounding.
  const double least = n ? s[0] * kEpsilon * static_cast<double>(m) : 0;
  for (int64_t i = 0; i < n_left; ++i) {
    if (i >= n || s[i] <= least) {
      complete(m, i, u);
      continue;
    }
    for (int64_t k = 0; k < m; ++k) u[i * m + k] = a[i * m + k] / s[i];
  }
  return true;
}

}  // namespace autograd::cpu
