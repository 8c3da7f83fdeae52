// Tensors as text.
#include <cstdio>
#include <ostream>
#include <vector>

#include "autograd/tensor.hpp"

namespace autograd {

namespace {

constexpr int64_t kWhole = 1000;  // elements up to which all are shown
constexpr int64_t kEnds = 3;      // of longer dims: so many at either end

std::string text_of(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.6g", value);
  return text;
}
std::string text_of(int64_t value) { return std::to_string(value); }

template <class T>
void write(const Shape& sizes, int dim, bool whole, const T*& next, std::string& text) {
  if (dim == sizes.size()) {
    text += text_of(*next++);
    return;
  }
  int64_t inner = 1;
  for (int d = dim + 1; d < sizes.size(); ++d) inner *= sizes[d];
  const std::string indent(static_cast<size_t>(dim) + 1, ' ');
  const std::string comma = dim + 1 == sizes.size() ? ", " : ",\n" + indent;
  text += '[';
  for (int64_t i = 0; i < sizes[dim]; ++i) {
    if (i) text += comma;
    if (!whole && i == kEnds && sizes[dim] > 2 * kEnds) {
      text += "..." + comma;
      i = sizes[dim] - kEnds;
      next += (i - kEnds) * inner;
    }
    write(sizes, dim + 1, whole, next, text);
  }
  text += ']';
}

template <class T>
std::string elements(const Tensor& t, DType dtype) {
  std::vector<T> values(static_cast<size_t>(t.numel()));
  t.copy_out(dtype, values.data());
  const T* next = values.data();
  std::string text;
  write(t.sizes(), 0, t.numel() <= kWhole, next, text);
  return text;
}

}  // namespace

std::string to_string(const Tensor& t) {
  if (!t) return "undefined";
  const std::string values = is_floating(t.dtype()) ? elements<double>(t, DType::kFloat64)
                                                    : elements<int64_t>(t, DType::kInt64);
  return values + " " + name_of(t.dtype()) + " " + to_string(t.sizes());
}

std::ostream& operator<<(std::ostream& out, const Tensor& t) { return out << to_string(t); }

}  // namespace autograd
