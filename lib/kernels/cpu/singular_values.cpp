// QR and singular values for every instruction set: reflections make the matrix triangular
// (Householder 1958) or bidiagonal (Golub and Kahan 1965), rotations diagonal. Matrices lie column
// by column, so that reflections from both sides run along memory.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "kernels/cpu/decompositions.hpp"
#include "kernels/cpu/pause.hpp"
#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/singular_values.cpp"
// foreach_target.h must come first.
// clang-format off
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "kernels/cpu/partial_vector-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<double>;
using V = hn::Vec<D>;

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

int64_t lanes() { return static_cast<int64_t>(hn::Lanes(D())); }
HWY_INLINE V load(const double* p) { return hn::LoadU(D(), p); }
HWY_INLINE V load_first(const double* p, int64_t n) {
  return partial::load_first(D(), p, static_cast<size_t>(n));
}
HWY_INLINE void store_first(V v, double* p, int64_t n) {
  partial::store_first(v, D(), p, static_cast<size_t>(n));
}

double dot(const double* x, const double* y, int64_t n) {
  const int64_t w = lanes();
  V a = hn::Zero(D()), b = a;
  int64_t i = 0;
  for (; i + 2 * w <= n; i += 2 * w) {
    a = hn::MulAdd(load(x + i), load(y + i), a);
    b = hn::MulAdd(load(x + i + w), load(y + i + w), b);
  }
  if (i + w <= n) {
    a = hn::MulAdd(load(x + i), load(y + i), a);
    i += w;
  }
  if (i < n) b = hn::MulAdd(load_first(x + i, n - i), load_first(y + i, n - i), b);
  return hn::GetLane(hn::SumOfLanes(D(), hn::Add(a, b)));
}

/// y += factor x
void add(double* y, double factor, const double* x, int64_t n) {
  const int64_t w = lanes();
  const V f = hn::Set(D(), factor);
  int64_t i = 0;
  for (; i + w <= n; i += w) hn::StoreU(hn::MulAdd(f, load(x + i), load(y + i)), D(), y + i);
  if (i < n)
    store_first(hn::MulAdd(f, load_first(x + i, n - i), load_first(y + i, n - i)), y + i, n - i);
}

/// y += the sum of factors[i] times row i of x, `step` apart
void add_rows(double* y, const double* factors, const double* x, int64_t step, int64_t rows,
              int64_t n) {
  const int64_t w = lanes();
  for (int64_t c = 0; c < n; c += w) {
    const int64_t count = std::min(w, n - c);
    const double* p = x + c;
    V a = hn::Zero(D()), b = a;
    int64_t i = 0;
    if (count == w) {
      for (; i + 2 <= rows; i += 2, p += 2 * step) {
        a = hn::MulAdd(hn::Set(D(), factors[i]), load(p), a);
        b = hn::MulAdd(hn::Set(D(), factors[i + 1]), load(p + step), b);
      }
    }
    for (; i < rows; ++i, p += step)
      a = hn::MulAdd(hn::Set(D(), factors[i]), load_first(p, count), a);
    store_first(hn::Add(load_first(y + c, count), hn::Add(a, b)), y + c, count);
  }
}

/// The reflection I - tau x x^T that turns x into a multiple of the first unit vector. Returns the
/// multiple; x becomes the vector, its first element 1.
double reflection(int64_t n, double* x, double* tau) {
  const double first = x[0], rest = dot(x + 1, x + 1, n - 1);
  x[0] = 1;
  if (rest == 0) {
    *tau = 0;
    return first;
  }
  const double length = -std::copysign(std::sqrt(first * first + rest), first);
  const double scale = 1 / (first - length);
  for (int64_t i = 1; i < n; ++i) x[i] *= scale;
  *tau = (length - first) / length;
  return length;
}

/// y becomes (I - tau x x^T) y.
HWY_INLINE void reflect(double tau, const double* x, double* y, int64_t n) {
  add(y, -tau * dot(x, y, n), x, n);
}

