// Reverse-mode differentiation. Each recorded op is visited once, in reverse topological order,
// without recursion; gradients are summed over broadcast dims here and nowhere else.
#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "autograd/grad.hpp"
#include "autograd/ops.hpp"
#include "core/anomaly.hpp"
#include "core/backward_watch.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/fork.hpp"
#include "core/interpreter_lock.hpp"
#include "core/interrupt.hpp"
#include "core/nested_backward.hpp"
#include "core/node.hpp"
#include "core/record.hpp"
#include "core/run_hooks.hpp"

namespace autograd {
namespace detail {
namespace {

/// Where a gradient goes: output `index` of a node, or a leaf.
struct Target {
  Node* node = nullptr;
  TensorBody* leaf = nullptr;
  uint32_t index = 0;
};

/// Open-addressing map from the nodes and leaves of one run to small numbers. Per run, not in the
/// nodes: two threads may differentiate graphs that share parts.
class Numbering {
 public:
  Numbering() : slots_(64) {}
  /// The number of `key`; a new one, *added true, if it has none yet.
  int number(const void* key, bool* added) {
    if ((count_ + 1) * 2 > static_cast<int>(slots_.size())) grow();
    Slot& slot = find(key);
    *added = slot.key == nullptr;
    if (*added) slot = {key, count_++};
    return slot.number;
  }
  /// The number of `key`, -1 if it has none.
  int find_number(const void* key) const {
    const Slot& slot = const_cast<Numbering*>(this)->find(key);
    return slot.key ? slot.number : -1;
  }

 private:
  struct Slot {
    const void* key = nullptr;
    int number = 0;
  };
  Slot& find(const void* key) {
    const size_t mask = slots_.size() - 1;
    size_t i = (reinterpret_cast<uintptr_t>(key) >> 6) * 0x9E3779B97F4A7C15u >> 32;
    while (slots_[i & mask].key && slots_[i & mask].key != key) ++i;
    return slots_[i & mask];
  }
  void grow() {
    Vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old)
      if (slot.key) find(slot.key) = slot;
  }
  Vector<Slot> slots_;
  int count_ = 0;
};

/// A gradient under way. `owned`: no one else can see its memory, so it may be added to in place.
struct Slot {
  Tensor grad;
  bool owned = false;
};

/// Tells whoever watches the door that the engine is at work, and on which node.
class AtWork {
 public:
  AtWork() : in_backward_(thread_state.in_backward), visiting_(thread_state.visiting) {
    thread_state.in_backward = true;
    thread_state.visiting = nullptr;
  }
  ~AtWork() {
    thread_state.in_backward = in_backward_;
    thread_state.visiting = visiting_;
  }
  AtWork(const AtWork&) = delete;
  AtWork& operator=(const AtWork&) = delete;
  static void on(const Node* node) { thread_state.visiting = node; }

 private:
  bool in_backward_;
  const Node* visiting_;
};

/// How many visits this thread is in the middle of.
constinit thread_local int visits_under_way
#if defined(__ELF__)
    __attribute__((tls_model("initial-exec")))
#endif
    = 0;

/// One thread at a time reads and frees what a node has saved. Code of the user's may lead back to
/// a node of the same thread.
class Visit {
 public:
  explicit Visit(Node& node) {
    const void* none = nullptr;
    const void* const me = &thread_state;
    if (node.visitor.compare_exchange_strong(none, me, std::memory_order_acquire)) [[likely]]
      node_ = &node;
    else if (none != me)
      wait(node);
    ++visits_under_way;
  }
  ~Visit() {
    --visits_under_way;
    if (node_) node_->visitor.store(nullptr, std::memory_order_release);
  }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

