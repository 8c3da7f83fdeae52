// One matrix and its singular values, for the ops that are made of them.
#pragma once
#include <algorithm>

#include "kernels/cpu/decompositions.hpp"
#include "ops/flops.hpp"
#include "ops/matrices.hpp"

namespace autograd::detail {

inline void transpose_into(int64_t m, int64_t n, const double* a, double* out) {
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) out[j * m + i] = a[i * n + j];
}

/// One matrix decomposed: the rows of `left` are columns of U, those of `right` rows of Vh.
struct Singular {
  Singular(const Matrices& in, bool full, bool vectors = true)
      : m(in.m),
        n(in.n),
        least(in.least),
        n_left(full ? m : least),
        n_right(full ? n : least),
        s(static_cast<size_t>(least)),
        left(vectors ? static_cast<size_t>(n_left * m) : 0),
        right(vectors ? static_cast<size_t>(n_right * n) : 0),
        columns(static_cast<size_t>(m * n)),
        room(static_cast<size_t>(cpu::singular_values_room(std::max(m, n), least))) {}

  bool decompose(const double* a) {
    double *const u = left.empty() ? nullptr : left.data(), *const v = right.empty() ? nullptr
                                                                                     : right.data();
    if (m >= n) {
      transpose_into(m, n, a, columns.data());
      return cpu::singular_values(m, n, n_left, columns.data(), s.data(), v, u, room.data());
    }
    std::copy_n(a, m * n, columns.data());
    return cpu::singular_values(n, m, n_right, columns.data(), s.data(), u, v, room.data());
  }

  int64_t m, n, least, n_left, n_right;
  Vector<double> s, left, right, columns, room;
};

[[noreturn]] inline void fail_svd(const char* op, const Call& call) {
  fail(ErrorCode::kLinalg, op,
       ": The algorithm failed to converge because the input matrix contained non-finite values; "
       "got sizes ",
       call.in(0).sizes);
}

inline double svd_flops(const CallSizes& s) {
  const Shape& a = s.in(0);
  return 20 * count_of(a) * static_cast<double>(std::min(a[a.size() - 2], a.back()));
}

}  // namespace autograd::detail
