// C functions that explain gradients.
#include <algorithm>

#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

int64_t ag_explain_grad(const ag_tensor* t, const ag_tensor* loss, char* buffer, int64_t capacity) {
  return text(__func__, buffer, capacity, [&](Arguments in) {
    const GradExplanation found = explain_grad(in.tensor(t, "t"), in.tensor(loss, "loss"));
    std::string lines = name_of(found.reason), sentence = found.sentence;
    std::replace(sentence.begin(), sentence.end(), '\n', ' ');  // names of files may hold any
    lines += '\n' + std::to_string(found.location) + '\n' + sentence;
    for (const PathStep& step : found.path)
      lines += '\n' + std::to_string(step.location) + ' ' + step.op;
    return lines;
  });
}
