// C functions that register ops and call them.
#include <algorithm>

#include "callback.hpp"

using namespace autograd;
using namespace autograd::capi;

namespace {

constexpr size_t kMostDims = 12;
static_assert(kMostDims == kMaxDims, "the header says 12");

const CustomOp op_of(const char* function, const ag_op* handle) {
  if (!handle) fail_null(function, "op");
  return CustomOp(reinterpret_cast<const detail::Op*>(handle));
}

const ag_op* op_handle(const CustomOp& op) { return reinterpret_cast<const ag_op*>(op.record()); }

std::vector<ag_tensor*> inputs_of(const OpArguments& a) {
  return borrowed_all(a.inputs, static_cast<size_t>(a.n_inputs));
}
std::vector<ag_tensor*> outputs_of(const OpArguments& a) {
  return borrowed_all(a.outputs, static_cast<size_t>(a.n_outputs));
}

void infer(const std::string& name, ag_op_infer function, void* context, const OpArguments& a,
           std::vector<OutputSpec>& outputs) {
  const std::vector<ag_tensor*> inputs = inputs_of(a);
  const size_t n = outputs.size();
  std::vector<int32_t> dtypes(n, AG_FLOAT32);
  std::vector<int64_t> ndims(n, 0), sizes(n * kMostDims, 0);
  run_callback(name + ": infer", [&] {
    return function(context, inputs.data(), a.n_inputs, a.numbers, dtypes.data(), ndims.data(),
                    sizes.data(), a.n_outputs);
  });
  for (size_t i = 0; i < n; ++i) {
    if (dtypes[i] < 0 || dtypes[i] >= kDTypeCount)
      throw Error(ErrorCode::kValue, name + ": infer named the dtype " + std::to_string(dtypes[i]) +
                                         ", which there is not");
    if (ndims[i] < 0 || ndims[i] > kMaxDims)
      throw Error(ErrorCode::kValue, name + ": infer gave output " + std::to_string(i) + " " +
                                         std::to_string(ndims[i]) + " dims, there can be 0 to 12");
    outputs[i].dtype = static_cast<DType>(dtypes[i]);
    outputs[i].sizes = Shape(sizes.data() + i * kMostDims, ndims[i]);
  }
}

void forward(const std::string& name, ag_op_forward function, void* context, const OpArguments& a) {
  const std::vector<ag_tensor*> inputs = inputs_of(a), outputs = outputs_of(a);
  run_callback(name + ": forward", [&] {
    return function(context, inputs.data(), a.n_inputs, a.numbers, outputs.data(), a.n_outputs);
  });
}

std::vector<Tensor> backward(const std::string& name, ag_op_backward function, void* context,
                             const OpArguments& a, const std::vector<Tensor>& grads) {
  const std::vector<ag_tensor*> inputs = inputs_of(a), outputs = outputs_of(a);
  const std::vector<ag_tensor*> given = borrowed_all(grads);
  Written results(inputs.size());
  run_callback(name + ": backward", [&] {
    return function(context, inputs.data(), a.n_inputs, a.numbers, outputs.data(), given.data(),
                    a.n_outputs, results.data());
  });
  return results.take();
}

struct OpFunctions {
  ag_op_infer infer;
  ag_op_forward forward;
  ag_op_backward backward;
  bool once_differentiable;
};

const ag_op* register_for(Arguments in, const char* function, const char* name, int64_t n_outputs,
                          const OpFunctions& given, int64_t saves_inputs, int64_t saves_outputs,
                          void* context) {
  const std::string n = in.text(name, "name");
  if (!given.forward) fail_null(function, "forward");
  if (n_outputs < 1 || n_outputs > 16) in.reject("n_outputs", n_outputs);
  OpDefinition d;
  d.name = n;
  d.doc = "registered by the program";
  d.n_outputs = static_cast<int>(n_outputs);
  d.saves_inputs = static_cast<uint32_t>(saves_inputs & 0xFFFF);
  d.saves_outputs = static_cast<uint32_t>(saves_outputs & 0xFFFF);
  d.once_differentiable = given.once_differentiable;
  d.forward = [=](const OpArguments& a) { forward(n, given.forward, context, a); };
  if (given.infer)
    d.infer = [=](const OpArguments& a, std::vector<OutputSpec>& outputs) {
      infer(n, given.infer, context, a, outputs);
    };
  if (given.backward)
    d.backward = [=](const OpArguments& a, const std::vector<Tensor>& grads) {
      return backward(n, given.backward, context, a, grads);
    };
  return op_handle(register_op(std::move(d)));
}

}  // namespace

const ag_op* ag_op_register(const char* name, int64_t n_outputs, ag_op_infer infer_function,
                            ag_op_forward forward_function, ag_op_backward backward_function,
                            int64_t saves_inputs, int64_t saves_outputs, void* context) {
  return read<const ag_op*>(__func__, nullptr, [&](Arguments in) {
    return register_for(in, "ag_op_register", name, n_outputs,
                        {infer_function, forward_function, backward_function, false}, saves_inputs,
                        saves_outputs, context);
  });
}

const ag_op* ag_op_register_once_differentiable(
    const char* name, int64_t n_outputs, ag_op_infer infer_function, ag_op_forward forward_function,
    ag_op_backward backward_function, int64_t saves_inputs, int64_t saves_outputs, void* context) {
  return read<const ag_op*>(__func__, nullptr, [&](Arguments in) {
    return register_for(in, "ag_op_register_once_differentiable", name, n_outputs,
                        {infer_function, forward_function, backward_function, true}, saves_inputs,
                        saves_outputs, context);
  });
}

const ag_op* ag_op_find(const char* name) {
  return read<const ag_op*>(__func__, nullptr, [&](Arguments in) {
    return op_handle(CustomOp::find(in.text(name, "name")));
  });
}

int64_t ag_op_num_outputs(const ag_op* op) {
  return read<int64_t>(__func__, -1, [&](Arguments) { return op_of(__func__, op).n_outputs(); });
}

ag_status ag_op_call(const ag_op* op, ag_tensor* const* inputs, int64_t n_inputs,
                     const double* numbers, int64_t n_numbers, ag_tensor** out) {
  return run(__func__, [&](Arguments in) {
    in.pointer(out, "out");
    const CustomOp called = op_of(__func__, op);
    in.array(numbers, n_numbers, "numbers");
    write_all(called.call(in.tensors(inputs, n_inputs, "inputs"), {numbers, numbers + n_numbers}),
              out);
  });
}
