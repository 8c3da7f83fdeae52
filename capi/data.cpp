// C functions that feed training with data.
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

ag_status ag_take_batch(const ag_tensor* const* tensors, int64_t n, const ag_tensor* index,
                        int64_t start, int64_t count, ag_tensor** out) {
  static_assert(sizeof(Tensor) == sizeof(ag_tensor*));
  return run(__func__, [&](Arguments in) {
    in.array(tensors, n, "tensors");
    in.array(out, n, "out");
    for (int64_t i = 0; i < n; ++i) in.pointer(tensors[i], "tensors");
    std::vector<Tensor> batch(static_cast<size_t>(n));
    // A handle is the one pointer that a Tensor consists of.
    take_batch(reinterpret_cast<const Tensor*>(tensors), n, in.optional_tensor(index), start, count,
               batch.data());
    for (int64_t i = 0; i < n; ++i) out[i] = to_handle(std::move(batch[static_cast<size_t>(i)]));
  });
}
