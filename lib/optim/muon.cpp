// Muon: steps along the orthogonal matrix that is next to the momentum.
#include <algorithm>
#include <cmath>

#include "core/text.hpp"
#include "kernels/cpu/power_sum.hpp"
#include "ops/product_rules.hpp"
#include "ops/scratch.hpp"
#include "optim/recipe.hpp"

namespace autograd::optim {

void check(const MuonOptions& o) {
  const auto need = [](const char* what, double value) {
    if (!(value >= 0)) fail(ErrorCode::kValue, what, " should be >= 0 but is: ", value);
  };
  need("Learning rate", o.lr);
  need("momentum", o.momentum);
  need("weight decay", o.weight_decay);
}

namespace {

constexpr size_t kLine = 64;  // buffers begin at lines of the cache

double scale_of(const MuonOptions& o, int64_t rows, int64_t columns) {
  const double n = static_cast<double>(rows), m = static_cast<double>(columns);
  if (o.scale == MuonScale::kOriginal) return std::sqrt(std::max(1.0, n / m));
  return o.scale == MuonScale::kMatchRmsAdamW ? 0.2 * std::sqrt(std::max(n, m)) : 1;
}

// X [n, m] = a X + (b G + c G G) X with G = X X^T, several times; returns where X is then.
template <class T>
T* orthogonalize(const MuonOptions& o, DType dtype, int64_t n, int64_t m, T* x, T* next, T* gram,
                 T* update) {
  const T a = static_cast<T>(o.a), b = static_cast<T>(o.b), c = static_cast<T>(o.c);
  for (int64_t step = 0; step < std::min<int64_t>(o.ns_steps, 99); ++step) {
    detail::multiply_matrices(dtype, n, n, m, {x, m, 1}, {x, 1, m}, gram, n);
    detail::multiply_matrices(dtype, n, n, n, {gram, n, 1}, {gram, n, 1}, update, n);
    for (int64_t i = 0; i < n * n; ++i) update[i] = b * gram[i] + c * update[i];
    detail::multiply_matrices(dtype, n, m, n, {update, n, 1}, {x, m, 1}, next, m);
    for (int64_t i = 0; i < n * m; ++i) next[i] += a * x[i];
    std::swap(x, next);
  }
  return x;
}

// Copies [n, m] to `to`, where element (i, j) is at i * row + j * column.
template <class T>
void spread(const T* from, int64_t n, int64_t m, T* to, int64_t row, int64_t column) {
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < m; ++j) to[i * row + j * column] = from[i * m + j];
}

template <class T>
void step_of(const MuonOptions& o, const Whole& s) {
  const int64_t rows = s.sizes[0], columns = s.sizes[1];
  const bool turned = rows > columns;
  const int64_t n = std::min(rows, columns), m = std::max(rows, columns);
  const size_t large = static_cast<size_t>(n * m) * sizeof(T),
               small = static_cast<size_t>(n * n) * sizeof(T);
  detail::Scratch room(2 * (large + small) + 4 * kLine);
  const auto take = [&](size_t bytes) { return reinterpret_cast<T*>(room.take(bytes)); };
  T *x = take(large), *next = take(large), *gram = take(small), *update = take(small);

  T *w = static_cast<T*>(s.param), *momentum = static_cast<T*>(s.states[0]);
  const T* g = static_cast<const T*>(s.grad);
  const T keep = static_cast<T>(o.momentum), rate = static_cast<T>(1 - o.momentum);
  for (int64_t i = 0; i < s.numel; ++i) {
    momentum[i] += rate * (g[i] - momentum[i]);
    next[i] = o.nesterov ? g[i] + keep * (momentum[i] - g[i]) : momentum[i];
  }
  const double norm = std::sqrt(cpu::power_sum(s.dtype, next, s.numel, 2));
  const T size = static_cast<T>(std::max(norm, o.eps));
  for (int64_t i = 0; i < s.numel; ++i) next[i] /= size;
  spread(next, rows, columns, x, turned ? 1 : columns, turned ? rows : 1);
  const T* result = orthogonalize(o, s.dtype, n, m, x, next, gram, update);

  const T shrink = static_cast<T>(1 - o.lr * o.weight_decay);
  const T lr = static_cast<T>(o.lr * scale_of(o, rows, columns));
  const int64_t row = turned ? 1 : columns, column = turned ? rows : 1;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      w[i * columns + j] = w[i * columns + j] * shrink - lr * result[i * row + j * column];
}

void plan_muon(const MuonOptions&, Counters&, cpu::Update&) {}

void step_muon(const void* options, const Counters&, const Whole& s) {
  const MuonOptions& o = *static_cast<const MuonOptions*>(options);
  if (s.dtype == DType::kFloat32)
    step_of<float>(o, s);
  else
    step_of<double>(o, s);
}

}  // namespace

Recipe recipe(const MuonOptions& o) {
  return {.name = kStepName<MuonOptions>,
          .options = &o,
          .negate = false,
          .decay = 0,
          .states = {vector("momentum_buffer")},
          .plan = plan_of<MuonOptions, plan_muon>,
          .whole = step_muon,
          .only_matrices = true};
}

}  // namespace autograd::optim
