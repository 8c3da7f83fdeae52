// Softmax along the columns of a row-major [n, stride], as many neighbouring columns at a time as
// make every pass over the memory a walk along rows. Included by softmax.cpp per instruction set.

/// Columns of one pass: their statistics stay in the nearest cache.
constexpr size_t kColumnsAtOnce = 256;

/// Statistics by column, with room for a full last vector.
template <class T>
struct ColumnNumbers {
  HWY_ALIGN T at[kColumnsAtOnce];
};

/// Calls f(s, j) for every vector s of every row j.
template <class T, class F>
HWY_INLINE void each_of_rows(const AcrossRow<T>& l, size_t n, F f) {
  for (size_t j = 0; j < n; ++j) l.each([&](auto s) HWY_ATTR { f(s, j); });
}

/// top: the maximum of each column (any number if it has a NaN), sum: of exp(x - top), whose terms
/// go to e unless it is null.
template <class T>
HWY_INLINE void column_sums(const AcrossRow<T>& l, size_t n, size_t stride, const T* x, T* top,
                            T* sum, T* e) {
  const auto zero = hn::Zero(Tag<T>());
  std::fill_n(top, l.n, -std::numeric_limits<T>::infinity());
  std::fill_n(sum, l.n, T{0});
  each_of_rows(l, n, [&](auto s, size_t j) HWY_ATTR {
    l.put(hn::Max(l.get(top, s, zero), l.get(x + j * stride, s, zero)), top, s);
  });
  each_of_rows(l, n, [&](auto s, size_t j) HWY_ATTR {
    const auto v = exp_below(hn::Sub(l.get(x + j * stride, s, zero), l.get(top, s, zero)));
    if (e != nullptr) l.put(v, e + j * stride, s);
    l.put(hn::Add(l.get(sum, s, zero), v), sum, s);
  });
}

template <class T>
void softmax_columns(bool log, const T* x, T* y, size_t count, size_t n, size_t stride) {
  const Tag<T> d;
  const auto zero = hn::Zero(d);
  ColumnNumbers<T> top, sum;
  for (size_t c = 0; c < count; c += kColumnsAtOnce) {
    const AcrossRow<T> l{std::min(kColumnsAtOnce, count - c)};
    const T* in = x + c;
    T* out = y + c;
    column_sums<T>(l, n, stride, in, top.at, sum.at, log ? nullptr : out);
    if (log) {
      l.each([&](auto s) HWY_ATTR { l.put(log_of_sum<T>(l.get(sum.at, s, zero)), sum.at, s); });
      each_of_rows(l, n, [&](auto s, size_t j) HWY_ATTR {
        const auto below = hn::Sub(l.get(in + j * stride, s, zero), l.get(top.at, s, zero));
        l.put(hn::Sub(below, l.get(sum.at, s, zero)), out + j * stride, s);
      });
    } else {
      const auto one = hn::Set(d, T{1});
      l.each([&](auto s) HWY_ATTR { l.put(hn::Div(one, l.get(sum.at, s, one)), sum.at, s); });
      each_of_rows(l, n, [&](auto s, size_t j) HWY_ATTR {
        l.put(hn::Mul(l.get(out + j * stride, s, zero), l.get(sum.at, s, zero)), out + j * stride,
              s);
      });
    }
  }
}

template <class T>
void softmax_backward_columns(bool log, const T* g, const T* y, T* dx, size_t count, size_t n,
                              size_t stride) {
  const auto zero = hn::Zero(Tag<T>());
  ColumnNumbers<T> sum;
  for (size_t c = 0; c < count; c += kColumnsAtOnce) {
    const AcrossRow<T> l{std::min(kColumnsAtOnce, count - c)};
    std::fill_n(sum.at, l.n, T{0});
    each_of_rows(l, n, [&](auto s, size_t j) HWY_ATTR {
      const auto gv = l.get(g + c + j * stride, s, zero), total = l.get(sum.at, s, zero);
      l.put(log ? hn::Add(total, gv) : hn::MulAdd(gv, l.get(y + c + j * stride, s, zero), total),
            sum.at, s);
    });
    each_of_rows(l, n, [&](auto s, size_t j) HWY_ATTR {
      const size_t at = c + j * stride;
      const auto gv = l.get(g + at, s, zero), yv = l.get(y + at, s, zero),
                 total = l.get(sum.at, s, zero);
      l.put(log ? hn::NegMulAdd(exp_below(yv), total, gv) : hn::Mul(yv, hn::Sub(gv, total)),
            dx + at, s);
    });
  }
}

template <class T>
void logsumexp_columns(const T* x, T* y, size_t count, size_t n, size_t stride) {
  const auto zero = hn::Zero(Tag<T>());
  ColumnNumbers<T> top, sum;
  for (size_t c = 0; c < count; c += kColumnsAtOnce) {
    const AcrossRow<T> l{std::min(kColumnsAtOnce, count - c)};
    column_sums<T>(l, n, stride, x + c, top.at, sum.at, nullptr);
    l.each([&](auto s) HWY_ATTR {
      l.put(hn::Add(l.get(top.at, s, zero), log_of_sum<T>(l.get(sum.at, s, zero))), y + c, s);
    });
    for (size_t i = 0; i < l.n; ++i) {
      if (top.at[i] - top.at[i] == T{0}) continue;
      // Infinite: the sum is too, unless there is a NaN.
      y[c + i] = top.at[i];
      for (size_t j = 0; j < n; ++j) {
        const T v = x[c + i + j * stride];
        if (v != v) y[c + i] = std::numeric_limits<T>::quiet_NaN();
      }
    }
  }
}
