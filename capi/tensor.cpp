// C functions about one tensor: life, geometry, elements, its place in autograd.
#include <algorithm>
#include <limits>
#include <utility>

#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

namespace {

// True for a tensor without elements, whatever the other sizes are.
bool is_empty(const Shape& sizes) {
  return std::find(sizes.begin(), sizes.end(), 0) != sizes.end();
}

// Unsigned, because sizes too large to be right must be able to overflow until from_blob refuses
// them.
Shape row_major(const Shape& sizes) {
  Shape strides = sizes;
  uint64_t stride = 1;
  for (int d = sizes.size() - 1; d >= 0; --d) {
    strides[d] = static_cast<int64_t>(stride);
    stride *= sizes[d] > 1 ? static_cast<uint64_t>(sizes[d]) : 1;
  }
  return strides;
}

int64_t write_shape(Arguments in, const Shape& shape, int64_t* out, int64_t capacity) {
  in.array(out, capacity, "out");
  std::copy_n(shape.data(), std::min<int64_t>(capacity, shape.size()), out);
  return shape.size();
}

}  // namespace

// ---- life

ag_tensor* ag_tensor_from_data(const void* data, ag_dtype dtype, const int64_t* sizes,
                               int64_t ndim) {
  return make(__func__, [&](Arguments in) {
    const Shape shape = in.shape(sizes, ndim, "sizes");
    return from_data(is_empty(shape) ? data : in.pointer(data, "data"), in.dtype(dtype), shape);
  });
}

ag_tensor* ag_tensor_from_blob(void* data, ag_dtype dtype, const int64_t* sizes,
                               const int64_t* strides, int64_t ndim, ag_deleter deleter,
                               void* context) {
  return make(__func__, [&](Arguments in) {
    const Shape shape = in.shape(sizes, ndim, "sizes");
    if (!is_empty(shape)) in.pointer(data, "data");
    return from_blob(data, in.dtype(dtype), shape,
                     strides ? Shape(strides, ndim) : row_major(shape), deleter, context);
  });
}

void ag_tensor_free(ag_tensor* t) { Tensor::adopt(reinterpret_cast<detail::TensorHead*>(t)); }

ag_tensor* ag_tensor_retain(ag_tensor* t) {
  return make(__func__, [&](Arguments in) { return Tensor(*in.tensor(t, "t")); });
}

// ---- geometry

int32_t ag_tensor_exists(const ag_tensor* t) { return t != nullptr; }

int64_t ag_tensor_ndim(const ag_tensor* t) {
  return read<int64_t>(__func__, -1, [&](Arguments in) { return in.tensor(t, "t")->dim(); });
}

int64_t ag_tensor_sizes(const ag_tensor* t, int64_t* out, int64_t capacity) {
  return read<int64_t>(__func__, -1, [&](Arguments in) {
    return write_shape(in, in.tensor(t, "t")->sizes(), out, capacity);
  });
}

// The number of dims in the low 4 bits, and above them as many bits for each size as there is room.
int64_t ag_tensor_shape_key(const ag_tensor* t) {
  return read<int64_t>(__func__, -1, [&](Arguments in) {
    const Shape& sizes = in.tensor(t, "t")->sizes();
    const int rank = sizes.size(), bits = rank ? std::min(59 / rank, 31) : 0;
    int64_t key = rank;
    for (int d = 0; d < rank; ++d) {
      if (sizes[d] >> bits) return int64_t{-1};
      key |= sizes[d] << (4 + d * bits);
    }
    return key;
  });
}

int64_t ag_tensor_strides(const ag_tensor* t, int64_t* out, int64_t capacity) {
  return read<int64_t>(__func__, -1, [&](Arguments in) {
    return write_shape(in, in.tensor(t, "t")->strides(), out, capacity);
  });
}

int64_t ag_tensor_numel(const ag_tensor* t) {
  return read<int64_t>(__func__, -1, [&](Arguments in) { return in.tensor(t, "t")->numel(); });
}

int32_t ag_tensor_dtype(const ag_tensor* t) {
  return read<int32_t>(__func__, -1, [&](Arguments in) { return in.tensor(t, "t")->dtype(); });
}

