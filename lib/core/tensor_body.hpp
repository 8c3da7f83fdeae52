// The private side of a tensor: storage, geometry, autograd data.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "autograd/tensor.hpp"
#include "core/allocator.hpp"
#include "core/location.hpp"

namespace autograd::detail {

struct Node;
struct Op;

struct ViewRecord;
struct Hooks;

/// How memory of the caller's is given back.
struct Foreign {
  void (*deleter)(void*);  ///< may be nullptr
  void* context;
};

/// Shared memory of one or more tensors. Memory the library allocates lies right behind this
/// header.
struct alignas(64) Storage {
  std::atomic<uint32_t> refs{1};
  std::atomic<uint32_t> version{0};     ///< in-place changes so far; views share it
  std::atomic<uint32_t> rewrites{0};    ///< those of them that changed the history of a tensor
  std::atomic<Location> changed_at{0};  ///< where the last change was made
  char* data = nullptr;
  uint64_t id = 0;             ///< of the tensor it was made for: no other storage has had it
  size_t bytes = 0;            ///< of the whole block for own memory
  Foreign* foreign = nullptr;  ///< owned; for memory of the caller
  std::atomic<const Op*> changed_by{nullptr};  ///< the op that made the last change
  uint32_t front = 0;  ///< bytes of the same block before this header: the first body's

  static Storage* make(size_t data_bytes);
  static Storage* wrap(void* data, size_t bytes, void (*deleter)(void*), void* context);
  void retain() { refs.fetch_add(1, std::memory_order_relaxed); }
  /// To be called after every change of the elements.
  void mark_changed(const Op& by) {
    version.fetch_add(1, std::memory_order_relaxed);
    changed_at.store(here(), std::memory_order_relaxed);
    changed_by.store(&by, std::memory_order_relaxed);
  }
  void drop() {
    if (refs.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy();
  }
  bool is_shared() const { return refs.load(std::memory_order_relaxed) > 1; }

 private:
  void destroy();
};

/// Why a tensor has no history though something that it was computed from has one.
enum class Cut : uint8_t {
  kNone,     ///< it has a history, or nothing behind it requires grad
  kDetach,   ///< detach() or .data
  kNoGrad,   ///< made while nothing was recorded
  kNoValue,  ///< of integers or bools
  kNoRule,   ///< made by an op that has no gradient
};

static_assert(sizeof(Storage) == 64, "the header takes one line of the cache");

struct TensorBody : TensorHead {
  Storage* storage = nullptr;
  uint64_t id = 0;
  bool requires_grad =
      false;  ///< set on leaves only; a recorded tensor requires grad through its node
  bool retains_grad = false;
  Cut cut = Cut::kNone;
  uint8_t leaf_number = 0;                ///< of a leaf that requires grad: its bit in `leaves`
  bool is_inference = false;              ///< made in inference mode
  bool shares_block = false;              ///< lies in front of its storage, which frees both
  uint32_t output_index = 0;              ///< which output of node this is
  std::atomic<uint32_t> described_in{0};  ///< the last recording that has written down what this is
  Node* node = nullptr;                   ///< owned reference to the op that recorded this tensor
  TensorBody* grad = nullptr;             ///< owned reference
  TensorBody* source = nullptr;           ///< owned reference to what this tensor is a view of
  uint32_t seen_rewrites =
      0;                ///< of the storage, when this view's history was last known to be right
  Location cut_at = 0;  ///< where the cut was made
  ViewRecord* how =
      nullptr;  ///< owned; how a view without history was taken, for later changes through it

  Hooks* hooks = nullptr;  ///< owned; of a leaf, those of a recorded tensor are with its node
  uint64_t leaves = 0;  ///< behind a cut: the leaves this was computed from, as bits that may clash

  /// Owned; if is_batched, all examples together: dim 0 counts them. Geometry and data of this body
  /// are then those of the first example, and history is kept by the batch alone.
  TensorBody* batch = nullptr;
  uint64_t level = 0;  ///< which vmap's examples these are

  bool needs_grad() const { return node != nullptr || requires_grad; }
};

/// Bytes of an element, for addresses.
inline int64_t item_size(DType dtype) { return static_cast<int64_t>(size_of(dtype)); }

inline TensorBody* body(const Tensor& t) { return static_cast<TensorBody*>(t.head()); }
inline TensorBody* body_or_null(const Tensor& t) {
  return static_cast<TensorBody*>(t.head_or_null());
}
inline Tensor borrow(TensorBody* b) {
  if (b) b->refs.fetch_add(1, std::memory_order_relaxed);
  return Tensor::adopt(b);
}

/// Product of sizes; throws Error (runtime) for negative sizes and for more elements than any
/// memory holds, an empty tensor's dims of size 0 counted as 1.
int64_t checked_numel(const Shape& sizes);
Shape contiguous_strides(const Shape& sizes);
/// True if elements lie densely in row-major order.
bool is_row_major(const Shape& sizes, const Shape& strides);

/// An uninitialised contiguous tensor.
Tensor make_tensor(const Shape& sizes, DType dtype);
/// Another tensor over the storage of `t`, no history; offset is relative to t's first element, in
/// elements.
Tensor make_alias(const TensorBody* t, const Shape& sizes, const Shape& strides, int64_t offset);
/// A tensor over a storage whose reference is taken over.
Tensor make_over(Storage* storage, DType dtype, const Shape& sizes, const Shape& strides);

/// dim in [-rank, rank) made non-negative (rank 0 counts as 1); throws Error (index) with PyTorch's
/// text.
int normalize_dim(int64_t dim, int rank);

}  // namespace autograd::detail
