// Plain loops: each step needs the one before, and its sums have two or three terms.
#include "kernels/cpu/ctc.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "kernels/cpu/pause.hpp"

namespace autograd::cpu {
namespace {

// Steps of simple work that one state takes.
constexpr int64_t kWork = 16;

template <class T>
constexpr T kNever = -std::numeric_limits<T>::infinity();

template <class T>
T log_sum(T a, T b) {
  if (a < b) std::swap(a, b);
  return b == kNever<T> ? a : a + std::log1p(std::exp(b - a));
}

template <class T>
T log_sum(T a, T b, T c) {
  if (c == kNever<T>) return log_sum(a, b);
  if (a < b) std::swap(a, b);
  if (a < c) std::swap(a, c);
  return a + std::log1p(std::exp(b - a) + std::exp(c - a));
}

// The target with a blank around each class: state 2 i + 1 writes class i.
template <class T>
struct States {
  const CtcSequence& s;

  int64_t count() const { return 2 * s.length + 1; }
  int64_t class_of(int64_t state) const { return state % 2 ? s.target[state / 2] : s.blank; }
  T at(int64_t t, int64_t state) const {
    return static_cast<const T*>(s.log_probs)[t * s.stride + class_of(state)];
  }
  // True if `state` may follow the one two before it: not over a blank, nor from a class to itself.
  bool skips(int64_t state) const {
    return state % 2 && state > 1 && s.target[state / 2] != s.target[state / 2 - 1];
  }
};

// now[state]: the log probability of all ways that end there at step t; before: at t - 1.
template <class T>
void forward_step(const States<T>& states, int64_t t, const T* before, T* now) {
  for (int64_t i = 0; i < states.count(); ++i) {
    if (t == 0) {
      now[i] = i < 2 ? states.at(0, i) : kNever<T>;
      continue;
    }
    const T stay = before[i], next = i > 0 ? before[i - 1] : kNever<T>;
    now[i] = states.at(t, i) + log_sum(stay, next, states.skips(i) ? before[i - 2] : kNever<T>);
  }
}

// now[state]: of all ways from there at step t to the end; after: at t + 1.
template <class T>
void backward_step(const States<T>& states, int64_t t, const T* after, T* now) {
  const int64_t n = states.count();
  for (int64_t i = 0; i < n; ++i) {
    if (t == states.s.steps - 1) {
      now[i] = i >= n - 2 ? states.at(t, i) : kNever<T>;
      continue;
    }
    const T stay = after[i], next = i + 1 < n ? after[i + 1] : kNever<T>;
    const bool skips = i + 2 < n && states.skips(i + 2);
    now[i] = states.at(t, i) + log_sum(stay, next, skips ? after[i + 2] : kNever<T>);
  }
}

template <class T>
T total(const States<T>& states, const T* last) {
  const int64_t n = states.count();
  return n == 1 ? last[0] : log_sum(last[n - 1], last[n - 2]);
}

template <class T>
double loss(const CtcSequence& s, T* before) {
  const States<T> states{s};
  if (s.steps == 0) return s.length ? std::numeric_limits<double>::infinity() : 0;
  T* now = before + states.count();
  for (int64_t t = 0; t < s.steps; ++t) {
    std::swap(before, now);
    forward_step(states, t, before, now);
    pause_after(kWork * states.count());
  }
  return -static_cast<double>(total(states, now));
}

template <class T>
void gradient(const CtcSequence& s, T g, bool zero_infinity, T* out, T* alpha) {
  const States<T> states{s};
  const int64_t n = states.count();
  if (s.steps == 0) return;
  for (int64_t t = 0; t < s.steps; ++t) {
    forward_step(states, t, t ? alpha + (t - 1) * n : nullptr, alpha + t * n);
    pause_after(kWork * n);
  }
  const T sum = total(states, alpha + (s.steps - 1) * n);
  T *after = alpha + s.steps * n, *now = after + n;
  for (int64_t t = s.steps - 1; t >= 0; --t) {
    const T* log_probs = static_cast<const T*>(s.log_probs) + t * s.stride;
    T* to = out + t * s.stride;
    if (sum == kNever<T>) {
      std::fill(to, to + s.classes, zero_infinity ? T(0) : std::numeric_limits<T>::quiet_NaN());
      continue;
    }
    for (int64_t c = 0; c < s.classes; ++c) to[c] = g * std::exp(log_probs[c]);
    std::swap(after, now);
    backward_step(states, t, after, now);
    for (int64_t i = 0; i < n; ++i) {
      const T way = alpha[t * n + i] + now[i];
      if (way == kNever<T>) continue;
      const int64_t c = states.class_of(i);
      to[c] -= g * std::exp(way - sum - log_probs[c]);
    }
    pause_after(2 * kWork * n + s.classes);
  }
}

}  // namespace

int64_t ctc_loss_room(int64_t length) { return 2 * (2 * length + 1); }
int64_t ctc_gradient_room(int64_t steps, int64_t length) { return (steps + 2) * (2 * length + 1); }

double ctc_loss(DType dtype, const CtcSequence& s, void* room) {
  return dtype == DType::kFloat32 ? loss(s, static_cast<float*>(room))
                                  : loss(s, static_cast<double*>(room));
}

void ctc_gradient(DType dtype, const CtcSequence& s, double g, bool zero_infinity, void* out,
                  void* room) {
  if (dtype == DType::kFloat32)
    gradient(s, static_cast<float>(g), zero_infinity, static_cast<float*>(out),
             static_cast<float*>(room));
  else
    gradient(s, g, zero_infinity, static_cast<double*>(out), static_cast<double*>(room));
}

}  // namespace autograd::cpu
