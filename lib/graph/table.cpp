// Graphs as tables: one row an op, or one row a module.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include "graph/analysis.hpp"
#include "graph/draw/style.hpp"
#include "graph/ir.hpp"

namespace autograd::detail {
namespace {

// "4.74 k": three digits that count.
std::string quantity(double value, const char* unit) {
  const char* prefixes[] = {"", "k", "M", "G", "T", "P"};
  size_t p = 0;
  while (value >= 999.5 && p < 5) {
    value /= 1000;
    ++p;
  }
  char text[48];
  const bool is_whole = p == 0 && value == std::floor(value);
  const int digits = is_whole || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  std::snprintf(text, sizeof(text), "%.*f %s%s", digits, value, prefixes[p], unit);
  std::string result = text;
  while (!result.empty() && result.back() == ' ') result.pop_back();
  return result;
}

std::string time_text(double seconds) {
  if (seconds < 0) return "";
  char text[48];
  const double us = seconds * 1e6;
  if (us < 999.5)
    std::snprintf(text, sizeof(text), "%.*f us", us < 9.995 ? 2 : 1, us);
  else
    std::snprintf(text, sizeof(text), "%.2f ms", us / 1e3);
  return text;
}

// "4,736".
std::string with_commas(double value) {
  char text[48];
  std::snprintf(text, sizeof(text), "%.0f", value);
  std::string digits = text;
  std::string grouped;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) grouped += ',';
    grouped += digits[i];
  }
  return grouped;
}

size_t characters(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

/// Rows of cells, set in columns as wide as their widest cell.
class Table {
 public:
  explicit Table(std::vector<std::string> head, std::string right) : right_(std::move(right)) {
    rows_.push_back(std::move(head));
  }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  /// A line over the whole width: "-- backward ---".
  void rule(std::string title) { rows_.push_back({std::move(title)}); }

  std::string text() const {
    std::vector<size_t> widths(rows_[0].size());
    std::vector<bool> used(rows_[0].size());
    for (const auto& row : rows_)
      for (size_t i = 0; row.size() > 1 && i < row.size(); ++i) {
        widths[i] = std::max(widths[i], characters(row[i]));
        used[i] = used[i] || (&row != &rows_[0] && !row[i].empty());
      }
    size_t total = 0;
    for (size_t i = 0; i < widths.size(); ++i) total += used[i] ? widths[i] + 2 : 0;
    std::string text;
    for (const auto& row : rows_) {
      std::string line;
      if (row.size() == 1) {
        if (!row[0].empty()) line.append("-- ").append(row[0]).append(" ");
        line.append(total > characters(line) + 2 ? total - 2 - characters(line) : 0, '-');
      }
      for (size_t i = 0; row.size() > 1 && i < row.size(); ++i) {
        if (!used[i]) continue;
        const std::string gap(widths[i] - characters(row[i]), ' ');
        line += right_[i] == 'r' ? gap + row[i] : row[i] + gap;
        line += "  ";
      }
      line.erase(line.find_last_not_of(' ') + 1);
      text += line + "\n";
    }
    return text;
  }

 private:
  std::string right_;  // by column: r is set to the right
  std::vector<std::vector<std::string>> rows_;
};

const GraphValue& value_of(const GraphData& graph, int v) {
  return graph.values[static_cast<size_t>(v)];
}

// A name of the user's on one line.
std::string one_line(std::string name) {
  for (char& c : name)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  return shortened(name, 40);
}

std::string reference(const GraphData& graph, int v) {
  if (v < 0) return "-";
  const GraphValue& known = value_of(graph, v);
  if (!known.name.empty()) return one_line(known.name);
  if (known.has_number) return number_text(known.number);
  return std::to_string(v).insert(0, 1, '%');
}

// Optional inputs at the end that are not given are left out.
std::string references(const GraphData& graph, std::vector<int> values) {
  while (!values.empty() && values.back() < 0) values.pop_back();
  std::string text;
  for (int v : values) text.append(text.empty() ? "" : ", ").append(reference(graph, v));
  return shortened(text, 48);
}

std::string short_type(const GraphValue& v) {
  const std::string sizes = to_string(v.sizes);
  return v.dtype == DType::kFloat32 ? sizes : std::string(name_of(v.dtype)) + " " + sizes;
}

std::string op_name(const GraphOp& op) {
  if (op.body) {
    std::string held;
    for (const GraphOp& inner : op.body->ops)
      held.append(held.empty() ? "" : " + ").append(inner.op->name);
    return shortened(held, 40);
  }
  std::string name = op.op->name;
  if (op.in_place && !(op.op->traits & kUpdate) && name.back() != '_') name += '_';
  const std::string attrs = attrs_text(*op.op, op.attrs);
  return attrs.empty() ? name : shortened(name + " {" + attrs + "}", 40);
}

std::string place_text(const GraphOp& op) {
  if (op.file.empty()) return "";
  return one_line(op.file.substr(op.file.find_last_of("/\\") + 1)) + ":" + std::to_string(op.line);
}

struct ParameterCount {
  double elements = 0, bytes = 0;
  int64_t tensors = 0;
};

ParameterCount parameters_of(const GraphData& graph) {
  ParameterCount count;
  for (const GraphValue& v : graph.values) {
    if (v.role != Role::kParameter) continue;
    ++count.tensors;
    count.bytes += bytes_of(v);
    count.elements += bytes_of(v) / static_cast<double>(size_of(v.dtype));
  }
  return count;
}

std::string totals_text(const GraphData& graph) {
  const GraphCost total = total_cost(graph);
  const ParameterCount parameters = parameters_of(graph);
  std::string text = std::to_string(graph.ops.size()) + " ops, " +
                     std::to_string(parameters.tensors) + " parameters with " +
                     with_commas(parameters.elements) + " elements; " +
                     quantity(total.flops, "FLOP") + ", " + quantity(total.bytes_read, "B") +
                     " read, " + quantity(total.bytes_written, "B") + " written, at most " +
                     quantity(peak_bytes(graph), "B") + " of results alive";
  if (total.seconds >= 0) text += "; " + time_text(total.seconds);
  return text + "\n";
}

}  // namespace

