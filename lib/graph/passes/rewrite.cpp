#include "graph/passes/rewrite.hpp"

#include <algorithm>
#include <functional>
#include <queue>
#include <utility>

#include "core/text.hpp"

namespace autograd::detail {

void PassReport::note(const char* pass, std::string what, const GraphOp* at) {
  Change change;
  change.pass = pass;
  change.what = std::move(what);
  if (at) {
    change.line = at->line;
    change.file = at->file;
  }
  changes.push_back(std::move(change));
}

void PassReport::refuse(const std::string& what, const std::string& why) {
  for (Refusal& refusal : refusals) {
    if (refusal.what != what || refusal.why != why) continue;
    ++refusal.count;
    return;
  }
  refusals.push_back({what, why});
}

std::string PassReport::text() const {
  std::vector<std::pair<int, std::string>> lines;
  for (const Change& change : changes) {
    const std::string line = change.pass + ": " + change.what;
    const auto known =
        std::find_if(lines.begin(), lines.end(), [&](const auto& l) { return l.second == line; });
    if (known == lines.end())
      lines.emplace_back(1, line);
    else
      ++known->first;
  }
  std::stable_sort(lines.begin(), lines.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string text;
  for (const auto& [count, line] : lines) text += concat(count, " x ", line, "\n");
  for (const Refusal& refusal : refusals)
    text += concat(refusal.count, " x not fused: ", refusal.what, ", because ", refusal.why, "\n");
  return text;
}

Rewrite::Rewrite(const GraphData& from)
    : graph(from),
      memory(from),
      readers_(from.values.size()),
      results_(from.values.size(), 0),
      dropped_(from.ops.size(), 0),
      by_(from.values.size()),
      merged_into_(from.ops.size()),
      members_(from.ops.size()),
      inputs_(from.ops.size()),
      seen_(from.ops.size(), 0) {
  for (size_t v = 0; v < by_.size(); ++v) by_[v] = static_cast<int>(v);
  for (size_t i = 0; i < from.ops.size(); ++i) {
    merged_into_[i] = static_cast<int>(i);
    members_[i] = {static_cast<int>(i)};
    for (int v : from.ops[i].inputs) {
      if (v < 0) continue;
      if (maker(v) >= 0) inputs_[i].push_back(maker(v));
      std::vector<int>& readers = readers_[static_cast<size_t>(v)];
      if (readers.empty() || readers.back() != static_cast<int>(i))
        readers.push_back(static_cast<int>(i));
    }
  }
  for (const GraphValue& value : from.values)
    next_storage_ = std::max(next_storage_, value.storage + 1);
  for (int v : from.outputs)
    if (v >= 0) results_[static_cast<size_t>(v)] = 1;
}

void Rewrite::replace(int v, int by) { by_[static_cast<size_t>(v)] = by; }

int Rewrite::current(int v) const {
  while (v >= 0 && by_[static_cast<size_t>(v)] != v) v = by_[static_cast<size_t>(v)];
  return v;
}

bool Rewrite::is_number(int v) const {
  v = current(v);
  if (v < 0) return false;
  const GraphValue& value = graph.values[static_cast<size_t>(v)];
  // Leaves that were added have no other name in memory.
  const bool is_added = static_cast<size_t>(v) >= results_.size() - added_;
  return value.is_leaf() && value.has_number && value.sizes.empty() &&
         (is_added || !memory.is_written(v));
}

void Rewrite::drop(int i) { dropped_[static_cast<size_t>(i)] = 1; }

int Rewrite::group(int i) const {
  while (merged_into_[static_cast<size_t>(i)] != i) i = merged_into_[static_cast<size_t>(i)];
  return i;
}

void Rewrite::merge(int part, int into) {
  part = group(part);
  into = group(into);
  if (part == into) return;
  merged_into_[static_cast<size_t>(part)] = into;
  std::vector<int>& members = members_[static_cast<size_t>(into)];
  std::vector<int>& more = members_[static_cast<size_t>(part)];
  if (members.size() == 1) groups_.push_back(into);
  members.insert(members.end(), more.begin(), more.end());
  more.clear();
}

void Rewrite::put(int i, GraphOp op) { graph.ops[static_cast<size_t>(group(i))] = std::move(op); }

int Rewrite::add_number(DType dtype, double number) {
  // Renumbered to stand behind the other leaves by finish().
  GraphValue& value = graph.values.emplace_back();
  value.role = Role::kConstant;
  value.dtype = dtype;
  value.has_number = true;
  value.number = number;
  value.storage = next_storage_++;
  by_.push_back(static_cast<int>(by_.size()));
  readers_.emplace_back();
  results_.push_back(0);
  ++added_;
  return static_cast<int>(graph.values.size()) - 1;
}

/// Calls visit(op) for every op that has to run before op i alone, not counting its group.
template <class Visit>
void Rewrite::for_each_before(int i, const Visit& visit) const {
  for (int other : inputs_[static_cast<size_t>(i)]) visit(other);
  for (int v : graph.ops[static_cast<size_t>(i)].inputs)
    if (maker(current(v)) >= 0) visit(maker(current(v)));
  for (int other : memory.before(i)) visit(other);
}

int Rewrite::lowest_reach(int low) const {
  for (bool changed = true; changed;) {
    changed = false;
    for (const int g : groups_) {
      const std::vector<int>& members = members_[static_cast<size_t>(g)];
      if (members.empty()) continue;
      const auto [least, most] = std::minmax_element(members.begin(), members.end());
      if (*least >= low || *most < low) continue;
      low = *least;
      changed = true;
    }
  }
  return low;
}

bool Rewrite::can_join(const std::vector<int>& ops) {
  std::vector<int> joined, stack, visited;
  int low = n_ops();
  for (int i : ops) {
    joined.push_back(group(i));
    for (int m : members_[static_cast<size_t>(joined.back())]) low = std::min(low, m);
  }
  // What lies wholly before this cannot depend on one of them.
  low = lowest_reach(low);
  const auto is_joined = [&](int g) {
    return std::find(joined.begin(), joined.end(), g) != joined.end();
  };
  bool cycle = false;
  const auto look_before = [&](int g, bool is_start) {
    for (int m : members_[static_cast<size_t>(g)])
      for_each_before(m, [&](int other) {
        const int h = group(other);
        if (h == g) return;
        if (is_joined(h)) {
          cycle = cycle || !is_start;
          return;
        }
        const std::vector<int>& members = members_[static_cast<size_t>(h)];
        const bool is_early =
            std::all_of(members.begin(), members.end(), [&](int k) { return k < low; });
        if (seen_[static_cast<size_t>(h)] || is_early) return;
        seen_[static_cast<size_t>(h)] = 1;
        visited.push_back(h);
        stack.push_back(h);
      });
  };
  for (int g : joined) look_before(g, true);
  while (!stack.empty() && !cycle) {
    const int g = stack.back();
    stack.pop_back();
    look_before(g, false);
  }
  for (int g : visited) seen_[static_cast<size_t>(g)] = 0;
  return !cycle;
}

std::vector<int> Rewrite::ordered() {
  // Ready groups come out by the place of their last member, which keeps the rest in order.
  const int n = n_ops();
  std::vector<int> key(static_cast<size_t>(n), 0), waiting(static_cast<size_t>(n), 0);
  std::vector<std::vector<int>> after(static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) {
    const int g = group(i);
    key[static_cast<size_t>(g)] = std::max(key[static_cast<size_t>(g)], i);
    for_each_before(i, [&](int other) {
      const int h = group(other);
      if (h == g) return;
      after[static_cast<size_t>(h)].push_back(g);
      ++waiting[static_cast<size_t>(g)];
    });
  }
  using Entry = std::pair<int, int>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> ready;
  std::vector<int> order;
  int groups = 0, done = 0;
  for (int i = 0; i < n; ++i) {
    if (group(i) != i) continue;
    ++groups;
    if (waiting[static_cast<size_t>(i)] == 0) ready.push({key[static_cast<size_t>(i)], i});
  }
  while (!ready.empty()) {
    const int g = ready.top().second;
    ready.pop();
    ++done;
    if (!is_dropped(g)) order.push_back(g);
    for (int h : after[static_cast<size_t>(g)])
      if (--waiting[static_cast<size_t>(h)] == 0) ready.push({key[static_cast<size_t>(h)], h});
  }
  if (done != groups) fail(ErrorCode::kRuntime, "passes: the ops of a graph wait for each other");
  return order;
}

GraphData Rewrite::finish() {
  const std::vector<int> order = ordered();
  GraphData result;
  result.scopes = graph.scopes;
  result.seconds = graph.seconds;
  std::vector<int> number(graph.values.size(), -1);
  for (size_t v = 0; v < graph.values.size(); ++v) {
    if (!graph.values[v].is_leaf()) continue;
    number[v] = static_cast<int>(result.values.size());
    result.values.push_back(graph.values[v]);
  }
  std::vector<int> op_number(graph.ops.size(), -1);
  for (size_t at = 0; at < order.size(); ++at)
    for (int m : members_[static_cast<size_t>(order[at])])
      op_number[static_cast<size_t>(m)] = static_cast<int>(at);
  for (int i : order) {
    GraphOp op = graph.ops[static_cast<size_t>(i)];
    for (int& v : op.inputs) v = v < 0 ? -1 : number[static_cast<size_t>(current(v))];
    // What was replaced or taken out of its place takes its views and later changes along.
    if (is_view(op) || op.in_place)
      graph.values[static_cast<size_t>(op.outputs[0])].storage =
          result.values[static_cast<size_t>(op.inputs[0])].storage;
    for (int& v : op.outputs) {
      GraphValue value = graph.values[static_cast<size_t>(v)];
      value.op = static_cast<int>(result.ops.size());
      number[static_cast<size_t>(v)] = static_cast<int>(result.values.size());
      v = number[static_cast<size_t>(v)];
      result.values.push_back(std::move(value));
    }
    std::erase_if(op.saved, [&](int v) { return number[static_cast<size_t>(current(v))] < 0; });
    for (int& v : op.saved) v = number[static_cast<size_t>(current(v))];
    if (op.forward >= 0) op.forward = op_number[static_cast<size_t>(op.forward)];
    result.ops.push_back(std::move(op));
  }
  for (int v : graph.outputs)
    result.outputs.push_back(v < 0 ? -1 : number[static_cast<size_t>(current(v))]);
  return result;
}

}  // namespace autograd::detail
