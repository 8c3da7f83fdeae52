// Adafactor: the means of squared gradients as a product of one number per row and one per column.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/text.hpp"
#include "kernels/cpu/pause.hpp"
#include "kernels/cpu/power_sum.hpp"
#include "ops/scratch.hpp"
#include "optim/recipe.hpp"

namespace autograd::optim {

void check(const AdafactorOptions& o) {
  const auto need = [](bool holds, const char* what, double value) {
    if (!holds) fail(ErrorCode::kValue, what, " but is: ", value);
  };
  need(o.lr >= 0, "Learning rate should be >= 0", o.lr);
  need(o.beta2_decay <= 0, "beta2_decay should be <= 0", o.beta2_decay);
  need(o.eps2 >= 0, "epsilon2 should be >= 0", o.eps2);
  need(o.d >= 1, "Clipping threshold d should be >= 1", o.d);
  need(o.weight_decay >= 0, "weight_decay should be >= 0", o.weight_decay);
}

namespace {

double root_mean_square(DType dtype, const void* x, int64_t n) {
  return std::sqrt(cpu::power_sum(dtype, x, n, 2) / static_cast<double>(n));
}

template <class T>
T lerp(T from, T to, T rate) {
  return from + rate * (to - from);
}

template <class T>
constexpr DType kDType = sizeof(T) == sizeof(float) ? DType::kFloat32 : DType::kFloat64;

// One matrix [n, m] with its means of rows and columns; u = g / sqrt(v).
template <class T>
void scale_matrix(const T* g, int64_t n, int64_t m, double rate, double eps, T* rows, T* columns,
                  T* sums, T* u) {
  std::fill_n(sums, m, T(0));
  double total = 0;
  for (int64_t i = 0; i < n; ++i) {
    const T* row = g + i * m;
    const double squares = cpu::power_sum(kDType<T>, row, m, 2);
    rows[i] = lerp(rows[i], static_cast<T>(squares / static_cast<double>(m)), static_cast<T>(rate));
    total += static_cast<double>(rows[i]);
    for (int64_t j = 0; j < m; ++j) sums[j] += row[j] * row[j];
    cpu::pause_after(m);
  }
  const T fraction = T(1) / static_cast<T>(n);
  for (int64_t j = 0; j < m; ++j)
    columns[j] = lerp(columns[j], sums[j] * fraction, static_cast<T>(rate));
  const T mean = static_cast<T>(std::max(total / static_cast<double>(n), eps));
  const T least = static_cast<T>(eps * eps);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < m; ++j)
      u[i * m + j] = g[i * m + j] / std::sqrt(std::max(rows[i] * columns[j] / mean, least));
    cpu::pause_after(m);
  }
}

template <class T>
void scale_vector(const T* g, int64_t n, double rate, double eps, T* variance, T* u) {
  const T least = static_cast<T>(eps * eps);
  for (int64_t i = 0; i < n; ++i) {
    variance[i] = lerp(variance[i], g[i] * g[i], static_cast<T>(rate));
    u[i] = g[i] / std::sqrt(std::max(variance[i], least));
  }
}

template <class T>
void step_of(const AdafactorOptions& o, double t, const Whole& s) {
  constexpr DType kOwn = kDType<T>;
  const double eps = o.eps1 >= 0 ? o.eps1 : static_cast<double>(std::numeric_limits<T>::epsilon());
  const double rate = std::pow(t, o.beta2_decay), rho = std::min(o.lr, 1 / std::sqrt(t));
  const int rank = s.sizes.size();
  const int64_t m = rank > 1 ? s.sizes[rank - 1] : s.numel, n = rank > 1 ? s.sizes[rank - 2] : 1;
  T* w = static_cast<T*>(s.param);
  const T* g = static_cast<const T*>(s.grad);
  const double alpha = std::max(o.eps2, root_mean_square(kOwn, w, s.numel)) * rho;
  const detail::Scratch room(static_cast<size_t>(s.numel + m) * sizeof(T));
  T *u = reinterpret_cast<T*>(room.data()), *sums = u + s.numel;
  if (rank > 1)
    for (int64_t i = 0; i < s.numel / (n * m); ++i)
      scale_matrix(g + i * n * m, n, m, rate, eps, static_cast<T*>(s.states[1]) + i * n,
                   static_cast<T*>(s.states[2]) + i * m, sums, u + i * n * m);
  else
    scale_vector(g, m, rate, eps, static_cast<T*>(s.states[3]), u);
  const double clip = std::max(1.0, root_mean_square(kOwn, u, s.numel) / o.d);
  const T keep = static_cast<T>(1 - o.lr * o.weight_decay);
  const T size = static_cast<T>((o.maximize ? alpha : -alpha) / clip);
  for (int64_t i = 0; i < s.numel; ++i) w[i] = w[i] * keep + size * u[i];
}

void plan_adafactor(const AdafactorOptions&, Counters& counters, cpu::Update&) {
  counters.next_step();
}

void step_adafactor(const void* options, const Counters& counters, const Whole& s) {
  const AdafactorOptions& o = *static_cast<const AdafactorOptions*>(options);
  if (s.dtype == DType::kFloat32)
    step_of<float>(o, counters.values[0], s);
  else
    step_of<double>(o, counters.values[0], s);
}

}  // namespace

Recipe recipe(const AdafactorOptions& o) {
  return {.name = kStepName<AdafactorOptions>,
          .options = &o,
          .negate = false,
          .decay = 0,
          .states = {counter("step"),
                     {"row_var", Extent::kRows},
                     {"col_var", Extent::kColumns},
                     {"variance", Extent::kVector}},
          .plan = plan_of<AdafactorOptions, plan_adafactor>,
          .whole = step_adafactor};
}

}  // namespace autograd::optim