std::string table_text(const GraphData& graph) {
  if (graph.ops.empty()) return totals_text(graph);
  Table table({"result", "op", "shape", "inputs", "FLOP", "bytes", "time", "module", "line"},
              "llllrrrll");
  const Phase* phase = nullptr;
  for (const GraphOp& op : graph.ops) {
    if (!phase || *phase != op.phase) table.rule(name_of(op.phase));
    phase = &op.phase;
    const GraphCost cost = cost_of(graph, op);
    std::string shapes;
    for (int v : op.outputs)
      shapes.append(shapes.empty() ? "" : ", ").append(short_type(value_of(graph, v)));
    table.add({references(graph, op.outputs), op_name(op), shortened(shapes, 32),
               references(graph, op.inputs), cost.flops > 0 ? quantity(cost.flops, "") : "",
               quantity(cost.bytes_read + cost.bytes_written, ""), time_text(cost.seconds),
               op.scope < 0 ? "" : one_line(scope_path(graph, op.scope)), place_text(op)});
  }
  table.rule("");
  return table.text() + totals_text(graph);
}

namespace {

/// What the calls of a module came to.
struct ModuleRow {
  int last_output = -1;  // value
  std::set<int> own;     // parameters that its own ops read
  GraphCost forward, backward;
};

class Summary {
 public:
  explicit Summary(const GraphData& graph) : graph_(graph), rows_(graph.scopes.size()) {
    for (size_t v = 0; v < graph.values.size() && graph.values[v].is_leaf(); ++v)
      leaf_of_memory_.try_emplace(graph.values[v].storage, static_cast<int>(v));
    for (const GraphOp& op : graph.ops) count(op);
    children_.resize(graph.scopes.size() + 1);
    for (size_t s = 0; s < graph.scopes.size(); ++s)
      children_[static_cast<size_t>(graph.scopes[s].parent + 1)].push_back(static_cast<int>(s));
  }
  std::string text() {
    Table table({"module", "output", "parameters", "FLOP", "FLOP backward", "time"}, "llrrrr");
    table.rule("");
    add(table, -1, "");
    table.rule("");
    return (graph_.scopes.empty() ? "no modules are known: record() sees them, and names of "
                                    "parameters tell them\n"
                                  : table.text()) +
           totals();
  }

