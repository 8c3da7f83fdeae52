// The public side of graphs and recordings.
#include "autograd/graph.hpp"

#include "core/text.hpp"
#include "graph/diff.hpp"
#include "graph/draw/style.hpp"
#include "graph/ir.hpp"
#include "graph/recording.hpp"

namespace autograd {

namespace {
const detail::GraphData kEmpty;
}  // namespace

const detail::GraphData& Graph::data() const { return source_ ? source_->data() : kEmpty; }
int64_t Graph::num_ops() const { return static_cast<int64_t>(data().ops.size()); }
int64_t Graph::num_values() const { return static_cast<int64_t>(data().values.size()); }
std::string Graph::text() const { return detail::ssa_text(data()); }
std::string Graph::table() const { return detail::table_text(data()); }
std::string Graph::summary() const { return detail::summary_text(data()); }

GraphDiff Graph::diff(const Graph& other) const {
  detail::DiffData found = detail::compare(data(), other.data());
  GraphDiff diff;
  diff.added.assign(found.added.begin(), found.added.end());
  diff.removed.assign(found.removed.begin(), found.removed.end());
  for (auto& [before, after, what] : found.changed)
    diff.changed.push_back({before, after, std::move(what)});
  diff.outputs = found.outputs;
  return diff;
}

Graph Graph::diff_graph(const Graph& other) const {
  return from_data(detail::hold(detail::marked(data(), other.data())));
}

namespace {
std::string list_text(const std::vector<int64_t>& numbers) {
  std::string text;
  for (int64_t n : numbers) text.append(text.empty() ? "" : ", ").append(std::to_string(n));
  return "[" + text + "]";
}
}  // namespace

std::string GraphDiff::json() const {
  std::string changes;
  for (const Change& change : changed) {
    if (!changes.empty()) changes += ", ";
    changes += "{\"before\": " + std::to_string(change.before) +
               ", \"after\": " + std::to_string(change.after) +
               ", \"what\": " + detail::json_quoted(change.what) + "}";
  }
  return "{\"added\": " + list_text(added) + ", \"removed\": " + list_text(removed) +
         ", \"changed\": [" + changes + "], \"outputs\": " + (outputs ? "true" : "false") + "}\n";
}

std::string Graph::json() const { return detail::json_text(data()); }

Recording::Recording(const RecordOptions& options)
    : recorder_(new detail::CallRecorder(options.profile)) {}

Recording::~Recording() {
  if (recorder_->is_open() && !recorder_->is_own_thread()) {
    // It still stands in the other thread's list, where only that thread can take it out.
    recorder_->abandoned.store(true, std::memory_order_relaxed);
    return;
  }
  recorder_->close();
  delete recorder_;
}

void Recording::stop() {
  if (recorder_->is_open() && !recorder_->is_own_thread())
    fail(ErrorCode::kRuntime, "a recording ends in the thread in which it began");
  recorder_->close();
}

Graph Recording::finish(const GraphNames& names) {
  stop();
  std::vector<NotedName> given;
  for (const auto* named : {&names.tensors, &names.buffers})
    for (const auto& [name, tensor] : *named) {
      given.push_back({name, recorder_->n_notes(), named == &names.buffers});
      note(tensor);
    }
  return Graph::from_data(detail::hold(recorder_->graph(std::move(given))));
}

void Recording::note(const Tensor& tensor) { recorder_->note(tensor); }

void Recording::note(const std::vector<Tensor>& tensors) {
  for (const Tensor& t : tensors) note(t);
}

Graph Recording::graph(std::vector<NotedName> names) {
  stop();
  const int64_t n = recorder_->n_notes();
  for (const NotedName& each : names)
    if (each.tensor < 0 || each.tensor >= n)
      fail(ErrorCode::kValue, "there is no tensor ", each.tensor, " among ", n, " noted ones");
  return Graph::from_data(detail::hold(recorder_->graph(std::move(names))));
}

void Recording::enter(const std::string& name, const std::string& type) {
  constexpr size_t kMostScopes = size_t{1} << 24;
  detail::ScopeMarks& marks = *recorder_->marks;
  if (marks.parents.size() >= kMostScopes)
    fail(ErrorCode::kRuntime, "a recording holds at most ", kMostScopes, " calls of modules");
  marks.enter();
  recorder_->names.resize(marks.parents.size());
  recorder_->names.back() = {name, type};
}

void Recording::leave() {
  detail::ScopeMarks& marks = *recorder_->marks;
  if (marks.current <= 0) fail(ErrorCode::kRuntime, "leave: no module was entered");
  marks.current = marks.parents[static_cast<size_t>(marks.current) - 1];
}

std::shared_ptr<detail::ScopeMarks> Recording::marks() { return recorder_->marks; }

void Recording::name_scopes(const std::vector<std::string>& names,
                            const std::vector<std::string>& types) {
  const size_t n = recorder_->marks->parents.size();
  if (names.size() > n || types.size() != names.size())
    fail(ErrorCode::kValue, "name_scopes: ", names.size(), " names and ", types.size(),
         " types for ", n, " calls of modules");
  recorder_->names.resize(n);
  for (size_t i = 0; i < names.size(); ++i) recorder_->names[i] = {names[i], types[i]};
}

}  // namespace autograd
