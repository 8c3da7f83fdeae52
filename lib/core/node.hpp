// A recorded op: the live autograd graph is made of these.
#pragma once
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "autograd/function.hpp"
#include "autograd/grad_fn.hpp"
#include "core/op.hpp"

namespace autograd::detail {

/// An input of a recorded op: where its gradient goes, and its value if the gradient rule reads it.
struct NodeInput {
  Node* node = nullptr;        ///< owned; the op that made the input
  TensorBody* leaf = nullptr;  ///< owned; or the leaf that accumulates
  uint32_t index = 0;          ///< which output of node
  uint32_t version = 0;        ///< of the saved value's storage
  DType dtype = DType::kFloat32;
  Location cut_at = 0;
  Shape sizes;
  Tensor saved;
  uint64_t id = 0;          ///< of the tensor, for drawing
  uint64_t leaves = 0;      ///< behind the cut
  Cut cut = Cut::kNone;     ///< why the input has no history
  bool has_number = false;  ///< a 0-d input without history; for explanations
  bool is_number = false;   ///< which was no tensor in the program
  double number = 0;        ///< its value

  bool needs_grad() const { return node || leaf; }
};

/// The hooks of one tensor, in order.
struct Hooks {
  std::vector<GradientHook> list;
  std::vector<AccumulationHook> after_accumulation;  ///< of leaves
};

/// An output of a recorded op. The value, if saved, is an alias without history: no reference
/// cycle.
struct NodeOutput {
  DType dtype = DType::kFloat32;
  uint32_t version = 0;
  Shape sizes;
  Tensor saved;
  uint64_t id = 0;
  TensorBody* retained = nullptr;  ///< not owned; the live tensor that wants to keep its gradient
  std::unique_ptr<Hooks> hooks;
};

/// A list that is filled once and lies inside its node for the usual lengths.
template <class T, int kInline>
class NodeList {
 public:
  NodeList() = default;
  NodeList(const NodeList&) = delete;
  NodeList& operator=(const NodeList&) = delete;
  ~NodeList() {
    for (T& item : *this) item.~T();
    if (capacity_ > kInline) deallocate(items_, static_cast<size_t>(capacity_) * sizeof(T));
  }
  /// Call before the first add, with the final length.
  void reserve(int n) {
    if (n <= kInline) return;
    items_ = static_cast<T*>(allocate(static_cast<size_t>(n) * sizeof(T)));
    capacity_ = n;
  }
  T& add() { return *new (items_ + size_++) T; }
  int size() const { return size_; }
  T& operator[](int i) { return items_[i]; }
  const T& operator[](int i) const { return items_[i]; }
  T* begin() { return items_; }
  T* end() { return items_ + size_; }
  const T* begin() const { return items_; }
  const T* end() const { return items_ + size_; }

 private:
  T* items_ = reinterpret_cast<T*>(storage_);
  int size_ = 0, capacity_ = kInline;
  alignas(T) char storage_[sizeof(T) * kInline];
};

/// A saved value in the form that the user's hook gave it, and the place in the graph that the
/// value takes up again.
struct PackedValue {
  enum Kind : uint8_t { kInput, kOutput, kSaved };

  PackedValue(Kind kind, int index) : kind(kind), index(index) {}
  PackedValue(PackedValue&& other) noexcept;
  ~PackedValue();

  Kind kind;
  int index;  ///< of the input, the output, or the value saved by a function
  std::shared_ptr<const SavedTensorHooks> hooks;
  std::shared_ptr<void> content;
  // Of values saved by a function; for inputs and outputs the node itself knows.
  Node* node = nullptr;
  TensorBody* leaf = nullptr;
  uint32_t output_index = 0;
};

/// The private side of the context of a function's call.
struct ContextAccess {
  static std::vector<SavedValue>& saved(Context& c) { return c.saved_; }
  static std::vector<Tensor>& to_save(Context& c) { return c.to_save_; }
  static const std::vector<Tensor>& dirty(const Context& c) { return c.dirty_; }
  static const std::vector<Tensor>& constants(const Context& c) { return c.constants_; }
  static bool materializes(const Context& c) { return c.materialize_; }
  static bool is_once(const Context& c) { return c.once_; }
  static void set_node(Context& c, Node* node) { c.node_ = node; }
  static void set_released(Context& c) { c.released_ = true; }
  static void set_inputs(Context& c, int n, uint64_t needs) {
    c.n_inputs_ = n;
    c.needs_ = needs;
  }
};
inline std::vector<SavedValue>& saved_values(Context& context) {
  return ContextAccess::saved(context);
}

/// What few nodes have.
struct NodeExtra {
  static void* operator new(size_t bytes) { return allocate(bytes); }
  static void operator delete(void* p, size_t bytes) { deallocate(p, bytes); }