/// The columns [n, m] become the vectors of min(m, n) reflections and, above the diagonal, R, whose
/// diagonal goes to `diagonal`.
void reflect_columns(int64_t m, int64_t n, double* a, double* tau, double* diagonal) {
  for (int64_t k = 0; k < std::min(m, n); ++k) {
    double* const column = a + k * m + k;
    diagonal[k] = reflection(m - k, column, tau + k);
    if (tau[k] != 0)
      for (int64_t j = k + 1; j < n; ++j) reflect(tau[k], column, a + j * m + k, m - k);
    pause_after(2 * (m - k) * (n - k));
  }
}

/// Row r, for r from `first` on, holds from element r on the vector of reflection r, if r < made.
/// They become rows of the product of all reflections, the last one first.
void make_rows(int64_t rows, int64_t width, int64_t first, int64_t made, const double* tau,
               double* x) {
  for (int64_t r = rows - 1; r >= first; --r) {
    double* const row = x + r * width + r;
    std::fill_n(row - r, r, 0.0);
    if (r >= made || tau[r] == 0) {
      std::fill_n(row, width - r, 0.0);
      row[0] = 1;
      continue;
    }
    for (int64_t i = r + 1; i < rows; ++i) reflect(tau[r], row, x + i * width + r, width - r);
    for (int64_t i = 1; i < width - r; ++i) row[i] *= -tau[r];
    row[0] = 1 - tau[r];
    pause_after(2 * (rows - r) * (width - r));
  }
  for (int64_t r = 0; r < first; ++r) {
    std::fill_n(x + r * width, width, 0.0);
    x[r * (width + 1)] = 1;
  }
}

/// The columns b [n, m], n <= m, become the vectors of reflections from the left; those from the
/// right go to rows of `right`, `right_step` apart, the one of step k to row k + 1. What is left is
/// d on the diagonal and e above it. room has m numbers.
void bidiagonalise(int64_t m, int64_t n, double* b, double* d, double* e, double* left_tau,
                   double* right, int64_t right_step, double* right_tau, double* room) {
  for (int64_t k = 0; k < n; ++k) {
    double* const column = b + k * m + k;
    d[k] = reflection(m - k, column, left_tau + k);
    if (left_tau[k] != 0)
      for (int64_t j = k + 1; j < n; ++j) reflect(left_tau[k], column, b + j * m + k, m - k);
    pause_after(4 * (m - k) * (n - k));
    if (k + 1 == n) break;
    const int64_t count = n - k - 1, length = m - k - 1;
    double *const row = right + (k + 1) * right_step + k + 1, *const block = b + (k + 1) * m + k;
    for (int64_t j = 0; j < count; ++j) row[j] = block[j * m];
    e[k] = reflection(count, row, right_tau + k + 1);
    if (right_tau[k + 1] == 0) continue;
    std::fill_n(room, length, 0.0);
    add_rows(room, row, block + 1, m, count, length);
    for (int64_t j = 0; j < count; ++j)
      add(block + j * m + 1, -right_tau[k + 1] * row[j], room, length);
  }
}

// ---- from bidiagonal to diagonal

struct Rotation {
  double c, s, length;
};

/// The rotation that turns (f, g) into (length, 0).
HWY_INLINE Rotation rotation_of(double f, double g) {
  if (g == 0) return {1, 0, f};
  double length = std::sqrt(f * f + g * g);
  if (length < 1e-140) length = std::hypot(f, g);
  return {f / length, g / length, length};
}

/// Row i and the next become c[i] and s[i] times them, and -s[i] and c[i], one pair after the
/// other; there are count + 1 rows, `step` apart.
template <int kVectors>
HWY_INLINE void rotate_full(double* rows, int64_t step, int64_t count, const double* c,
                            const double* s) {
  const int64_t w = lanes();
  V upper[kVectors];
  for (int k = 0; k < kVectors; ++k) upper[k] = load(rows + k * w);
  for (int64_t i = 0; i < count; ++i, rows += step) {
    const V cosine = hn::Set(D(), c[i]), sine = hn::Set(D(), s[i]);
    for (int k = 0; k < kVectors; ++k) {
      const V lower = load(rows + step + k * w);
      hn::StoreU(hn::MulAdd(sine, lower, hn::Mul(cosine, upper[k])), D(), rows + k * w);
      upper[k] = hn::NegMulAdd(sine, upper[k], hn::Mul(cosine, lower));
    }
  }
  for (int k = 0; k < kVectors; ++k) hn::StoreU(upper[k], D(), rows + k * w);
}

