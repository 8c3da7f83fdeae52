// Parameter updates for every instruction set: the rows of optim.def as loops.
#include "kernels/cpu/optim.hpp"

#include <utility>

#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/optim.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "kernels/cpu/partial_vector-inl.h"
#include "kernels/cpu/vector_math-inl.h"

#ifndef AUTOGRAD_KERNELS_CPU_OPTIM_ONCE
#define AUTOGRAD_KERNELS_CPU_OPTIM_ONCE
namespace autograd::cpu {

/// The number of names in a list written "(a, b, c)".
constexpr int count_names(const char* list) {
  int count = 1;
  for (; *list; ++list) count += *list == ',';
  return count;
}

}  // namespace autograd::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace {

/// a + rate (b - a), from the nearer end as PyTorch does.
template <class T>
HWY_INLINE Vec<T> lerp(Vec<T> a, Vec<T> b, Vec<T> rate) {
  const Mask<T> near = abs(rate) < Vec<T>(0.5);
  return fma(where(near, rate, rate - 1), b - a, where(near, a, b));
}

#define AG_NAMES(...) __VA_ARGS__
#define RULE(name, vectors, number_names, ...)                                                  \
  struct name##_rule {                                                                          \
    static constexpr int kVectors = count_names(#vectors);                                      \
    static constexpr int kNumbers = count_names(#number_names);                                 \
    template <class V>                                                                          \
    static HWY_INLINE void apply(V (&vectors_)[kVectors], V g, const V (&numbers_)[kNumbers]) { \
      auto& [AG_NAMES vectors] = vectors_;                                                      \
      const auto& [AG_NAMES number_names] = numbers_;                                           \
      __VA_ARGS__                                                                               \
    }                                                                                           \
  };                                                                                            \
  static_assert(name##_rule::kVectors <= kMaxOptimStates + 1);                                  \
  static_assert(name##_rule::kNumbers <= kMaxOptimNumbers);
#include "kernels/cpu/optim.def"
#undef RULE

/// What comes before every rule.
template <class T>
struct Prelude {
  Vec<T> negate, decay, shrink;
  bool decays;

  explicit Prelude(const Update& u)
      : negate(u.negate ? -0.0 : 0.0), decay(u.decay), shrink(u.shrink), decays(u.decay != 0) {}

  HWY_INLINE Vec<T> operator()(Vec<T>& w, Vec<T> g) const {
    g = hn::Xor(g.raw, negate.raw);
    // Not for decay 0: an infinite weight would make it NaN.
    if (decays) g = fma(w, decay, g);
    w = w * shrink;
    return g;
  }
};

template <class R, class T>
void run(const Update& u, void* w, const void* g, void* const* states, size_t n) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  T* out[R::kVectors] = {static_cast<T*>(w)};
  for (int k = 1; k < R::kVectors; ++k) out[k] = static_cast<T*>(states[k - 1]);
  const T* const in = static_cast<const T*>(g);
  const Prelude<T> prelude(u);
  Vec<T> numbers[R::kNumbers];
  for (int k = 0; k < R::kNumbers; ++k) numbers[k] = Vec<T>(u.numbers[k]);

  size_t i = 0;
  Vec<T> x[R::kVectors];
  // Rules of one array wait for memory only: four vectors of it at a time.
  if constexpr (R::kVectors == 1) {
    for (; i + 4 * lanes <= n; i += 4 * lanes) {
      Vec<T> w[4][1];
      for (size_t k = 0; k < 4; ++k) {
        w[k][0] = hn::LoadU(d, out[0] + i + k * lanes);
        const Vec<T> gradient = prelude(w[k][0], hn::LoadU(d, in + i + k * lanes));
        R::apply(w[k], gradient, numbers);
      }
      for (size_t k = 0; k < 4; ++k) hn::StoreU(w[k][0].raw, d, out[0] + i + k * lanes);
    }
  }
  for (; i + lanes <= n; i += lanes) {
    for (int k = 0; k < R::kVectors; ++k) x[k] = hn::LoadU(d, out[k] + i);
    const Vec<T> gradient = prelude(x[0], hn::LoadU(d, in + i));
    R::apply(x, gradient, numbers);
    for (int k = 0; k < R::kVectors; ++k) hn::StoreU(x[k].raw, d, out[k] + i);
  }
  if (i == n) return;
  const size_t rest = n - i;
  for (int k = 0; k < R::kVectors; ++k) x[k] = partial::load_first(d, out[k] + i, rest);
  const Vec<T> gradient = prelude(x[0], partial::load_first(d, in + i, rest));
  R::apply(x, gradient, numbers);
  for (int k = 0; k < R::kVectors; ++k) partial::store_first(x[k].raw, d, out[k] + i, rest);
}

using Loop = void (*)(const Update&, void*, const void*, void* const*, size_t);

template <class T>
constexpr Loop kLoops[] = {
#define RULE(name, ...) &run<name##_rule, T>,
#include "kernels/cpu/optim.def"
#undef RULE
};

}  // namespace

void update_any(const Update& update, DType dtype, void* w, const void* g, void* const* states,
                int64_t n) {
  const auto rule = static_cast<size_t>(update.rule);
  const Loop loop = dtype == DType::kFloat32 ? kLoops<float>[rule] : kLoops<double>[rule];
  loop(update, w, g, states, static_cast<size_t>(n));
}

}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {

HWY_EXPORT(update_any);

void optim_update(const Update& update, DType dtype, void* w, const void* g, void* const* states,
                  int64_t n) {
  HWY_DYNAMIC_DISPATCH(update_any)(update, dtype, w, g, states, n);
}

int optim_states(Rule rule) {
  static constexpr int kStates[] = {
#define RULE(name, vectors, ...) count_names(#vectors) - 1,
#include "kernels/cpu/optim.def"
#undef RULE
  };
  return kStates[static_cast<size_t>(rule)];
}

}  // namespace autograd::cpu
#endif  // HWY_ONCE
