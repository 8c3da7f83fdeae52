// Connectionist temporal classification (Graves et al., 2006), in logarithms.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// One sequence: log_probs[t * stride + class] for t < steps, and its target, `length` classes,
/// none of them the blank. `length` is small enough for `room`.
struct CtcSequence {
  const void* log_probs;
  int64_t stride, steps, classes;
  const int64_t* target;
  int64_t length, blank;
};

/// Elements that the two functions need at `room`.
int64_t ctc_loss_room(int64_t length);
int64_t ctc_gradient_room(int64_t steps, int64_t length);

/// -log of the probability of all ways to write the target; inf if there is none.
double ctc_loss(DType dtype, const CtcSequence& s, void* room);
/// g times the gradient to out[t * stride + class], for t < steps, of log_probs that come out of a
/// log_softmax: exp(log_probs) less the share of the ways that pass by. Where there is none: 0 if
/// zero_infinity, else NaN.
void ctc_gradient(DType dtype, const CtcSequence& s, double g, bool zero_infinity, void* out,
                  void* room);

}  // namespace autograd::cpu
