// What boxes and lines say.
#include "graph/draw/wording.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "graph/analysis.hpp"
#include "graph/draw/style.hpp"

namespace autograd::detail {

std::string shape_text(const GraphValue& value) {
  const std::string sizes = to_string(value.sizes);
  return value.dtype == DType::kFloat32 ? sizes : std::string(name_of(value.dtype)) + " " + sizes;
}

std::string type_text(const GraphValue& value) {
  return std::string(name_of(value.dtype)) + " " + to_string(value.sizes) + ", " +
         number_text(bytes_of(value)) + " bytes";
}

std::string short_number(const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  if (text.size() <= 7 || std::from_chars(text.data(), end, value).ptr != end) return text;
  char buffer[32];
  std::snprintf(buffer, sizeof(buffer), "%.4g", value);
  return buffer;
}

namespace {

// "[4, 5]" of "[2, 3, 4, 5]": sizes that a shape which is drawn says already.
bool ends_with_sizes(const Shape& shape, const std::string& sizes) {
  const std::string all = to_string(shape), tail = sizes.substr(1);
  const bool ends =
      all.size() > tail.size() && all.compare(all.size() - tail.size(), tail.size(), tail) == 0;
  const char before = ends ? all[all.size() - tail.size() - 1] : 0;
  return before == '[' || before == ' ';
}

}  // namespace

std::string detail_text(const GraphData& graph, const GraphOp& op) {
  std::string text;
  for (const auto& [name, value] : attr_pairs(*op.op, op.attrs)) {
    const bool sizes = name.rfind("size", 0) == 0 || name == "normalized_shape";
    const auto says_it = [&graph, &said = value](int v) {
      return v >= 0 && ends_with_sizes(graph.values[static_cast<size_t>(v)].sizes, said);
    };
    if (sizes && value.front() == '[' &&
        (std::any_of(op.outputs.begin(), op.outputs.end(), says_it) ||
         std::any_of(op.inputs.begin(), op.inputs.end(), says_it)))
      continue;
    text.append(text.empty() ? "" : ", ").append(name).append("=").append(short_number(value));
  }
  return text;
}

std::string contents_text(const GraphData& body, bool shapes) {
  std::string text;
  for (const GraphOp& op : body.ops) {
    text += (text.empty() ? "" : shapes ? "\n" : ", ") + std::string(op.op->name);
    if (shapes && !op.outputs.empty())
      text += " " + shape_text(body.values[static_cast<size_t>(op.outputs[0])]);
    const std::string attrs = shapes ? detail_text(body, op) : "";
    if (!attrs.empty()) text += " " + attrs;
  }
  return text;
}

std::string wrapped(const std::string& text, size_t most) {
  constexpr size_t width = 34;
  if (text.size() <= width) return text;
  std::vector<std::string> lines(1);
  size_t depth = 0;
  std::string part;
  const auto put = [&] {
    if (!lines.back().empty() && lines.back().size() + part.size() > width + 1)
      lines.emplace_back();
    lines.back() += lines.back().empty() && part.front() == ' ' ? part.substr(1) : part;
    part.clear();
  };
  for (char c : text) {
    part += c;
    if (c == '[') ++depth;
    if (c == ']' && depth > 0) --depth;
    if (c == ',' && depth == 0) put();
  }
  if (!part.empty()) put();
  std::string all;
  for (size_t i = 0; i < lines.size() && i < most; ++i) {
    if (i) all += '\n';
    all += shortened(lines[i], width + 8);
  }
  return lines.size() > most ? all + " \xE2\x80\xA6" : all;
}

}  // namespace autograd::detail
