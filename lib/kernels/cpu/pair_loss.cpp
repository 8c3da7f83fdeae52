// Losses of pairs for every instruction set. A loss is a struct with its formula and its slope.
#include "kernels/cpu/pair_loss.hpp"

#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/pair_loss.cpp"
// foreach_target.h must come first.
// clang-format off
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
// clang-format on
#include "kernels/cpu/each_vector-inl.h"
#include "kernels/cpu/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace {

/// log(1 + u) for u >= 0: the rounding of 1 + u is put right.
template <class V>
HWY_INLINE V log1p_of(V u) {
  const V w = 1 + u;
  return log(w) + (u - (w - 1)) / w;
}

/// log(1 + exp(x)).
template <class V>
HWY_INLINE V softplus(V x) {
  return maximum(x, V(0)) + log1p_of(exp(-abs(x)));
}

template <class V>
HWY_INLINE V logistic(V x) {
  return 1 / (1 + exp(-x));
}

struct Mse {
  template <class V>
  static HWY_INLINE V loss(V x, V t, V) {
    const V d = x - t;
    return d * d;
  }
  template <class V>
  static HWY_INLINE V slope(V x, V t, V) {
    return 2 * (x - t);
  }
};

struct L1 {
  template <class V>
  static HWY_INLINE V loss(V x, V t, V) {
    return abs(x - t);
  }
  template <class V>
  static HWY_INLINE V slope(V x, V t, V) {
    return sign(x - t);
  }
};

struct SmoothL1 {
  template <class V>
  static HWY_INLINE V loss(V x, V t, V p) {
    const V d = abs(x - t);
    return where(d < p, 0.5 * d * d / p, d - 0.5 * p);
  }
  template <class V>
  static HWY_INLINE V slope(V x, V t, V p) {
    const V d = x - t;
    return where(d <= -p, V(-1), where(d >= p, V(1), d / p));
  }
};

struct Huber {
  template <class V>
  static HWY_INLINE V loss(V x, V t, V p) {
    const V d = abs(x - t);
    return where(d <= p, 0.5 * d * d, p * (d - 0.5 * p));
  }
  template <class V>
  static HWY_INLINE V slope(V x, V t, V p) {
    const V d = x - t;
    return where(d <= -p, -p, where(d >= p, p, d));
  }
};

struct Bce {
  template <class V>
  static HWY_INLINE V loss(V x, V t, V) {
    const V w = 1 - x;
    // As log1p_of, for -x: at x = 1 the correction would be 0 / 0.
    const V right = where(w == V(0), V(0), ((1 - w) - x) / w);
    return (t - 1) * maximum(log(w) + right, V(-100)) - t * maximum(log(x), V(-100));
  }
  template <class V>
  static HWY_INLINE V slope(V x, V t, V) {
    return (x - t) / maximum((1 - x) * x, V(1e-12));
  }
};

struct BceLogits {
  template <class V>
  static HWY_INLINE V loss(V x, V t, V) {
    return (1 - t) * x + softplus(-x);
  }
  template <class V>
  static HWY_INLINE V slope(V x, V t, V) {
    return logistic(x) - t;
  }
};

struct SoftMargin {
  template <class V>
  static HWY_INLINE V loss(V x, V t, V) {
    return softplus(-(t * x));
  }
  template <class V>
  static HWY_INLINE V slope(V x, V t, V) {
    return -(t * logistic(-(t * x)));
  }
};

struct Kl {
  template <class V>
  static HWY_INLINE V loss(V x, V t, V) {
    return where(t == V(0), V(0), t * log(t)) - t * x;
  }
  template <class V>
  static HWY_INLINE V slope(V, V t, V) {
    return -t;
  }
};

struct KlLog {
  template <class V>
  static HWY_INLINE V loss(V x, V t, V) {
    return exp(t) * (t - x);
  }
  template <class V>
  static HWY_INLINE V slope(V, V t, V) {
    return -exp(t);
  }
};

template <class Loss, class T>
void elements(const T* x, const T* t, T* out, int64_t n, double p) {
  const Vec<T> param = p;
  each_vector<T>(n, [&](size_t i, size_t count) HWY_ATTR {
    store<T>(Loss::loss(load(x + i, count), load(t + i, count), param), out + i, count);
  });
}

template <class Loss, class T>
void total(const T* x, const T* t, T* out, int64_t n, double p) {
  const hn::ScalableTag<T> d;
  const Vec<T> param = p;
  Vec<T> even = 0, odd = 0;
  each_vector<T>(n, [&](size_t i, size_t count) HWY_ATTR {
    const Vec<T> value = Loss::loss(load(x + i, count), load(t + i, count), param);
    odd =
        odd + (count == hn::Lanes(d) ? value
                                     : Vec<T>(hn::IfThenElseZero(hn::FirstN(d, count), value.raw)));
    const Vec<T> other = even;
    even = odd;
    odd = other;
  });
  *out = hn::GetLane(hn::SumOfLanes(d, (even + odd).raw));
}

