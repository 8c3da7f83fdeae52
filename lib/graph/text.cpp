// Graphs as text: one value or op a line, in single assignment form.
#include <string_view>

#include "graph/ir.hpp"

namespace autograd::detail {
namespace {

std::string reference(int value) {
  return value < 0 ? "none" : std::string("%") + std::to_string(value);
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

// With the name that the user gave a result.
std::string definition(const GraphData& graph, int value) {
  const std::string& name = graph.values[static_cast<size_t>(value)].name;
  std::string text = reference(value);
  if (!name.empty()) text.append(" ").append(quoted(name));
  return text;
}

std::string references(const std::vector<int>& values) {
  std::string text;
  for (int value : values) text += (text.empty() ? "" : ", ") + reference(value);
  return text;
}

std::string dtype_and_sizes(const GraphValue& value) {
  return std::string(name_of(value.dtype)) + " " + to_string(value.sizes);
}

std::string leaf_text(const GraphValue& value) {
  std::string text = role_name(value.role);
  if (!value.name.empty()) text.append(" ").append(quoted(value.name));
  if (value.has_number) text.append(" ").append(number_text(value.number));
  return text + " : " + dtype_and_sizes(value);
}

std::string op_text(const GraphData& graph, const GraphOp& op) {
  std::string text;
  for (int output : op.outputs)
    text.append(text.empty() ? "" : ", ").append(definition(graph, output));
  // As in the program: a trailing underscore changes its first input.
  const std::string_view name = op.op->name;
  text.append(" = ").append(name);
  if (op.in_place && !(op.op->traits & kUpdate) && name.back() != '_') text += '_';
  text.append("(").append(references(op.inputs)).append(")");
  const std::string attrs = attrs_text(*op.op, op.attrs);
  if (!attrs.empty()) text.append(" {").append(attrs).append("}");
  const char* separator = " : ";
  for (int output : op.outputs) {
    text += separator + dtype_and_sizes(graph.values[static_cast<size_t>(output)]);
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