  std::vector<PackedValue> packed;
  std::vector<NodePrehook> prehooks;
  std::vector<NodeHook> hooks;
  const Op* view_op = nullptr;  ///< of view_assign: the view through which the change was made
  // Of functions:
  Context context;
  FunctionRule rule;
  uint64_t aliases = 0;  ///< bit i: output i (63: any further one) shares memory with an input
};

struct Node {
  std::atomic<uint32_t> refs{1};
  /// 1 + the largest depth of the inputs' nodes: sorting by it orders a graph topologically.
  uint32_t depth = 1;
  bool released = false;  ///< the saved tensors were freed by a backward
  Location location = 0;  ///< where the op was called
  const Op* op = nullptr;
  uint64_t leaves = 0;  ///< behind this, also where they were cut off; as bits that may clash
  Attrs attrs;
  NodeList<NodeInput, 3> inputs;
  NodeList<NodeOutput, 1> outputs;
  std::unique_ptr<NodeExtra> extra;
  /// The thread (the address of its state) whose backward reads or frees what the node has saved.
  std::atomic<const void*> visitor{nullptr};

  NodeExtra& extras() {
    if (!extra) extra = std::make_unique<NodeExtra>();
    return *extra;
  }
  /// True if output i is a view that a function of the user has made, or an input that it returned.
  bool is_custom_view(uint32_t i) const {
    return extra && (extra->aliases >> (i < 63 ? i : 63) & 1);
  }

  static Node* make(const Op& op);
  void retain() { refs.fetch_add(1, std::memory_order_relaxed); }
  /// Gives one reference back; drops a graph of any depth without recursion.
  void drop();
  void forget_retained(const TensorBody* t);
  /// Frees the saved tensors; a later backward that reads them is an error.
  void release_saved();

 private:
  void release_extra();
};

/// The leaves behind a tensor, as bits that may clash.
inline uint64_t leaves_behind(const TensorBody* b) {
  if (b->node) return b->node->leaves;
  return b->requires_grad ? uint64_t{1} << b->leaf_number : b->leaves;
}
/// A node that is dropped at the end of the scope.
struct NodeOwner {
  Node* node;
  ~NodeOwner() {
    if (node) node->drop();
  }
};

/// The name of a node in PyTorch's style: "AddBackward0", of a function "MyFunctionBackward".
std::string backward_name(const Op& op);

/// The op that took a view while nothing was recorded.
struct ViewRecord {
  const Op* op;
  Attrs attrs;
};

class Backward;

/// An alias of a value with output `index` of `node` as its history.
Tensor with_history(const Tensor& value, Node* node, uint32_t index);
/// Hands the gradients that the user's code has computed to the engine. Throws Error (runtime) for
/// more than there are inputs, and for sizes that don't fit.
void set_checked(Backward& b, std::vector<Tensor>& results);
/// The same of a rule that can't be differentiated again: the results get a history that says so.
void set_once(Backward& b, const std::vector<Tensor>& grads, std::vector<Tensor>& results);
/// The error of a backward that reads what an earlier one has freed.
[[noreturn]] void fail_freed(const Node& node);
/// The error of one that reads what was changed in place since.
[[noreturn]] void fail_changed(const Node& node, const std::string& what, const Tensor& saved,
                               uint32_t version);

/// Sums a gradient over the dims along which its input was broadcast.
Tensor sum_to(const Tensor& grad, const Shape& sizes);

/// What a gradient rule sees.
class Backward {
 public:
  /// `wanted`, if given: by input, false where no requested gradient lies behind it.
  Backward(Node& node, Tensor* grads, Tensor* results, const char* wanted = nullptr)
      : node_(node), grads_(grads), results_(results), wanted_(wanted) {}

  const Attrs& attrs() const { return node_.attrs; }
  const Op& op() const { return *node_.op; }
  Node& node() const { return node_; }
  int n_inputs() const { return node_.inputs.size(); }
  int n_outputs() const { return node_.outputs.size(); }
  /// The gradient of output i; zeros if nothing flowed into it.
  Tensor grad(int i = 0) const;
  bool has_grad(int i) const { return grads_[i].defined(); }
  /// True if the gradient of input i is wanted.
  bool needs(int i) const {
    return i < n_inputs() && node_.inputs[i].needs_grad() && (!wanted_ || wanted_[i]);
  }
  /// Values saved by the forward pass. Throws Error (runtime) if they were freed or changed in
  /// place.
  Tensor input(int i) const;
  Tensor output(int i = 0) const;
  bool has_input(int i) const { return i < n_inputs() && node_.inputs[i].id != 0; }
  const Shape& input_sizes(int i) const { return node_.inputs[i].sizes; }
  DType input_dtype(int i) const { return node_.inputs[i].dtype; }
  const Shape& output_sizes(int i = 0) const { return node_.outputs[i].sizes; }
  /// The gradient of input i, in a shape that broadcasts from the input's: the engine sums and
  /// converts.
  void set(int i, Tensor gradient) { results_[i] = std::move(gradient); }

 private:
  void check_version(const char* what, const Tensor& saved, uint32_t version) const;
  Node& node_;
  Tensor* grads_;
  Tensor* results_;
  const char* wanted_;
};

}  // namespace autograd::detail
