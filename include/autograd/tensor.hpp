// Tensor: a strided view of shared memory that knows how it was made.
#pragma once
#include <atomic>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

#include "autograd/dtype.hpp"
#include "autograd/error.hpp"
#include "autograd/shape.hpp"

namespace autograd {

class Tensor;

namespace detail {
struct TensorBody;
struct Storage;

/// What the inline accessors of Tensor read; the rest of a tensor is private to the library.
struct TensorHead {
  std::atomic<uint32_t> refs{1};
  DType dtype = DType::kFloat32;
  bool is_contiguous = true;
  bool is_number =
      false;  ///< a wrapped Python-like number: takes part in promotion by category only
  bool is_batched = false;  ///< stands for one of many examples, see vmap.hpp
  uint32_t made_at = 0;     ///< the line of the user's program; find_location() says which
  int64_t numel = 0;
  char* data = nullptr;
  Shape sizes;
  Shape strides;
};

void destroy(TensorHead* head);
}  // namespace detail

/// A number given to an op instead of a tensor. Promotion looks only at its category (bool,
/// integer, float).
class Scalar {
 public:
  Scalar(bool v) : dtype_(DType::kBool), integer_(v), real_(v) {}
  Scalar(int v) : Scalar(static_cast<long long>(v)) {}
  Scalar(long v) : Scalar(static_cast<long long>(v)) {}
  Scalar(long long v) : dtype_(DType::kInt64), integer_(v), real_(static_cast<double>(v)) {}
  Scalar(double v) : dtype_(DType::kFloat64), integer_(0), real_(v) {}
  Scalar(float v) : Scalar(static_cast<double>(v)) {}
  DType dtype() const { return dtype_; }
  int64_t integer() const { return integer_; }
  double real() const { return real_; }

 private:
  DType dtype_;
  int64_t integer_;
  double real_;
};

/// A reference to a tensor: copying shares the elements and the history. A default-constructed
/// Tensor is undefined: it may only be assigned to, tested and passed where a function says that an
/// argument is optional.
class Tensor {
 public:
  Tensor() noexcept : head_(nullptr) {}
  Tensor(const Tensor& other) : head_(other.head_) {
    if (head_) head_->refs.fetch_add(1, std::memory_order_relaxed);
  }
  Tensor(Tensor&& other) noexcept : head_(std::exchange(other.head_, nullptr)) {}
  Tensor& operator=(Tensor other) noexcept {
    std::swap(head_, other.head_);
    return *this;
  }
  ~Tensor() { drop(); }

  bool defined() const { return head_ != nullptr; }
  explicit operator bool() const { return defined(); }
  /// True if both refer to the same tensor (not: equal elements).
  bool is_same(const Tensor& other) const { return head_ == other.head_; }

  // ---- geometry
  const Shape& sizes() const { return head()->sizes; }
  const Shape& strides() const { return head()->strides; }  ///< in elements
  int64_t size(int64_t dim) const;                          ///< dim may be negative
  int dim() const { return head()->sizes.size(); }
  int64_t numel() const { return head()->numel; }
  DType dtype() const { return head()->dtype; }
  bool is_contiguous() const { return head()->is_contiguous; }
  int64_t storage_offset() const;
  bool shares_storage(const Tensor& other) const;
  int64_t id() const;       ///< a number that no other tensor of the process has had
  int64_t version() const;  ///< in-place changes of the storage so far
  /// Counts a change that code outside of the library has made.
  void bump_version() const;
  int output_index() const;  ///< which output of its op this is; 0 for a leaf

  // ---- elements
  /// Address of the first element; throws Error (runtime) for one example in vmap, whose elements
  /// are not to be looked at.
  void* data() const {
    if (head()->is_batched) throw_no_storage();
    return head()->data;
  }
  /// The same, typed; throws Error (type) if T is not the element type.
  template <class T>
  T* data_as() const;
  /// The one element; throws Error (runtime) unless numel() is 1.
  double item() const;
  int64_t item_int() const;
  /// Copies all elements, row-major, converted to `dtype`, to dst.
  void copy_out(DType dtype, void* dst) const;
  /// All elements, row-major, as doubles.
  std::vector<double> to_vector() const;

  // ---- autograd
  bool requires_grad() const;
  /// Switches a leaf; throws Error (runtime) for a non-leaf or an integer tensor.
  Tensor& requires_grad_(bool value = true);
  bool is_leaf() const;
  /// True if it was made in inference mode, or is a view of such a tensor.
  bool is_inference() const;
  /// The accumulated gradient, undefined if there is none.
  Tensor grad() const;
  /// Replaces it (undefined: removes it); throws if shape or dtype differ.
  void set_grad(const Tensor& grad) const;
  void retain_grad() const;
  bool retains_grad() const;
  /// Name of the op that recorded this tensor, "" for a leaf.
  std::string grad_fn() const;
  /// Gradients of this tensor (of one element, or times `grad`) into the leaves.
  void backward(const Tensor& grad = Tensor(), bool retain_graph = false,
                bool create_graph = false) const;
  /// The same elements without history.
  Tensor detach() const;

  // ---- for the library: one reference, moved in and out
  static Tensor adopt(detail::TensorHead* head) {
    Tensor t;
    t.head_ = head;
    return t;
  }
  detail::TensorHead* release() { return std::exchange(head_, nullptr); }
  /// The head; throws Error (runtime) for an undefined tensor.
  detail::TensorHead* head() const {
    if (!head_) throw_undefined();
    return head_;
  }
  /// The head or nullptr.
  detail::TensorHead* head_or_null() const { return head_; }

 private:
  [[noreturn]] static void throw_undefined();
  [[noreturn]] void throw_no_storage() const;
  void drop() {
    if (head_ && head_->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) detail::destroy(head_);
  }

  detail::TensorHead* head_;
};

/// "[[1, 2],\n [3, 4]] float32 [2, 2]": elements, dtype and sizes; of more than 1,000 elements the
/// first and last three of each dim.
std::string to_string(const Tensor& t);
std::ostream& operator<<(std::ostream& out, const Tensor& t);

namespace detail {
void check_element_type(const Tensor& t, DType wanted);
template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::kFloat32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::kFloat64;
};
template <>
struct DTypeOf<int32_t> {
  static constexpr DType value = DType::kInt32;
};
template <>
struct DTypeOf<int64_t> {
  static constexpr DType value = DType::kInt64;
};
template <>
struct DTypeOf<uint8_t> {
  static constexpr DType value = DType::kUInt8;
};
template <>
struct DTypeOf<bool> {
  static constexpr DType value = DType::kBool;
};
}  // namespace detail

template <class T>
T* Tensor::data_as() const {
  detail::check_element_type(*this, detail::DTypeOf<T>::value);
  return static_cast<T*>(data());
}

}  // namespace autograd
