// A view's node is always a view op on its source's current node. In-place changes through a view v
// of s therefore record three things: the op itself, an assignment of its result into s, and v
// taken anew from s.
#include "core/record.hpp"

#include <algorithm>
#include <utility>

#include "autograd/ops.hpp"
#include "core/dispatch.hpp"
#include "core/saved.hpp"
#include "core/thread_state.hpp"

namespace autograd::detail {

namespace {

double number_in(const TensorBody* b) {
  switch (b->dtype) {
    case DType::kFloat32:
      return *reinterpret_cast<const float*>(b->data);
    case DType::kFloat64:
      return *reinterpret_cast<const double*>(b->data);
    case DType::kInt32:
      return *reinterpret_cast<const int32_t*>(b->data);
    case DType::kInt64:
      return static_cast<double>(*reinterpret_cast<const int64_t*>(b->data));
    default:
      return *reinterpret_cast<const uint8_t*>(b->data);
  }
}

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
    if (b->sizes.empty() && !b->is_batched) {
      input.has_number = true;
      input.is_number = b->is_number;
      input.number = number_in(b);
    }
  }
}

}  // namespace

void record_edge(Node* node, TensorBody* b) {
  NodeInput& input = node->inputs.add();
  if (!b) return;
  set_edge(input, b);
  node->leaves |= leaves_behind(b);
  if (b->node) node->depth = std::max(node->depth, b->node->depth + 1);
}

void record_edge(Node* node, const NodeInput& other) {
  NodeInput& input = node->inputs.add();
  input.dtype = other.dtype;
  input.sizes = other.sizes;
  input.id = other.id;
  if (other.node) {
    other.node->retain();
    input.node = other.node;
    input.index = other.index;
    node->leaves |= other.node->leaves;
    node->depth = std::max(node->depth, other.node->depth + 1);
  } else if (other.leaf) {
    input.leaf = other.leaf;
    input.leaf->refs.fetch_add(1, std::memory_order_relaxed);
    node->leaves |= leaves_behind(other.leaf);
  }
}

namespace {

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

}  // namespace

void record_value(Node* node, const Tensor& value) {
  add_output(node, body(value));
  set_history(body(value), node, 0);
}

