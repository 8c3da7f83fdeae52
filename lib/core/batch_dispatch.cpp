// The door for tensors that stand for examples: one op on all examples where there is a rule for
// it, else one op per example.
#include <algorithm>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/random.hpp"
#include "core/thread_state.hpp"

namespace autograd::detail {

namespace {

uint64_t highest_level(const Arg* inputs, int n) {
  uint64_t level = 0;
  for (int i = 0; i < n; ++i)
    if (inputs[i].body && inputs[i].body->is_batched)
      level = std::max(level, inputs[i].body->level);
  return level;
}

/// The inputs of a call taken apart: what they are for all examples of a level.
struct Inputs {
  Inputs(const Arg* inputs, int n, uint64_t level) {
    values.reserve(static_cast<size_t>(n));
    batched.reserve(static_cast<size_t>(n));
    for (int i = 0; i < n; ++i) {
      TensorBody* b = inputs[i].body;
      const bool varies = b && b->is_batched && b->level == level;
      values.push_back(varies ? borrow(b->batch) : borrow(b));
      batched.push_back(varies);
    }
  }
  Vector<Tensor> values;
  Vector<char> batched;
};

// Random numbers inside an op on all examples are the business of the levels further out.
struct Outside {
  explicit Outside(const VmapLevel& level) : before(thread_state.vmap) {
    thread_state.vmap = level.outer;
  }
  ~Outside() { thread_state.vmap = before; }
  VmapLevel* before;
};

Vector<Arg> as_args(const Vector<Tensor>& tensors) {
  Vector<Arg> args;
  args.reserve(tensors.size());
  for (const Tensor& t : tensors) args.emplace_back(t);
  return args;
}

// The sizes and dtype for one example; words the errors.
void check_example(const BatchedCall& c) {
  Vector<Tensor> outputs(static_cast<size_t>(std::max(c.n_outputs, 1)));
  OutputMetas metas(c.n_outputs);
  c.op.infer(Call{c.op, c.inputs, c.n_inputs, c.attrs, outputs.data(), c.n_outputs}, metas);
}

// ---- one op on all examples

bool all_present(const BatchedCall& c) {
  for (int i = 0; i < c.n_inputs; ++i)
    if (!c.inputs[i].body) return false;
  return true;
}

// Promotion counts dims, and an example has one less than all examples together.
void promote_as_examples(const BatchedCall& c, Vector<Tensor>& values) {
  if (!all_present(c)) return;
  const DType wanted = result_type(c.inputs, c.n_inputs);
  if (result_type(as_args(values).data(), c.n_inputs) == wanted) return;
  for (Tensor& t : values)
    if (t.dtype() != DType::kBool && !t.head()->is_number) t = to(t, wanted);
}

void run_pointwise(const BatchedCall& c) {
  int rank = 0;
  for (int i = 0; i < c.n_inputs; ++i)
    if (c.has(i)) rank = std::max(rank, c.rank(i));
  Vector<Tensor> values;
  for (int i = 0; i < c.n_inputs; ++i) values.push_back(c.aligned(i, rank));
  promote_as_examples(c, values);
  c.make(values, c.attrs);
}

bool takes_front(uint32_t mask, int i) { return mask >> std::min(i, 31) & 1; }

// Rules that count dims see a tensor without any as a row of one.
bool has_scalars(const BatchedCall& c) {
  if (!c.op.batch.counts_dims) return false;
  for (int i = 0; i < c.n_inputs; ++i)
    if (c.has(i) && c.rank(i) == 0) return true;
  return false;
}

// False if that isn't the same call: other inputs have more dims than one.
bool scalars_to_rows(const BatchedCall& c, Vector<Tensor>& values, Attrs& attrs) {
  for (int i = 0; i < c.n_inputs; ++i) {
    if (!c.has(i)) continue;
    if (c.rank(i) > 1 || !takes_front(c.op.batch.inputs, i)) return false;
    if (c.rank(i) == 0)
      values[static_cast<size_t>(i)] = unsqueeze(values[static_cast<size_t>(i)], 1);
  }
  // Sizes of a scalar among the attributes have become those of the examples alone.
  if (attrs.lists[0].size() == 1 && c.attrs.lists[0].empty()) attrs.lists[0].push_back(1);
  return true;
}

void rows_to_examples(const BatchedCall& c) {
  Vector<Tensor> outputs(static_cast<size_t>(c.n_outputs));
  OutputMetas metas(c.n_outputs);
  c.op.infer(Call{c.op, c.inputs, c.n_inputs, c.attrs, outputs.data(), c.n_outputs}, metas);
  for (int k = 0; c.outputs && k < c.n_outputs; ++k) {
    Shape sizes = metas[k].sizes;
    sizes.insert(0, c.size);
    c.outputs[k] = reshape(c.outputs[k], sizes);
  }
}

bool run_by_rule(const BatchedCall& c) {
  const BatchRule& rule = c.op.batch;
  // A rule of an op out of place gives results, and knows nothing of its form in place.
  if (rule.call && !c.outputs && !(c.op.traits & kInPlace)) return false;
  if (rule.call) return rule.call(c);
  if (!rule.inputs) return false;
  for (int i = 0; i < c.n_inputs; ++i)
    if (c.is_batched(i) && !takes_front(rule.inputs, i)) return false;
  Vector<Tensor> values;
  for (int i = 0; i < c.n_inputs; ++i)
    values.push_back(c.has(i) && takes_front(rule.inputs, i) ? c.front(i) : c.values[i]);
  Attrs attrs = c.attrs;
  if (rule.attrs) rule.attrs(attrs, c.size);
  const bool scalars = has_scalars(c);
  if (scalars && !scalars_to_rows(c, values, attrs)) return false;
  c.make(values, attrs);
  if (scalars) rows_to_examples(c);
  return true;
}

// ---- one op per example

Vector<Tensor> inputs_of(const BatchedCall& c, int64_t example) {
  Vector<Tensor> values;
  for (int i = 0; i < c.n_inputs; ++i)
    values.push_back(c.is_batched(i) ? select(c.values[i], 0, example) : c.values[i]);
  return values;
}

void run_without_examples(const BatchedCall& c) {
  Vector<Tensor> outputs(static_cast<size_t>(c.n_outputs));
  OutputMetas metas(c.n_outputs);
  c.op.infer(Call{c.op, c.inputs, c.n_inputs, c.attrs, outputs.data(), c.n_outputs}, metas);
  for (int k = 0; k < c.n_outputs; ++k) {
    Shape sizes = metas[k].sizes;
    sizes.insert(0, 0);
    c.outputs[k] = zeros(sizes, metas[k].dtype);
  }
}

// One example of a call in place, made on a copy: the examples share memory, and a later one would
// seem to overwrite what the gradient of an earlier one reads.
Tensor changed_example(const BatchedCall& c, Vector<Tensor> values) {
  values[0] = clone(values[0]);
  dispatch_in_place(c.op, as_args(values).data(), c.n_inputs, c.attrs);
  return values[0];
}

// `same`: every example draws the same random numbers.
void run_each(const BatchedCall& c, bool same) {
  const size_t n_parts = static_cast<size_t>(c.outputs ? c.n_outputs : 1);
  if (c.size == 0) {
    if (c.outputs) run_without_examples(c);
    return;
  }
  const RandomState start = same ? random_position() : RandomState{};
  std::vector<std::vector<Tensor>> parts(n_parts);
  for (int64_t e = 0; e < c.size; ++e) {
    const Vector<Tensor> values = inputs_of(c, e);
    if (same) set_random_position(start);
    if (!c.outputs) {
      parts[0].push_back(changed_example(c, values));
      continue;
    }
    Vector<Tensor> outputs(n_parts);
    dispatch(c.op, as_args(values).data(), c.n_inputs, c.attrs, outputs.data(), c.n_outputs);
    for (size_t k = 0; k < n_parts; ++k) parts[k].push_back(std::move(outputs[k]));
  }
  if (!c.outputs) {
    Tensor self = c.values[0];
    copy_(self, stack(parts[0], 0));
    return;
  }
  for (size_t k = 0; k < n_parts; ++k) c.outputs[k] = stack(parts[k], 0);
}

void run_all(const BatchedCall& c, const VmapLevel& level) {
  if (c.op.traits & kRandom && level.randomness == Randomness::kSame) return run_each(c, true);
  if (c.op.traits & kPointwise) return run_pointwise(c);
  if (run_by_rule(c)) return;
  // A tensor without dims has one element: its view may as well be a copy.
  if (c.op.traits & kView && c.rank(0) > 0)
    fail(ErrorCode::kNotImplemented, "vmap: there is no batching rule for the view ", c.op.name,
         " of a tensor of sizes ", c.sizes(0));
  run_each(c, false);
}

// The level whose examples a call is made for; nullptr: a random op whose numbers are the same for
// all.
VmapLevel* level_of(const Op& op, const Arg* inputs, int n) {
  const uint64_t id = highest_level(inputs, n);
  if (!(op.traits & kRandom)) return &active_level(id);
  check_randomness();
  VmapLevel* innermost = thread_state.vmap;
  if (id) active_level(id);
  if (!innermost) return nullptr;
  return id == innermost->id || innermost->randomness == Randomness::kDifferent ? innermost
                                                                                : nullptr;
}

}  // namespace

bool batch_broadcast(const BatchedCall& c) {
  run_pointwise(c);
  return true;
}

Tensor BatchedCall::front(int i) const {
  if (batched[i]) return values[i];
  Shape all = values[i].sizes();
  all.insert(0, size);
  return expand(values[i], all);
}

Tensor BatchedCall::aligned(int i, int rank) const {
  if (!is_batched(i) || this->rank(i) >= rank) return values[i];
  const int missing = rank - this->rank(i);
  Shape longer = values[i].sizes();
  for (int d = 0; d < missing; ++d) longer.insert(1, 1);
  return view(values[i], longer);
}

void BatchedCall::make(const Vector<Tensor>& arguments, const Attrs& changed) const {
  const Vector<Arg> args = as_args(arguments);
  const int n = static_cast<int>(args.size());
  if (outputs)
    dispatch(op, args.data(), n, changed, outputs, n_outputs);
  else
    dispatch_in_place(op, args.data(), n, changed);
}

void dispatch_batched(const Op& op, const Arg* inputs, int n_inputs, const Attrs& attrs,
                      Tensor* outputs, int n_outputs) {
  VmapLevel* level = level_of(op, inputs, n_inputs);
  if (!level) {
    const Outside outside(*thread_state.vmap);
    return dispatch(op, inputs, n_inputs, attrs, outputs, n_outputs);
  }
  if (op.traits & kValueShaped)
    for (int i = 0; i < n_inputs; ++i)
      if (inputs[i].body) need_elements(op.name, borrow(inputs[i].body));
  const Inputs all(inputs, n_inputs, level->id);
  const BatchedCall call{
      op,      attrs,    level->size, inputs, n_inputs, all.values.data(), all.batched.data(),
      outputs, n_outputs};
  check_example(call);
  {
    const Outside outside(*level);
    run_all(call, *level);
  }
  for (int k = 0; k < n_outputs; ++k) outputs[k] = make_example(std::move(outputs[k]), level->id);
}

void dispatch_in_place_batched(const Op& op, const Arg* inputs, int n_inputs, const Attrs& attrs) {
  VmapLevel* level = level_of(op, inputs, n_inputs);
  if (!level) {
    const Outside outside(*thread_state.vmap);
    return dispatch_in_place(op, inputs, n_inputs, attrs);
  }
  const Inputs all(inputs, n_inputs, level->id);
  if (!all.batched[0] && (op.traits & kRandom))
    fail(ErrorCode::kRuntime,
         "vmap: Cannot ask for different inplace randomness on an unbatched tensor. This will "
         "appear like same randomness (",
         op.name, ")");
  if (!all.batched[0])
    fail(ErrorCode::kRuntime,
         "vmap: inplace arithmetic(self, *extra_args) is not possible because "
         "there exists a Tensor `other` in extra_args that has more elements "
         "than `self`. This happened due to `other` being vmapped over but "
         "`self` not being vmapped over in a vmap. Please try to use "
         "out-of-place operators instead of inplace arithmetic (",
         op.name, ")");
  const BatchedCall call{
      op, attrs, level->size, inputs, n_inputs, all.values.data(), all.batched.data(), nullptr, 1};
  check_example(call);
  const Outside outside(*level);
  run_all(call, *level);
}

}  // namespace autograd::detail
