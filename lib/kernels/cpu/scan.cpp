// Scans: plain loops. What a row carries on stays in a block of lanes, so that neither the latency
// of one addition after the other nor strided memory is waited for.
#include "kernels/cpu/scan.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "kernels/cpu/element_types.hpp"
#include "kernels/cpu/pause.hpp"
#include "kernels/cpu/product.hpp"

namespace autograd::cpu {
namespace {

constexpr int64_t kLanes = 16;  // columns that are walked along together

/// The type in which a running result is kept.
template <class T>
using Wide = std::conditional_t<std::is_floating_point_v<T>, double, uint64_t>;

/// Calls walk(first, count) for every block of up to kLanes neighbouring columns of `n` numbers:
/// number j of column i is at first + i + j * inner.
template <class Walk>
void for_blocks(const ScanShape& s, const Walk& walk) {
  for (int64_t o = 0; o < s.outer; ++o)
    for (int64_t i = 0; i < s.inner; i += kLanes) {
      walk(o * s.n * s.inner + i, std::min(kLanes, s.inner - i));
      pause_after(s.n);
    }
}

/// Calls step(state, j, place) for the n numbers of every column, each from the same state, with
/// pauses.
template <class State, class Step>
void for_columns(const ScanShape& s, const State& start, const Step& step) {
  for (int64_t o = 0; o < s.outer; ++o)
    for (int64_t i = 0; i < s.inner; ++i) {
      State state = start;
      int64_t j = 0, at = o * s.n * s.inner + i;
      for (;;) {
        for (const int64_t end = std::min(j + kPart, s.n); j < end; ++j, at += s.inner)
          step(state, j, at);
        if (j == s.n) break;
        pause();
      }
      pause_after(s.n);
    }
}

/// Four contiguous rows side by side: more would fall on the same lines of the cache.
template <class T, class Join>
void running_rows(const T* x, T* y, const ScanShape& s, bool reverse, Wide<T> start,
                  const Join& join) {
  const int64_t step = reverse ? -1 : 1, begin = reverse ? s.n - 1 : 0;
  int64_t o = 0;
  for (; o + 4 <= s.outer; o += 4) {
    Wide<T> a = start, b = start, c = start, d = start;
    const int64_t n = s.n;
    const T* in = x + o * n + begin;
    T* out = y + o * n + begin;
    in_parts(n, [&](int64_t first, int64_t last) {
      for (int64_t j = first; j < last; ++j, in += step, out += step) {
        a = join(a, static_cast<Wide<T>>(in[0]));
        b = join(b, static_cast<Wide<T>>(in[n]));
        c = join(c, static_cast<Wide<T>>(in[2 * n]));
        d = join(d, static_cast<Wide<T>>(in[3 * n]));
        out[0] = static_cast<T>(a);
        out[n] = static_cast<T>(b);
        out[2 * n] = static_cast<T>(c);
        out[3 * n] = static_cast<T>(d);
      }
    });
  }
  for (; o < s.outer; ++o) {
    Wide<T> acc = start;
    int64_t at = o * s.n + begin;
    in_parts(s.n, [&](int64_t first, int64_t last) {
      for (int64_t j = first; j < last; ++j, at += step)
        y[at] = static_cast<T>(acc = join(acc, static_cast<Wide<T>>(x[at])));
    });
  }
}

template <class T, class Join>
void running(const T* x, T* y, const ScanShape& s, bool reverse, Wide<T> start, const Join& join) {
  if (s.inner == 1) return running_rows(x, y, s, reverse, start, join);
  for_blocks(s, [&](int64_t first, int64_t count) {
    Wide<T> acc[kLanes];
    std::fill_n(acc, kLanes, start);
    const auto body = [&](int64_t lanes) {
      for (int64_t j = 0; j < s.n; ++j) {
        const int64_t at = first + (reverse ? s.n - 1 - j : j) * s.inner;
        for (int64_t i = 0; i < lanes; ++i) {
          acc[i] = join(acc[i], static_cast<Wide<T>>(x[at + i]));
          y[at + i] = static_cast<T>(acc[i]);
        }
      }
    };
    if (count == kLanes)
      body(kLanes);
    else
      body(count);
  });
}

struct Add {
  template <class T>
  T operator()(T a, T b) const {
    return a + b;
  }
};
struct Multiply {
  template <class T>
  T operator()(T a, T b) const {
    return a * b;
  }
};

void products(const int64_t* x, int64_t* y, const ScanShape& s) {
  for (int64_t o = 0; o < s.outer; ++o, y += s.inner) {
    std::fill_n(y, s.inner, int64_t{1});
    for (int64_t j = 0; j < s.n; ++j, x += s.inner)
      for (int64_t i = 0; i < s.inner; ++i) y[i] = mul(y[i], x[i]);
  }
}

template <class T, class Better>
void extreme_of(const T* x, T* y, int64_t* index, const ScanShape& s, const Better& better) {
  struct Best {
    T value;
    int64_t place;
  };
  for_columns(s, Best{}, [=](Best& best, int64_t j, int64_t at) {
    const T v = x[at];
    const bool is_nan = v != v, was_nan = j > 0 && best.value != best.value;
    if (j == 0 || is_nan || (!was_nan && better(v, best.value))) best = {v, j};
    y[at] = best.value;
    index[at] = best.place;
  });
}

template <class T>
void logcumsumexp_of(const T* x, T* y, const ScanShape& s) {
  struct Sum {  // log of it: top + log(sum)
    double top = -std::numeric_limits<double>::infinity(), sum = 0;
  };
  for_columns(s, Sum{}, [=](Sum& all, int64_t, int64_t at) {
    const double v = static_cast<double>(x[at]);
    if (v > all.top) {
      all.sum = all.sum * std::exp(all.top - v) + 1;
      all.top = v;
    } else if (v == v) {
      all.sum += v == all.top ? (std::isinf(v) && v < 0 ? 0 : 1) : std::exp(v - all.top);
    } else {
      all.top = v;
    }
    const double top = all.top;
    y[at] = static_cast<T>(std::isinf(top) || top != top ? top : top + std::log(all.sum));
  });
}

template <class T>
void linear_scan_of(bool reverse, const T* a, const T* b, T* out, const ScanShape& s) {
  const int64_t last = s.n - 1, step = s.inner;
  for_columns(s, 0.0, [=](double& acc, int64_t j, int64_t forward) {
    const int64_t at = reverse ? forward + (last - 2 * j) * step : forward;
    const int64_t factor = reverse ? at + step : at;
    acc = static_cast<double>(b[at]) + (j ? static_cast<double>(a[factor]) * acc : 0);
    out[at] = static_cast<T>(acc);
  });
}

template <class Work>
void by_number(DType dtype, const Work& work) {
  if (dtype == DType::kInt64)
    work(static_cast<int64_t*>(nullptr));
  else
    by_float(dtype, work);
}

template <class T>
const T* in(const void* p) {
  return static_cast<const T*>(p);
}
template <class T>
T* out_as(void* p) {
  return static_cast<T*>(p);
}

}  // namespace

void cumsum(DType dtype, bool reverse, const void* x, void* y, const ScanShape& s) {
  by_number(dtype, [&](auto* t) {
    using T = Element<decltype(t)>;
    running(in<T>(x), out_as<T>(y), s, reverse, Wide<T>{0}, Add());
  });
}

void cumprod(DType dtype, const void* x, void* y, const ScanShape& s) {
  by_number(dtype, [&](auto* t) {
    using T = Element<decltype(t)>;
    running(in<T>(x), out_as<T>(y), s, false, Wide<T>{1}, Multiply());
  });
}

void prod(DType dtype, const void* x, DType to, void* y, const ScanShape& s) {
  if (dtype == DType::kInt64) return products(in<int64_t>(x), out_as<int64_t>(y), s);
  float_products(dtype, x, to, y, s);
}

void cumulative_extreme(DType dtype, bool largest, const void* x, void* y, int64_t* index,
                        const ScanShape& s) {
  by_dtype(dtype, [&](auto* t) {
    using T = Element<decltype(t)>;
    if (largest)
      extreme_of(in<T>(x), out_as<T>(y), index, s, [](T a, T b) { return a >= b; });
    else
      extreme_of(in<T>(x), out_as<T>(y), index, s, [](T a, T b) { return a <= b; });
  });
}

void logcumsumexp(DType dtype, const void* x, void* y, const ScanShape& s) {
  by_float(dtype, [&](auto* t) {
    using T = Element<decltype(t)>;
    logcumsumexp_of(in<T>(x), out_as<T>(y), s);
  });
}

void linear_scan(DType dtype, bool reverse, const void* a, const void* b, void* out,
                 const ScanShape& s) {
  by_float(dtype, [&](auto* t) {
    using T = Element<decltype(t)>;
    linear_scan_of(reverse, in<T>(a), in<T>(b), out_as<T>(out), s);
  });
}

void add_along(DType dtype, const void* g, const int64_t* index, void* out, const ScanShape& s) {
  by_float(dtype, [&](auto* t) {
    using T = Element<decltype(t)>;
    for (int64_t o = 0; o < s.outer; ++o)
      for (int64_t j = 0; j < s.n; ++j) {
        for (int64_t i = 0; i < s.inner; ++i) {
          const int64_t at = (o * s.n + j) * s.inner + i;
          out_as<T>(out)[(o * s.n + index[at]) * s.inner + i] += in<T>(g)[at];
        }
        pause_after(s.inner);
      }
  });
}

void gather_along(DType dtype, const void* x, const int64_t* index, void* out, const ScanShape& s) {
  by_float(dtype, [&](auto* t) {
    using T = Element<decltype(t)>;
    for (int64_t o = 0; o < s.outer; ++o)
      for (int64_t j = 0; j < s.n; ++j) {
        for (int64_t i = 0; i < s.inner; ++i) {
          const int64_t at = (o * s.n + j) * s.inner + i;
          out_as<T>(out)[at] = in<T>(x)[(o * s.n + index[at]) * s.inner + i];
        }
        pause_after(s.inner);
      }
  });
}

}  // namespace autograd::cpu
