// Time steps of LSTM, GRU and RNN, for every instruction set.
#include "kernels/cpu/recurrent.hpp"

#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/recurrent.cpp"
// foreach_target.h must come first.
// clang-format off
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
// clang-format on
#include "kernels/cpu/partial_vector-inl.h"
#include "kernels/cpu/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace {

/// Places of a row: a whole vector, or the last `count` elements.
struct Whole {
  size_t at;
};
struct Rest {
  size_t at, count;
};

template <class T>
HWY_INLINE Vec<T> get(const T* p, Whole s) {
  return hn::LoadU(hn::ScalableTag<T>(), p + s.at);
}
template <class T>
HWY_INLINE Vec<T> get(const T* p, Rest s) {
  return partial::load_first(hn::ScalableTag<T>(), p + s.at, s.count);
}
template <class T>
HWY_INLINE void put(Vec<T> v, T* p, Whole s) {
  hn::StoreU(v.raw, hn::ScalableTag<T>(), p + s.at);
}
template <class T>
HWY_INLINE void put(Vec<T> v, T* p, Rest s) {
  partial::store_first(v.raw, hn::ScalableTag<T>(), p + s.at, s.count);
}

template <class T, class Body>
HWY_INLINE void along_row(int64_t n, const Body& body) {
  const size_t lanes = hn::Lanes(hn::ScalableTag<T>()), count = static_cast<size_t>(n);
  size_t j = 0;
  for (; j + lanes <= count; j += lanes) body(Whole{j});
  if (j < count) body(Rest{j, count - j});
}

template <class T>
HWY_INLINE Vec<T> sigmoid(Vec<T> x) {
  return Vec<T>(1) / (Vec<T>(1) + exp(-x));
}

template <class T>
void lstm(int64_t rows, int64_t h, T* gates, const T* c_before, T* c, T* y) {
  for (int64_t r = 0; r < rows; ++r, gates += 4 * h, c_before += h, c += h, y += h) {
    along_row<T>(h, [&](auto s) HWY_ATTR {
      const Vec<T> i = sigmoid(get(gates, s)), f = sigmoid(get(gates + h, s));
      const Vec<T> g = tanh(get(gates + 2 * h, s)), o = sigmoid(get(gates + 3 * h, s));
      const Vec<T> cell = fma(f, get(c_before, s), i * g);
      put(i, gates, s);
      put(f, gates + h, s);
      put(g, gates + 2 * h, s);
      put(o, gates + 3 * h, s);
      put(cell, c, s);
      put(o * tanh(cell), y, s);
    });
  }
}

template <class T>
void lstm_backward(int64_t rows, int64_t h, const T* gates, const T* c_before, const T* c,
                   const T* dy, T* dc, T* dgates) {
  for (int64_t r = 0; r < rows;
       ++r, gates += 4 * h, c_before += h, c += h, dy += h, dc += h, dgates += 4 * h) {
    along_row<T>(h, [&](auto s) HWY_ATTR {
      const Vec<T> one = 1;
      const Vec<T> i = get(gates, s), f = get(gates + h, s);
      const Vec<T> g = get(gates + 2 * h, s), o = get(gates + 3 * h, s);
      const Vec<T> tc = tanh(get(c, s)), d = get(dy, s);
      const Vec<T> dcell = fma(d * o, one - tc * tc, get(dc, s));
      put(dcell * g * (i * (one - i)), dgates, s);
      put(dcell * get(c_before, s) * (f * (one - f)), dgates + h, s);
      put(dcell * i * (one - g * g), dgates + 2 * h, s);
      put(d * tc * (o * (one - o)), dgates + 3 * h, s);
      put(dcell * f, dc, s);
    });
  }
}

template <class T>
void gru(int64_t rows, int64_t h, const T* x, T* s_rows, const T* y_before, T* y) {
  for (int64_t r = 0; r < rows; ++r, x += 3 * h, s_rows += 4 * h, y_before += h, y += h) {
    along_row<T>(h, [&](auto s) HWY_ATTR {
      const Vec<T> reset = sigmoid(get(x, s) + get(s_rows, s));
      const Vec<T> z = sigmoid(get(x + h, s) + get(s_rows + h, s));
      const Vec<T> state = get(s_rows + 2 * h, s);
      const Vec<T> n = tanh(fma(reset, state, get(x + 2 * h, s)));
      put(reset, s_rows, s);
      put(z, s_rows + h, s);
      put(n, s_rows + 2 * h, s);
      put(state, s_rows + 3 * h, s);
      put(fma(z, get(y_before, s) - n, n), y, s);
    });
  }
}

template <class T>
void gru_backward(int64_t rows, int64_t h, const T* s_rows, const T* y_before, const T* dy, T* dx,
                  T* ds, T* dy_before) {
  for (int64_t r = 0; r < rows;
       ++r, s_rows += 4 * h, y_before += h, dy += h, dx += 3 * h, ds += 3 * h, dy_before += h) {
    along_row<T>(h, [&](auto s) HWY_ATTR {
      const Vec<T> one = 1;
      const Vec<T> reset = get(s_rows, s), z = get(s_rows + h, s), n = get(s_rows + 2 * h, s);
      const Vec<T> state = get(s_rows + 3 * h, s), d = get(dy, s);
      const Vec<T> dn = d * (one - z) * (one - n * n);
      const Vec<T> dz = d * (get(y_before, s) - n) * (z * (one - z));
      const Vec<T> dr = dn * state * (reset * (one - reset));
      put(dr, dx, s);
      put(dz, dx + h, s);
      put(dn, dx + 2 * h, s);
      put(dr, ds, s);
      put(dz, ds + h, s);
      put(dn * reset, ds + 2 * h, s);
      put(d * z, dy_before, s);
    });
  }
}

