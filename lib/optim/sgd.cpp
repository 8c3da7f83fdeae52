// Stochastic gradient descent over a list of parameters.
#include <cstring>

#include "autograd/grad.hpp"
#include "autograd/optim.hpp"
#include "core/parallel.hpp"
#include "core/tensor_body.hpp"
#include "core/text.hpp"
#include "kernels/cpu/optim.hpp"
#include "ops/broadcast.hpp"

namespace autograd::optim {

using detail::body;

namespace {

void check_options(const SGDOptions& o) {
  if (!(o.lr >= 0)) fail(ErrorCode::kValue, "Invalid learning rate: ", o.lr);
  if (!(o.momentum >= 0)) fail(ErrorCode::kValue, "Invalid momentum value: ", o.momentum);
  if (!(o.weight_decay >= 0))
    fail(ErrorCode::kValue, "Invalid weight_decay value: ", o.weight_decay);
  if (o.nesterov && (o.momentum <= 0 || o.dampening != 0))
    fail(ErrorCode::kValue, "Nesterov momentum requires a momentum and zero dampening");
}

void update(const Tensor& param, Tensor* buffer, const cpu::SgdOptions& options) {
  detail::TensorBody* b = body(param);
  if (!b->grad) return;
  if (!b->is_contiguous)
    fail(ErrorCode::kRuntime, "sgd_step: parameters must be contiguous, got strides ", b->strides,
         " for sizes ", b->sizes);
  const Tensor grad = detail::dense(*b->grad);
  bool first = false;
  char* momentum = nullptr;
  if (buffer) {
    first = !buffer->defined();
    if (first) *buffer = detail::make_tensor(b->sizes, b->dtype);
    if (buffer->sizes() != b->sizes || buffer->dtype() != b->dtype || !buffer->is_contiguous())
      fail(ErrorCode::kRuntime, "sgd_step: the momentum buffer ", buffer->sizes(),
           " does not fit the parameter ", b->sizes);
    momentum = static_cast<char*>(buffer->data());
  }
  const int64_t item = static_cast<int64_t>(size_of(b->dtype));
  detail::parallel_for(b->numel, detail::kGrain, [&](int64_t begin, int64_t end) {
    const int64_t at = begin * item;
    cpu::sgd_update(b->dtype, b->data + at, static_cast<const char*>(grad.data()) + at,
                    momentum ? momentum + at : nullptr, end - begin, options, first);
  });
  b->storage->version.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

void sgd_step(const std::vector<Tensor>& params, std::vector<Tensor>& momentum_buffers,
              const SGDOptions& o) {
  check_options(o);
  if (o.momentum != 0 && momentum_buffers.size() != params.size())
    fail(ErrorCode::kValue, "sgd_step: got ", params.size(), " parameters and ",
         momentum_buffers.size(), " momentum buffers");
  for (const Tensor& p : params)
    if (!is_floating(p.dtype()))
      fail(ErrorCode::kRuntime, "sgd_step: parameters must be floats, got ", name_of(p.dtype()));
  const cpu::SgdOptions options{o.lr,           o.momentum, o.dampening,
                                o.weight_decay, o.nesterov, o.maximize};
  for (size_t i = 0; i < params.size(); ++i)
    update(params[i], o.momentum != 0 ? &momentum_buffers[i] : nullptr, options);
}

SGD::SGD(std::vector<Tensor> params, const SGDOptions& options_in)
    : options(options_in), params_(std::move(params)) {
  check_options(options);
  if (params_.empty()) fail(ErrorCode::kValue, "optimizer got an empty parameter list");
  for (const Tensor& p : params_)
    if (!p.is_leaf()) fail(ErrorCode::kValue, "can't optimize a non-leaf Tensor");
  momentum_buffers_.resize(params_.size());
}

void SGD::step() { sgd_step(params_, momentum_buffers_, options); }

void SGD::zero_grad() { autograd::zero_grad(params_); }

}  // namespace autograd::optim
