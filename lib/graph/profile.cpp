// The times of ops: those that a recording measured, or those of runs on made-up data.
#include <algorithm>
#include <chrono>
#include <map>
#include <vector>

#include "autograd/creation.hpp"
#include "autograd/error.hpp"
#include "autograd/grad.hpp"
#include "autograd/graph.hpp"
#include "autograd/random.hpp"
#include "core/dispatch.hpp"
#include "graph/ir.hpp"

namespace autograd {

namespace detail {

void show_times(GraphData& graph) {
  graph.seconds = graph.measured.seconds;
  for (size_t i = 0; i < graph.ops.size(); ++i) graph.ops[i].seconds = graph.measured.of_ops[i];
}

namespace {

constexpr int kRuns = 7;
constexpr int64_t kMostRuns = 1000000;

using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

/// Runs the ops of a graph by their records, as the door does: shape rule, memory, kernel.
class Replay {
 public:
  explicit Replay(const GraphData& graph) : graph_(graph) {
    for (size_t v = 0; v < graph.values.size(); ++v)
      leaves_.push_back(graph.values[v].is_leaf() ? made_up(graph.values[v]) : Tensor());
    for (const std::vector<double>& numbers : graph.options)
      options_.push_back(
          from_data(numbers.data(), DType::kFloat64, {static_cast<int64_t>(numbers.size())}));
    find_read_options();
    for (const GraphOp& op : graph.ops)
      for (int v : op.inputs)
        if (v >= 0) last_reader_[static_cast<size_t>(v)] = &op;
  }

  /// Times of all ops, -1 for one that cannot run; the last element is the time of the whole.
  std::vector<double> run() {
    tensors_ = leaves_;
    std::vector<double> times;
    const Clock::time_point begin = Clock::now();
    Clock::time_point before = begin;
    for (const GraphOp& op : graph_.ops) {
      const bool ran = run(op);
      const Clock::time_point now = Clock::now();
      times.push_back(ran ? seconds_between(before, now) : -1);
      before = now;
    }
    times.push_back(seconds_between(begin, before));
    return times;
  }

 private:
  static Tensor made_up(const GraphValue& value);
  void find_read_options();
  bool has_options(const GraphOp& op) const;
  static bool fits(const Tensor& t, const GraphValue& value);
  Tensor& tensor(int v) { return tensors_[static_cast<size_t>(v)]; }
  bool run(const GraphOp& op);
  void call(const GraphOp& op);
  Tensor changed_input(const GraphOp& op, int output);
  void free_inputs(const GraphOp& op);

