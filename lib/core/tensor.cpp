// Making, describing and dropping tensors.
#include <new>

#include "autograd/runtime.hpp"
#include "autograd/vmap.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/tensor_body.hpp"
#include "core/text.hpp"
#include "kernels/cpu/pointwise.hpp"

namespace autograd {

int Shape::check_rank(int64_t count) {
  if (count < 0 || count > kMaxDims)
    fail(ErrorCode::kValue, "a tensor has at most ", kMaxDims, " dims, got ", count);
  return static_cast<int>(count);
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (int i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

namespace {
std::atomic<DType> default_float{DType::kFloat32};
}

DType default_dtype() { return default_float.load(std::memory_order_relaxed); }

void set_default_dtype(DType dtype) {
  if (!is_floating(dtype))
    fail(ErrorCode::kType,
         "set_default_dtype: only floating-point types are supported as the default type, got ",
         name_of(dtype));
  default_float.store(dtype);
}

namespace detail {

Storage* Storage::make(size_t data_bytes) {
  const size_t bytes = sizeof(Storage) + data_bytes;
  Storage* s = new (allocate(bytes)) Storage;
  s->data = reinterpret_cast<char*>(s + 1);
  s->bytes = bytes;
  return s;
}

Storage* Storage::wrap(void* data, size_t bytes, void (*deleter)(void*), void* context) {
  Storage* s = new (allocate(sizeof(Storage))) Storage;
  s->data = static_cast<char*>(data);
  s->bytes = bytes;
  s->foreign = new (allocate(sizeof(Foreign))) Foreign{deleter, context};
  return s;
}

void Storage::destroy() {
  if (Foreign* f = foreign) {
    if (f->deleter) f->deleter(f->context);
    deallocate(f, sizeof(Foreign));
    return deallocate(this, sizeof(Storage));
  }
  char* block = reinterpret_cast<char*>(this) - front;
  deallocate(block, front + bytes);
}

int64_t checked_numel(const Shape& sizes) {
  // Empty tensors are held to the same limit, with 1 for every 0, so that no product of sizes,
  // strides or bytes overflows anywhere.
  constexpr int64_t kMostElements = int64_t{1} << 57;
  int64_t product = 1;
  bool overflow = false, is_empty = false;
  for (int64_t size : sizes) {
    if (size < 0)
      fail(ErrorCode::kRuntime, "Trying to create tensor with negative dimension ", size, ": ",
           sizes);
    is_empty |= size == 0;
    overflow |= __builtin_mul_overflow(product, size ? size : 1, &product);
  }
  if (overflow || product > kMostElements)
    fail(ErrorCode::kRuntime, "sizes ", sizes, " overflow: too many elements");
  return is_empty ? 0 : product;
}

Shape contiguous_strides(const Shape& sizes) {
  Shape strides = sizes;
  int64_t stride = 1;
  for (int i = sizes.size() - 1; i >= 0; --i) {
    strides[i] = stride;
    // Sizes may be absurd still, as long as nobody has made a tensor of them.
    if (sizes[i] > 1)
      stride =
          static_cast<int64_t>(static_cast<uint64_t>(stride) * static_cast<uint64_t>(sizes[i]));
  }
  return strides;
}

bool is_row_major(const Shape& sizes, const Shape& strides) {
  for (int64_t size : sizes)
    if (size == 0) return true;
  int64_t expected = 1;
  for (int i = sizes.size() - 1; i >= 0; --i) {
    if (sizes[i] == 1) continue;
    if (strides[i] != expected) return false;
    expected *= sizes[i];
  }
  return true;
}

namespace {
void fill_body(TensorBody* b, Storage* storage, DType dtype, const Shape& sizes) {
  b->storage = storage;
  b->dtype = dtype;
  b->sizes = sizes;
  b->id = next_tensor_id();
}

TensorBody* new_body(Storage* storage, DType dtype, const Shape& sizes) {
  TensorBody* b = new (allocate(sizeof(TensorBody))) TensorBody;
  fill_body(b, storage, dtype, sizes);
  return b;
}

// Up to here a tensor is one block: body, storage header, elements.
constexpr size_t kOneBlockBytes = kCacheBlocks ? 4096 : 0;
constexpr size_t kFront =
    (sizeof(TensorBody) + alignof(Storage) - 1) / alignof(Storage) * alignof(Storage);

TensorBody* new_body_with_storage(size_t data_bytes, DType dtype, const Shape& sizes) {
  if (data_bytes > kOneBlockBytes) return new_body(Storage::make(data_bytes), dtype, sizes);
  const size_t bytes = sizeof(Storage) + data_bytes;
  char* block = static_cast<char*>(allocate(kFront + bytes));
  Storage* s = new (block + kFront) Storage;
  s->data = reinterpret_cast<char*>(s + 1);
  s->bytes = bytes;
  s->front = kFront;
  TensorBody* b = new (block) TensorBody;
  b->shares_block = true;
  fill_body(b, s, dtype, sizes);
  return b;
}
}  // namespace

namespace {
// One pass for the usual case of few elements in no dim of size 0; false: ask the careful ones.
inline bool fill_row_major(const Shape& sizes, int64_t* numel, Shape* strides) {
  constexpr int64_t kFew = int64_t{1} << 31;
  *strides = sizes;
  int64_t count = 1;
  for (int i = sizes.size() - 1; i >= 0; --i) {
    const int64_t size = sizes[i];
    if (size <= 0 || size > kFew) return false;
    (*strides)[i] = count;
    count *= size;
    if (count > kFew) return false;
  }
  *numel = count;
  return true;
}
}  // namespace

Tensor make_tensor(const Shape& sizes, DType dtype) {
  int64_t numel;
  Shape strides;
  if (!fill_row_major(sizes, &numel, &strides)) [[unlikely]] {
    numel = checked_numel(sizes);
    strides = contiguous_strides(sizes);
  }
  TensorBody* b = new_body_with_storage(static_cast<size_t>(numel) * size_of(dtype), dtype, sizes);
  b->storage->id = b->id;
  b->is_inference = thread_state.inference;
  b->strides = strides;
  b->numel = numel;
  b->data = b->storage->data;
  b->made_at = here();
  return Tensor::adopt(b);
}

Tensor make_alias(const TensorBody* t, const Shape& sizes, const Shape& strides, int64_t offset) {
  t->storage->retain();
  TensorBody* b = new_body(t->storage, t->dtype, sizes);
  b->strides = strides;
  b->numel = checked_numel(sizes);
  b->is_contiguous = is_row_major(sizes, strides);
  b->is_inference = t->is_inference;
  b->data = t->data + offset * static_cast<int64_t>(size_of(t->dtype));
  return Tensor::adopt(b);
}

Tensor make_over(Storage* storage, DType dtype, const Shape& sizes, const Shape& strides) {
  TensorBody* b = new_body(storage, dtype, sizes);
  storage->id = b->id;
  b->strides = strides;
  b->numel = checked_numel(sizes);
  b->is_contiguous = is_row_major(sizes, strides);
  b->is_inference = thread_state.inference;
  b->data = storage->data;
  b->made_at = here();
  return Tensor::adopt(b);
}

int normalize_dim(int64_t dim, int rank) {
  const int64_t range = rank > 0 ? rank : 1;
  if (dim < -range || dim >= range)
    fail(ErrorCode::kIndex, "Dimension out of range (expected to be in range of [", -range, ", ",
         range - 1, "], but got ", dim, ")");
  return static_cast<int>(dim < 0 ? dim + range : dim);
}

void destroy(TensorHead* head) {
  TensorBody* b = static_cast<TensorBody*>(head);
  if (b->retains_grad && b->node) b->node->forget_retained(b);
  Storage* storage = b->storage;
  Node* node = b->node;
  TensorBody *grad = b->grad, *source = b->source, *batch = b->batch;
  if (b->how) {
    b->how->~ViewRecord();
    deallocate(b->how, sizeof(ViewRecord));
  }
  delete b->hooks;
  const bool shares_block = b->shares_block;
  b->~TensorBody();
  if (!shares_block) deallocate(b, sizeof(TensorBody));
  storage->drop();
  if (grad) Tensor::adopt(grad);
  if (batch) Tensor::adopt(batch);
  if (node) node->drop();
  // A chain of views is dropped in a loop, whatever its length.
  while (source && source->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    TensorBody* next = source->source;
    source->source = nullptr;
    destroy(source);
    source = next;
  }
}

void check_element_type(const Tensor& t, DType wanted) {
  if (t.dtype() != wanted)
    fail(ErrorCode::kType, "expected elements of type ", name_of(wanted), ", the tensor has ",
         name_of(t.dtype()));
}

}  // namespace detail

using detail::body;

void Tensor::throw_no_storage() const {
  fail(
      ErrorCode::kRuntime,
      "vmap: Cannot access data pointer of Tensor that doesn't have storage: this tensor of sizes ",
      sizes(), " stands for one example in a function being vmapped");
}

void Tensor::throw_undefined() {
  fail(ErrorCode::kRuntime,
       "an undefined tensor was used: one that nothing was assigned to, that was moved from, or a "
       "gradient that is not there");
}

int64_t Tensor::size(int64_t dim) const {
  if (this->dim() == 0)
    fail(ErrorCode::kIndex, "Dimension specified as ", dim, " but tensor has no dimensions");
  return sizes()[detail::normalize_dim(dim, this->dim())];
}

int64_t Tensor::storage_offset() const {
  const detail::TensorBody* b = body(*this);
  return (b->data - b->storage->data) / static_cast<int64_t>(size_of(b->dtype));
}
bool Tensor::shares_storage(const Tensor& other) const {
  return body(*this)->storage == body(other)->storage;
}
int64_t Tensor::id() const { return static_cast<int64_t>(body(*this)->id); }
void Tensor::bump_version() const {
  detail::Storage& storage = *body(*this)->storage;
  storage.version.fetch_add(1, std::memory_order_relaxed);
  storage.changed_at.store(detail::here(), std::memory_order_relaxed);
  storage.changed_by.store(nullptr, std::memory_order_relaxed);
}
int Tensor::output_index() const { return static_cast<int>(body(*this)->output_index); }
int64_t Tensor::version() const { return body(*this)->storage->version.load(); }

namespace {
template <class T>
T item_as(const Tensor& t) {
  if (t.head()->is_batched)
    fail(ErrorCode::kRuntime,
         "vmap: It looks like you're calling .item() on a Tensor, or attempting to use a Tensor in "
         "some data-dependent control flow. We don't support vmap over that: the tensor of sizes ",
         t.sizes(),
         " has another value for each example. Use other ops: where() in the place of if");
  if (t.numel() != 1)
    fail(ErrorCode::kRuntime, "a Tensor with ", t.numel(),
         " elements cannot be converted to Scalar (sizes ", t.sizes(), ")");
  detail::note_read(*body(t), "item()");
  T value;
  cpu::convert(t.data(), t.dtype(), 1, &value, detail::DTypeOf<T>::value, 1, 1);
  return value;
}
}  // namespace

double Tensor::item() const { return item_as<double>(*this); }
int64_t Tensor::item_int() const { return item_as<int64_t>(*this); }

void Tensor::copy_out(DType to, void* dst) const {
  const detail::TensorBody* b = body(*this);
  check_has_storage(*this);
  detail::note_read(*b, "tolist(), numpy() or print()");
  if (b->is_contiguous) return cpu::convert(b->data, b->dtype, 1, dst, to, 1, b->numel);
  // Row by row over all but the last dim.
  const int last = b->sizes.size() - 1;
  const int64_t row = b->sizes[last], rows = b->numel / (row ? row : 1);
  const int64_t item = static_cast<int64_t>(size_of(b->dtype));
  char* out = static_cast<char*>(dst);
  for (int64_t r = 0; r < rows; ++r) {
    int64_t offset = 0, rest = r;
    for (int d = last - 1; d >= 0; --d) {
      offset += rest % b->sizes[d] * b->strides[d];
      rest /= b->sizes[d];
    }
    cpu::convert(b->data + offset * item, b->dtype, b->strides[last], out, to, 1, row);
    out += row * static_cast<int64_t>(size_of(to));
  }
}

std::vector<double> Tensor::to_vector() const {
  std::vector<double> values(static_cast<size_t>(numel()));
  copy_out(DType::kFloat64, values.data());
  return values;
}

}  // namespace autograd