template <class Loss, class T>
void slopes(const T* g, int64_t g_stride, double scale, const T* x, const T* t, T* dx, int64_t n,
            double p) {
  const Vec<T> param = p, factor = scale;
  const Vec<T> same = g_stride || n == 0 ? factor : Vec<T>(static_cast<double>(g[0])) * factor;
  each_vector<T>(n, [&](size_t i, size_t count) HWY_ATTR {
    const Vec<T> by = g_stride ? load(g + i, count) * factor : same;
    store<T>(Loss::slope(load(x + i, count), load(t + i, count), param) * by, dx + i, count);
  });
}

template <class Loss>
void elements_of(DType dtype, const void* x, const void* t, void* out, int64_t n, double p) {
  if (dtype == DType::kFloat32)
    elements<Loss>(static_cast<const float*>(x), static_cast<const float*>(t),
                   static_cast<float*>(out), n, p);
  else
    elements<Loss>(static_cast<const double*>(x), static_cast<const double*>(t),
                   static_cast<double*>(out), n, p);
}

template <class Loss>
void total_of(DType dtype, const void* x, const void* t, void* out, int64_t n, double p) {
  if (dtype == DType::kFloat32)
    total<Loss>(static_cast<const float*>(x), static_cast<const float*>(t),
                static_cast<float*>(out), n, p);
  else
    total<Loss>(static_cast<const double*>(x), static_cast<const double*>(t),
                static_cast<double*>(out), n, p);
}

template <class Loss>
void slopes_of(DType dtype, const void* g, int64_t g_stride, double scale, const void* x,
               const void* t, void* dx, int64_t n, double p) {
  if (dtype == DType::kFloat32)
    slopes<Loss>(static_cast<const float*>(g), g_stride, scale, static_cast<const float*>(x),
                 static_cast<const float*>(t), static_cast<float*>(dx), n, p);
  else
    slopes<Loss>(static_cast<const double*>(g), g_stride, scale, static_cast<const double*>(x),
                 static_cast<const double*>(t), static_cast<double*>(dx), n, p);
}

#define AG_PER_LOSS(call)       \
  switch (kind) {               \
    case PairLoss::kMse:        \
      return call(Mse);         \
    case PairLoss::kL1:         \
      return call(L1);          \
    case PairLoss::kSmoothL1:   \
      return call(SmoothL1);    \
    case PairLoss::kHuber:      \
      return call(Huber);       \
    case PairLoss::kBce:        \
      return call(Bce);         \
    case PairLoss::kBceLogits:  \
      return call(BceLogits);   \
    case PairLoss::kSoftMargin: \
      return call(SoftMargin);  \
    case PairLoss::kKl:         \
      return call(Kl);          \
    case PairLoss::kKlLog:      \
      return call(KlLog);       \
  }

}  // namespace

void Elements(PairLoss kind, DType dtype, const void* x, const void* t, void* out, int64_t n,
              double p) {
#define AG_CALL(loss) elements_of<loss>(dtype, x, t, out, n, p)
  AG_PER_LOSS(AG_CALL)
#undef AG_CALL
}

void Total(PairLoss kind, DType dtype, const void* x, const void* t, void* out, int64_t n,
           double p) {
#define AG_CALL(loss) total_of<loss>(dtype, x, t, out, n, p)
  AG_PER_LOSS(AG_CALL)
#undef AG_CALL
}

void Slopes(PairLoss kind, DType dtype, const void* g, int64_t g_stride, double scale,
            const void* x, const void* t, void* dx, int64_t n, double p) {
#define AG_CALL(loss) slopes_of<loss>(dtype, g, g_stride, scale, x, t, dx, n, p)
  AG_PER_LOSS(AG_CALL)
#undef AG_CALL
}
#undef AG_PER_LOSS

}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {

HWY_EXPORT(Elements);
HWY_EXPORT(Total);
HWY_EXPORT(Slopes);

void pair_loss(PairLoss kind, DType dtype, const void* x, const void* t, void* out, int64_t n,
               double p) {
  HWY_DYNAMIC_DISPATCH(Elements)(kind, dtype, x, t, out, n, p);
}

void pair_loss_sum(PairLoss kind, DType dtype, const void* x, const void* t, void* out, int64_t n,
                   double p) {
  HWY_DYNAMIC_DISPATCH(Total)(kind, dtype, x, t, out, n, p);
}

void pair_loss_backward(PairLoss kind, DType dtype, const void* g, int64_t g_stride, double scale,
                        const void* x, const void* t, void* dx, int64_t n, double p) {
  HWY_DYNAMIC_DISPATCH(Slopes)(kind, dtype, g, g_stride, scale, x, t, dx, n, p);
}

namespace {
template <class T>
bool all_in_unit(const T* x, int64_t n) {
  bool fits = true;
  for (int64_t i = 0; i < n; ++i) fits &= x[i] >= 0 && x[i] <= 1;
  return fits;
}
}  // namespace

bool is_probability(DType dtype, const void* x, int64_t n) {
  return dtype == DType::kFloat32 ? all_in_unit(static_cast<const float*>(x), n)
                                  : all_in_unit(static_cast<const double*>(x), n);
}

}  // namespace autograd::cpu
#endif