void* ag_tensor_data(const ag_tensor* t) {
  return read<void*>(__func__, nullptr, [&](Arguments in) {
    Borrowed tensor = in.tensor(t, "t");
    check_has_storage(*tensor);
    note_read(*tensor, "numpy(), data_ptr() or DLPack");
    return tensor->numel() ? tensor->data() : nullptr;
  });
}

int64_t ag_tensor_storage_offset(const ag_tensor* t) {
  return read<int64_t>(__func__, -1,
                       [&](Arguments in) { return in.tensor(t, "t")->storage_offset(); });
}

int32_t ag_tensor_is_contiguous(const ag_tensor* t) {
  return read<int32_t>(__func__, 0,
                       [&](Arguments in) { return in.tensor(t, "t")->is_contiguous(); });
}

int32_t ag_tensor_shares_storage(const ag_tensor* a, const ag_tensor* b) {
  return read<int32_t>(__func__, 0, [&](Arguments in) {
    return in.tensor(a, "a")->shares_storage(in.tensor(b, "b"));
  });
}

int64_t ag_tensor_id(const ag_tensor* t) {
  return read<int64_t>(__func__, -1, [&](Arguments in) { return in.tensor(t, "t")->id(); });
}

ag_status ag_tensor_bump_version(ag_tensor* t) {
  return run(__func__, [&](Arguments in) { in.tensor(t, "t")->bump_version(); });
}

int64_t ag_tensor_version(const ag_tensor* t) {
  return read<int64_t>(__func__, -1, [&](Arguments in) { return in.tensor(t, "t")->version(); });
}

// ---- elements

ag_status ag_tensor_item_double(const ag_tensor* t, double* out) {
  return run(__func__, [&](Arguments in) { *in.pointer(out, "out") = in.tensor(t, "t")->item(); });
}

ag_status ag_tensor_item_int(const ag_tensor* t, int64_t* out) {
  return run(__func__,
             [&](Arguments in) { *in.pointer(out, "out") = in.tensor(t, "t")->item_int(); });
}

double ag_tensor_read_double(const ag_tensor* t) {
  return read<double>(__func__, std::numeric_limits<double>::quiet_NaN(),
                      [&](Arguments in) { return in.tensor(t, "t")->item(); });
}

int64_t ag_tensor_read_int(const ag_tensor* t) {
  return read<int64_t>(__func__, INT64_MIN,
                       [&](Arguments in) { return in.tensor(t, "t")->item_int(); });
}

ag_status ag_tensor_copy_out(const ag_tensor* t, ag_dtype dtype, void* dst, int64_t capacity) {
  return run(__func__, [&](Arguments in) {
    Borrowed tensor = in.tensor(t, "t");
    const DType to = in.dtype(dtype);
    if (capacity < tensor->numel()) in.reject("capacity", capacity);
    if (tensor->numel()) tensor->copy_out(to, in.pointer(dst, "dst"));
  });
}

// ---- autograd

int32_t ag_tensor_requires_grad(const ag_tensor* t) {
  return read<int32_t>(__func__, 0,
                       [&](Arguments in) { return in.tensor(t, "t")->requires_grad(); });
}

ag_status ag_tensor_set_requires_grad(ag_tensor* t, int32_t requires_grad) {
  return run(__func__,
             [&](Arguments in) { in.tensor(t, "t")->requires_grad_(requires_grad != 0); });
}

int32_t ag_tensor_is_leaf(const ag_tensor* t) {
  return read<int32_t>(__func__, 0, [&](Arguments in) { return in.tensor(t, "t")->is_leaf(); });
}

ag_tensor* ag_tensor_grad(const ag_tensor* t) {
  return make(__func__, [&](Arguments in) { return in.tensor(t, "t")->grad(); });
}

ag_status ag_tensor_set_grad(ag_tensor* t, ag_tensor* grad) {
  return run(__func__,
             [&](Arguments in) { in.tensor(t, "t")->set_grad(in.optional_tensor(grad)); });
}

ag_status ag_tensor_retain_grad(ag_tensor* t) {
  return run(__func__, [&](Arguments in) { in.tensor(t, "t")->retain_grad(); });
}

int32_t ag_tensor_retains_grad(const ag_tensor* t) {
  return read<int32_t>(__func__, 0,
                       [&](Arguments in) { return in.tensor(t, "t")->retains_grad(); });
}
