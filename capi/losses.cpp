// C functions of softmax and the losses.
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

ag_tensor* ag_softmax(const ag_tensor* x, int64_t dim) {
  return make(__func__, [&](Arguments in) { return softmax(in.tensor(x, "x"), dim); });
}

ag_tensor* ag_log_softmax(const ag_tensor* x, int64_t dim) {
  return make(__func__, [&](Arguments in) { return log_softmax(in.tensor(x, "x"), dim); });
}

ag_tensor* ag_cross_entropy(const ag_tensor* logits, const ag_tensor* target,
                            ag_reduction reduction) {
  return make(__func__, [&](Arguments in) {
    return cross_entropy(in.tensor(logits, "logits"), in.tensor(target, "target"),
                         in.reduction(reduction));
  });
}

ag_tensor* ag_mse_loss(const ag_tensor* input, const ag_tensor* target, ag_reduction reduction) {
  return make(__func__, [&](Arguments in) {
    return mse_loss(in.tensor(input, "input"), in.tensor(target, "target"),
                    in.reduction(reduction));
  });
}