  const GraphData& graph_;
  std::vector<Tensor> leaves_, tensors_;
  std::vector<const GraphOp*> last_reader_ =
      std::vector<const GraphOp*>(graph_.values.size(), nullptr);
  std::vector<Arg> inputs_;
  std::vector<Tensor> outputs_;
  std::vector<Tensor> options_;
  std::map<int, Tensor> read_options_;  // by the leaf
};

// In a plan the options of optimizers are leaves, in the order in which they are read.
void Replay::find_read_options() {
  for (const GraphOp& op : graph_.ops) {
    if (!(op.op->traits & kUpdate) || op.options >= 0 || op.inputs.empty()) continue;
    const int v = op.inputs.back();
    if (v < 0 || read_options_.count(v) || read_options_.size() == options_.size()) continue;
    const Tensor& numbers = options_[read_options_.size()];
    if (!fits(numbers, graph_.values[static_cast<size_t>(v)])) continue;
    read_options_[v] = leaves_[static_cast<size_t>(v)] = numbers;
  }
}

bool Replay::has_options(const GraphOp& op) const {
  return !(op.op->traits & kUpdate) || op.options >= 0 ||
         (!op.inputs.empty() && read_options_.count(op.inputs.back()));
}

// Fractions that no function minds; zeros for whole numbers, which are mostly places in something.
// As in the program they lie, since a fused op may count on it.
Tensor Replay::made_up(const GraphValue& value) {
  if (value.has_number) return full({}, value.number, value.dtype);
  const bool known = value.strides.size() == value.sizes.size();
  int64_t span = 1;
  for (int d = 0; known && d < value.sizes.size(); ++d)
    span = value.sizes[d] == 0 ? 0 : span == 0 ? 0 : span + (value.sizes[d] - 1) * value.strides[d];
  const Shape sizes = known ? Shape{span} : value.sizes;
  const Tensor t = is_floating(value.dtype) ? rand(sizes, value.dtype) : zeros(sizes, value.dtype);
  return known ? make_alias(body(t), value.sizes, value.strides, 0) : t;
}

bool Replay::fits(const Tensor& t, const GraphValue& value) {
  return t && t.sizes() == value.sizes && t.dtype() == value.dtype &&
         (value.strides.size() != value.sizes.size() || t.strides() == value.strides);
}

bool Replay::run(const GraphOp& op) {
  bool ran = has_options(op) && (op.op->forward[kCpu] || op.op->traits & kView);
  try {
    if (ran) call(op);
  } catch (const Error&) {
    ran = false;
  }
  for (size_t k = 0; k < op.outputs.size(); ++k) {
    const GraphValue& value = graph_.values[static_cast<size_t>(op.outputs[k])];
    // What depends on the numbers is as it was when they were others.
    tensor(op.outputs[k]) =
        ran && fits(outputs_[k], value) ? std::move(outputs_[k]) : made_up(value);
  }
  free_inputs(op);
  return ran;
}

// The tensor that the op changes in place to make this output.
Tensor Replay::changed_input(const GraphOp& op, int output) {
  const int storage =
      graph_.values[static_cast<size_t>(op.outputs[static_cast<size_t>(output)])].storage;
  for (int v : op.inputs)
    if (v >= 0 && (storage < 0 || graph_.values[static_cast<size_t>(v)].storage == storage))
      return tensor(v);
  return Tensor();
}

void Replay::call(const GraphOp& op) {
  inputs_.clear();
  for (int v : op.inputs) inputs_.push_back(v < 0 ? Arg(nullptr) : Arg(tensor(v)));
  if (op.options >= 0) inputs_.push_back(Arg(options_[static_cast<size_t>(op.options)]));
  const int n = static_cast<int>(op.outputs.size());
  outputs_.assign(op.outputs.size(), Tensor());
  const Call call{*op.op,   inputs_.data(),  static_cast<int>(inputs_.size()),
                  op.attrs, outputs_.data(), n};
  if (op.in_place) {
    for (int k = 0; k < n; ++k) {
      outputs_[static_cast<size_t>(k)] = changed_input(op, k);
      if (!outputs_[static_cast<size_t>(k)]) fail(ErrorCode::kRuntime, "nothing to change");
    }
  } else {
    OutputMetas metas(n);
    op.op->infer(call, metas);
    for (int k = 0; k < n && k < metas.size(); ++k)
      outputs_[static_cast<size_t>(k)] =
          metas[k].is_view
              ? make_alias(inputs_[0].body, metas[k].sizes, metas[k].strides, metas[k].offset)
              : make_tensor(metas[k].sizes, metas[k].dtype);
  }
  if (op.op->forward[kCpu]) op.op->forward[kCpu](call);
}

// As in the program, memory is used again: what nobody reads any more, and no gradient keeps.
void Replay::free_inputs(const GraphOp& op) {
  for (int v : op.inputs)
    if (v >= 0 && last_reader_[static_cast<size_t>(v)] == &op &&
        !graph_.values[static_cast<size_t>(v)].is_leaf())
      tensor(v) = Tensor();
}

/// The program's random numbers stay where they are.
class OwnStream {
 public:
  OwnStream() { begin_random_stream({0, 0}); }
  ~OwnStream() {
    thread_state.has_stream = before_.has_stream;
    thread_state.stream_seed = before_.stream_seed;
    thread_state.stream_offset = before_.stream_offset;
  }
  OwnStream(const OwnStream&) = delete;
  OwnStream& operator=(const OwnStream&) = delete;

 private:
  const ThreadState before_ = thread_state;
};

/// The run in the middle, so that the times of its ops add up to its own.
void measure(GraphData& graph, int64_t runs) {
  const NoGrad off;
  const Unobserved pause;
  const OwnStream stream;
  Replay replay(graph);
  replay.run();  // memory, caches, code
  std::vector<std::vector<double>> all;
  for (int64_t i = 0; i < runs; ++i) all.push_back(replay.run());
  std::nth_element(all.begin(), all.begin() + static_cast<ptrdiff_t>(all.size() / 2), all.end(),
                   [](const auto& a, const auto& b) { return a.back() < b.back(); });
  const std::vector<double>& middle = all[all.size() / 2];
  graph.seconds = middle.back();
  for (size_t i = 0; i < graph.ops.size(); ++i) graph.ops[i].seconds = middle[i];
}

}  // namespace
}  // namespace detail

Graph Graph::profile(int64_t runs) const {
  if (runs < 0 || runs > detail::kMostRuns)
    fail(ErrorCode::kValue, "profile: runs must be from 0 to ", detail::kMostRuns, ", got ", runs);
  if (runs == 0 && data().seconds >= 0) return *this;
  detail::GraphData graph = data();
  if (runs == 0 && graph.measured.seconds >= 0)
    detail::show_times(graph);
  else
    detail::measure(graph, runs ? runs : detail::kRuns);
  return from_data(detail::hold(std::move(graph)));
}

}  // namespace autograd
