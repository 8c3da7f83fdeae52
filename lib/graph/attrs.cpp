// Attributes of ops as text. The only place that knows what attribute names mean for a reader.
#include <charconv>
#include <cmath>
#include <string_view>

#include "autograd/ops.hpp"
#include "graph/ir.hpp"

namespace autograd::detail {

std::string number_text(double number) {
  if (std::isnan(number)) return "nan";
  char buffer[32];
  return std::string(buffer, std::to_chars(buffer, buffer + sizeof(buffer), number).ptr);
}

namespace {

// Takes the text before the separator off the front of `rest`.
std::string_view take(std::string_view& rest, char separator) {
  const size_t at = rest.find(separator);
  const std::string_view head = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
  return head;
}

Shape dims_in(int64_t mask) {
  Shape dims;
  for (int d = 0; d < kMaxDims; ++d)
    if (mask >> d & 1) dims.push_back(d);
  return dims;
}

const char* reduction_name(int64_t reduction) {
  switch (static_cast<Reduction>(reduction)) {
    case Reduction::kNone:
      return "none";
    case Reduction::kMean:
      return "mean";
    case Reduction::kSum:
      return "sum";
  }
  return "?";
}

// "" for a value that goes without saying.
std::string list_text(std::string_view name, const Shape& list) {
  if (name == "steps" && list == Shape::filled(list.size(), 1)) return "";
  return to_string(list);
}

std::string int_text(std::string_view name, int64_t value) {
  if (name == "dims") return to_string(dims_in(value));
  if (name == "dropped") return value ? to_string(dims_in(value)) : "";
  if (name == "keepdim" || name.substr(0, 9) == "transpose") return value ? "true" : "";
  if (name == "reduction") return reduction_name(value);
  if (name == "ignore_index" && value == -100) return "";
  if (name == "dtype")
    return value >= 0 && value < kDTypeCount ? name_of(static_cast<DType>(value)) : "";
  return std::to_string(value);
}

// Calls print(name, position) for each name of one group of the schema.
template <class Print>
void for_each_name(std::string_view group, int limit, const Print& print) {
  for (int i = 0; i < limit && !group.empty(); ++i) print(take(group, ','), i);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> attr_pairs(const Op& op, const Attrs& attrs) {
  std::vector<std::pair<std::string, std::string>> pairs;
  const auto append = [&](std::string_view name, std::string value) {
    if (!value.empty()) pairs.emplace_back(name, std::move(value));
  };
  std::string_view schema = op.attrs;
  for_each_name(take(schema, ';'), 3, [&](std::string_view name, int i) {
    append(name, list_text(name, attrs.lists[i]));
  });
  for_each_name(take(schema, ';'), 3,
                [&](std::string_view name, int i) { append(name, number_text(attrs.reals[i])); });
  for_each_name(take(schema, ';'), 3,
                [&](std::string_view name, int i) { append(name, int_text(name, attrs.ints[i])); });
  return pairs;
}

std::string attrs_text(const Op& op, const Attrs& attrs) {
  std::string text;
  for (const auto& [name, value] : attr_pairs(op, attrs))
    text.append(text.empty() ? "" : ", ").append(name).append("=").append(value);
  return text;
}

}  // namespace autograd::detail
