// Graphs as DOT text for Graphviz. The same graph always gives the same text.
#include <cstdint>
#include <string_view>

#include "graph/ir.hpp"

namespace autograd::detail {
namespace {

// Hues of Okabe and Ito, which people with any kind of colour vision can tell apart; tints as fill,
// shades as line.
constexpr const char* kHeader = R"(digraph autograd {
  graph [rankdir=TB, nodesep=0.3, ranksep=0.35, pad=0.2, bgcolor="white"]
  node [shape=box, style="rounded,filled", height=0.3, margin="0.12,0.05", fontname="Helvetica,Arial,sans-serif", fontsize=12, color="#52606d", fillcolor="#f3f5f7", fontcolor="#1f2933"]
  edge [fontname="Helvetica,Arial,sans-serif", fontsize=9, fontcolor="#52606d", color="#3e4c59", arrowsize=0.6]
)";
constexpr const char* kParameterStyle = R"(color="#b26a00", fillcolor="#fdebc8")";
constexpr const char* kInputStyle = R"(color="#0072b2", fillcolor="#dceefa")";
constexpr const char* kConstantStyle = R"(shape=plain, style="", fontsize=10, fontcolor="#52606d")";
constexpr const char* kOutputStyle = R"(color="#00684d", fillcolor="#d3efe5", penwidth=1.6)";
constexpr const char* kProductStyle = R"(fillcolor="#dde3e9", penwidth=1.4)";
constexpr const char* kViewStyle =
    R"(style="rounded,filled,dashed", color="#9aa5b1", fillcolor="#ffffff")";
constexpr const char* kNoGradStyle = R"(style=dashed, color="#9aa5b1")";

// Length of the well-formed UTF-8 sequence at the front of `text`, 0 if there is none.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const size_t length = byte(0) < 0x80                      ? 1
                        : byte(0) >= 0xC2 && byte(0) < 0xE0 ? 2
                        : byte(0) >= 0xE0 && byte(0) < 0xF0 ? 3
                        : byte(0) >= 0xF0 && byte(0) < 0xF5 ? 4
                                                            : 0;
  if (length == 0 || length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  // Overlong forms, surrogates, beyond U+10FFFF.
  if ((byte(0) == 0xE0 && byte(1) < 0xA0) || (byte(0) == 0xED && byte(1) >= 0xA0)) return 0;
  if ((byte(0) == 0xF0 && byte(1) < 0x90) || (byte(0) == 0xF4 && byte(1) >= 0x90)) return 0;
  return length;
}

std::string escaped_char(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\\':
      return "<font>\\</font>";  // alone, lest Graphviz read \N as the name of the node
    case '\n':
      return "<br/>";
    case '\t':
      return " ";
    default:
      return static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? "\xEF\xBF\xBD" : std::string(1, c);
  }
}

// Text inside an HTML-like label; what is not UTF-8 becomes U+FFFD, as XML could not hold it.
std::string escaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    if (length == 1)
      out += escaped_char(text[0]);
    else
      out += length ? std::string(text.substr(0, length)) : "\xEF\xBF\xBD";
    text.remove_prefix(length ? length : 1);
  }
  return out;
}

std::string small(const std::string& text) {
  return std::string(R"(<font point-size="9" color="#3e4c59">)") + escaped(text) + "</font>";
}

// Two lines, the second small, or one if there is nothing to add.
std::string label(const std::string& title, const std::string& detail) {
  std::string text = "label=<";
  text += escaped(title);
  if (!detail.empty()) text.append("<br/>").append(small(detail));
  return text + ">";
}

// "[2, 3]", with the dtype where it is not the usual one.
std::string shape_text(const GraphValue& value) {
  const std::string sizes = to_string(value.sizes);
  return value.dtype == DType::kFloat32 ? sizes : std::string(name_of(value.dtype)) + " " + sizes;
}

std::string leaf_node(const GraphValue& value) {
  switch (value.role) {
    case Role::kParameter:
      return label(value.name.empty() ? "parameter" : value.name, shape_text(value)) + ", " +
             kParameterStyle;
    case Role::kConstant:
      return label(value.has_number ? number_text(value.number) : "scalar", "") + ", " +
             kConstantStyle;
    default:
      return label(value.name.empty() ? "input" : value.name, shape_text(value)) + ", " +
             kInputStyle;
  }
}

std::string op_node(const GraphOp& op) {
  std::string text = label(op.op->name, attrs_text(*op.op, op.attrs));
  if (op.op->traits & kProduct) text += std::string(", ") + kProductStyle;
  if (op.op->traits & kView) text += std::string(", ") + kViewStyle;
  return text;
}

std::string numbered(const char* prefix, int number) {
  return std::string(prefix) + std::to_string(number);
}

std::string node_name(const GraphData& graph, int value) {
  const GraphValue& v = graph.values[static_cast<size_t>(value)];
  return v.is_leaf() ? numbered("v", value) : numbered("op", v.op);
}

// Leaves show their shape themselves, so that only results carry it on their edges.
std::string edge(const GraphData& graph, int value, const std::string& to) {
  const GraphValue& v = graph.values[static_cast<size_t>(value)];
  std::string attributes;
  if (!v.is_leaf()) attributes = std::string("label=\"  ") + shape_text(v) + "\"";
  if (!v.needs_grad) attributes += (attributes.empty() ? "" : ", ") + std::string(kNoGradStyle);
  std::string text = "  ";
  text.append(node_name(graph, value)).append(" -> ").append(to);
  if (!attributes.empty()) text.append(" [").append(attributes).append("]");
  return text + "\n";
}

void append_node(std::string& text, const std::string& name, const std::string& attributes) {
  text.append("  ").append(name).append(" [").append(attributes).append("]\n");
}

}  // namespace

std::string dot_text(const GraphData& graph) {
  std::string text = kHeader;
  for (size_t i = 0; i < graph.values.size() && graph.values[i].is_leaf(); ++i)
    append_node(text, numbered("v", static_cast<int>(i)), leaf_node(graph.values[i]));
  for (size_t i = 0; i < graph.ops.size(); ++i) {
    const std::string name = numbered("op", static_cast<int>(i));
    append_node(text, name, op_node(graph.ops[i]));
    for (int input : graph.ops[i].inputs)
      if (input >= 0) text += edge(graph, input, name);
  }
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    const std::string name = numbered("out", static_cast<int>(i));
    append_node(text, name, label("output", "") + ", " + kOutputStyle);
    text += edge(graph, graph.outputs[i], name);
  }
  return text + "}\n";
}

}  // namespace autograd::detail
