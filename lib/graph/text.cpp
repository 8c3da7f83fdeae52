// Graphs as text: one value or op a line, in single assignment form.
#include "graph/ir.hpp"

namespace autograd::detail {
namespace {

std::string reference(int value) {
  return value < 0 ? "none" : std::string("%") + std::to_string(value);
}

std::string references(const std::vector<int>& values) {
  std::string text;
  for (int value : values) text += (text.empty() ? "" : ", ") + reference(value);
  return text;
}

std::string type_text(const GraphValue& value) {
  return std::string(name_of(value.dtype)) + " " + to_string(value.sizes);
}

// Names are quoted as in C, so that each leaf stays on its line.
std::string quoted(const std::string& name) {
  std::string text = "\"";
  for (char c : name) {
    if (c == '"' || c == '\\') text += '\\';
    if (c == '\n')
      text += "\\n";
    else
      text += c;
  }
  return text + "\"";
}

std::string leaf_text(const GraphValue& value) {
  const char* kind = value.role == Role::kParameter ? "parameter"
                     : value.role == Role::kInput   ? "input"
                                                    : "constant";
  std::string text = kind;
  if (!value.name.empty()) text.append(" ").append(quoted(value.name));
  if (value.has_number) text.append(" ").append(number_text(value.number));
  return text + " : " + type_text(value);
}

std::string op_text(const GraphData& graph, const GraphOp& op) {
  std::string text =
      references(op.outputs) + " = " + op.op->name + "(" + references(op.inputs) + ")";
  const std::string attrs = attrs_text(*op.op, op.attrs);
  if (!attrs.empty()) text.append(" {").append(attrs).append("}");
  const char* separator = " : ";
  for (int output : op.outputs) {
    text += separator + type_text(graph.values[static_cast<size_t>(output)]);
    separator = ", ";
  }
  return text;
}

}  // namespace

std::string ssa_text(const GraphData& graph) {
  std::string text;
  for (size_t i = 0; i < graph.values.size() && graph.values[i].is_leaf(); ++i)
    text += reference(static_cast<int>(i)) + " = " + leaf_text(graph.values[i]) + "\n";
  for (const GraphOp& op : graph.ops) text += op_text(graph, op) + "\n";
  return text + "return " + references(graph.outputs) + "\n";
}

}  // namespace autograd::detail