HWY_INLINE void rotate_partial(double* rows, int64_t step, int64_t count, int64_t n,
                               const double* c, const double* s) {
  V upper = load_first(rows, n);
  for (int64_t i = 0; i < count; ++i, rows += step) {
    const V cosine = hn::Set(D(), c[i]), sine = hn::Set(D(), s[i]);
    const V lower = load_first(rows + step, n);
    store_first(hn::MulAdd(sine, lower, hn::Mul(cosine, upper)), rows, n);
    upper = hn::NegMulAdd(sine, upper, hn::Mul(cosine, lower));
  }
  store_first(upper, rows, n);
}

/// Singular vectors as rows.
struct Vectors {
  double* data;  // nullptr: nobody wants them
  int64_t width;

  double* row(int64_t i) const { return data + i * width; }

  /// Rotates count + 1 rows from `first` on, downwards or (direction -1) upwards.
  void rotate(int64_t first, int64_t direction, int64_t count, const double* c,
              const double* s) const {
    if (!data) return;
    const int64_t w = lanes(), step = direction * width;
    double* rows = row(first);
    int64_t i = 0;
    for (; i + 4 * w <= width; i += 4 * w) rotate_full<4>(rows + i, step, count, c, s);
    for (; i + w <= width; i += w) rotate_full<1>(rows + i, step, count, c, s);
    if (i < width) rotate_partial(rows + i, step, count, width - i, c, s);
    pause_after(count * width);
  }
};

/// A block of an upper bidiagonal matrix, from its upper left or, transposed, its lower right
/// corner on.
struct Block {
  double *d_first, *e_first;
  int64_t direction, size;

  double& d(int64_t i) const { return d_first[direction * i]; }
  double& e(int64_t i) const { return e_first[direction * i]; }

  double least() const {
    double found = std::abs(d(0));
    for (int64_t i = 1; i < size; ++i) found = std::min(found, std::abs(d(i)));
    return found;
  }

  /// The smaller singular value of the last 2 x 2.
  double shift() const {
    const double f = std::abs(d(size - 2)), g = e(size - 2), h = std::abs(d(size - 1));
    const double larger = (std::hypot(f + h, g) + std::hypot(f - h, g)) / 2;
    return larger == 0 ? 0 : std::min(f, h) / larger * std::max(f, h);
  }
};

/// Where a sweep writes its rotations down.
struct Rotations {
  double *right_c, *right_s, *left_c, *left_s;

  HWY_INLINE void right(int64_t i, const Rotation& r) const {
    right_c[i] = r.c;
    right_s[i] = r.s;
  }
  HWY_INLINE void left(int64_t i, const Rotation& r) const {
    left_c[i] = r.c;
    left_s[i] = r.s;
  }
};

/// One step of QR with a shift, without forming the square of the matrix.
void shifted_sweep(const Block& b, double shift, const Rotations& to) {
  const double start = b.d(0);
  double f = (std::abs(start) - shift) * (std::copysign(1.0, start) + shift / start), g = b.e(0);
  for (int64_t i = 0; i + 1 < b.size; ++i) {
    const Rotation right = rotation_of(f, g);
    if (i > 0) b.e(i - 1) = right.length;
    to.right(i, right);
    f = right.c * b.d(i) + right.s * b.e(i);
    const double beside = right.c * b.e(i) - right.s * b.d(i), below = right.s * b.d(i + 1);
    const double next = right.c * b.d(i + 1);
    const Rotation left = rotation_of(f, below);
    to.left(i, left);
    b.d(i) = left.length;
    f = left.c * beside + left.s * next;
    b.d(i + 1) = left.c * next - left.s * beside;
    if (i + 2 < b.size) {
      g = left.s * b.e(i + 1);
      b.e(i + 1) *= left.c;
    }
  }
  b.e(b.size - 2) = f;
}

