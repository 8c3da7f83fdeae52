// Tensors that stand for one of many examples, and how ops are called with them.
//
// Such a tensor has the geometry of one example; `batch` holds all of them along a dim in front. An
// op on examples of a level becomes one op on the batches, recorded like any other; what is an
// example of several levels is unwrapped one level at a time, innermost first.
#pragma once
#include <initializer_list>
#include <vector>

#include "autograd/grad.hpp"
#include "autograd/vmap.hpp"
#include "core/op.hpp"

namespace autograd::detail {

struct VmapLevel {
  uint64_t id;  ///< grows inwards
  int64_t size;
  Randomness randomness;
  VmapLevel* outer;
};

/// Throws Error (runtime) if the calling thread is not inside that level.
VmapLevel& active_level(uint64_t id);
/// Throws if the thread's innermost level allows no random numbers.
void check_randomness();

/// One of the examples that dim 0 of `all` counts.
Tensor make_example(Tensor all, uint64_t level);
/// All examples of a level along a new dim 0, repeated if `t` is the same for all. The result may
/// be an example of other levels.
Tensor without_level(const Tensor& t, const VmapLevel& level);
/// The inverse.
Tensor with_level(const Tensor& all, const VmapLevel& level);
/// The same tensor as an example of all levels that the thread is in.
Tensor lifted(const Tensor& t);
/// For ops out of place that write to a tensor made for it: `fresh` as an example of all levels
/// that the tensors to be written are examples of, so that it can hold them.
Tensor written_with(Tensor fresh, std::initializer_list<const Tensor*> others);
/// Throws Error (runtime) if `t`, whose elements the result's sizes depend on, is an example.
void need_elements(const char* op, const Tensor& t);
/// False if `t` is an example, whose elements can't be looked at.
inline bool has_elements(const Tensor& t) { return !t.head()->is_batched; }
/// Uninitialised memory for random numbers: other ones for each example where these differ.
Tensor make_random_target(const Shape& sizes, DType dtype);
/// The tensor that keeps the history: all examples of all levels together, or the tensor itself.
TensorBody* innermost(TensorBody* b);

/// As dispatch and dispatch_in_place, if an input stands for an example.
void dispatch_batched(const Op& op, const Arg* inputs, int n_inputs, const Attrs& attrs,
                      Tensor* outputs, int n_outputs);
void dispatch_in_place_batched(const Op& op, const Arg* inputs, int n_inputs, const Attrs& attrs);

bool any_batched(const std::vector<Tensor>& tensors);
/// As grad, where outputs or inputs stand for examples: the gradients of each example.
std::vector<Tensor> batched_grad(const std::vector<Tensor>& outputs,
                                 const std::vector<Tensor>& inputs,
                                 const std::vector<Tensor>& grad_outputs,
                                 const BackwardOptions& options);

/// A call whose inputs are examples of one level.
struct BatchedCall {
  const Op& op;
  const Attrs& attrs;
  int64_t size;       ///< number of examples
  const Arg* inputs;  ///< as the op is called for one example
  int n_inputs;
  const Tensor* values;  ///< the inputs; with the examples along dim 0 where is_batched
  const char* batched;
  Tensor* outputs;  ///< to be set, examples along dim 0; nullptr in place
  int n_outputs;

  bool has(int i) const { return i < n_inputs && inputs[i].body; }
  bool is_batched(int i) const { return i < n_inputs && batched[i]; }
  const Shape& sizes(int i) const { return inputs[i].body->sizes; }
  int rank(int i) const { return inputs[i].body->sizes.size(); }
  /// Input i with the examples along dim 0, repeated if it is the same for all.
  Tensor front(int i) const;
  /// Input i, whose examples get dims of size 1 in front until they have `rank` dims.
  Tensor aligned(int i, int rank) const;
  /// Makes the call with these inputs; the results are this call's.
  void make(const Vector<Tensor>& arguments, const Attrs& changed) const;
};

// ---- common rules

/// sizes in lists[0] get the examples in front.
inline void lead_sizes(Attrs& a, int64_t n) { a.lists[0].insert(0, n); }

/// ints[0] is a dim.
constexpr BatchRule by_dim(uint32_t inputs) {
  return {inputs, [](Attrs& a, int64_t) { ++a.ints[0]; }, nullptr, true};
}
/// ints[0] is a set of dims.
constexpr BatchRule by_mask(uint32_t inputs) {
  return {inputs, [](Attrs& a, int64_t) { a.ints[0] <<= 1; }, nullptr, true};
}
/// The same, and lists[0] is sizes.
constexpr BatchRule by_sizes_and_dim(uint32_t inputs) {
  return {inputs,
          [](Attrs& a, int64_t n) {
            lead_sizes(a, n);
            ++a.ints[0];
          },
          nullptr, true};
}
constexpr BatchRule by_sizes_and_mask(uint32_t inputs) {
  return {inputs,
          [](Attrs& a, int64_t n) {
            lead_sizes(a, n);
            a.ints[0] <<= 1;
          },
          nullptr, true};
}
/// The inputs broadcast.
bool batch_broadcast(const BatchedCall& call);

}  // namespace autograd::detail
