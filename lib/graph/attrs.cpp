// Attributes of ops as text. The only place that knows what attribute names mean for a reader.
#include <algorithm>
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
  const bool ones = name == "steps" || name == "stride" || name == "dilation";
  if (ones && list == Shape::filled(list.size(), 1)) return "";
  if (name == "padding" && list == Shape::filled(list.size(), 0)) return "";
  return to_string(list);
}

bool is_switch(std::string_view name) {
  constexpr std::string_view kSwitches[] = {
      "keepdim",      "transpose_a", "transpose_b", "is_causal",          "reverse",  "training",
      "relu",         "include_pad", "accumulate",  "scale_grad_by_freq", "upper",    "unit",
      "include_self", "is_value",    "replacement", "check_errors",       "is_empty", "log_target"};
  for (std::string_view each : kSwitches)
    if (each == name) return true;
  return false;
}

// One of several words; a number that stands for none stays one.
template <size_t n>
std::string word_text(const char* const (&words)[n], int64_t value) {
  const bool is_known = value >= 0 && value < static_cast<int64_t>(n);
  return is_known ? words[value] : std::to_string(value);
}

std::string int_text(std::string_view name, int64_t value) {
  constexpr const char* kDistributions[] = {"uniform",    "normal", "integers", "exponential",
                                            "log-normal", "Cauchy", "geometric"};
  constexpr const char* kTransposes[] = {"", "a", "b", "a and b"};
  if (name == "distribution") return word_text(kDistributions, value);
  if (name == "transposes" || name == "transposes_2") return word_text(kTransposes, value);
  if ((name == "low" || name == "high") && value == 0) return "";
  if (name == "wanted") return to_string(dims_in(value));
  if (name == "dims") return to_string(dims_in(value));
  if (name == "dropped") return value ? to_string(dims_in(value)) : "";
  if (is_switch(name)) return value == 1 ? "true" : value == 0 ? "" : std::to_string(value);
  if (name == "reduction") return reduction_name(value);
  if ((name == "ignore_index" && value == -100) || (name == "padding_idx" && value == -1) ||
      (name == "groups" && value == 1) || (name == "divisor" && value == 0))
    return "";
  if (name == "dtype")
    return value >= 0 && value < kDTypeCount ? name_of(static_cast<DType>(value)) : "";
  return std::to_string(value);
}

// "stride+padding": two lists in one, of the same length. Calls append(name, text) for each.
template <class Append>
void append_lists(std::string_view name, const Shape& list, const Append& append) {
  const int parts = 1 + static_cast<int>(std::count(name.begin(), name.end(), '+'));
  const int each = list.size() / parts;
  for (int k = 0; k < parts; ++k) {
    const std::string_view part = take(name, '+');
    append(part, list_text(part, Shape(list.data() + k * each, each)));
  }
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
  for_each_name(take(schema, ';'), 3,
                [&](std::string_view name, int i) { append_lists(name, attrs.lists[i], append); });
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
