// The guard between C and C++: checks arguments, moves handles in and out, turns exceptions into
// status and text.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "autograd.h"
#include "autograd/autograd.hpp"

namespace autograd::capi {

/// Records the exception in flight as the calling thread's last failure, and returns its status.
ag_status report() noexcept;

/// How many failures the calling thread has had.
uint64_t failures() noexcept;
/// Makes the calling thread's last status AG_OK: for functions whose NULL may mean something else.
void forget_failure() noexcept;

[[noreturn]] void fail_null(const char* function, const char* argument);
[[noreturn]] void fail_count(const char* function, const char* argument, int64_t count);
[[noreturn]] void fail_value(const char* function, const char* argument, int64_t value);

/// A handle seen as the Tensor it stands for, without touching the reference count.
///
/// A handle is the head pointer that a Tensor owns. Tensor's constructor and destructor would
/// count; inside a union the destructor is never called, so the reference stays with the caller.
class Borrowed {
 public:
  explicit Borrowed(const ag_tensor* handle)
      : tensor_(
            Tensor::adopt(reinterpret_cast<detail::TensorHead*>(const_cast<ag_tensor*>(handle)))) {}
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  ~Borrowed() {}

  operator Tensor&() { return tensor_; }
  Tensor& operator*() { return tensor_; }
  Tensor* operator->() { return &tensor_; }

 private:
  union {
    Tensor tensor_;
  };
};

/// Hands the reference over to the caller of the C function.
inline ag_tensor* to_handle(Tensor&& t) { return reinterpret_cast<ag_tensor*>(t.release()); }

/// The same for many, to out[parts.size()].
inline void write_all(std::vector<Tensor>&& parts, ag_tensor** out) {
  for (Tensor& part : parts) *out++ = to_handle(std::move(part));
}

/// The arguments of one call: each method takes one, with its name, and throws Error (value) if it
/// cannot be used.
class Arguments {
 public:
  explicit Arguments(const char* function) : function_(function) {}

  Borrowed tensor(const ag_tensor* handle, const char* name) const {
    if (!handle) [[unlikely]]
      fail_null(function_, name);
    return Borrowed(handle);
  }
  std::string text(const char* value, const char* name) const {
    if (!value) [[unlikely]]
      fail_null(function_, name);
    return value;
  }
  /// NULL gives an undefined tensor.
  Borrowed optional_tensor(const ag_tensor* handle) const { return Borrowed(handle); }

  std::vector<Tensor> tensors(const ag_tensor* const* handles, int64_t n, const char* name) const {
    std::vector<Tensor> list = optional_tensors(handles, n, name);
    for (const Tensor& t : list)
      if (!t) fail_null(function_, name);
    return list;
  }
  std::vector<Tensor> optional_tensors(const ag_tensor* const* handles, int64_t n,
                                       const char* name) const {
    array(handles, n, name);
    std::vector<Tensor> list;
    list.reserve(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) list.push_back(*Borrowed(handles[i]));
    return list;
  }

