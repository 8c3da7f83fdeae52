// C functions of gradient clipping.
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

ag_tensor* ag_total_norm(ag_tensor* const* tensors, int64_t n, double norm_type,
                         int32_t error_if_nonfinite) {
  return make(__func__, [&](Arguments in) {
    return optim::total_norm(in.tensors(tensors, n, "tensors"), norm_type, error_if_nonfinite != 0);
  });
}

ag_tensor* ag_clip_grad_norm(ag_tensor* const* params, int64_t n, double max_norm, double norm_type,
                             int32_t error_if_nonfinite) {
  return make(__func__, [&](Arguments in) {
    return optim::clip_grad_norm(in.tensors(params, n, "params"), max_norm, norm_type,
                                 error_if_nonfinite != 0);
  });
}

ag_status ag_clip_grads_with_norm(ag_tensor* const* params, int64_t n, double max_norm,
                                  const ag_tensor* total_norm) {
  return run(__func__, [&](Arguments in) {
    optim::scale_grads(in.tensors(params, n, "params"), max_norm,
                       *in.tensor(total_norm, "total_norm"));
  });
}

ag_status ag_clip_grad_value(ag_tensor* const* params, int64_t n, double clip_value) {
  return run(__func__, [&](Arguments in) {
    optim::clip_grad_value(in.tensors(params, n, "params"), clip_value);
  });
}
