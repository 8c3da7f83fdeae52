// What passes the door becomes values and ops; storages tell which values share memory.
#include "graph/capture.hpp"

#include <algorithm>
#include <utility>

#include "autograd/compile.hpp"
#include "autograd/grad.hpp"
#include "autograd/ops.hpp"
#include "core/node.hpp"
#include "core/text.hpp"
#include "graph/places.hpp"
#include "ops/call_check.hpp"

namespace autograd::detail {

namespace {

void infer_changed(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.is_view = true;
  meta.dtype = call.in(0).dtype;
  meta.sizes = call.in(0).sizes;
  meta.strides = call.in(0).strides;
}

// The next id comes from a block that no thread has had yet: all tensors made so far have lower
// ones.
uint64_t fresh_ids() {
  thread_state.next_id = thread_state.last_id;
  return next_tensor_id();
}

Tensor copied(const TensorBody& b) {
  const Unobserved pause;
  NoGrad off;
  Tensor copy = clone(borrow(const_cast<TensorBody*>(&b)));
  copy.head()->is_number = b.is_number;
  return copy;
}

}  // namespace

}  // namespace autograd::detail

bool autograd::is_capturing() {
  for (const Observer* o = detail::observer(); o; o = o->below)
    if (dynamic_cast<const detail::Recorder*>(o)) return true;
  return false;
}

namespace autograd::detail {

const Op kChangedOp = {.name = "changed",
                       .traits = kView,
                       .infer = infer_changed,
                       .forward = {nullptr},
                       .doc = "x after a part of its memory was changed through another tensor",
                       .check = takes<2>};

Recorder::Recorder(const std::vector<Tensor>& inputs, const RecorderOptions& options)
    : options_(options), first_id_(fresh_ids()) {
  for (const Tensor& t : inputs) inputs_.push_back({t, t.requires_grad(), t.is_leaf()});
}

Recorder::~Recorder() { stop(); }

void Recorder::start() {
  if (watching_) return;
  if (is_capturing())
    fail(ErrorCode::kRuntime, "a capture is running already in this thread; captures do not nest");
  add_observer(*this);
  watching_ = true;
}

void Recorder::stop() {
  if (!watching_) return;
  remove_observer(*this);
  watching_ = false;
}

// ---- places and values

int Recorder::add_storage() {
  places_in_.emplace_back();
  changed_.push_back(0);
  made_.push_back(0);
  return static_cast<int>(places_in_.size()) - 1;
}

int Recorder::add_value(const TensorBody& b, int op, int storage) {
  GraphValue& value = graph_.values.emplace_back();
  value.dtype = b.dtype;
  value.needs_grad = b.needs_grad();
  value.sizes = b.sizes;
  value.strides = b.strides;
  value.op = op;
  value.storage = storage;
  return static_cast<int>(graph_.values.size()) - 1;
}

int Recorder::add_leaf(TensorBody& b) {
  const auto [known, is_new] = storages_.try_emplace(b.storage->id, 0);
  if (is_new) known->second = add_storage();
  if (made_[static_cast<size_t>(known->second)])
    fail(ErrorCode::kRuntime, "compile: a part of a tensor (", name_of(b.dtype), " ", b.sizes,
         ") was taken by none of the library's operations");
  const int v = add_value(b, -1, known->second);
  GraphValue& value = graph_.values.back();
  CapturedLeaf leaf;
  leaf.tensor = borrow(&b);
  // An alias of an input, such as detach() gives, stands for the input.
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const TensorBody* input = body(inputs_[i].tensor);
    if (input->storage != b.storage || input->data != b.data || input->sizes != b.sizes ||
        input->strides != b.strides || input->dtype != b.dtype)
      continue;
    leaf.origin = Origin::kInput;
    leaf.number = static_cast<int>(i);
    break;
  }
  // Numbers are constants, even those that a binding keeps for their next use.
  if (leaf.origin == Origin::kOutside && (b.storage->id >= first_id_ || b.is_number))
    leaf.origin = Origin::kInside;
  value.role = b.requires_grad                   ? Role::kParameter
               : leaf.origin == Origin::kOutside ? Role::kBuffer
               : leaf.origin == Origin::kInput   ? Role::kInput
                                                 : Role::kConstant;
  if (leaf.origin == Origin::kInside && b.numel == 1) {
    const Unobserved pause;
    value.has_number = b.sizes.empty();
    value.number = leaf.tensor.item();
  }
  leaves_[v] = std::move(leaf);
  return v;
}