/// One step without a shift, in which small numbers keep their digits (Demmel and Kahan 1990).
void unshifted_sweep(const Block& b, const Rotations& to) {
  Rotation right{1, 0, 0}, left{1, 0, 0};
  for (int64_t i = 0; i + 1 < b.size; ++i) {
    right = rotation_of(b.d(i) * right.c, b.e(i));
    if (i > 0) b.e(i - 1) = left.s * right.length;
    left = rotation_of(left.c * right.length, b.d(i + 1) * right.s);
    b.d(i) = left.length;
    to.right(i, right);
    to.left(i, left);
  }
  const double last = b.d(b.size - 1) * right.c;
  b.d(b.size - 1) = last * left.c;
  b.e(b.size - 2) = last * left.s;
}

/// d and e of a bidiagonal matrix become its singular values, of any sign and in any order, and 0;
/// the vectors turn with them. room has 4 n numbers.
bool diagonalise(int64_t n, double* d, double* e, const Vectors& right, const Vectors& left,
                 double* room) {
  constexpr int64_t kMostSweeps = 60;  // for each value; two or three are the rule
  double largest = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double size = std::abs(d[i]) + (i + 1 < n ? std::abs(e[i]) : 0);
    if (!(size <= std::numeric_limits<double>::max())) return false;
    largest = std::max(largest, size);
  }
  // Far below what making the matrix bidiagonal has rounded off.
  const double nothing = largest * kEpsilon / 64;
  const auto is_apart = [&](int64_t i) {
    return std::abs(e[i]) <= nothing + kEpsilon / 2 * (std::abs(d[i]) + std::abs(d[i + 1]));
  };
  const Rotations rotations{room, room + n, room + 2 * n, room + 3 * n};
  int64_t first = n, last = n, direction = 1;  // of the block before
  int64_t sweeps = kMostSweeps * n;
  for (int64_t end = n - 1; end > 0;) {
    if (is_apart(end - 1)) {
      e[--end] = 0;
      continue;
    }
    int64_t begin = end - 1;
    while (begin > 0 && !is_apart(begin - 1)) --begin;
    if (begin > 0) e[begin - 1] = 0;
    if (sweeps-- == 0) return false;
    // From the larger end to the smaller one, unless this is a part of the block before.
    if (end < first || begin > last || first == n)
      direction = std::abs(d[begin]) >= std::abs(d[end]) ? 1 : -1;
    first = begin;
    last = end;
    const bool down = direction > 0;
    const Block block{d + (down ? begin : end), e + (down ? begin : end - 1), direction,
                      end - begin + 1};
    const double shift = block.least() <= nothing ? 0 : block.shift();
    const double part = shift == 0 ? 0 : shift / std::abs(block.d(0));
    if (part * part < kEpsilon)
      unshifted_sweep(block, rotations);
    else
      shifted_sweep(block, shift, rotations);
    const int64_t from = down ? begin : end;
    (down ? right : left)
        .rotate(from, direction, end - begin, rotations.right_c, rotations.right_s);
    (down ? left : right).rotate(from, direction, end - begin, rotations.left_c, rotations.left_s);
    pause_after(16 * (end - begin));
  }
  return true;
}

/// Makes the values positive, and puts them and their vectors in descending order.
void sort_values(int64_t n, double* s, const Vectors& right, const Vectors& left) {
  for (int64_t i = 0; i < n; ++i) {
    if (std::signbit(s[i]) && right.data)
      for (int64_t j = 0; j < right.width; ++j) right.row(i)[j] = -right.row(i)[j];
    s[i] = std::abs(s[i]);
  }
  if (!right.data) return std::sort(s, s + n, std::greater<double>());
  for (int64_t i = 0; i < n; ++i) {
    const int64_t best = std::max_element(s + i, s + n) - s;
    if (best == i) continue;
    std::swap(s[i], s[best]);
    std::swap_ranges(right.row(i), right.row(i + 1), right.row(best));
    std::swap_ranges(left.row(i), left.row(i + 1), left.row(best));
  }
}

/// Of m rows and n columns so many more rows that R alone is made bidiagonal.
bool is_tall(int64_t m, int64_t n) { return 2 * m > 3 * n; }