  Shape shape(const int64_t* values, int64_t n, const char* name) const {
    array(values, n, name);
    if (n > kMaxDims) [[unlikely]]
      fail_count(function_, name, n);
    return Shape(values, n);
  }
  DType dtype(const ag_dtype& value) const {
    return static_cast<DType>(enumerator(value, kDTypeCount, "dtype"));
  }
  Reduction reduction(const ag_reduction& value) const {
    return static_cast<Reduction>(enumerator(value, 3, "reduction"));
  }
  PadMode pad_mode(const ag_pad_mode& value) const {
    return static_cast<PadMode>(enumerator(value, 4, "mode"));
  }
  Interpolation interpolation(const ag_interpolation& value) const {
    return static_cast<Interpolation>(enumerator(value, 7, "mode"));
  }
  QuantileInterpolation quantile(const ag_quantile_interpolation& value) const {
    return static_cast<QuantileInterpolation>(enumerator(value, 5, "mode"));
  }
  SampleMode sample_mode(const ag_sample_mode& value) const {
    return static_cast<SampleMode>(enumerator(value, 3, "mode"));
  }
  SamplePadding sample_padding(const ag_sample_padding& value) const {
    return static_cast<SamplePadding>(enumerator(value, 3, "padding_mode"));
  }
  BagMode bag_mode(const ag_bag_mode& value) const {
    return static_cast<BagMode>(enumerator(value, 3, "mode"));
  }
  optim::MuonScale muon_scale(const ag_muon_scale& value) const {
    return static_cast<optim::MuonScale>(enumerator(value, 3, "scale"));
  }
  /// A list of any length.
  std::vector<int64_t> list(const int64_t* values, int64_t n, const char* name) const {
    array(values, n, name);
    return std::vector<int64_t>(values, values + n);
  }
  /// A pointer that must not be NULL.
  template <class T>
  T* pointer(T* value, const char* name) const {
    if (!value) [[unlikely]]
      fail_null(function_, name);
    return value;
  }
  /// n elements at `values`, which may be NULL if n is 0.
  template <class T>
  void array(T* values, int64_t n, const char* name) const {
    // A count beyond int32 is a mistake, and would only end in an attempt to take that much memory.
    if (n < 0 || n > INT32_MAX) [[unlikely]]
      fail_count(function_, name, n);
    if (n > 0 && !values) [[unlikely]]
      fail_null(function_, name);
  }
  [[noreturn]] void reject(const char* name, int64_t value) const {
    fail_value(function_, name, value);
  }

 private:
  // Read as bytes: a number from C that is none of the enumerators must not be loaded as the enum.
  template <class Enum>
  int32_t enumerator(const Enum& value, int32_t count, const char* name) const {
    static_assert(sizeof(Enum) == sizeof(int32_t));
    int32_t number;
    std::memcpy(&number, &value, sizeof(number));
    if (number < 0 || number >= count) [[unlikely]]
      fail_value(function_, name, number);
    return number;
  }

  const char* function_;
};

// What a C function does is a lambda that takes Arguments.

/// For functions that make a tensor.
template <class Body>
ag_tensor* make(const char* function, const Body& body) noexcept {
  const detail::NativeCall call;
  try {
    return to_handle(body(Arguments(function)));
  } catch (...) {
    report();
    return nullptr;
  }
}

/// For functions that return a status.
template <class Body>
ag_status run(const char* function, const Body& body) noexcept {
  const detail::NativeCall call;
  try {
    body(Arguments(function));
    return AG_OK;
  } catch (...) {
    return report();
  }
}

/// For functions of two results: writes both, or none.
template <class Op>
void write_pair(Arguments in, ag_tensor** values, ag_tensor** indices, const Op& op) {
  in.pointer(values, "values");
  in.pointer(indices, "indices");
  std::pair<Tensor, Tensor> results = op();
  *values = to_handle(std::move(results.first));
  *indices = to_handle(std::move(results.second));
}

/// For functions that return a plain value, `failure` if they fail.
template <class Value, class Body>
Value read(const char* function, std::type_identity_t<Value> failure, const Body& body) noexcept {
  const detail::NativeCall call;
  try {
    return static_cast<Value>(body(Arguments(function)));
  } catch (...) {
    report();
    return failure;
  }
}

/// For functions that write a text, snprintf style.
template <class Body>
int64_t text(const char* function, char* buffer, int64_t capacity, const Body& body) noexcept {
  return read<int64_t>(function, -1, [&](Arguments in) {
    in.array(buffer, capacity, "buffer");
    const std::string result = body(in);
    const int64_t length = static_cast<int64_t>(result.size());
    if (capacity > 0) {
      const int64_t written = length < capacity ? length : capacity - 1;
      std::memcpy(buffer, result.data(), static_cast<size_t>(written));
      buffer[written] = '\0';
    }
    return length;
  });
}

}  // namespace autograd::capi