 private:
  [[gnu::cold, gnu::noinline]] void wait(Node& node);
  Node* node_ = nullptr;  // nullptr: the visit is part of another one
};

/// A function whose rule is handed zeros where no gradient flows: it runs then, too.
bool takes_zeros(const NodeExtra& extra) {
  return extra.rule && ContextAccess::materializes(extra.context);
}

class Run : public RunningBackward {
  // Giving the interpreter's lock up and taking it again costs some microseconds where other
  // threads want it, which short passes don't take.
  static constexpr int64_t kLongPass = 16 * kLongWork, kWorkOfCall = 128;
  static constexpr size_t kExpected = 64;  // nodes and leaves of a small model's graph
  static constexpr size_t kSomeNodes = 8;  // take some microseconds

 public:
  Run(const BackwardOptions& options, const std::vector<Tensor>& inputs, bool accumulate)
      : options_(options),
        inputs_(inputs),
        accumulate_(accumulate),
        anomaly_(anomaly_mode()),
        outer_(std::exchange(running_backward, this)),
        outer_number_(std::exchange(thread_state.backward, next_tensor_id())) {}
  ~Run() {
    running_backward = outer_;
    thread_state.backward = outer_number_;
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  std::vector<Tensor> operator()(const std::vector<Tensor>& outputs,
                                 const std::vector<Tensor>& grads) {
    AtWork at_work;
    for (auto* list : {&first_slot_, &leaf_slot_, &pending_, &order_}) list->reserve(kExpected);
    node_of_.reserve(kExpected);
    leaves_.reserve(kExpected);
    slots_.reserve(kExpected);
    start(outputs, grads);
    discover();
    if (!inputs_.empty()) mark_paths_to_inputs();
    if (order_.size() >= kSomeNodes) alone_.emplace(GiveUp::kBriefly);
    GradMode mode(options_.create_graph);
    const LocationScope caller(known_here());
    for (int n : order_)
      if (wanted_.empty() || wanted_[static_cast<size_t>(n)]) visit(n);
    AtWork::on(nullptr);
    return finish();
  }

  bool reaches(const void* node_or_leaf) const override {
    const int n = numbers_.find_number(node_or_leaf);
    return n >= 0 && (wanted_.empty() || wanted_[static_cast<size_t>(n)]);
  }

 private:
  void start(const std::vector<Tensor>& outputs, const std::vector<Tensor>& grads);
  void discover();
  void mark_paths_to_inputs();
  /// Keeps the gradient of output i if it is one of inputs_; false if it is not.
  bool note_result(const Node& node, int i, const Tensor& g);
  /// Fills rule_wanted_; false if no requested tensor lies behind the node.
  bool mark_wanted(const Node& node);
  void visit(int n);
  void go_on_alone() {
    is_long_ = true;
    if (!alone_ || !*alone_) alone_.emplace(true);
  }
  void send(const NodeInput& input, Tensor grad, bool owned);
  void deliver(const Target& to, Tensor grad, bool owned);
  std::vector<Tensor> finish();
  void accumulate(TensorBody* to, const Tensor& grad);
  /// Notes that what lies behind an input was used, though no gradient flows there.
  void mark_used(const NodeInput& input);
  bool is_used(const void* key) const {
    return !used_.empty() && used_[static_cast<size_t>(numbers_.find_number(key))];
  }
  int node_number(Node* node) {
    bool added;
    const int n = numbers_.number(node, &added);
    if (added) {
      node_of_.resize(static_cast<size_t>(n) + 1);
      first_slot_.resize(static_cast<size_t>(n) + 1);
      node_of_[static_cast<size_t>(n)] = node;
      first_slot_[static_cast<size_t>(n)] = static_cast<int>(slots_.size());
      slots_.resize(slots_.size() + static_cast<size_t>(node->outputs.size()));
      pending_.push_back(n);
    }
    return n;
  }

  const BackwardOptions& options_;
  const std::vector<Tensor>& inputs_;
  const bool accumulate_;
  const AnomalyMode anomaly_;
  const RunningBackward* const outer_;  // the one that this one runs inside of
  const uint64_t outer_number_;
  Numbering numbers_;       // nodes and leaves share it
  Vector<Node*> node_of_;   // by number; nullptr for leaves
  Vector<int> first_slot_;  // by number; the slots of a node's outputs lie side by side
  Vector<Slot> slots_;
  Vector<TensorBody*> leaves_;  // in order of discovery
  Vector<int> leaf_slot_;
  Vector<int> pending_;
  Vector<int> order_;     // node numbers, deepest first
  Vector<char> wanted_;   // by number; empty: all
  Vector<char> used_;     // by number; empty: none is used without a gradient
  Vector<Slot> results_;  // for inputs_
  Vector<Tensor> roots_;
  Vector<Tensor> rule_grads_, rule_results_;
  int64_t work_ = 0;  // elements so far
  bool is_long_ = false;
  std::optional<Unlocked> alone_;  // a long pass goes on without the interpreter's lock
  Vector<char> rule_wanted_;       // by input of the node being visited, if inputs_ were given

  int leaf_number(TensorBody* leaf) {
    bool added;
    const int n = numbers_.number(leaf, &added);
    if (added) {
      node_of_.resize(static_cast<size_t>(n) + 1);
      first_slot_.resize(static_cast<size_t>(n) + 1);
      first_slot_[static_cast<size_t>(n)] = static_cast<int>(slots_.size());
      slots_.emplace_back();
      leaves_.push_back(leaf);
      leaf_slot_.push_back(first_slot_[static_cast<size_t>(n)]);
    }
    return n;
  }
};

Tensor root_gradient(const Tensor& output, const Tensor& grad, size_t i) {
  if (!body(output)->needs_grad())
    fail(ErrorCode::kRuntime, "element ", i,
         " of tensors does not require grad and does not have a grad_fn: nothing that it was made "
         "of "
         "requires grad, or grad mode was off");
  if (grad) {
    if (grad.sizes() != output.sizes())
      fail(ErrorCode::kRuntime, "Mismatch in shape: grad_output[", i, "] has a shape of ",
           grad.sizes(), " and output[", i, "] has a shape of ", output.sizes());
    return grad.dtype() == output.dtype() ? grad : to(grad, output.dtype());
  }
  if (output.numel() != 1)
    fail(ErrorCode::kRuntime,
         "grad can be implicitly created only for scalar outputs (got a tensor of sizes ",
         output.sizes(), "): reduce it to one number, or give a gradient of its shape");
  return full(output.sizes(), 1.0, output.dtype());
}

void Run::start(const std::vector<Tensor>& outputs, const std::vector<Tensor>& grads) {
  if (grads.size() > outputs.size())
    fail(ErrorCode::kRuntime, "got ", outputs.size(), " tensors and ", grads.size(), " gradients");
  for (size_t i = 0; i < outputs.size(); ++i) {
    TensorBody* b = body(outputs[i]);
    if (b->source) refresh_view(b);
    Tensor g = root_gradient(outputs[i], i < grads.size() ? grads[i] : Tensor(), i);
    const Target to{b->node, b->node ? nullptr : b, b->output_index};
    const bool given = i < grads.size() && grads[i];
    deliver(to, std::move(g), !given);
  }
}

void Run::discover() {
  while (!pending_.empty()) {
    const int n = pending_.back();
    pending_.pop_back();
    order_.push_back(n);
    for (const NodeInput& input : node_of_[static_cast<size_t>(n)]->inputs) {
      if (input.node) node_number(input.node);
      if (input.leaf) leaf_number(input.leaf);
    }
  }
  std::sort(order_.begin(), order_.end(), [this](int a, int b) {
    const uint32_t x = node_of_[static_cast<size_t>(a)]->depth;
    const uint32_t y = node_of_[static_cast<size_t>(b)]->depth;
    return x != y ? x > y : a < b;
  });
}

void Run::mark_paths_to_inputs() {
  results_.resize(inputs_.size());
  wanted_.assign(node_of_.size(), 0);
  for (const Tensor& t : inputs_) {
    TensorBody* b = body(t);
    if (!b->needs_grad())
      fail(ErrorCode::kRuntime, "One of the differentiated Tensors does not require grad");
    const int n = numbers_.find_number(b->node ? static_cast<void*>(b->node) : b);
    if (n >= 0) wanted_[static_cast<size_t>(n)] = 1;
  }
  // Inputs come before the nodes that use them: one sweep upwards suffices.
  for (auto it = order_.rbegin(); it != order_.rend(); ++it)
    for (const NodeInput& input : node_of_[static_cast<size_t>(*it)]->inputs) {
      const void* key = input.node ? static_cast<void*>(input.node) : input.leaf;
      if (key && wanted_[static_cast<size_t>(numbers_.find_number(key))])
        wanted_[static_cast<size_t>(*it)] = 1;
    }
}

bool Run::note_result(const Node& node, int i, const Tensor& g) {
  bool is_input = false;
  for (size_t k = 0; k < inputs_.size(); ++k) {
    const TensorBody* b = body(inputs_[k]);
    if (b->node != &node || b->output_index != static_cast<uint32_t>(i)) continue;
    results_[k] = {g, false};
    is_input = true;
  }
  return is_input;
}

bool Run::mark_wanted(const Node& node) {
  rule_wanted_.assign(static_cast<size_t>(node.inputs.size()), 0);
  bool any = false;
  for (int i = 0; i < node.inputs.size(); ++i) {
    const NodeInput& input = node.inputs[i];
    const void* key = input.node ? static_cast<void*>(input.node) : input.leaf;
    if (!key || !wanted_[static_cast<size_t>(numbers_.find_number(key))]) continue;
    rule_wanted_[static_cast<size_t>(i)] = 1;
    any = true;
  }
  return any;
}

void Visit::wait(Node& node) {
  // Inside of another visit, whoever holds this node may be waiting for that one.
  if (visits_under_way > 0)
    fail(ErrorCode::kRuntime, "the gradient of '", node.op->name, "'", at_line(node.location),
         " is being computed by another thread, from inside of whose work, or of this thread's, "
         "backward() was called on the same graph. Let one thread at a time differentiate it");
  const void* none = nullptr;
  const Unlocked unlocked(true);  // the other thread may need it
  while (!node.visitor.compare_exchange_weak(none, &thread_state, std::memory_order_acquire)) {
    none = nullptr;
    std::this_thread::sleep_for(std::chrono::microseconds(20));
    poll_interrupt(kWorkBetweenLooks);
  }
  node_ = &node;
}

void Run::visit(int n) {
  Node& node = *node_of_[static_cast<size_t>(n)];
  const Visit only(node);
  AtWork::on(&node);
  // What a rule computes belongs to the line of the forward op.
  const LocationScope forward(node.location ? node.location : kNowhere);
  const int n_out = node.outputs.size(), n_in = node.inputs.size();
  Vector<Tensor> grads = std::move(rule_grads_), results = std::move(rule_results_);
  grads.assign(static_cast<size_t>(n_out), Tensor());
  results.assign(static_cast<size_t>(n_in), Tensor());
  const bool leads_on = inputs_.empty() || mark_wanted(node);
  bool any = false;
  for (int i = 0; i < n_out; ++i) {
    Tensor& g = grads[static_cast<size_t>(i)];
    g = std::move(slots_[static_cast<size_t>(first_slot_[static_cast<size_t>(n)] + i)].grad);
    if (!g) continue;
    any = true;
    const bool is_input = note_result(node, i, g);
    if (node.outputs[i].hooks) g = run_hooks(*node.outputs[i].hooks, std::move(g));
    // As in PyTorch: what the hooks make of it, where it ends here.
    if (is_input && !leads_on) note_result(node, i, g);
    if (node.outputs[i].retained && !(is_input && accumulate_))
      accumulate(node.outputs[i].retained, g);
  }
  const bool runs = any || (node.extra && takes_zeros(*node.extra));
  if (runs && leads_on) {
    Backward rule(node, grads.data(), results.data(),
                  inputs_.empty() ? nullptr : rule_wanted_.data());
    if (node.extra) run_prehooks(node, grads);
    if (anomaly_ != AnomalyMode::kOff) [[unlikely]]
      run_watched(node, rule, results, anomaly_);
    else
      node.op->backward(rule);
    const int64_t work = n_in > 0 && results[0] ? results[0].numel() : 0;
    if ((work_ += work + kWorkOfCall) > kLongPass && !is_long_) go_on_alone();
    poll_interrupt(work);
    if (thread_state.backward_watch) [[unlikely]]
      thread_state.backward_watch->on_node(node, grads.data(), results.data());
    if (node.extra) run_hooks_after(node, results, grads);
    grads.clear();
    for (int i = 0; i < n_in; ++i) {
      Tensor& result = results[static_cast<size_t>(i)];
      if (!result || !rule.needs(i)) continue;
      const TensorBody* b = body(result);
      const bool owned = b->refs.load() == 1 && !b->storage->is_shared() && !b->node;
      send(node.inputs[i], std::move(result), owned);
    }
  }
  if (any && node.op == &kInPieces) [[unlikely]]
    mark_used(node.inputs[1]);
  else if (!any && !used_.empty() && used_[static_cast<size_t>(n)])
    for (const NodeInput& input : node.inputs) mark_used(input);
  if (!options_.retain_graph && !options_.create_graph && leads_on) node.release_saved();
  grads.clear();
  rule_grads_ = std::move(grads);
  rule_results_ = std::move(results);
}

}  // namespace

Tensor sum_to(const Tensor& grad, const Shape& sizes) {
  const int extra = grad.dim() - sizes.size();
  Shape dims;
  for (int d = 0; d < grad.dim(); ++d)
    if (d < extra || (sizes[d - extra] == 1 && grad.sizes()[d] != 1)) dims.push_back(d);
  Tensor total = dims.empty() ? grad : sum(grad, dims, true);
  return extra > 0 ? reshape(total, sizes) : total;
}

namespace {

void Run::send(const NodeInput& input, Tensor grad, bool owned) {
  if (grad.sizes() != input.sizes) {
    grad = sum_to(grad, input.sizes);
    if (grad.sizes() != input.sizes) grad = expand(grad, input.sizes);
    owned = false;
  }
  if (grad.dtype() != input.dtype) {
    grad = to(grad, input.dtype);
    owned = false;
  }
  deliver({input.node, input.leaf, input.index}, std::move(grad), owned);
}

void Run::mark_used(const NodeInput& input) {
  if (!input.needs_grad()) return;
  if (used_.empty()) used_.assign(node_of_.size(), 0);
  const void* key = input.node ? static_cast<const void*>(input.node) : input.leaf;
  used_[static_cast<size_t>(numbers_.find_number(key))] = 1;
}

void Run::deliver(const Target& to, Tensor grad, bool owned) {
  const int n = to.node ? node_number(to.node) : leaf_number(to.leaf);
  Slot& slot = slots_[static_cast<size_t>(first_slot_[static_cast<size_t>(n)]) + to.index];
  if (!slot.grad) {
    slot = {std::move(grad), owned};
  } else if (slot.owned && !options_.create_graph && !body(grad)->is_batched) {
    add_(slot.grad, grad);
  } else {
    slot = {add(slot.grad, grad), !options_.create_graph};
  }
}

// Threads that train one model together may reach the same leaf at the same time.
constinit std::mutex leaf_mutexes[16];
[[maybe_unused]] const bool leaf_mutexes_known = (renew_in_children(leaf_mutexes, 16), true);

std::mutex& mutex_of(const TensorBody* leaf) { return leaf_mutexes[leaf->id % 16]; }

void Run::accumulate(TensorBody* to, const Tensor& grad) {
  // Nobody waits here with the interpreter's lock: the other thread may need it to go on.
  std::unique_lock lock(mutex_of(to), std::try_to_lock);
  if (!lock) {
    const Unlocked unlocked(true);
    lock.lock();
  }
  const Tensor t = borrow(to);
  if (observer()) [[unlikely]]
    observer()->on_grad_read(*to);
  if (to->grad && !options_.create_graph) {
    // A gradient that the user made part of a graph, or that is a leaf, is replaced, not written
    // to.
    Tensor current = borrow(to->grad);
    if (!body(current)->needs_grad()) {
      add_(current, grad);
      return;
    }
  }
  if (to->grad) return t.set_grad(add(borrow(to->grad), grad));
  const TensorBody* g = body(grad);
  const bool alone = g->refs.load() == 1 && !g->storage->is_shared() && g->is_contiguous;
  t.set_grad(alone || options_.create_graph ? grad : clone(grad));
}

std::vector<Tensor> Run::finish() {
  for (size_t i = 0; i < leaves_.size(); ++i) {
    Slot& slot = slots_[static_cast<size_t>(leaf_slot_[i])];
    if (!slot.grad && is_used(leaves_[i]) && !(accumulate_ && leaves_[i]->grad))
      slot = {zeros(leaves_[i]->sizes, leaves_[i]->dtype), true};
    if (!slot.grad) continue;
    if (leaves_[i]->hooks) slot.grad = run_hooks(*leaves_[i]->hooks, std::move(slot.grad));
    if (inputs_.empty()) accumulate(leaves_[i], slot.grad);
    if (inputs_.empty()) run_accumulation_hooks(leaves_[i]);
    for (size_t k = 0; k < inputs_.size(); ++k)
      if (body(inputs_[k]) == leaves_[i]) results_[k] = slot;
  }
  std::vector<Tensor> results;
  for (size_t k = 0; k < inputs_.size(); ++k) {
    const TensorBody* b = body(inputs_[k]);
    if (!accumulate_ && !results_[k].grad && b->node && !used_.empty()) {
      const int n = numbers_.find_number(b->node);
      if (n >= 0 && used_[static_cast<size_t>(n)]) results_[k].grad = zeros(b->sizes, b->dtype);
    }
    if (!accumulate_)
      results.push_back(std::move(results_[k].grad));
    else if (results_[k].grad) {
      accumulate(body(inputs_[k]), results_[k].grad);
      run_accumulation_hooks(body(inputs_[k]));
    }
  }
  return results;
}

void check_all_defined(const std::vector<Tensor>& tensors, const char* what) {
  if (tensors.empty()) fail(ErrorCode::kRuntime, what, ": no tensors were given");
  for (const Tensor& t : tensors) body(t);
}

}  // namespace
}  // namespace detail

void backward(const std::vector<Tensor>& tensors, const std::vector<Tensor>& grads,
              const BackwardOptions& options, const std::vector<Tensor>& inputs) {
  detail::check_all_defined(tensors, "backward");
  if (detail::thread_state.vmap) [[unlikely]]
    fail(ErrorCode::kRuntime,
         "backward() called inside a function being transformed by vmap. This is not supported, "
         "please use func.grad or func.vjp instead or call backward() outside of the transform");
  for (const Tensor& t : inputs) detail::body(t);
  const detail::Nested nested;
  detail::Run(options, inputs, true)(tensors, grads);
}

std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const std::vector<Tensor>& grad_outputs, const BackwardOptions& options) {
  detail::check_all_defined(outputs, "grad");
  detail::check_all_defined(inputs, "grad");
  if (detail::any_batched(outputs) || detail::any_batched(inputs)) [[unlikely]]
    return detail::batched_grad(outputs, inputs, grad_outputs, options);
  const detail::Nested nested;
  std::vector<Tensor> results = detail::Run(options, inputs, false)(outputs, grad_outputs);
  for (size_t i = 0; i < results.size(); ++i)
    if (!results[i] && !options.allow_unused)
      fail(ErrorCode::kRuntime, "The differentiated Tensor at index ", i, " (sizes ",
           inputs[i].sizes(),
           ") appears to not have been used in the graph. Set allow_unused=True if this is the "
           "desired behavior.");
  return results;
}

}  // namespace autograd