/// u [n_left, m]: the product of reflections that make R of a, times `small` [n, n] in the first n.
void make_left(int64_t m, int64_t n, int64_t n_left, const double* a, const double* tau,
               const double* small, double* u) {
  std::fill_n(u, n_left * m, 0.0);
  for (int64_t i = 0; i < n_left; ++i) {
    double* const row = u + i * m;
    if (i < n)
      std::copy_n(small + i * n, n, row);
    else
      row[i] = 1;
    for (int64_t k = n - 1; k >= 0; --k)
      if (tau[k] != 0) reflect(tau[k], a + k * (m + 1), row + k, m - k);
    pause_after(2 * m * n);
  }
}

bool singular_values_of(int64_t m, int64_t n, int64_t n_left, double* a, double* s, double* v,
                        double* u, double* room) {
  if (n == 0) {
    if (u) make_rows(n_left, m, n_left, 0, nullptr, u);
    return true;
  }
  double *const e = room, *const left_tau = e + n, *const right_tau = left_tau + n,
                *const tau = right_tau + n, *const rotations = tau + n,
                *const row = rotations + 4 * n, *const sums = row + n, *const r = sums + m,
                *const small = r + n * n;
  const bool tall = is_tall(m, n);
  double* b = a;
  const int64_t height = tall ? n : m;
  if (tall) {
    reflect_columns(m, n, a, tau, s);
    for (int64_t j = 0; j < n; ++j) {
      std::copy_n(a + j * m, j, r + j * n);
      r[j * (n + 1)] = s[j];
      std::fill_n(r + j * (n + 1) + 1, n - j - 1, 0.0);
    }
    b = r;
  }
  bidiagonalise(height, n, b, s, e, left_tau, v ? v : row, v ? n : 0, right_tau, sums);
  const Vectors right{v, n}, left{v ? (tall ? small : u) : nullptr, height};
  if (v) {
    make_rows(n, n, 1, n, right_tau, v);
    for (int64_t k = 0; k < n; ++k) std::copy_n(b + k * (height + 1), height - k, left.row(k) + k);
    make_rows(tall ? n : n_left, height, 0, n, left_tau, left.data);
  }
  if (!diagonalise(n, s, e, right, left, rotations)) return false;
  sort_values(n, s, right, left);
  if (v && tall) make_left(m, n, n_left, a, tau, small, u);
  return true;
}

void column_qr_of(int64_t m, int64_t n, int64_t k, double* a, double* q, double* room) {
  const int64_t least = std::min(m, n);
  double *const tau = room, *const diagonal = room + least;
  reflect_columns(m, n, a, tau, diagonal);
  for (int64_t j = 0; j < least; ++j) {
    double* const corner = a + j * (m + 1);
    std::copy_n(corner, m - j, q + j * (m + 1));
    corner[0] = diagonal[j];
    std::fill_n(corner + 1, m - j - 1, 0.0);
  }
  make_rows(k, m, 0, least, tau, q);
}

}  // namespace

bool singular_values_all(int64_t m, int64_t n, int64_t n_left, double* a, double* s, double* v,
                         double* u, double* room) {
  return singular_values_of(m, n, n_left, a, s, v, u, room);
}
void column_qr_all(int64_t m, int64_t n, int64_t k, double* a, double* q, double* room) {
  column_qr_of(m, n, k, a, q, room);
}

}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {

HWY_EXPORT(singular_values_all);
HWY_EXPORT(column_qr_all);

int64_t singular_values_room(int64_t m, int64_t n) { return 9 * n + m + 2 * n * n; }

bool singular_values(int64_t m, int64_t n, int64_t n_left, double* a, double* s, double* v,
                     double* u, double* room) {
  return HWY_DYNAMIC_DISPATCH(singular_values_all)(m, n, n_left, a, s, v, u, room);
}

void column_qr(int64_t m, int64_t n, int64_t k, double* a, double* q, double* room) {
  HWY_DYNAMIC_DISPATCH(column_qr_all)(m, n, k, a, q, room);
}

}  // namespace autograd::cpu
#endif  // HWY_ONCE
