// Attention.
#pragma once
#include <optional>

#include "autograd/tensor.hpp"

namespace autograd {

struct AttentionOptions {
  double dropout_p = 0;         ///< of the weights; 0 <= p <= 1
  bool is_causal = false;       ///< query i sees keys 0..i; excludes a mask
  std::optional<double> scale;  ///< 1 / sqrt(E) if absent
  bool enable_gqa = false;      ///< dim -3 of key and value divides that of query: heads share them
};

/// softmax(query key^T * scale + mask) value, for query [..., L, E], key [..., S, E], value
/// [..., S, Ev]: [..., L, Ev]. Leading dims broadcast. mask (may be undefined) broadcasts to
/// [..., L, S]: bool, false hides a key, or of query's dtype and added. Rows that see no key are 0.
/// Error (runtime) for dtypes or sizes that do not fit.
Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const Tensor& mask = Tensor(),
                                    const AttentionOptions& options = {});

}  // namespace autograd