namespace {

// What the gradients that are wanted will read.
uint32_t reads_of(const Op& op, const Node& node) {
  uint32_t reads = 0;
  for (int i = 0; i < node.inputs.size(); ++i)
    if (node.inputs[i].needs_grad()) reads |= op.reads[std::min(i, 2)];
  return reads;
}

[[noreturn]] void fail_inference_saved() {
  fail(ErrorCode::kRuntime,
       "Inference tensors cannot be saved for backward. Please do not use Tensors created in "
       "inference mode in computation tracked by autograd. To work around this, you can make a "
       "clone to get a normal tensor and use it in autograd, or use no_grad mode instead of "
       "inference "
       "mode.");
}

uint32_t version_of(const TensorBody* b) {
  return b->storage->version.load(std::memory_order_relaxed);
}

// A node that has no outputs yet, and what the gradients that are wanted will read.
struct Begun {
  Node* node;
  uint32_t reads;
};

// old_self: what to save in place of an input that has been overwritten.
Begun make_node(const Call& call, const Tensor& old_self = Tensor()) {
  Node* node = Node::make(call.op);
  node->attrs = call.attrs;
  node->inputs.reserve(call.n_inputs);
  for (int i = 0; i < call.n_inputs; ++i) {
    TensorBody* b = call.inputs[i].body;
    if (b && b->source) refresh_view(b);
    record_edge(node, b);
  }
  const uint32_t reads = reads_of(call.op, *node);
  for (int i = 0; i < call.n_inputs && i < 16; ++i) {
    if (!(reads & reads_input(i)) || !call.inputs[i].body) continue;
    if (call.inputs[i].body->is_inference) [[unlikely]] {
      const NodeOwner owner{node};
      fail_inference_saved();
    }
    NodeInput& input = node->inputs[i];
    const bool overwritten = old_self && call.inputs[i].body == call.inputs[0].body;
    input.saved = overwritten ? old_self : borrow(call.inputs[i].body);
    input.version = version_of(body(input.saved));
  }
  return {node, reads};
}

void attach_outputs(const Begun& begun, const Call& call) {
  const auto [node, reads] = begun;
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
  const Tensor part = dispatch(*assign.extra->view_op, {g}, assign.attrs);
  if (b.needs(1)) b.set(1, part);
  if (!b.needs(0)) return;
  // What came through the view does not reach the old value: g where V'(1) is 0, V' being the
  // view's own gradient rule. Views may overlap themselves.
  Node* view = Node::make(*assign.extra->view_op);
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
  Tensor grads[1] = {ones(part.sizes(), part.dtype())}, results[1];
  Backward rule(*view, grads, results);
  assign.extra->view_op->backward(rule);
  b.set(0, where(eq(sum_to(results[0], input.sizes), scalar(0.0)), g, scalar(0.0)));
}

constexpr Op kViewAssign = {.name = "view_assign",
                            .traits = kInPlace,
                            .infer = nullptr,
                            .forward = {nullptr},
                            .backward = backward_view_assign,
                            .doc = "a tensor whose part was changed in place through a view"};

// ---- in_pieces: a gradient that is constant but for jumps

void backward_in_pieces(Backward& b) { b.set(0, b.grad()); }

uint32_t rewrites_of(const TensorBody* b) {
  return b->storage->rewrites.load(std::memory_order_relaxed);
}

void retake_view(TensorBody* view, const ViewRecord& how) {
  Node* node = Node::make(*how.op);
  node->attrs = how.attrs;
  node->location = view->made_at;
  record_edge(node, view->source);
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
    assign->extras().view_op = how.op;
    assign->attrs = how.attrs;
    assign->location = view->storage->changed_at.load(std::memory_order_relaxed);
    record_edge(assign, source);
    record_edge(assign, view);
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

constinit const Op kInPieces = {.name = "in_pieces",
                                .traits = 0,
                                .infer = nullptr,
                                .forward = {nullptr},
                                .backward = backward_in_pieces,
                                .doc = "a gradient that is constant in input 1 but for jumps"};

void set_in_pieces(Backward& b, int i, Tensor gradient) {
  const NodeInput& behind = b.node().inputs[i];
  if (!thread_state.grad_enabled || !behind.needs_grad() || body(gradient)->is_batched)
    return b.set(i, std::move(gradient));
  if (body(gradient)->refs.load(std::memory_order_relaxed) != 1) gradient = clone(gradient);
  Node* const node = Node::make(kInPieces);
  const NodeOwner owner{node};
  record_edge(node, body(gradient));
  record_edge(node, behind);
  record_value(node, gradient);
  b.set(i, std::move(gradient));
}

namespace {
[[noreturn]] void fail_custom_view(const TensorBody& view, const char* what, const char* op) {
  fail(ErrorCode::kRuntime, op ? op : "", op ? ": " : "", "Output ", view.output_index, " of ",
       view.node->op->name, " is a view ", what,
       ". This view was created inside a custom Function (or because an input was returned as-is, "
       "or the module has backward hooks) and the autograd logic to handle view+inplace would "
       "override the custom backward associated with the custom Function, leading to incorrect "
       "gradients. This behavior is forbidden. You can fix this by cloning the output of the "
       "custom Function");
}

void check_no_custom_view(const TensorBody& changed, const char* op) {
  for (const TensorBody* b = &changed; b; b = b->source)
    if (b->node && b->node->is_custom_view(b->output_index))
      fail_custom_view(*b, "and is being modified inplace", op);
}

// A view that is changed with gradients: of no leaf, and not taken in no-grad mode.
void check_view_to_change(const TensorBody& view, const char* op) {
  const TensorBody* root = view.source;
  while (root && root->source) root = root->source;
  if (root && root->requires_grad)
    fail(ErrorCode::kRuntime, op,
         ": a view of a leaf Variable that requires grad is being used in an in-place "
         "operation. Make the change in no_grad mode, or work on a clone()");
  if (view.source && !view.node && !view.how)
    fail(ErrorCode::kRuntime, op,
         ": a view was created in no_grad mode and is being modified inplace with grad mode "
         "enabled (view of sizes ",
         view.sizes,
         "). Take the view outside of that mode, or change the tensor that it is a view of");
}

void refresh_one(TensorBody* view) {
  const TensorBody* source = view->source;
  if (view->node && view->node->is_custom_view(view->output_index))
    fail_custom_view(*view, "and its base or another view of its base has been modified inplace",
                     nullptr);
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

namespace {
[[gnu::cold]] void pack_and_drop(Node* node) {
  const NodeOwner owner{node};
  pack_saved(node);
}
}  // namespace

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
  const Begun begun = make_node(call);
  Node* node = begun.node;
  node->location = call.out().made_at;
  attach_outputs(begun, call);
  if (thread_state.saved_hooks) [[unlikely]]
    return pack_and_drop(node);
  node->drop();
}

namespace {

/// What becomes of one output of a function's call.
enum class OutputKind { kFresh, kAlias, kDirty, kConstant };

int position(const TensorBody* b, const Tensor* list, int n) {
  for (int i = 0; i < n; ++i)
    if (body(list[i]) == b) return i;
  return -1;
}

bool holds(const std::vector<Tensor>& list, const TensorBody* b) {
  return position(b, list.data(), static_cast<int>(list.size())) >= 0;
}

OutputKind kind_of(const TensorBody* b, const Tensor* inputs, int n_inputs,
                   const Context& context) {
  if (holds(ContextAccess::dirty(context), b)) return OutputKind::kDirty;
  if (!is_floating(b->dtype) || holds(ContextAccess::constants(context), b))
    return OutputKind::kConstant;
  bool is_new = !b->source && !b->needs_grad();
  for (int i = 0; i < n_inputs; ++i) is_new = is_new && body(inputs[i])->storage != b->storage;
  return is_new ? OutputKind::kFresh : OutputKind::kAlias;
}

// An alias that knows what it is a view of.
Tensor alias_of(TensorBody* b) {
  Tensor alias = make_alias(b, b->sizes, b->strides, 0);
  TensorBody* source = b->source ? b->source : b;
  body(alias)->source = static_cast<TensorBody*>(borrow(source).release());
  body(alias)->seen_rewrites = rewrites_of(b);
  return alias;
}

void check_dirty(const Tensor* outputs, int n_outputs, const Context& context, bool recorded) {
  for (const Tensor& t : ContextAccess::dirty(context)) {
    const TensorBody* b = body(t);
    if (position(b, outputs, n_outputs) < 0)
      fail(ErrorCode::kRuntime,
           "Some elements marked as dirty during the forward method were not returned as output. "
           "The inputs that are modified inplace must all be outputs of the Function.");
    if (!recorded) continue;
    check_no_custom_view(*b, "mark_dirty");
    if (b->requires_grad)
      fail(ErrorCode::kRuntime,
           "a leaf Variable that requires grad has been used in an in-place operation.");
    check_view_to_change(*b, "mark_dirty");
    if (b->source && n_outputs > 1)
      fail(ErrorCode::kRuntime,
           "If your Function modifies inplace an input that is a view of another Tensor, your "
           "Function cannot return more than one Tensor. Make sure the input is not a view "
           "(clone() it), or split the Function in two");
  }
}

// The values to keep: inputs with their history, outputs as aliases without.
void keep_saved(Node* node, const Tensor* inputs, int n_inputs, const std::vector<Tensor>& outputs,
                const std::vector<OutputKind>& kinds) {
  Context& context = node->extra->context;
  std::vector<Tensor> to_save = std::move(ContextAccess::to_save(context));
  ContextAccess::to_save(context).clear();
  std::vector<SavedValue>& saved = saved_values(context);
  saved.resize(to_save.size());
  for (size_t i = 0; i < to_save.size(); ++i) {
    if (!to_save[i]) continue;
    TensorBody* b = body(to_save[i]);
    if (b->is_inference) fail_inference_saved();
    saved[i].version = version_of(b);
    const int output = position(b, outputs.data(), static_cast<int>(outputs.size()));
    const bool is_made_here = output >= 0 &&
                              kinds[static_cast<size_t>(output)] != OutputKind::kConstant &&
                              (kinds[static_cast<size_t>(output)] == OutputKind::kDirty ||
                               position(b, inputs, n_inputs) < 0);
    if (is_made_here) {
      saved[i].value = make_alias(b, b->sizes, b->strides, 0);
      saved[i].output = output;
    } else {
      saved[i].value = std::move(to_save[i]);
    }
  }
}

void set_dirty_history(TensorBody* b, Node* node, int index) {
  if (b->source) refresh_view(b);
  const ViewRecord how = how_taken(b);
  set_history(b, node, index);
  b->storage->rewrites.fetch_add(1, std::memory_order_relaxed);
  if (how.op) rebase_sources(b, how);
}

}  // namespace

void record_function_call(const Op& op, const Tensor* inputs, int n_inputs, Tensor* outputs,
                          int n_outputs, std::unique_ptr<NodeExtra> extra, bool recorded) {
  const Context& context = extra->context;
  check_dirty(outputs, n_outputs, context, recorded);
  const std::vector<Tensor> made(outputs, outputs + n_outputs);
  std::vector<OutputKind> kinds;
  for (int i = 0; i < n_outputs; ++i) {
    TensorBody* b = body(made[static_cast<size_t>(i)]);
    const OutputKind kind = kind_of(b, inputs, n_inputs, context);
    kinds.push_back(kind);
    const bool is_input = position(b, inputs, n_inputs) >= 0;
    if (kind == OutputKind::kDirty)
      b->storage->mark_changed(op);
    else if (kind == OutputKind::kConstant ? is_input || b->needs_grad()
                                           : kind == OutputKind::kAlias)
      outputs[i] =
          kind == OutputKind::kConstant ? make_alias(b, b->sizes, b->strides, 0) : alias_of(b);
  }
  if (!recorded) return;

  const NodeOwner owner{Node::make(op)};
  Node* node = owner.node;
  node->location = here();
  node->extra = std::move(extra);
  node->inputs.reserve(n_inputs);
  for (int i = 0; i < n_inputs; ++i) {
    TensorBody* b = body(inputs[i]);
    if (b->source) refresh_view(b);
    record_edge(node, b);
  }
  node->outputs.reserve(n_outputs);
  for (int i = 0; i < n_outputs; ++i) add_output(node, body(outputs[i]));
  ContextAccess::set_node(node->extra->context, node);
  keep_saved(node, inputs, n_inputs, made, kinds);
  for (int i = 0; i < n_outputs; ++i) {
    TensorBody* b = body(outputs[i]);
    const OutputKind kind = kinds[static_cast<size_t>(i)];
    if (kind == OutputKind::kDirty) set_dirty_history(b, node, i);
    if (kind == OutputKind::kFresh || kind == OutputKind::kAlias) set_history(b, node, i);
    if (kind == OutputKind::kAlias) node->extra->aliases |= uint64_t{1} << std::min(i, 63);
  }
  if (thread_state.saved_hooks) pack_saved(node);
}

void check_in_place(const Call& call) {
  const TensorBody& self = call.in(0);
  check_no_custom_view(self, call.op.name);
  if (self.requires_grad)
    fail(ErrorCode::kRuntime, call.op.name,
         ": a leaf Variable that requires grad is being used in an in-place operation. "
         "Make the change in no_grad mode, or work on a clone()");
  check_view_to_change(self, call.op.name);
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
  const Begun begun = make_node(call, old_self);
  Node* node = begun.node;
  for (int i = 0; i < call.n_inputs; ++i)
    if (call.inputs[i].body == &self) node->inputs[i].has_number = false;  // not the old one
  self.storage->mark_changed(call.op);
  node->location = self.storage->changed_at.load(std::memory_order_relaxed);
  attach_outputs(begun, call);
  const NodeOwner owner{node};
  self.storage->rewrites.fetch_add(1, std::memory_order_relaxed);
  if (how.op) rebase_sources(&self, how);
  if (thread_state.saved_hooks) [[unlikely]]
    pack_saved(node);
}

}  // namespace autograd::detail
