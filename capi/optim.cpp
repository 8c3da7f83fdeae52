// C functions of the optimizers.
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

namespace {

/// The caller's momentum buffers. Those made during the step are handed over at the end, also if a
/// later entry failed: their parameters have moved.
class MomentumBuffers {
 public:
  MomentumBuffers(Arguments in, ag_tensor** handles, int64_t n) : handles_(handles) {
    if (handles) list = in.optional_tensors(handles, n, "momentum_buffers");
  }
  ~MomentumBuffers() {
    for (size_t i = 0; i < list.size(); ++i)
      if (!handles_[i]) handles_[i] = to_handle(std::move(list[i]));
  }
  MomentumBuffers(const MomentumBuffers&) = delete;
  MomentumBuffers& operator=(const MomentumBuffers&) = delete;

  std::vector<Tensor> list;

 private:
  ag_tensor** handles_;
};

}  // namespace

ag_status ag_sgd_step(ag_tensor* const* params, ag_tensor** momentum_buffers, int64_t n, double lr,
                      double momentum, double dampening, double weight_decay, int32_t nesterov,
                      int32_t maximize) {
  return run(__func__, [&](Arguments in) {
    const std::vector<Tensor> tensors = in.tensors(params, n, "params");
    if (momentum != 0) in.array(momentum_buffers, n, "momentum_buffers");
    MomentumBuffers buffers(in, momentum_buffers, n);
    optim::sgd_step(tensors, buffers.list,
                    {lr, momentum, dampening, weight_decay, nesterov != 0, maximize != 0});
  });
}
