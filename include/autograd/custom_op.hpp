// Ops of the user's own: registered once, they pass through the same door as the library's.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "autograd/tensor.hpp"

namespace autograd {

namespace detail {
struct Op;
}

/// Sizes and dtype of one output.
struct OutputSpec {
  Shape sizes;
  DType dtype = DType::kFloat32;
};

/// What the functions of an op see of a call. The tensors are borrowed: a copy is a reference of
/// one's own.
struct OpArguments {
  const Tensor* inputs;
  int n_inputs;
  /// Allocated, row-major, not yet filled when forward runs; undefined in backward where
  /// OpDefinition::saves_outputs says that they are not kept.
  const Tensor* outputs;
  int n_outputs;
  const double* numbers;  ///< as given to CustomOp::call; there are always three
};

/// How an op is computed and differentiated.
struct OpDefinition {
  /// Letters, digits, '_', '.' and ':'; no op may have it yet. Graphs and errors show it.
  std::string name;
  std::string doc;
  int n_outputs = 1;
  /// Says what the outputs are and throws Error for arguments that don't fit. Left out: all outputs
  /// have the broadcast sizes and the promoted dtype of the inputs. `outputs` has n_outputs
  /// entries, `arguments.outputs` is nullptr.
  std::function<void(const OpArguments& arguments, std::vector<OutputSpec>& outputs)> infer;
  /// Fills the outputs, by writing to their data or in ops of the library; nothing is recorded.
  std::function<void(const OpArguments& arguments)> forward;
  /// Gets the gradients of the outputs (undefined where none flowed) and returns those of the
  /// inputs, as FunctionRule does. Written with ops it can be differentiated again. Left out: the
  /// op ends every path.
  std::function<std::vector<Tensor>(const OpArguments& arguments, const std::vector<Tensor>& grads)>
      backward;
  /// Bit i: backward reads input (output) i, which is therefore kept. What is not kept is undefined
  /// in backward.
  uint32_t saves_inputs = 0xFFFF;
  uint32_t saves_outputs = 0xFFFF;
  /// True: backward can't be differentiated again, such as one that computes with numbers and not
  /// with ops. Doing so is then an error, not a gradient that leaves it out.
  bool once_differentiable = false;
};

/// A registered op.
class CustomOp {
 public:
  /// Calls the op with up to three numbers besides the tensors.
  std::vector<Tensor> call(const std::vector<Tensor>& inputs,
                           const std::vector<double>& numbers = {}) const;
  /// For ops of one output.
  template <class... Inputs>
  Tensor operator()(const Inputs&... inputs) const {
    const Tensor list[] = {inputs...};
    return call_one(list, static_cast<int>(sizeof...(inputs)));
  }
  const char* name() const;
  int n_outputs() const;

  /// The op registered under a name; Error (value) if there is none.
  static CustomOp find(const std::string& name);

  // ---- for the library
  explicit CustomOp(const detail::Op* op) : op_(op) {}
  const detail::Op* record() const { return op_; }

 private:
  Tensor call_one(const Tensor* inputs, int n_inputs) const;
  const detail::Op* op_;
};

/// Adds an op for the rest of the process's life. Throws Error (value) for a name that is taken or
/// has other characters, for a count of outputs below 1 or above 16, and without a forward.
CustomOp register_op(OpDefinition definition);

}  // namespace autograd
