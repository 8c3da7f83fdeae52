// Parameter updates for every instruction set.
#include "kernels/cpu/optim.hpp"

#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/optim.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "kernels/cpu/partial_vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

enum class Momentum { kNone, kFirst, kNext };

template <class T>
struct Pointers {
  T* w;
  const T* g;
  T* b;
};

/// The arithmetic of one vector, each step rounded where PyTorch rounds it.
template <class T, Momentum kMomentum, bool kDecay>
struct SgdStep {
  using D = hn::ScalableTag<T>;
  using V = hn::Vec<D>;
  V sign, decay, momentum, undamped, minus_lr;
  bool nesterov;

  explicit SgdStep(const SgdOptions& o)
      : sign(hn::Set(D(), o.maximize ? T{-0.0} : T{0.0})),
        decay(hn::Set(D(), static_cast<T>(o.weight_decay))),
        momentum(hn::Set(D(), static_cast<T>(o.momentum))),
        undamped(hn::Set(D(), static_cast<T>(1 - o.dampening))),
        minus_lr(hn::Set(D(), static_cast<T>(-o.lr))),
        nesterov(o.nesterov) {}

  /// Updates w and b from g.
  HWY_INLINE void operator()(V& w, V g, V& b) const {
    V d = hn::Xor(g, sign);
    if constexpr (kDecay) d = hn::MulAdd(w, decay, d);
    if constexpr (kMomentum == Momentum::kFirst) b = d;
    if constexpr (kMomentum == Momentum::kNext) {
      b = hn::MulAdd(d, undamped, hn::Mul(b, momentum));
    }
    if constexpr (kMomentum != Momentum::kNone) d = nesterov ? hn::MulAdd(b, momentum, d) : b;
    w = hn::MulAdd(d, minus_lr, w);
  }
};

template <class T, Momentum kMomentum, bool kDecay>
void sgd_loop(Pointers<T> p, size_t n, const SgdOptions& options) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  const SgdStep<T, kMomentum, kDecay> step(options);
  auto b = hn::Zero(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    auto w = hn::LoadU(d, p.w + i);
    if constexpr (kMomentum == Momentum::kNext) b = hn::LoadU(d, p.b + i);
    step(w, hn::LoadU(d, p.g + i), b);
    if constexpr (kMomentum != Momentum::kNone) hn::StoreU(b, d, p.b + i);
    hn::StoreU(w, d, p.w + i);
  }
  if (i == n) return;
  const size_t rest = n - i;
  auto w = partial::load_first(d, p.w + i, rest);
  if constexpr (kMomentum == Momentum::kNext) b = partial::load_first(d, p.b + i, rest);
  step(w, partial::load_first(d, p.g + i, rest), b);
  if constexpr (kMomentum != Momentum::kNone) partial::store_first(b, d, p.b + i, rest);
  partial::store_first(w, d, p.w + i, rest);
}

template <class T, Momentum kMomentum>
void sgd_with(Pointers<T> p, size_t n, const SgdOptions& o) {
  if (o.weight_decay != 0) {
    sgd_loop<T, kMomentum, true>(p, n, o);
  } else {
    sgd_loop<T, kMomentum, false>(p, n, o);
  }
}

template <class T>
void sgd_of(void* w, const void* g, void* b, size_t n, const SgdOptions& o, bool first) {
  const Pointers<T> p{static_cast<T*>(w), static_cast<const T*>(g), static_cast<T*>(b)};
  if (o.momentum == 0) {
    sgd_with<T, Momentum::kNone>(p, n, o);
  } else if (first) {
    sgd_with<T, Momentum::kFirst>(p, n, o);
  } else {
    sgd_with<T, Momentum::kNext>(p, n, o);
  }
}

}  // namespace

void sgd_any(DType dtype, void* w, const void* g, void* b, int64_t n, const SgdOptions& o,
             bool first) {
  if (dtype == DType::kFloat32) {
    sgd_of<float>(w, g, b, static_cast<size_t>(n), o, first);
  } else {
    sgd_of<double>(w, g, b, static_cast<size_t>(n), o, first);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {

HWY_EXPORT(sgd_any);

void sgd_update(DType dtype, void* w, const void* g, void* momentum_buffer, int64_t n,
                const SgdOptions& options, bool first) {
  HWY_DYNAMIC_DISPATCH(sgd_any)(dtype, w, g, momentum_buffer, n, options, first);
}

}  // namespace autograd::cpu
#endif  // HWY_ONCE
