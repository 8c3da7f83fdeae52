// Floating-point operations of ops whose work is not one per element; a multiply-add counts as two.
#pragma once
#include "core/op.hpp"

namespace autograd::detail {

inline double count_of(const Shape& sizes) {
  double count = 1;
  for (int64_t size : sizes) count *= static_cast<double>(size);
  return count;
}
inline double last_of(const Shape& sizes) {
  return sizes.empty() ? 1 : static_cast<double>(sizes.back());
}

/// a b, or a b^T: every element of a meets one of each column of the result.
inline double product_flops(const CallSizes& s) { return 2 * count_of(s.in(0)) * last_of(s.out()); }
/// x weight^T + bias.
inline double linear_flops(const CallSizes& s) {
  return product_flops(s) + (s.has(2) ? count_of(s.out()) : 0);
}
/// input + a b.
inline double addmm_flops(const CallSizes& s) {
  return 2 * count_of(s.in(1)) * last_of(s.out()) + count_of(s.out());
}
/// Two per element of input 0: dot, mv.
inline double dot_flops(const CallSizes& s) { return 2 * count_of(s.in(0)); }

/// Elements of one filter of a weight [O, C / groups, kernel...].
inline double filter_size(const Shape& weight) {
  return weight.empty() || weight[0] == 0 ? 0 : count_of(weight) / static_cast<double>(weight[0]);
}
inline double convolution_flops(const CallSizes& s) {
  const double out = count_of(s.out());
  return 2 * out * filter_size(s.in(1)) + (s.has(2) ? out : 0);
}
inline double convolution_transpose_flops(const CallSizes& s) {
  return 2 * count_of(s.in(0)) * filter_size(s.in(1)) + (s.has(2) ? count_of(s.out()) : 0);
}
inline double convolution_weight_flops(const CallSizes& s) {
  return 2 * count_of(s.in(0)) * filter_size(s.out());
}

/// `first`: the query's place, with key and value after it. Two products for the scores, each of
/// them `products` times, and a softmax.
inline double attention_work(const CallSizes& s, int first, double of_query, double of_value) {
  const Shape &q = s.in(first), &k = s.in(first + 1), &v = s.in(first + 2);
  const double e = last_of(q), keys = static_cast<double>(k[k.size() - 2]);
  const double scores = e == 0 ? 0 : count_of(q) / e * keys;
  return scores * (2 * of_query * e + 2 * of_value * last_of(v) + 5);
}
inline double attention_flops(const CallSizes& s) { return attention_work(s, 0, 1, 1); }
inline double attention_backward_flops(const CallSizes& s) { return attention_work(s, 1, 3, 2); }

/// A step of a recurrent layer multiplies the state [N, out] by w_hh [gates H, out]; kWeight: its
/// place. The gates themselves cost about five per element.
template <int kWeight>
double recurrent_flops(const CallSizes& s) {
  return count_of(s.in(0)) * (2 * last_of(s.in(kWeight)) + 5);
}
template <int kWeight>
double recurrent_backward_flops(const CallSizes& s) {
  return count_of(s.out()) * (4 * last_of(s.in(kWeight)) + 10);
}

// Matrices [..., n, n] and right-hand sides [..., n, m].
inline double cubes(const Shape& a) { return count_of(a) * last_of(a); }
inline double inverse_flops(const CallSizes& s) { return 2 * cubes(s.in(0)); }
inline double factor_flops(const CallSizes& s) { return 2 * cubes(s.in(0)) / 3; }
inline double cholesky_flops(const CallSizes& s) { return cubes(s.in(0)) / 3; }
inline double solve_flops(const CallSizes& s) {
  return factor_flops(s) + 2 * count_of(s.out()) * last_of(s.in(0));
}
inline double triangular_flops(const CallSizes& s) { return count_of(s.out()) * last_of(s.in(0)); }

/// kPerElement operations for each element of the largest tensor of the call.
template <int kPerElement>
double each_flops(const CallSizes& s) {
  double most = 0;
  for (int i = 0; i < s.n_inputs; ++i)
    if (s.has(i)) most = count_of(s.in(i)) > most ? count_of(s.in(i)) : most;
  for (int i = 0; i < s.n_outputs; ++i)
    most = count_of(s.out(i)) > most ? count_of(s.out(i)) : most;
  return kPerElement * most;
}

}  // namespace autograd::detail
