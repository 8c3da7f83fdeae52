// C functions of normalization and dropout.
#include <cmath>

#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

ag_tensor* ag_layer_norm(const ag_tensor* x, const int64_t* normalized_shape, int64_t ndims,
                         const ag_tensor* weight, const ag_tensor* bias, double eps) {
  return make(__func__, [&](Arguments in) {
    return layer_norm(in.tensor(x, "x"), in.shape(normalized_shape, ndims, "normalized_shape"),
                      in.optional_tensor(weight), in.optional_tensor(bias), eps);
  });
}

ag_tensor* ag_rms_norm(const ag_tensor* x, const int64_t* normalized_shape, int64_t ndims,
                       const ag_tensor* weight, double eps) {
  return make(__func__, [&](Arguments in) {
    return rms_norm(in.tensor(x, "x"), in.shape(normalized_shape, ndims, "normalized_shape"),
                    in.optional_tensor(weight),
                    std::isnan(eps) ? std::nullopt : std::optional(eps));
  });
}

ag_tensor* ag_group_norm(const ag_tensor* x, int64_t num_groups, const ag_tensor* weight,
                         const ag_tensor* bias, double eps) {
  return make(__func__, [&](Arguments in) {
    return group_norm(in.tensor(x, "x"), num_groups, in.optional_tensor(weight),
                      in.optional_tensor(bias), eps);
  });
}

ag_tensor* ag_batch_norm(const ag_tensor* x, ag_tensor* running_mean, ag_tensor* running_var,
                         const ag_tensor* weight, const ag_tensor* bias, int32_t training,
                         double momentum, double eps) {
  return make(__func__, [&](Arguments in) {
    return batch_norm(in.tensor(x, "x"), in.optional_tensor(running_mean),
                      in.optional_tensor(running_var), in.optional_tensor(weight),
                      in.optional_tensor(bias), training != 0, momentum, eps);
  });
}

ag_tensor* ag_instance_norm(const ag_tensor* x, ag_tensor* running_mean, ag_tensor* running_var,
                            const ag_tensor* weight, const ag_tensor* bias, int32_t use_input_stats,
                            double momentum, double eps) {
  return make(__func__, [&](Arguments in) {
    return instance_norm(in.tensor(x, "x"), in.optional_tensor(running_mean),
                         in.optional_tensor(running_var), in.optional_tensor(weight),
                         in.optional_tensor(bias), use_input_stats != 0, momentum, eps);
  });
}

ag_tensor* ag_dropout(const ag_tensor* x, double p, int32_t training) {
  return make(__func__, [&](Arguments in) { return dropout(in.tensor(x, "x"), p, training != 0); });
}

ag_tensor* ag_feature_dropout(const ag_tensor* x, double p, int32_t training) {
  return make(__func__,
              [&](Arguments in) { return feature_dropout(in.tensor(x, "x"), p, training != 0); });
}

ag_tensor* ag_alpha_dropout(const ag_tensor* x, double p, int32_t training) {
  return make(__func__,
              [&](Arguments in) { return alpha_dropout(in.tensor(x, "x"), p, training != 0); });
}

ag_tensor* ag_feature_alpha_dropout(const ag_tensor* x, double p, int32_t training) {
  return make(__func__, [&](Arguments in) {
    return feature_alpha_dropout(in.tensor(x, "x"), p, training != 0);
  });
}