// By id, or the same elements of the same storage: detach() and saved values are other tensors that
// show what a known one shows.
int Recorder::known_place(const TensorBody& b) {
  const auto known = place_by_id_.find(b.id);
  if (known != place_by_id_.end()) return known->second;
  const auto storage = storages_.find(b.storage->id);
  if (storage == storages_.end()) return -1;
  for (int place : places_in_[static_cast<size_t>(storage->second)]) {
    const Place& p = places_[static_cast<size_t>(place)];
    const GraphValue& v = graph_.values[static_cast<size_t>(p.value)];
    if (p.data == b.data && v.dtype == b.dtype && v.sizes == b.sizes && v.strides == b.strides)
      return place_by_id_[b.id] = place;
  }
  return -1;
}

int Recorder::place_of(TensorBody& b) {
  if (const int known = known_place(b); known >= 0) return known;
  const int v = add_leaf(b), place = static_cast<int>(places_.size());
  const int storage = graph_.values[static_cast<size_t>(v)].storage;
  Place fresh;
  fresh.storage = storage;
  fresh.data = b.data;
  fresh.value = v;
  fresh.stale = changed_[static_cast<size_t>(storage)] != 0;
  places_.push_back(fresh);
  places_in_[static_cast<size_t>(storage)].push_back(place);
  place_by_id_[b.id] = place;
  return place;
}

int Recorder::retake(int place) {
  const Place old = places_[static_cast<size_t>(place)];
  GraphOp op;
  if (old.source >= 0) {
    const GraphOp& view = graph_.ops[static_cast<size_t>(old.view_op)];
    op.op = view.op;
    op.attrs = view.attrs;
    op.inputs = {refreshed(old.source)};
  } else {
    // The newest value of the storage is what the last change made.
    int newest = old.value;
    for (int other : places_in_[static_cast<size_t>(old.storage)])
      if (!places_[static_cast<size_t>(other)].stale)
        newest = std::max(newest, places_[static_cast<size_t>(other)].value);
    op.op = &kChangedOp;
    op.inputs = {old.value, newest};
  }
  const int n = static_cast<int>(graph_.ops.size());
  const int v = static_cast<int>(graph_.values.size());
  op.outputs = {v};
  op.phase = thread_state.in_backward ? Phase::kBackward : Phase::kForward;
  GraphValue value = graph_.values[static_cast<size_t>(old.value)];
  value.op = n;
  value.role = Role::kIntermediate;
  graph_.values.push_back(std::move(value));
  graph_.ops.push_back(std::move(op));
  return v;
}

int Recorder::refreshed(int place) {
  if (places_[static_cast<size_t>(place)].stale) {
    const int v = retake(place);
    places_[static_cast<size_t>(place)].value = v;
    places_[static_cast<size_t>(place)].stale = false;
  }
  return places_[static_cast<size_t>(place)].value;
}

int Recorder::value_of(TensorBody& b) { return refreshed(place_of(b)); }

void Recorder::make_stale(int storage, int except) {
  changed_[static_cast<size_t>(storage)] = 1;
  for (int place : places_in_[static_cast<size_t>(storage)])
    if (place != except) places_[static_cast<size_t>(place)].stale = true;
}

// ---- events

Phase Recorder::phase_of(const Op& op) const {
  if (op.traits & kUpdate) return Phase::kOptimizer;
  return thread_state.in_backward ? Phase::kBackward : Phase::kForward;
}

