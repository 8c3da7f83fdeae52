// Compiled functions: which plan is run, and when a call is captured.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "autograd/compile.hpp"
#include "autograd/data.hpp"
#include "autograd/grad.hpp"
#include "autograd/ops.hpp"
#include "core/interpreter_lock.hpp"
#include "core/interrupt.hpp"
#include "core/location.hpp"
#include "core/node.hpp"
#include "core/text.hpp"
#include "core/thread_state.hpp"
#include "graph/files.hpp"
#include "graph/inference.hpp"
#include "graph/passes/passes.hpp"
#include "graph/plan.hpp"
#include "graph/plan_file.hpp"
#include "graph/plan_names.hpp"

namespace autograd {

using detail::body;
using detail::Capture;
using detail::Plan;

namespace {

constexpr size_t kMaxPending = 4;

/// A plan and what else has to be as it was.
struct Entry {
  std::unique_ptr<Plan> plan;
  bool grad_enabled = true;
  bool is_doubted = false;
  uint64_t options_seen = 0;
  detail::PassReport report;
  std::string left_out;  ///< why the passes were
};

/// One call at a time: other threads wait.
class Turn {
 public:
  explicit Turn(std::atomic<const void*>& owner) : owner_(owner) {
    const void* now = nullptr;
    if (!owner_.compare_exchange_strong(now, me(), std::memory_order_acquire)) wait(now);
  }
  ~Turn() { owner_.store(nullptr, std::memory_order_release); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  static const void* me() { return &detail::thread_state; }
  [[gnu::cold, gnu::noinline]] void wait(const void* now) {
    if (now == me())
      fail(ErrorCode::kRuntime,
           "compile: this compiled function is running already, further up in this thread");
    const detail::Unlocked unlocked(true);  // whoever has the turn may need it
    for (int i = 0;; ++i) {
      now = nullptr;
      if (owner_.compare_exchange_weak(now, me(), std::memory_order_acquire)) return;
      if (i < 1000) {
        std::this_thread::yield();
      } else {
        std::this_thread::sleep_for(std::chrono::microseconds(20));
        detail::poll_interrupt(detail::kWorkBetweenLooks);
      }
    }
  }

  std::atomic<const void*>& owner_;
};

struct Pending {
  Capture capture;
  bool grad_enabled;
  bool is_doubted = false;  ///< something changed since: other numbers are no fault
};

// True if gradients could still flow through the result: it has a history through which no
// backward pass of the captured call went.
bool awaits_backward(const Tensor& t, const detail::Recorder& recorder) {
  const detail::Node* root = body(t)->node;
  if (!root) return false;
  std::vector<const detail::Node*> pending = {root};
  std::vector<const detail::Node*> seen;
  while (!pending.empty()) {
    const detail::Node* node = pending.back();
    pending.pop_back();
    if (std::find(seen.begin(), seen.end(), node) != seen.end()) continue;
    seen.push_back(node);
    if (node->released || recorder.visited(node)) return false;
    for (const detail::NodeInput& input : node->inputs)
      if (input.node) pending.push_back(input.node);
  }
  return true;
}

}  // namespace

struct Compiled::State {
  CompileOptions limits;
  Function function;
  std::vector<Entry> plans;
  size_t last = 0;  ///< the plan that ran last
  std::vector<Pending> pending;
  int captures = 0;   ///< all
  int fruitless = 0;  ///< in a row
  std::string difference;
  std::optional<detail::Recorder> recorder;
  std::vector<std::vector<double>> options;
  uint64_t options_version = 0;
  int most_results = 0;
  std::atomic<const void*> busy{nullptr};  ///< the thread whose turn it is
  Names loaded;                            ///< tensors from a file
  std::string label;

