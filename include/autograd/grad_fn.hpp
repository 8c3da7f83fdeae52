// The recorded op behind a tensor, as users walk over graphs and watch them.
#pragma once
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "autograd/function.hpp"
#include "autograd/tensor.hpp"

namespace autograd {

/// Sees the gradients of an op's outputs, undefined where none flowed, before its own gradient is
/// computed. Returns those to go on with; an empty list means: the same.
using NodePrehook = std::function<std::vector<Tensor>(const std::vector<Tensor>& grad_outputs)>;
/// Sees the gradients of an op's inputs and outputs; returns those of the inputs to go on with.
using NodeHook = std::function<std::vector<Tensor>(const std::vector<Tensor>& grad_inputs,
                                                   const std::vector<Tensor>& grad_outputs)>;

struct GradEdge;

/// A reference to the op that recorded a tensor: it keeps the graph behind it alive.
class GradFn {
 public:
  GradFn() = default;
  GradFn(const GradFn& other);
  GradFn(GradFn&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  GradFn& operator=(GradFn other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~GradFn();

  /// Undefined for a leaf.
  static GradFn of(const Tensor& t);
  bool defined() const { return node_ != nullptr; }

  /// In PyTorch's style: "AddBackward0", of a function "MyFunctionBackward".
  std::string name() const;
  int n_inputs() const;
  /// Where the gradient of input i goes; Error (index) if there is no such input.
  GradEdge next(int i) const;
  /// Hooks run in the order of registration, each time the gradient is computed.
  void register_prehook(NodePrehook hook) const;
  void register_hook(NodeHook hook) const;
  /// The context of a function's call, nullptr for an op of the library.
  Context* context() const;

  // ---- for the library: one reference, moved in and out
  static GradFn adopt(detail::Node* node) {
    GradFn fn;
    fn.node_ = node;
    return fn;
  }
  detail::Node* release() { return std::exchange(node_, nullptr); }

 private:
  detail::Node* node() const;
  detail::Node* node_ = nullptr;
};

/// The other end of an op's input: output `index` of `fn`, or a leaf, or neither if the input needs
/// no gradient.
struct GradEdge {
  GradFn fn;
  Tensor leaf;
  int index = 0;
};

}  // namespace autograd
