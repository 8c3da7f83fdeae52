// C functions of attention.
#include <cmath>

#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

ag_tensor* ag_scaled_dot_product_attention(const ag_tensor* query, const ag_tensor* key,
                                           const ag_tensor* value, const ag_tensor* mask,
                                           double dropout_p, int32_t is_causal, double scale,
                                           int32_t enable_gqa) {
  return make(__func__, [&](Arguments in) {
    AttentionOptions options;
    options.dropout_p = dropout_p;
    options.is_causal = is_causal != 0;
    if (!std::isnan(scale)) options.scale = scale;
    options.enable_gqa = enable_gqa != 0;
    return scaled_dot_product_attention(in.tensor(query, "query"), in.tensor(key, "key"),
                                        in.tensor(value, "value"), in.optional_tensor(mask),
                                        options);
  });
}