template <class T>
void rnn(bool relu, int64_t n, T* y) {
  along_row<T>(n, [&](auto s) HWY_ATTR {
    const Vec<T> v = get(y, s);
    put(relu ? where(v <= 0, Vec<T>(0), v) : tanh(v), y, s);
  });
}

template <class T>
void rnn_backward(bool relu, int64_t n, const T* y, const T* dy, T* dx) {
  along_row<T>(n, [&](auto s) HWY_ATTR {
    const Vec<T> v = get(y, s), d = get(dy, s);
    put(relu ? where(v > 0, d, Vec<T>(0)) : d * (Vec<T>(1) - v * v), dx, s);
  });
}

#define AUTOGRAD_RECURRENT(suffix, T)                                                           \
  void lstm_##suffix(int64_t rows, int64_t h, void* gates, const void* c_before, void* c,       \
                     void* y) {                                                                 \
    lstm(rows, h, static_cast<T*>(gates), static_cast<const T*>(c_before), static_cast<T*>(c),  \
         static_cast<T*>(y));                                                                   \
  }                                                                                             \
  void lstm_backward_##suffix(int64_t rows, int64_t h, const void* gates, const void* c_before, \
                              const void* c, const void* dy, void* dc, void* dgates) {          \
    lstm_backward(rows, h, static_cast<const T*>(gates), static_cast<const T*>(c_before),       \
                  static_cast<const T*>(c), static_cast<const T*>(dy), static_cast<T*>(dc),     \
                  static_cast<T*>(dgates));                                                     \
  }                                                                                             \
  void gru_##suffix(int64_t rows, int64_t h, const void* x, void* s, const void* y_before,      \
                    void* y) {                                                                  \
    gru(rows, h, static_cast<const T*>(x), static_cast<T*>(s), static_cast<const T*>(y_before), \
        static_cast<T*>(y));                                                                    \
  }                                                                                             \
  void gru_backward_##suffix(int64_t rows, int64_t h, const void* s, const void* y_before,      \
                             const void* dy, void* dx, void* ds, void* dy_before) {             \
    gru_backward(rows, h, static_cast<const T*>(s), static_cast<const T*>(y_before),            \
                 static_cast<const T*>(dy), static_cast<T*>(dx), static_cast<T*>(ds),           \
                 static_cast<T*>(dy_before));                                                   \
  }                                                                                             \
  void rnn_##suffix(bool relu, int64_t n, void* y) { rnn(relu, n, static_cast<T*>(y)); }        \
  void rnn_backward_##suffix(bool relu, int64_t n, const void* y, const void* dy, void* dx) {   \
    rnn_backward(relu, n, static_cast<const T*>(y), static_cast<const T*>(dy),                  \
                 static_cast<T*>(dx));                                                          \
  }
AUTOGRAD_RECURRENT(float, float)
AUTOGRAD_RECURRENT(double, double)
#undef AUTOGRAD_RECURRENT

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {
namespace {

HWY_EXPORT(lstm_float);
HWY_EXPORT(lstm_double);
HWY_EXPORT(lstm_backward_float);
HWY_EXPORT(lstm_backward_double);
HWY_EXPORT(gru_float);
HWY_EXPORT(gru_double);
HWY_EXPORT(gru_backward_float);
HWY_EXPORT(gru_backward_double);
HWY_EXPORT(rnn_float);
HWY_EXPORT(rnn_double);
HWY_EXPORT(rnn_backward_float);
HWY_EXPORT(rnn_backward_double);

}  // namespace

#define AUTOGRAD_RUN(name, ...)                                                \
  (dtype == DType::kFloat64 ? HWY_DYNAMIC_DISPATCH(name##_double)(__VA_ARGS__) \
                            : HWY_DYNAMIC_DISPATCH(name##_float)(__VA_ARGS__))

void lstm_step(DType dtype, int64_t rows, int64_t h, void* gates, const void* c_before, void* c,
               void* y) {
  AUTOGRAD_RUN(lstm, rows, h, gates, c_before, c, y);
}

void lstm_step_backward(DType dtype, int64_t rows, int64_t h, const void* gates,
                        const void* c_before, const void* c, const void* dy, void* dc,
                        void* dgates) {
  AUTOGRAD_RUN(lstm_backward, rows, h, gates, c_before, c, dy, dc, dgates);
}

void gru_step(DType dtype, int64_t rows, int64_t h, const void* x, void* s, const void* y_before,
              void* y) {
  AUTOGRAD_RUN(gru, rows, h, x, s, y_before, y);
}

void gru_step_backward(DType dtype, int64_t rows, int64_t h, const void* s, const void* y_before,
                       const void* dy, void* dx, void* ds, void* dy_before) {
  AUTOGRAD_RUN(gru_backward, rows, h, s, y_before, dy, dx, ds, dy_before);
}

void rnn_step(DType dtype, bool relu, int64_t n, void* y) { AUTOGRAD_RUN(rnn, relu, n, y); }

void rnn_step_backward(DType dtype, bool relu, int64_t n, const void* y, const void* dy, void* dx) {
  AUTOGRAD_RUN(rnn_backward, relu, n, y, dy, dx);
}
#undef AUTOGRAD_RUN

}  // namespace autograd::cpu
#endif  // HWY_ONCE
