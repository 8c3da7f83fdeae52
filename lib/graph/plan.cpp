// From a captured graph to instructions over fixed memory.
#include "graph/plan.hpp"

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "autograd/location.hpp"
#include "autograd/ops.hpp"
#include "core/interpreter_lock.hpp"
#include "core/text.hpp"

#if defined(__SANITIZE_ADDRESS__)
extern "C" {
void __asan_poison_memory_region(const volatile void* address, size_t bytes);
void __asan_unpoison_memory_region(const volatile void* address, size_t bytes);
}
#endif

namespace autograd::detail {

namespace {

constexpr int64_t kAlignment = 64;

int64_t rounded_up(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

/// The first address on a line of the cache.
char* aligned(const Tensor& t) {
  return reinterpret_cast<char*>(
      rounded_up(static_cast<int64_t>(reinterpret_cast<intptr_t>(t.data()))));
}

int64_t numel_of(const Shape& sizes) { return checked_numel(sizes); }

bool same_geometry(const GraphValue& a, const GraphValue& b) {
  return a.storage == b.storage && a.dtype == b.dtype && a.sizes == b.sizes &&
         a.strides == b.strides;
}

}  // namespace

std::vector<int> outputs_for_passes(const Capture& capture) {
  std::vector<int> outputs = capture.graph.outputs;
  for (const CapturedGrad& grad : capture.grads) outputs.push_back(grad.end_value);
  return outputs;
}

Plan::Plan(Capture capture, GraphData graph)
    : capture_(std::move(capture)), graph_(std::move(graph)) {
  const size_t n_results = capture_.graph.outputs.size();
  for (size_t i = 0; i < graph_.outputs.size(); ++i) {
    if (i >= n_results) {
      grad_ends_.push_back(graph_.outputs[i]);
      continue;
    }
    Result result;
    result.value = graph_.outputs[i];
    if (i < capture_.cuts.size()) result.cut = capture_.cuts[i];
    if (result.value < 0) fail(ErrorCode::kRuntime, "compile: an output is an undefined tensor");
    results_.push_back(result);
  }
  for (GraphData* graph : {&capture_.graph, &graph_})
    for (GraphOp& op : graph->ops)
      if (!op.location) op.location = make_location(op.file, op.line, "");  // it is from a file
  for (const GraphValue& value : graph_.values) elements_ += numel_of(value.sizes);
  lock_ = elements_ >= 4 * kLongWork   ? GiveUp::kAlways
          : elements_ >= kLongWork / 4 ? GiveUp::kBriefly
                                       : GiveUp::kNever;
  describe_inputs();
  find_memories();
  find_lifetimes();
  lay_out();
  make_bodies();
  find_changes();
  make_instructions();
}

// ---- inputs

void Plan::describe_inputs() {
  for (size_t i = 0; i < capture_.inputs.size(); ++i) {
    const CapturedInput& input = capture_.inputs[i];
    Expected expected;
    expected.dtype = input.tensor.dtype();
    expected.requires_grad = input.requires_grad;
    expected.sets_requires_grad = body(input.tensor)->requires_grad;
    expected.sizes = input.tensor.sizes();
    expected.strides = input.tensor.strides();
    expected.is_used = false;
    if (!input.is_leaf)
      fail(ErrorCode::kRuntime, "compile: argument ", i, " (sizes ", expected.sizes,
           ") has a history: gradients cannot flow out of a compiled function; detach() it");
    inputs_.push_back(expected);
  }
  for (size_t v = 0; v < capture_.leaves.size(); ++v) {
    const CapturedLeaf& leaf = capture_.leaves[v];
    outside_needs_grad_.push_back(body(leaf.tensor)->requires_grad);
    if (leaf.origin != Origin::kInput) continue;
    inputs_[static_cast<size_t>(leaf.number)].is_used = true;
    for (Result& result : results_)
      if (result.value == static_cast<int>(v)) result.input = leaf.number;
  }
}

bool Plan::fits(const Tensor* inputs, int n) const {
  if (n != n_inputs()) return false;
  for (int i = 0; i < n; ++i) {
    const TensorBody* b = body_or_null(inputs[i]);
    const Expected& e = inputs_[static_cast<size_t>(i)];
    if (!b || b->dtype != e.dtype || b->requires_grad != e.requires_grad || b->node ||
        b->sizes != e.sizes || b->strides != e.strides)
      return false;
    for (int k = 0; k < i; ++k)
      if (body(inputs[k])->storage == b->storage) return false;
  }
  for (size_t v = 0; v < capture_.leaves.size(); ++v) {
    const CapturedLeaf& leaf = capture_.leaves[v];
    if (leaf.origin != Origin::kOutside) continue;
    const TensorBody* b = body(leaf.tensor);
    if (b->requires_grad != outside_needs_grad_[v]) return false;
    for (int i = 0; i < n; ++i)
      if (body(inputs[i])->storage == b->storage) return false;
  }
  for (const CapturedGrad& grad : capture_.grads) {
    if (grad.start == CapturedGrad::Start::kAny) continue;
    const TensorBody* of = body(grad.input >= 0 ? inputs[grad.input] : grad.of);
    if (grad.start == CapturedGrad::Start::kNone) {
      if (of->grad) return false;
      continue;
    }
    const GraphValue& value = graph_.values[static_cast<size_t>(grad.start_value)];
    if (!of->grad || of->grad->needs_grad() || of->grad->sizes != value.sizes ||
        of->grad->strides != value.strides || of->grad->dtype != value.dtype)
      return false;
  }
  return true;
}

std::string Plan::misfit(const Tensor* inputs, int n) const {
  if (n != n_inputs()) return concat(n, " arguments instead of ", n_inputs());
  for (int i = 0; i < n; ++i) {
    const Expected& e = inputs_[static_cast<size_t>(i)];
    if (!inputs[i]) return concat("argument ", i, " is undefined");
    const TensorBody& b = *body(inputs[i]);
    if (b.dtype != e.dtype || b.sizes != e.sizes)
      return concat("argument ", i, " is ", name_of(b.dtype), " ", b.sizes, " instead of ",
                    name_of(e.dtype), " ", e.sizes);
    if (b.strides != e.strides)
      return concat("argument ", i, " has strides ", b.strides, " instead of ", e.strides);
    if (b.requires_grad != e.requires_grad || b.node)
      return concat("argument ", i,
                    b.node            ? " has a history"
                    : e.requires_grad ? " does not require grad"
                                      : " requires grad");
  }
  if (fits(inputs, n)) return "";
  for (size_t v = 0; v < capture_.leaves.size(); ++v)
    if (capture_.leaves[v].origin == Origin::kOutside &&
        body(capture_.leaves[v].tensor)->requires_grad != outside_needs_grad_[v])
      return concat("a tensor of sizes ", capture_.leaves[v].tensor.sizes(),
                    outside_needs_grad_[v] ? " no longer requires grad" : " requires grad now");
  for (const CapturedGrad& grad : capture_.grads) {
    const TensorBody* of = body(grad.input >= 0 ? inputs[grad.input] : grad.of);
    if (grad.start == CapturedGrad::Start::kNone && of->grad)
      return concat("a tensor of sizes ", of->sizes, " has a gradient before the call");
    if (grad.start == CapturedGrad::Start::kSome && !of->grad)
      return concat("a tensor of sizes ", of->sizes, " has no gradient before the call");
  }
  return "arguments share memory with each other or with parameters, or a gradient has another "
         "layout";
}

// ---- memory

void Plan::own(int leaf) {
  const CapturedLeaf& from = capture_.leaves[static_cast<size_t>(leaf)];
  const Tensor& source = from.initial ? from.initial : from.tensor;
  Tensor copy = make_tensor(source.sizes(), source.dtype());
  source.copy_out(source.dtype(), copy.data());
  TensorBody* b = body(copy);
  b->is_number = from.tensor.head()->is_number;
  if (from.initial && b->numel > 0) {
    Reset reset{b->data, {}};
    const size_t bytes = static_cast<size_t>(b->numel) * size_of(b->dtype);
    reset.bytes.assign(b->data, b->data + bytes);
    resets_.push_back(std::move(reset));
  }
  if (from.origin == Origin::kOptions) {
    if (static_cast<int>(options_.size()) <= from.number)
      options_.resize(static_cast<size_t>(from.number) + 1);
    options_[static_cast<size_t>(from.number)] = b;
  }
  bodies_[static_cast<size_t>(leaf)] = b;
  owned_.push_back(std::move(copy));
}

// A number that a pass has put into the graph.
void Plan::own_number(int leaf) {
  const GraphValue& value = graph_.values[static_cast<size_t>(leaf)];
  Tensor t = full({}, value.number, value.dtype);
  memory_of(leaf).kind = Memory::kOwn;
  bodies_[static_cast<size_t>(leaf)] = body(t);
  owned_.push_back(std::move(t));
}

void Plan::find_memories() {
  int count = 0;
  for (GraphValue& value : graph_.values) count = std::max(count, value.storage + 1);
  for (GraphValue& value : graph_.values)
    if (value.storage < 0) value.storage = count++;
  // A pass may give a value memory of its own; views and changes of it follow.
  for (const GraphOp& op : graph_.ops)
    if (((op.op->traits & kView) || op.in_place) && !op.inputs.empty() && op.inputs[0] >= 0)
      graph_.values[static_cast<size_t>(op.outputs[0])].storage =
          graph_.values[static_cast<size_t>(op.inputs[0])].storage;
  memories_.resize(static_cast<size_t>(count));
  bodies_.resize(graph_.values.size());
  std::vector<int> leaf_of(static_cast<size_t>(count), -1);
  for (size_t v = 0; v < capture_.leaves.size(); ++v) {
    const CapturedLeaf& leaf = capture_.leaves[v];
    int& first = leaf_of[static_cast<size_t>(graph_.values[v].storage)];
    if (first >= 0 && (leaf.origin != Origin::kOutside ||
                       capture_.leaves[static_cast<size_t>(first)].origin != Origin::kOutside))
      fail(ErrorCode::kRuntime, "compile: tensors of sizes ", leaf.tensor.sizes(), " and ",
           capture_.leaves[static_cast<size_t>(first)].tensor.sizes(),
           " share memory, and one of them is an argument or a constant; clone() it");
    first = static_cast<int>(v);
    Memory& memory = memory_of(static_cast<int>(v));
    memory.number = leaf.number;
    switch (leaf.origin) {
      case Origin::kOutside:
        memory.kind = Memory::kOutside;
        bodies_[v] = body(leaf.tensor);
        memory.storage = bodies_[v]->storage;
        break;
      case Origin::kInput:
        memory.kind = Memory::kInput;
        break;
      case Origin::kGradient:
        memory.kind = Memory::kGradient;
        break;
      case Origin::kOptions:
      case Origin::kInside:
        memory.kind = Memory::kOwn;
        own(static_cast<int>(v));
        break;
    }
  }
  for (size_t v = capture_.leaves.size(); v < graph_.values.size() && graph_.values[v].is_leaf();
       ++v)
    own_number(static_cast<int>(v));
  for (const Result& result : results_)
    if (memory_of(result.value).kind == Memory::kArena)
      memory_of(result.value).kind = Memory::kResult, memory_of(result.value).number = -1;
  for (size_t i = 0; i < grad_ends_.size(); ++i) {
    if (grad_ends_[i] < 0) continue;
    Memory& memory = memory_of(grad_ends_[i]);
    memory.is_gradient = true;
    if (memory.kind == Memory::kResult) memory.number = -1;  // shared: new in each run
    if (memory.kind != Memory::kArena) continue;
    memory.kind = Memory::kResult;
    memory.number = static_cast<int>(i);
  }
}

void Plan::find_lifetimes() {
  for (size_t n = 0; n < graph_.ops.size(); ++n) {
    const GraphOp& op = graph_.ops[n];
    const int at = static_cast<int>(n);
    for (int v : op.outputs) {
      Memory& memory = memory_of(v);
      if (memory.first < 0) memory.first = at;
      memory.last = at;
      const GraphValue& value = graph_.values[static_cast<size_t>(v)];
      if (!(op.op->traits & kView))
        memory.bytes = std::max(memory.bytes, numel_of(value.sizes) * item_size(value.dtype));
    }
    for (int v : op.inputs)
      if (v >= 0) memory_of(v).last = at;
    if (op.in_place && !(op.op->traits & kUpdate)) ++memory_of(op.outputs[0]).changes;
  }
}

#if defined(__SANITIZE_ADDRESS__)

// Nothing lies where something else was, and no two blocks next to each other: the sanitizer sees
// kernels that leave their block.
void Plan::lay_out() {
  std::vector<int64_t> ends;
  for (Memory& memory : memories_) {
    if (memory.kind != Memory::kArena || memory.first < 0) continue;
    memory.offset = arena_bytes_;
    ends.push_back(arena_bytes_ + rounded_up(std::max<int64_t>(memory.bytes, 1)));
    arena_bytes_ = ends.back() + kAlignment;
  }
  arena_ = make_tensor({arena_bytes_ + kAlignment}, DType::kUInt8);
  const char* base = aligned(arena_);
  for (int64_t end : ends) __asan_poison_memory_region(base + end, kAlignment);
}

Plan::~Plan() {
  if (arena_) __asan_unpoison_memory_region(arena_.data(), static_cast<size_t>(arena_.numel()));
}

#else

Plan::~Plan() = default;

// Each block goes into the smallest gap that is free for as long as it is needed.
void Plan::lay_out() {
  struct Gap {
    int64_t offset, bytes;
  };
  std::vector<Gap> gaps;
  std::vector<std::vector<Memory*> > starts(graph_.ops.size()), ends(graph_.ops.size());
  for (Memory& memory : memories_)
    if (memory.kind == Memory::kArena && memory.first >= 0) {
      starts[static_cast<size_t>(memory.first)].push_back(&memory);
      ends[static_cast<size_t>(memory.last)].push_back(&memory);
    }
  for (size_t n = 0; n < graph_.ops.size(); ++n) {
    for (Memory* memory : starts[n]) {
      const int64_t bytes = rounded_up(std::max<int64_t>(memory->bytes, 1));
      auto best = gaps.end();
      for (auto gap = gaps.begin(); gap != gaps.end(); ++gap)
        if (gap->bytes >= bytes && (best == gaps.end() || gap->bytes < best->bytes)) best = gap;
      if (best == gaps.end()) {
        memory->offset = arena_bytes_;
        arena_bytes_ += bytes;
        continue;
      }
      memory->offset = best->offset;
      best->offset += bytes;
      best->bytes -= bytes;
      if (best->bytes == 0) gaps.erase(best);
    }
    for (Memory* memory : ends[n]) {
      Gap freed{memory->offset, rounded_up(std::max<int64_t>(memory->bytes, 1))};
      for (auto gap = gaps.begin(); gap != gaps.end();) {
        const bool before = gap->offset + gap->bytes == freed.offset;
        const bool behind = freed.offset + freed.bytes == gap->offset;
        if (!before && !behind) {
          ++gap;
          continue;
        }
        freed = {std::min(gap->offset, freed.offset), gap->bytes + freed.bytes};
        gap = gaps.erase(gap);
      }
      gaps.push_back(freed);
    }
  }
  // Blocks of the allocator may begin between two lines of the cache.
  arena_ = make_tensor({arena_bytes_ + kAlignment}, DType::kUInt8);
}

#endif

// ---- bodies

TensorBody* Plan::make_body(int v, char* data, int64_t offset) {
  const GraphValue& value = graph_.values[static_cast<size_t>(v)];
  Memory& memory = memory_of(v);
  if (!memory.storage)
    memory.storage = Storage::wrap(data, 0, nullptr, nullptr);
  else
    memory.storage->retain();
  const Shape strides =
      value.strides.size() == value.sizes.size() ? value.strides : contiguous_strides(value.sizes);
  Tensor t = make_over(memory.storage, value.dtype, value.sizes, strides);
  TensorBody* b = body(t);
  b->data = data ? data + offset : nullptr;
  memory.bodies.emplace_back(b, offset);
  owned_.push_back(std::move(t));
  return bodies_[static_cast<size_t>(v)] = b;
}

// Offsets of views come from the op's own shape rule.
TensorBody* Plan::view_body(const GraphOp& op, int output) {
  const int v = op.outputs[static_cast<size_t>(output)];
  TensorBody* source = bodies_[static_cast<size_t>(op.inputs[0])];
  std::vector<Arg> inputs;
  for (int i : op.inputs) inputs.push_back(Arg(i < 0 ? nullptr : bodies_[static_cast<size_t>(i)]));
  OutputMetas metas(1);
  Tensor none;
  op.op->infer(Call{*op.op, inputs.data(), static_cast<int>(inputs.size()), op.attrs, &none, 1},
               metas);
  graph_.values[static_cast<size_t>(v)].strides = metas[0].strides;
  Memory& memory = memory_of(v);
  if (memory.kind == Memory::kOutside || memory.kind == Memory::kOwn) {
    Tensor t = make_alias(source, metas[0].sizes, metas[0].strides, metas[0].offset);
    owned_.push_back(t);
    return bodies_[static_cast<size_t>(v)] = body(t);
  }
  int64_t offset = metas[0].offset * item_size(source->dtype);
  for (const auto& [b, at] : memory.bodies)
    if (b == source) offset += at;
  return make_body(v, memory.kind == Memory::kArena ? memory.storage->data : nullptr, offset);
}

void Plan::make_bodies() {
  char* base = aligned(arena_);
  for (size_t v = 0; v < capture_.leaves.size(); ++v)
    if (!bodies_[v]) make_body(static_cast<int>(v), nullptr, 0);
  for (const GraphOp& op : graph_.ops) {
    for (int v : op.inputs)
      if (v >= 0 && !bodies_[static_cast<size_t>(v)])
        fail(ErrorCode::kRuntime, "compile: ", op.op->name, " reads value ", v,
             " before it is made");
    for (size_t k = 0; k < op.outputs.size(); ++k) {
      const int v = op.outputs[k];
      const GraphValue& value = graph_.values[static_cast<size_t>(v)];
      if ((op.op->traits & kView) && k == 0) {
        view_body(op, 0);
        continue;
      }
      // A value that is changed in place keeps its body.
      for (int i : op.inputs)
        if (i >= 0 && same_geometry(graph_.values[static_cast<size_t>(i)], value))
          bodies_[static_cast<size_t>(v)] = bodies_[static_cast<size_t>(i)];
      if (bodies_[static_cast<size_t>(v)]) continue;
      Memory& memory = memory_of(v);
      make_body(v, memory.kind == Memory::kArena ? base + memory.offset : nullptr, 0);
    }
  }
  for (size_t s = 0; s < memories_.size(); ++s) {
    const Memory::Kind kind = memories_[s].kind;
    const bool moves = kind == Memory::kInput || kind == Memory::kGradient ||
                       (kind == Memory::kResult && memories_[s].first >= 0);
    if (moves && !memories_[s].bodies.empty()) dynamic_.push_back(static_cast<int>(s));
  }
}

void Plan::find_changes() {
  for (size_t s = 0; s < memories_.size(); ++s) {
    const Memory::Kind kind = memories_[s].kind;
    if (memories_[s].changes > 0 &&
        (kind == Memory::kOutside || kind == Memory::kInput || kind == Memory::kGradient))
      changed_.push_back(static_cast<int>(s));
  }
  // Passes may have made another op of it.
  const GraphData& captured = capture_.graph;
  std::unordered_map<int, const GraphOp*> last;  // by storage
  for (const GraphOp& op : captured.ops)
    if (op.in_place)
      for (int v : op.outputs) last[captured.values[static_cast<size_t>(v)].storage] = &op;
  for (size_t v = 0; v < capture_.leaves.size(); ++v) {
    const auto found = last.find(captured.values[v].storage);
    if (found != last.end() && !(found->second->op->traits & kUpdate))
      memory_of(static_cast<int>(v)).last_change = found->second;
  }
}

void Plan::make_instructions() {
  size_t n_args = 0, n_outs = 0;
  for (const GraphOp& op : graph_.ops) n_args += op.inputs.size(), n_outs += op.outputs.size();
  args_.reserve(n_args);
  outs_.reserve(n_outs);
  instructions_.reserve(graph_.ops.size());
  for (const GraphOp& op : graph_.ops) {
    if (!op.op->forward[kCpu]) continue;
    const Arg* args = args_.data() + args_.size();
    Tensor* outs = outs_.data() + outs_.size();
    bool overlaps = false;
    for (int v : op.inputs) {
      TensorBody* b = v < 0 ? nullptr : bodies_[static_cast<size_t>(v)];
      args_.emplace_back(b);
      if (b && op.in_place && !(op.op->traits & kUpdate) && b != args[0].body)
        overlaps |= graph_.values[static_cast<size_t>(v)].storage ==
                    graph_.values[static_cast<size_t>(op.inputs[0])].storage;
    }
    for (int v : op.outputs) outs_.push_back(borrow(bodies_[static_cast<size_t>(v)]));
    instructions_.push_back({op.op->forward[kCpu],
                             Call{*op.op, args, static_cast<int>(op.inputs.size()), op.attrs, outs,
                                  static_cast<int>(op.outputs.size())},
                             overlaps});
    Instruction& made = instructions_.back();
    made.first = made.last = direct_.size();
    if (!op.in_place && direct_.add(made.call)) made.last = direct_.size();
    made.at = op.location;
  }
}

}  // namespace autograd::detail
