// C functions that explain gradients.
#include <iomanip>
#include <sstream>

#include "graph_handle.hpp"

using namespace autograd;
using namespace autograd::capi;

namespace {

// Names of files and of the user's functions may hold any characters.
std::string one_line(std::string text) {
  for (char& c : text)
    if (c == '\n' || c == '\t') c = ' ';
  return text;
}

std::string joined(const Shape& numbers) {
  std::string text;
  for (int i = 0; i < numbers.size(); ++i)
    text += std::string(i ? "," : "") + std::to_string(numbers[i]);
  return text;
}

void write_path(std::ostream& lines, const std::vector<PathStep>& path) {
  for (const PathStep& step : path) lines << '\n' << step.location << ' ' << one_line(step.op);
}

}  // namespace

int64_t ag_explain_grad(const ag_tensor* t, const ag_tensor* loss, char* buffer, int64_t capacity) {
  return text(__func__, buffer, capacity, [&](Arguments in) {
    const GradExplanation found = explain_grad(in.tensor(t, "t"), in.tensor(loss, "loss"));
    std::ostringstream lines;
    lines << name_of(found.reason) << '\n' << found.location << '\n' << one_line(found.sentence);
    write_path(lines, found.path);
    return lines.str();
  });
}

int64_t ag_explain_nonfinite(const ag_tensor* loss, const ag_tensor* const* named,
                             const char* const* names, int64_t n, int64_t n_buffers, char* buffer,
                             int64_t capacity) {
  return text(__func__, buffer, capacity, [&](Arguments in) {
    const NonfiniteExplanation found =
        explain_nonfinite(in.tensor(loss, "loss"), graph_names(in, named, names, n, n_buffers));
    std::ostringstream lines;
    lines << std::setprecision(17) << name_of(found.reason) << '\n'
          << (found.in_backward ? "backward" : "forward") << '\n'
          << found.location << '\n'
          << one_line(found.sentence) << '\n'
          << one_line(found.op) << '\n'
          << found.value << '\n'
          << (found.has_element ? joined(found.element) : "-") << '\n'
          << one_line(found.parameter) << '\n'
          << found.parameter_at << '\n'
          << found.inputs.size();
    for (const NonfiniteInput& input : found.inputs) {
      lines << '\n' << input.location << '\t' << one_line(input.op) << '\t' << joined(input.sizes);
      if (!input.is_known) continue;
      lines << '\t' << input.low << '\t' << input.high;
      if (input.has_value) lines << '\t' << input.value;
    }
    write_path(lines, found.path);
    return lines.str();
  });
}
