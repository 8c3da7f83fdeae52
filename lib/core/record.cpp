// A view's node is always a view op on its source's current node. In-place changes through a view v
// of s therefore record three things: the op itself, an assignment of its result into s, and v
// taken anew from s.
#include "core/record.hpp"

#include <algorithm>
#include <utility>

#include "autograd/ops.hpp"
#include "core/dispatch.hpp"

namespace autograd::detail {

namespace {

void set_edge(NodeInput& input, TensorBody* b) {
  input.dtype = b->dtype;
  input.sizes = b->sizes;
  input.id = b->id;
  if (b->node) {
    b->node->retain();
    input.node = b->node;
    input.index = b->output_index;
  } else if (b->requires_grad) {
    input.leaf = b;
    b->refs.fetch_add(1, std::memory_order_relaxed);
  } else {
    input.cut = b->cut;
    input.cut_at = b->cut_at;
    input.leaves = b->leaves;
  }
}

void add_edge(Node* node, TensorBody* b) {
  NodeInput& input = node->inputs.add();
  if (!b) return;
  set_edge(input, b);
  if (input.needs_grad()) node->leaves |= leaves_behind(b);
  if (b->node) node->depth = std::max(node->depth, b->node->depth + 1);
}

void set_cut(TensorBody* b, Cut cut, Location at, uint64_t leaves) {
  b->cut = cut;
  b->cut_at = at;
  b->leaves = leaves;
}

void set_history(TensorBody* b, Node* node, int index) {
  if (b->node) {
    if (b->retains_grad) b->node->forget_retained(b);
    b->node->drop();
  }
  node->retain();
  b->node = node;
  b->output_index = static_cast<uint32_t>(index);
  b->requires_grad = false;
  if (b->retains_grad) node->outputs[index].retained = b;
}

NodeOutput& add_output(Node* node, const TensorBody* b) {
  NodeOutput& output = node->outputs.add();
  output.dtype = b->dtype;
  output.sizes = b->sizes;
  output.id = b->id;
  return output;
}

// What the gradients that are wanted will read.
uint32_t reads_of(const Op& op, const Node& node) {
  uint32_t reads = 0;
  for (int i = 0; i < node.inputs.size(); ++i)
    if (node.inputs[i].needs_grad()) reads |= op.reads[std::min(i, 2)];
  return reads;
}

uint32_t version_of(const TensorBody* b) {
  return b->storage->version.load(std::memory_order_relaxed);
}

// old_self: what to save in place of an input that has been overwritten.
Node* make_node(const Call& call, const Tensor& old_self = Tensor()) {
  Node* node = Node::make(call.op);
  node->attrs = call.attrs;
  node->inputs.reserve(call.n_inputs);
  for (int i = 0; i < call.n_inputs; ++i) {
    TensorBody* b = call.inputs[i].body;
    if (b && b->source) refresh_view(b);
    add_edge(node, b);
  }
  const uint32_t reads = reads_of(call.op, *node);
  for (int i = 0; i < call.n_inputs && i < 16; ++i) {
    if (!(reads & reads_input(i)) || !call.inputs[i].body) continue;
    NodeInput& input = node->inputs[i];
    const bool overwritten = old_self && call.inputs[i].body == call.inputs[0].body;
    input.saved = overwritten ? old_self : borrow(call.inputs[i].body);
    input.version = version_of(body(input.saved));
  }
  return node;
}

void attach_outputs(Node* node, const Call& call) {
  const uint32_t reads = reads_of(call.op, *node);
  node->outputs.reserve(call.n_outputs);
  for (int i = 0; i < call.n_outputs; ++i) {
    TensorBody& b = call.out(i);
    NodeOutput& output = add_output(node, &b);
    if (reads & reads_output(i)) {
      output.saved = make_alias(&b, b.sizes, b.strides, 0);
      output.version = version_of(&b);
    }
    if (is_floating(b.dtype))
      set_history(&b, node, i);
    else
      set_cut(&b, Cut::kNoValue, b.made_at, node->leaves);
  }
}

// ---- view_assign: the history of a tensor whose part was changed through a view

void backward_view_assign(Backward& b) {
  const Node& assign = b.node();
  const Tensor g = b.grad();
  const Tensor part = dispatch(*assign.view_op, {g}, assign.attrs);
  if (b.needs(1)) b.set(1, part);
  if (!b.needs(0)) return;
  // What came through the view does not reach the old value: g - V'(V g), V' being the view's own
  // gradient rule.
  Node* view = Node::make(*assign.view_op);
  const struct Owner {
    Node* node;
    ~Owner() { node->drop(); }
  } owner{view};
  view->attrs = assign.attrs;
  NodeInput& input = view->inputs.add();
  input.dtype = assign.outputs[0].dtype;
  input.sizes = assign.outputs[0].sizes;
  NodeOutput& output = view->outputs.add();
  output.dtype = part.dtype();
  output.sizes = part.sizes();
  Tensor grads[1] = {part}, results[1];
  Backward rule(*view, grads, results);
  assign.view_op->backward(rule);
  b.set(0, sub(g, sum_to(results[0], input.sizes)));
}

constexpr Op kViewAssign = {.name = "view_assign",
                            .traits = kInPlace,
                            .infer = nullptr,
                            .forward = {nullptr},
                            .backward = backward_view_assign,
                            .doc = "a tensor whose part was changed in place through a view"};

uint32_t rewrites_of(const TensorBody* b) {
  return b->storage->rewrites.load(std::memory_order_relaxed);
}

void retake_view(TensorBody* view, const ViewRecord& how) {
  Node* node = Node::make(*how.op);
  node->attrs = how.attrs;
  node->location = view->made_at;
  add_edge(node, view->source);
  add_output(node, view);
  set_history(view, node, 0);
  node->drop();
  view->seen_rewrites = rewrites_of(view);
}

// How a view was taken from its source; op is nullptr for a tensor that is no view or was taken in
// no-grad mode.
ViewRecord how_taken(const TensorBody* view) {
  if (!view->source) return {nullptr, {}};
  if (view->node) return {view->node->op, view->node->attrs};
  return view->how ? *view->how : ViewRecord{nullptr, {}};
}

// `view` has just become the result of an in-place op; `how` says how it was taken from its source,
// and so on up to the tensor that is no view. Each of them gets the change into its history, then
// the views are taken anew.
void rebase_sources(TensorBody* view, ViewRecord how) {
  Vector<std::pair<TensorBody*, ViewRecord>> chain;
  while (how.op) {
    TensorBody* source = view->source;
    Node* assign = Node::make(kViewAssign);
    assign->view_op = how.op;
    assign->attrs = how.attrs;
    assign->location = view->storage->changed_at.load(std::memory_order_relaxed);
    add_edge(assign, source);
    add_edge(assign, view);
    add_output(assign, source);
    const ViewRecord source_how = how_taken(source);
    set_history(source, assign, 0);
    assign->drop();
    chain.emplace_back(view, how);
    view = source;
    how = source_how;
  }
  for (auto it = chain.rbegin(); it != chain.rend(); ++it) retake_view(it->first, it->second);
}

}  // namespace

namespace {
void refresh_one(TensorBody* view) {
  const TensorBody* source = view->source;
  view->seen_rewrites = rewrites_of(view);
  if (!view->node) {
    // Taken before an in-place change gave its base a history; without a record it was taken in
    // no-grad mode.
    if (source->node && view->how) retake_view(view, *view->how);
    return;
  }
  const NodeInput& edge = view->node->inputs[0];
  if (edge.node == source->node && (edge.node || !source->requires_grad || edge.leaf == source))
    return;
  retake_view(view, how_taken(view));
}
}  // namespace

void refresh_view(TensorBody* view) {
  const uint32_t now = rewrites_of(view);
  if (view->seen_rewrites == now) return;
  Vector<TensorBody*> stale;
  for (TensorBody* v = view; v->source && v->seen_rewrites != now; v = v->source)
    stale.push_back(v);
  for (auto it = stale.rbegin(); it != stale.rend(); ++it) refresh_one(*it);
}

void remember_view(const Call& call) {
  ViewRecord* how = new (allocate(sizeof(ViewRecord))) ViewRecord{&call.op, call.attrs};
  call.out().how = how;
}

void trace_cut(const Call& call) {
  uint64_t leaves = 0;
  const TensorBody* wanted = nullptr;  // the first input that has a history
  const TensorBody* cut = nullptr;     // or had one before it was cut off
  for (int i = 0; i < call.n_inputs; ++i) {
    const TensorBody* b = call.inputs[i].body;
    if (!b) continue;
    leaves |= leaves_behind(b);
    if (!wanted && b->needs_grad()) wanted = b;
    if (!cut && b->cut != Cut::kNone) cut = b;
  }
  if (!wanted && !cut) return;
  for (int i = 0; i < call.n_outputs; ++i) {
    TensorBody& out = call.out(i);
    if (out.needs_grad()) continue;
    if (!wanted)
      set_cut(&out, cut->cut, cut->cut_at, leaves);
    else
      set_cut(&out,
              !thread_state.grad_enabled ? Cut::kNoGrad
              : is_floating(out.dtype)   ? Cut::kNoRule
                                         : Cut::kNoValue,
              here(), leaves);
  }
}

void record(const Call& call) {
  Node* node = make_node(call);
  node->location = call.out().made_at;
  attach_outputs(node, call);
  node->drop();
}

namespace {
void backward_function(Backward& b) {
  std::vector<Tensor> grads;
  for (int i = 0; i < b.n_outputs(); ++i) grads.push_back(b.has_grad(i) ? b.grad(i) : Tensor());
  const LocationScope user(0);
  std::vector<Tensor> results = b.node().function->rule(grads);
  const int n = std::min(b.n_inputs(), static_cast<int>(results.size()));
  for (int i = 0; i < n; ++i) b.set(i, std::move(results[static_cast<size_t>(i)]));
}

constexpr Op kFunction = {.name = "function",
                          .traits = 0,
                          .infer = nullptr,
                          .forward = {nullptr},
                          .backward = backward_function,
                          .doc = "a function with a gradient rule of its own"};
}  // namespace

void record_rule(const std::vector<Tensor>& inputs, std::vector<Tensor>& outputs,
                 GradientRule rule) {
  Node* node = Node::make(kFunction);
  node->location = here();
  node->function = std::make_unique<FunctionRule>();
  node->function->rule = std::move(rule);
  node->inputs.reserve(static_cast<int>(inputs.size()));
  for (const Tensor& t : inputs) {
    if (body(t)->source) refresh_view(body(t));
    add_edge(node, body(t));
  }
  node->outputs.reserve(static_cast<int>(outputs.size()));
  for (size_t i = 0; i < outputs.size(); ++i) {
    TensorBody* b = body(outputs[i]);
    for (const Tensor& t : inputs) node->function->aliases |= body(t)->storage == b->storage;
    add_output(node, b);
    if (is_floating(b->dtype)) set_history(b, node, static_cast<int>(i));
  }
  node->drop();
}

void check_in_place(const Call& call) {
  const TensorBody& self = call.in(0);
  if (self.node && self.node->function && self.node->function->aliases)
    fail(ErrorCode::kRuntime, call.op.name,
         ": an output of a function with a gradient of its own is a view and is being modified "
         "inplace. The function returned an input as it is, or the module has backward hooks. You "
         "can fix this by cloning the tensor");
  if (self.requires_grad)
    fail(ErrorCode::kRuntime, call.op.name,
         ": a leaf Variable that requires grad is being used in an in-place operation. "
         "Wrap the change in no_grad() or work on a clone()");
  const TensorBody* root = self.source;
  while (root && root->source) root = root->source;
  if (root && root->requires_grad)
    fail(ErrorCode::kRuntime, call.op.name,
         ": a view of a leaf Variable that requires grad is being used in an in-place "
         "operation. Wrap the change in no_grad() or work on a clone()");
  if (self.source && !self.node && !self.how)
    fail(ErrorCode::kRuntime, call.op.name,
         ": a view was created in no_grad mode and is being modified inplace with grad mode "
         "enabled (view of sizes ",
         self.sizes, "). Take the view outside of no_grad(), or use base[...] = value");
}

bool reads_old_self(const Call& call) {
  uint32_t reads = 0;
  for (int i = 0; i < call.n_inputs; ++i) {
    const TensorBody* b = call.inputs[i].body;
    const bool is_self = b == call.inputs[0].body;
    if (b && (b->needs_grad() || (is_self && b->source && b->source->needs_grad())))
      reads |= call.op.reads[std::min(i, 2)];
  }
  for (int i = 0; i < call.n_inputs && i < 16; ++i)
    if (call.inputs[i].body == call.inputs[0].body && (reads & reads_input(i))) return true;
  return false;
}

void record_in_place(const Call& call, const Tensor& old_self) {
  TensorBody& self = call.in(0);
  if (self.source) refresh_view(&self);
  const ViewRecord how = how_taken(&self);
  Node* node = make_node(call, old_self);
  self.storage->mark_changed(call.op);
  node->location = self.storage->changed_at.load(std::memory_order_relaxed);
  attach_outputs(node, call);
  node->drop();
  self.storage->rewrites.fetch_add(1, std::memory_order_relaxed);
  if (how.op) rebase_sources(&self, how);
}

}  // namespace autograd::detail