void Recorder::before_in_place(const Call& call) {
  // All inputs before any of them is changed; of leaves, a copy of the old elements.
  const bool is_new = known_place(call.in(0)) < 0;
  for (int i = 0; i < call.n_inputs; ++i)
    if (call.has(i)) value_of(call.in(i));
  for (int i = 0; i < call.n_outputs; ++i) {
    const int storage = places_[static_cast<size_t>(place_of(call.out(i)))].storage;
    for (int place : places_in_[static_cast<size_t>(storage)]) {
      const auto known = leaves_.find(places_[static_cast<size_t>(place)].value);
      if (known == leaves_.end() || known->second.origin != Origin::kInside) continue;
      CapturedLeaf& leaf = known->second;
      if (leaf.initial || leaf.is_overwritten) continue;
      if (is_new && (call.op.traits & kOverwrites) && leaf.tensor.is_same(call.outputs[i]))
        leaf.is_overwritten = true;
      else
        leaf.initial = copied(*body(leaf.tensor));
    }
  }
}

void Recorder::on_call(const Call& call) {
  GraphOp op{};
  op.op = &call.op;
  op.attrs = call.attrs;
  op.inputs.reserve(static_cast<size_t>(call.n_inputs));
  for (int i = 0; i < call.n_inputs; ++i)
    op.inputs.push_back(call.has(i) ? value_of(call.in(i)) : -1);
  op.phase = phase_of(call.op);
  if (thread_state.visiting) visited_.insert(thread_state.visiting);
  const auto rule_of = op_by_node_.find(thread_state.visiting);
  if (op.phase == Phase::kBackward && rule_of != op_by_node_.end()) op.forward = rule_of->second;
  const int n = static_cast<int>(graph_.ops.size());
  for (int i = 0; i < call.n_outputs; ++i) {
    TensorBody& b = call.out(i);
    bool changes = false;
    for (int k = 0; k < call.n_inputs; ++k) changes |= call.inputs[k].body == &b;
    if (changes) {
      const int place = place_of(b), storage = places_[static_cast<size_t>(place)].storage;
      make_stale(storage, place);
      op.in_place |= i == 0;
      places_[static_cast<size_t>(place)].value = add_value(b, n, storage);
    } else {
      Place place;
      const bool is_view = (call.op.traits & kView) && i == 0;
      if (is_view) {
        place.source = place_of(call.in(0));
        place.storage = places_[static_cast<size_t>(place.source)].storage;
        place.view_op = n;
      } else {
        place.storage = storages_[b.storage->id] = add_storage();
        made_.back() = 1;
      }
      place.data = b.data;
      place.value = add_value(b, n, place.storage);
      places_in_[static_cast<size_t>(place.storage)].push_back(static_cast<int>(places_.size()));
      place_by_id_[b.id] = static_cast<int>(places_.size());
      places_.push_back(place);
    }
    op.outputs.push_back(places_[static_cast<size_t>(known_place(b))].value);
  }
  if (call.n_outputs > 0 && call.out(0).node) op_by_node_[call.out(0).node] = n;
  op.location = location_of(call, op.in_place);
  describe(call, op);
  graph_.ops.push_back(std::move(op));
}

CapturedGrad& Recorder::grad_of(TensorBody& b, bool reads) {
  for (size_t i = 0; i < grads_.size(); ++i)
    if (grad_ids_[i] == b.id) return grads_[i];
  CapturedGrad grad;
  grad.of = borrow(&b);
  for (size_t i = 0; i < inputs_.size(); ++i)
    if (body(inputs_[i].tensor) == &b) grad.input = static_cast<int>(i);
  if (reads) grad.start = b.grad ? CapturedGrad::Start::kSome : CapturedGrad::Start::kNone;
  if (reads && b.grad) {
    grad.start_value = value_of(*b.grad);
    const auto leaf = leaves_.find(grad.start_value);
    if (leaf != leaves_.end() && leaf->second.origin == Origin::kOutside) {
      leaf->second.origin = Origin::kGradient;
      leaf->second.number = static_cast<int>(grads_.size());
    }
  }
  grads_.push_back(std::move(grad));
  grad_ids_.push_back(b.id);
  return grads_.back();
}

