// C functions of the engine: backward, gradients, zeroing.
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

namespace {

// A NULL array of gradients stands for n NULL entries.
std::vector<Tensor> gradients(Arguments in, const ag_tensor* const* grads, int64_t n,
                              const char* name) {
  return grads ? in.optional_tensors(grads, n, name) : std::vector<Tensor>();
}

}  // namespace

ag_status ag_zero_grad(ag_tensor* const* tensors, int64_t n, int32_t set_to_none) {
  return run(__func__,
             [&](Arguments in) { zero_grad(in.tensors(tensors, n, "tensors"), set_to_none != 0); });
}

ag_status ag_backward(ag_tensor* const* tensors, ag_tensor* const* grads, int64_t n,
                      ag_tensor* const* inputs, int64_t n_inputs, int32_t retain_graph,
                      int32_t create_graph) {
  return run(__func__, [&](Arguments in) {
    BackwardOptions options;
    options.retain_graph = retain_graph != 0;
    options.create_graph = create_graph != 0;
    backward(in.tensors(tensors, n, "tensors"), gradients(in, grads, n, "grads"), options,
             in.tensors(inputs, n_inputs, "inputs"));
  });
}

ag_status ag_grad(ag_tensor* const* outputs, ag_tensor* const* grad_outputs, int64_t n_outputs,
                  ag_tensor* const* inputs, int64_t n_inputs, int32_t retain_graph,
                  int32_t create_graph, int32_t allow_unused, ag_tensor** out) {
  return run(__func__, [&](Arguments in) {
    in.pointer(out, "out");
    BackwardOptions options;
    options.retain_graph = retain_graph != 0;
    options.create_graph = create_graph != 0;
    options.allow_unused = allow_unused != 0;
    std::vector<Tensor> results =
        grad(in.tensors(outputs, n_outputs, "outputs"), in.tensors(inputs, n_inputs, "inputs"),
             gradients(in, grad_outputs, n_outputs, "grad_outputs"), options);
    for (size_t i = 0; i < results.size(); ++i) out[i] = to_handle(std::move(results[i]));
  });
}
