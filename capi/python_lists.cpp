// A tensor's elements as nested lists of Python.
#include <cstring>
#include <memory>
#include <optional>

#include "guard.hpp"
#include "python_calls.hpp"

namespace autograd::capi::python {
namespace {

template <class T>
Object number(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  if constexpr (std::is_floating_point_v<T>)
    return new_number(static_cast<double>(value));
  else
    return new_number(static_cast<int64_t>(value));
}

using Reader = Object (*)(const char* from);

Reader reader_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return number<float>;
    case DType::kFloat64:
      return number<double>;
    case DType::kInt32:
      return number<int32_t>;
    case DType::kInt64:
      return number<int64_t>;
    case DType::kUInt8:
      return number<uint8_t>;
    default:
      return [](const char* from) { return give_bool(*from != 0); };
  }
}

/// The lists of the dims from `dim` on; moves `from` on.
Object lists(const Shape& sizes, int dim, Reader read, size_t item, const char*& from) {
  if (dim == sizes.size()) {
    const Object element = read(from);
    from += item;
    return element;
  }
  const intptr_t n = static_cast<intptr_t>(sizes[dim]);
  const Object list = new_list(n);
  if (!list) return nullptr;
  for (intptr_t i = 0; i < n; ++i) {
    const bool is_row = dim + 1 == sizes.size();
    if (fill_place(list, i, is_row ? read(from) : lists(sizes, dim + 1, read, item, from))) {
      if (is_row) from += item;
      continue;
    }
    drop(list);
    return nullptr;
  }
  return list;
}

/// The elements of a tensor in row-major order.
class Elements {
 public:
  explicit Elements(const Tensor& t) : item_(size_of(t.dtype())) {
    const size_t bytes = static_cast<size_t>(t.numel()) * item_;
    if (bytes > sizeof(few_)) many_ = std::make_unique<char[]>(bytes);
    t.copy_out(t.dtype(), many_ ? many_.get() : few_);
  }
  const char* data() const { return many_ ? many_.get() : few_; }
  size_t item() const { return item_; }

 private:
  size_t item_;
  alignas(8) char few_[1024];
  std::unique_ptr<char[]> many_;
};

}  // namespace

Object nested_lists(Object self, Object const* args, intptr_t n) {
  Room room;
  const ag_tensor* handle = nullptr;
  if (!ready() || n != 1 || !take(args[0], room, handle) || !handle)
    return call_function(self, args, n);
  Borrowed tensor(handle);
  std::optional<Elements> elements;
  try {
    elements.emplace(*tensor);
  } catch (...) {
    return call_function(self, args, n);  // which meets the same error, and words it
  }
  const char* from = elements->data();
  return lists(tensor->sizes(), 0, reader_of(tensor->dtype()), elements->item(), from);
}

}  // namespace autograd::capi::python