void Recorder::on_grad_read(TensorBody& of) {
  if (thread_state.visiting) visited_.insert(thread_state.visiting);
  if (of.id < first_id_) grad_of(of, true);
}

void Recorder::on_grad_set(TensorBody& of) {
  if (of.id < first_id_) grad_of(of, false).is_set = true;
}

void Recorder::on_read(const TensorBody& t, const char* what) {
  const int place = known_place(t);
  if ((place < 0 && t.storage->id >= first_id_) || t.is_number) return;
  if (place >= 0) {
    const auto leaf = leaves_.find(places_[static_cast<size_t>(place)].value);
    if (leaf != leaves_.end() && leaf->second.origin == Origin::kInside) return;
  }
  if (obstacle_.empty())
    obstacle_ = concat(what, " reads elements of a tensor (", name_of(t.dtype), " ", t.sizes,
                       ") whose values are others in each call");
  if (options_.refuses_reads)
    fail(ErrorCode::kRuntime, "compile: ", obstacle_,
         ": what is done with them cannot be captured. Return the tensor and read it outside, or "
         "use "
         "where() instead of if");
}

void Recorder::on_options(const TensorBody& numbers) {
  TensorBody& b = const_cast<TensorBody&>(numbers);
  CapturedLeaf& leaf = leaves_[value_of(b)];
  leaf.origin = Origin::kOptions;
  graph_.values[static_cast<size_t>(value_of(b))].role = Role::kInput;
  leaf.number = n_options_++;
}

// ---- the end

void Recorder::number_leaves_first(GraphData& graph, Capture& capture) const {
  std::vector<int> number(graph_.values.size(), -1);
  for (size_t v = 0; v < graph_.values.size(); ++v)
    if (graph_.values[v].op < 0) {
      number[v] = static_cast<int>(graph.values.size());
      graph.values.push_back(graph_.values[v]);
      capture.leaves.push_back(leaves_.at(static_cast<int>(v)));
    }
  for (size_t v = 0; v < graph_.values.size(); ++v)
    if (graph_.values[v].op >= 0) {
      number[v] = static_cast<int>(graph.values.size());
      graph.values.push_back(graph_.values[v]);
    }
  const auto renumber = [&](int& v) { v = v < 0 ? -1 : number[static_cast<size_t>(v)]; };
  for (GraphOp& op : graph.ops) {
    for (int& v : op.inputs) renumber(v);
    for (int& v : op.outputs) renumber(v);
    for (int& v : op.saved) renumber(v);
  }
  for (int& v : graph.outputs) renumber(v);
  for (CapturedGrad& grad : capture.grads) {
    renumber(grad.start_value);
    renumber(grad.end_value);
  }
}

Capture Recorder::finish(const std::vector<Tensor>& outputs) {
  stop();
  Capture capture;
  std::vector<int> results;
  for (const Tensor& t : outputs) {
    results.push_back(t ? value_of(*body(t)) : -1);
    const TensorBody* b = body_or_null(t);
    capture.cuts.push_back(b ? CapturedCut{b->cut, b->cut_at, b->leaves} : CapturedCut{});
  }
  for (size_t i = 0; i < grads_.size(); ++i) {
    TensorBody* now = body(grads_[i].of)->grad;
    grads_[i].end_value = now ? value_of(*now) : -1;
  }
  capture.inputs = inputs_;
  capture.grads = std::move(grads_);
  capture.graph.ops = std::move(graph_.ops);
  capture.graph.outputs = std::move(results);
  capture.graph.scopes = std::move(graph_.scopes);
  number_leaves_first(capture.graph, capture);
  for (int v : capture.graph.outputs)
    if (v >= 0 && capture.graph.values[static_cast<size_t>(v)].op >= 0)
      capture.graph.values[static_cast<size_t>(v)].role = Role::kOutput;
  graph_ = {};
  leaves_.clear();
  place_by_id_.clear();
  places_.clear();
  places_in_.clear();
  storages_.clear();
  changed_.clear();
  made_.clear();
  op_by_node_.clear();
  grad_ids_.clear();
  grads_.clear();
  return capture;
}

}  // namespace autograd::detail