  Entry* find(const Tensor* inputs, int n);
  int trusted() const;
  bool confirm(const Capture& capture, bool grad_enabled);
  void add(Capture capture, bool grad_enabled);
  void set_options_of(Entry& entry);
  void read_options(const Capture& capture);
};

Compiled::Compiled(const CompileOptions& options) : state_(std::make_unique<State>()) {
  if (options.max_plans < 1 || options.max_captures < 2)
    fail(ErrorCode::kValue, "compile: at least 1 plan and 2 captures must be allowed, got ",
         options.max_plans, " and ", options.max_captures);
  state_->limits = options;
}
Compiled::Compiled(Function f, const CompileOptions& options) : Compiled(options) {
  state_->function = std::move(f);
}
Compiled::~Compiled() = default;
Compiled::Compiled(Compiled&&) noexcept = default;
Compiled& Compiled::operator=(Compiled&&) noexcept = default;

std::vector<Tensor> Compiled::operator()(const std::vector<Tensor>& inputs) {
  if (!state_->function) fail(ErrorCode::kRuntime, "compile: there is no function to call");
  std::vector<Tensor> outputs;
  if (run(inputs, &outputs)) return outputs;
  if (!begin(inputs)) return state_->function(inputs);
  try {
    outputs = state_->function(inputs);
  } catch (...) {
    cancel();
    throw;
  }
  end(outputs);
  return outputs;
}

// ---- plans

Entry* Compiled::State::find(const Tensor* inputs, int n) {
  const bool grad_enabled = autograd::grad_enabled();
  const auto fits = [&](const Entry& entry) {
    return !entry.is_doubted && entry.grad_enabled == grad_enabled && entry.plan->fits(inputs, n);
  };
  if (last < plans.size() && fits(plans[last])) return &plans[last];
  for (size_t i = 0; i < plans.size(); ++i)
    if (i != last && fits(plans[i])) {
      last = i;
      return &plans[i];
    }
  return nullptr;
}

void Compiled::State::set_options_of(Entry& entry) {
  if (entry.options_seen == options_version) return;
  entry.options_seen = options_version;
  for (int k = 0; k < entry.plan->n_options() && k < static_cast<int>(options.size()); ++k)
    entry.plan->set_options(k, options[static_cast<size_t>(k)].data(),
                            static_cast<int>(options[static_cast<size_t>(k)].size()));
}

int64_t Compiled::run(const Tensor* inputs, int64_t n, Tensor* outputs, int64_t capacity) {
  if (detail::observer() || state_->plans.empty()) return -1;
  const Turn turn(state_->busy);
  Entry* entry = state_->find(inputs, static_cast<int>(n));
  if (!entry) return -1;
  const int count = entry->plan->n_outputs();
  if (count > capacity)
    fail(ErrorCode::kValue, "compile: the function has ", count, " results, but there is room for ",
         capacity);
  state_->set_options_of(*entry);
  entry->plan->run(inputs, outputs);
  return count;
}

bool Compiled::run(const std::vector<Tensor>& inputs, std::vector<Tensor>* outputs) {
  outputs->resize(static_cast<size_t>(state_->most_results));
  const int64_t count = run(inputs.data(), static_cast<int64_t>(inputs.size()), outputs->data(),
                            static_cast<int64_t>(outputs->size()));
  if (count >= 0) outputs->resize(static_cast<size_t>(count));
  return count >= 0;
}

// ---- captures

bool Compiled::begin(const std::vector<Tensor>& inputs) {
  State& s = *state_;
  if (detail::observer()) return false;
  for (const Tensor& t : inputs) body(t);
  const Turn turn(s.busy);
  if (s.recorder)
    fail(ErrorCode::kRuntime,
         "compile: a call of this compiled function is being captured in another thread");
  if (s.trusted() >= s.limits.max_plans)
    fail(ErrorCode::kRuntime, "compile: this function has ", s.plans.size(),
         " plans already, and none fits: ", misfit(inputs),
         ". Give it inputs of few different shapes (pad, or drop the last batch), or allow more "
         "with max_plans");
  if (s.fruitless >= s.limits.max_captures)
    fail(ErrorCode::kRuntime, "compile: ", s.fruitless,
         " calls were captured in a row and no two did the same: ", s.difference,
         ". Pass what changes as tensor arguments of few different shapes");
  s.recorder.emplace(inputs, detail::RecorderOptions{.refuses_reads = s.limits.refuse_reads});
  s.recorder->start();
  return true;
}

void Compiled::cancel() { state_->recorder.reset(); }
bool Compiled::capturing() const { return state_->recorder.has_value(); }

void Compiled::State::read_options(const Capture& capture) {
  for (const detail::CapturedLeaf& leaf : capture.leaves) {
    if (leaf.origin != detail::Origin::kOptions) continue;
    if (static_cast<int>(options.size()) <= leaf.number)
      options.resize(static_cast<size_t>(leaf.number) + 1);
    options[static_cast<size_t>(leaf.number)] = leaf.tensor.to_vector();
  }
  ++options_version;
}

int Compiled::State::trusted() const {
  return static_cast<int>(
      std::count_if(plans.begin(), plans.end(), [](const Entry& e) { return !e.is_doubted; }));
}

bool Compiled::State::confirm(const Capture& capture, bool grad_enabled) {
  for (Entry& entry : plans) {
    if (entry.grad_enabled != grad_enabled ||
        !detail::same_inputs(entry.plan->capture(), capture) ||
        !detail::difference(entry.plan->capture(), capture).text.empty())
      continue;
    entry.is_doubted = false;
    fruitless = 0;
    return true;
  }
  return false;
}

void Compiled::State::add(Capture capture, bool grad_enabled) {
  detail::GraphData graph = capture.graph;
  graph.outputs = detail::outputs_for_passes(capture);
  Entry entry;
  if (limits.passes) {
    // What a pass makes is checked; where it is wrong, the calls are repeated as they were.
    try {
      detail::GraphData optimised = detail::optimise(graph, entry.report);
      detail::check_values(optimised, capture.leaves);
      entry.plan = std::make_unique<Plan>(capture, std::move(optimised));
    } catch (const Error& error) {
      entry.left_out = error.what();
      entry.report = {};
    }
  }
  if (!entry.plan) entry.plan = std::make_unique<Plan>(std::move(capture), std::move(graph));
  entry.grad_enabled = grad_enabled;
  if (static_cast<int>(plans.size()) >= limits.max_plans) {
    const auto oldest =
        std::find_if(plans.begin(), plans.end(), [](const Entry& each) { return each.is_doubted; });
    if (oldest != plans.end()) plans.erase(oldest);
  }
  last = plans.size();
  most_results = std::max(most_results, entry.plan->n_outputs());
  plans.push_back(std::move(entry));
  fruitless = 0;
  difference.clear();
}

void Compiled::doubt(bool keep_captures) {
  for (Entry& entry : state_->plans) entry.is_doubted = true;
  for (Pending& each : state_->pending) each.is_doubted = true;
  if (!keep_captures) state_->pending.clear();
}

void Compiled::end(const std::vector<Tensor>& outputs) {
  State& s = *state_;
  const Turn turn(s.busy);
  if (!s.recorder) fail(ErrorCode::kRuntime, "compile: end() without begin()");
  s.recorder->stop();
  const std::string obstacle = s.recorder->obstacle();
  bool awaits = false;
  for (const Tensor& t : outputs) awaits |= t.defined() && awaits_backward(t, *s.recorder);
  Capture capture = s.recorder->finish(outputs);
  s.recorder.reset();
  ++s.captures;
  if (!obstacle.empty()) fail(ErrorCode::kRuntime, "compile: ", obstacle);
  if (awaits)
    fail(ErrorCode::kRuntime,
         "compile: a result requires grad, but gradients cannot flow out of a compiled function. "
         "Call backward() inside it, or compute the result in no_grad mode or detach() it");
  if (capture.inputs.empty() && capture.leaves.empty())
    fail(ErrorCode::kRuntime, "compile: the function uses no tensors: there is nothing to compile");
  s.read_options(capture);
  const bool grad_enabled = autograd::grad_enabled();
  if (s.confirm(capture, grad_enabled)) return;
  if (!s.pending.empty())
    s.difference = "no call before had arguments of the same shapes, types and requires_grad";
  for (Pending& before : s.pending) {
    if (before.grad_enabled != grad_enabled || !detail::same_inputs(before.capture, capture))
      continue;
    const detail::Difference difference = detail::difference(before.capture, capture);
    if (difference.in_numbers && !before.is_doubted)
      fail(ErrorCode::kRuntime,
           "compile: the function does not do the same in each call: ", difference.text);
    if (!difference.text.empty()) {
      s.difference = difference.text;
      continue;
    }
    s.pending.erase(s.pending.begin() + (&before - s.pending.data()));
    s.add(std::move(capture), grad_enabled);
    return;
  }
  ++s.fruitless;
  if (s.pending.size() >= kMaxPending) s.pending.erase(s.pending.begin());
  s.pending.push_back({std::move(capture), grad_enabled});
}

// ---- batches

int64_t Compiled::run_batches(const std::vector<Tensor>& inputs, const Tensor& index, int64_t start,
                              int64_t rows, int64_t batch_size, bool drop_last, double* losses) {
  if (batch_size < 1)
    fail(ErrorCode::kValue, "compile: batch_size should be a positive integer value, but got ",
         batch_size);
  State& s = *state_;
  if (detail::observer() || s.plans.empty()) return 0;
  std::vector<Tensor> batch(inputs.size());
  const detail::LocationScope place(detail::known_here());
  const Turn turn(s.busy);
  const int n = static_cast<int>(inputs.size());
  int64_t done = 0;
  Plan* steady = nullptr;  // fits the next batch if that has as many rows
  for (int64_t at = start; at < rows; at += batch_size, ++done) {
    const int64_t count = std::min(batch_size, rows - at);
    if (count < batch_size) {
      if (drop_last) break;
      steady = nullptr;
    }
    take_batch(inputs.data(), n, index, at, count, batch.data());
    double loss;
    if (steady) {
      loss = steady->repeat_for_number(batch.data());
      if (!steady->is_steady()) steady = nullptr;
    } else {
      Entry* entry = s.find(batch.data(), n);
      if (!entry) break;
      s.set_options_of(*entry);
      if (losses && !entry->plan->gives_number())
        fail(ErrorCode::kRuntime,
             "compile: run() wants a function whose first result is one number, the loss");
      loss = entry->plan->run_for_number(batch.data());
      steady = entry->plan->is_steady() ? entry->plan.get() : nullptr;
    }
    if (losses) losses[done] = loss;
    // A signal handler may do anything.
    if (detail::poll_interrupt(s.plans[s.last].plan->elements())) steady = nullptr;
  }
  return done;
}

// ---- options and descriptions

void Compiled::set_options(int64_t step, const double* numbers, int64_t n) {
  State& s = *state_;
  if (step < 0 || step >= static_cast<int64_t>(s.options.size()))
    fail(ErrorCode::kIndex, "compile: no step ", step, " of an optimizer was captured, only ",
         s.options.size());
  std::vector<double>& to = s.options[static_cast<size_t>(step)];
  if (n != static_cast<int64_t>(to.size()))
    fail(ErrorCode::kValue, "compile: step ", step, " of an optimizer has ", to.size(),
         " options, got ", n);
  to.assign(numbers, numbers + n);
  ++s.options_version;
}

int64_t Compiled::num_options() const { return static_cast<int64_t>(state_->options.size()); }
int64_t Compiled::num_plans() const { return static_cast<int64_t>(state_->plans.size()); }
int64_t Compiled::num_captures() const { return state_->captures; }
const std::string& Compiled::difference() const { return state_->difference; }

void Compiled::clear() {
  const Turn turn(state_->busy);
  state_->plans.clear();
  state_->pending.clear();
  state_->last = 0;
  state_->fruitless = 0;
  state_->difference.clear();
}

std::string Compiled::misfit(const std::vector<Tensor>& inputs) const {
  std::string reasons;
  for (const Entry& entry : state_->plans) {
    const std::string reason =
        entry.grad_enabled != autograd::grad_enabled()
            ? concat("gradients are ", entry.grad_enabled ? "off" : "on")
            : entry.plan->misfit(inputs.data(), static_cast<int>(inputs.size()));
    if (reason.empty()) return "";
    if (reasons.find(reason) != std::string::npos) continue;
    reasons += (reasons.empty() ? "" : "; ") + reason;
  }
  return reasons;
}

namespace {
const Entry& entry_at(const std::vector<Entry>& plans, int64_t i) {
  if (i < 0 || i >= static_cast<int64_t>(plans.size()))
    fail(ErrorCode::kIndex, "compile: there is no plan ", i, ", but ", plans.size());
  return plans[static_cast<size_t>(i)];
}
}  // namespace

Graph Compiled::graph(int64_t plan, bool as_captured, const GraphNames& names,
                      const std::vector<std::string>& inputs) const {
  GraphNames all = names;  // names that are given come before those of a file
  all.tensors.insert(all.tensors.end(), state_->loaded.begin(), state_->loaded.end());
  const Plan& p = *entry_at(state_->plans, plan).plan;
  detail::GraphData data = detail::named_graph(p, as_captured, all, inputs);
  data.options = state_->options;
  data.outputs.erase(std::remove(data.outputs.begin(), data.outputs.end(), -1), data.outputs.end());
  return Graph::from_data(detail::hold(std::move(data)));
}

namespace {

/// "by themselves: 3 x mm, max_pool": the ops that run as they were captured, views aside.
std::string alone_text(const detail::GraphData& graph) {
  std::vector<std::pair<int, std::string>> counts;
  for (const detail::GraphOp& op : graph.ops) {
    if (op.body || !op.op->forward[detail::kCpu]) continue;
    const auto known = std::find_if(counts.begin(), counts.end(),
                                    [&](const auto& each) { return each.second == op.op->name; });
    if (known == counts.end())
      counts.emplace_back(1, op.op->name);
    else
      ++known->first;
  }
  std::stable_sort(counts.begin(), counts.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string text;
  for (const auto& [count, name] : counts)
    text += concat(text.empty() ? "by themselves: " : ", ",
                   count > 1 ? concat(count, " x ", name) : name);
  return text.empty() ? text : text + "\n";
}

}  // namespace

std::string Compiled::explain(int64_t plan) const {
  const Entry& entry = entry_at(state_->plans, plan);
  const Plan& p = *entry.plan;
  return concat(p.captured().ops.size(), " operations captured, ", p.graph().ops.size(),
                " run; intermediate values need ", p.arena_bytes(), " bytes\n",
                entry.left_out.empty() ? entry.report.text()
                                       : concat("passes were left out: ", entry.left_out, "\n"),
                alone_text(p.graph()));
}

// ---- files

namespace {

/// The captures of all plans, with the options as they are now.
std::vector<detail::SavedCapture> captures_of(const std::vector<Entry>& plans,
                                              const std::vector<std::vector<double>>& options) {
  std::vector<detail::SavedCapture> captures;
  for (const Entry& entry : plans) captures.push_back({entry.plan->capture(), entry.grad_enabled});
  for (detail::SavedCapture& each : captures)
    for (detail::CapturedLeaf& leaf : each.capture.leaves) {
      if (leaf.origin != detail::Origin::kOptions ||
          leaf.number >= static_cast<int>(options.size()))
        continue;
      const std::vector<double>& now = options[static_cast<size_t>(leaf.number)];
      if (static_cast<int64_t>(now.size()) == leaf.tensor.numel())
        leaf.tensor = from_data(now.data(), DType::kFloat64, leaf.tensor.sizes());
    }
  return captures;
}

std::vector<detail::SavedPart> parts_of(const std::string& path, Compiled::Names* tensors,
                                        double max_bytes) {
  const std::string bytes = detail::read_file("compile", path);
  try {
    return detail::from_bytes(bytes, tensors, max_bytes);
  } catch (const Error& error) {
    fail(error.code(), "compile: ", path, ": ", error.what());
  }
}

}  // namespace

void Compiled::save_all(const std::string& path, const std::vector<Labelled>& functions,
                        const Names& names) {
  std::vector<detail::SavedPart> parts;
  for (const auto& [label, function] : functions) {
    const State& state = *function->state_;
    if (state.plans.empty())
      fail(ErrorCode::kRuntime,
           "compile: there is no plan to save yet: it is made of the second call that does the "
           "same");
    parts.push_back({label, captures_of(state.plans, state.options)});
  }
  if (parts.empty() || parts.size() > detail::kMostParts)
    fail(ErrorCode::kValue, "compile: a file holds 1 to ", detail::kMostParts, " functions, got ",
         parts.size());
  const std::string bytes = detail::to_bytes(parts, names);
  detail::write_file("compile", path, bytes);
}

void Compiled::save(const std::string& path, const Names& names) const {
  save_all(path, {{std::string(), this}}, names);
}

std::vector<Compiled> Compiled::load_all(const std::string& path, int64_t max_bytes) {
  Names tensors;
  std::vector<Compiled> functions;
  for (detail::SavedPart& part : parts_of(path, &tensors, static_cast<double>(max_bytes))) {
    State& s = *functions.emplace_back().state_;
    s.label = part.label;
    s.loaded = tensors;
    for (detail::SavedCapture& each : part.captures) {
      s.read_options(each.capture);
      s.limits.max_plans = std::max(s.limits.max_plans, static_cast<int>(s.plans.size()) + 1);
      s.add(std::move(each.capture), each.grad_enabled);
    }
  }
  return functions;
}

Compiled Compiled::load(const std::string& path, int64_t max_bytes) {
  std::vector<Compiled> functions = load_all(path, max_bytes);
  if (functions.size() != 1)
    fail(ErrorCode::kValue, "compile: ", path, " holds the plans of ", functions.size(),
         " functions: load_all() reads them");
  return std::move(functions[0]);
}

const std::string& Compiled::label() const { return state_->label; }
const Compiled::Names& Compiled::tensors() const { return state_->loaded; }

const std::vector<double>& Compiled::options(int64_t step) const {
  if (step < 0 || step >= num_options())
    fail(ErrorCode::kIndex, "compile: there is no step ", step, " of an optimizer");
  return state_->options[static_cast<size_t>(step)];
}

void note_read(const Tensor& t, const char* what) { detail::note_read(*body(t), what); }

}  // namespace autograd