 private:
  void count(const GraphOp& op) {
    const GraphCost cost = cost_of(graph_, op);
    bool innermost = true;
    for (int s = op.scope; s >= 0; s = graph_.scopes[static_cast<size_t>(s)].parent) {
      ModuleRow& row = rows_[static_cast<size_t>(s)];
      add_cost(op.phase == Phase::kForward ? row.forward : row.backward, cost);
      if (op.phase != Phase::kForward) continue;
      // A new state of what was there before, running statistics, is not what a module returns.
      if (!op.outputs.empty() && !(op.in_place && leaf_of(op.outputs[0]) >= 0))
        row.last_output = op.outputs[0];
      if (innermost)
        for (int v : op.inputs) {
          const int leaf = v < 0 ? -1 : leaf_of(v);
          if (leaf >= 0 && value_of(graph_, leaf).role == Role::kParameter) row.own.insert(leaf);
        }
      innermost = false;
    }
  }

  // The leaf whose memory it is, itself or changed, -1 if there is none.
  int leaf_of(int v) const {
    if (value_of(graph_, v).is_leaf()) return v;
    const int storage = value_of(graph_, v).storage;
    const auto found = leaf_of_memory_.find(storage);
    const bool is_change = storage >= 0 && found != leaf_of_memory_.end() &&
                           value_of(graph_, v).sizes == value_of(graph_, found->second).sizes;
    return is_change ? found->second : -1;
  }

  void add(Table& table, int scope, const std::string& indent) {
    const std::vector<int>& inside = children_[static_cast<size_t>(scope + 1)];
    for (size_t i = 0; i < inside.size(); ++i) {
      const GraphScope& s = graph_.scopes[static_cast<size_t>(inside[i])];
      const ModuleRow& row = rows_[static_cast<size_t>(inside[i])];
      const bool is_last = i + 1 == inside.size();
      std::string name = s.type.empty() ? s.name : s.name.empty() ? s.type : s.name + ": " + s.type;
      const char* branch = scope < 0 ? ""
                           : is_last ? "\xE2\x94\x94\xE2\x94\x80 "
                                     : "\xE2\x94\x9C\xE2\x94\x80 ";
      double elements = 0;
      bool known = false;
      for (int v : row.own) {
        if (!seen_.insert(v).second) known = true;
        const GraphValue& p = value_of(graph_, v);
        elements += bytes_of(p) / static_cast<double>(size_of(p.dtype));
      }
      GraphCost all = row.forward;
      add_cost(all, row.backward);
      table.add({indent + branch + one_line(name),
                 row.last_output < 0 ? "" : short_type(value_of(graph_, row.last_output)),
                 row.own.empty() ? "" : with_commas(elements) + (known ? " (again)" : ""),
                 row.forward.flops > 0 ? quantity(row.forward.flops, "") : "",
                 row.backward.flops > 0 ? quantity(row.backward.flops, "") : "",
                 time_text(all.seconds)});
      add(table, inside[i], scope < 0 ? indent : indent + (is_last ? "   " : "\xE2\x94\x82  "));
    }
  }

  std::string totals() const {
    const ParameterCount parameters = parameters_of(graph_);
    double inputs = 0, buffers = 0;
    for (const GraphValue& v : graph_.values) {
      if (v.role == Role::kInput) inputs += bytes_of(v);
      if (v.role == Role::kBuffer) buffers += bytes_of(v);
    }
    std::string text = "parameters: " + with_commas(parameters.elements) + " in " +
                       std::to_string(parameters.tensors) + " tensors, " +
                       quantity(parameters.bytes, "B") + "\n";
    if (buffers > 0) text += "buffers:    " + quantity(buffers, "B") + "\n";
    text += "inputs:     " + quantity(inputs, "B") + "\n";
    text += "results:    " + quantity(total_cost(graph_).bytes_written, "B") +
            " written, at most " + quantity(peak_bytes(graph_), "B") + " alive\n";
    text += "work:       " + quantity(total_cost(graph_).flops, "FLOP") + "\n";
    if (total_cost(graph_).seconds >= 0)
      text += "time:       " + time_text(total_cost(graph_).seconds) + "\n";
    return text;
  }

  const GraphData& graph_;
  std::vector<ModuleRow> rows_;
  std::map<int, int> leaf_of_memory_;
  std::vector<std::vector<int>> children_;
  std::set<int> seen_;
};

}  // namespace

std::string summary_text(const GraphData& graph) { return Summary(graph).text(); }

}  // namespace autograd::detail
