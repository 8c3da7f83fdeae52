// C functions that give views and copies of one tensor.
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

// ---- sizes and dims

ag_tensor* ag_reshape(const ag_tensor* x, const int64_t* sizes, int64_t ndim) {
  return make(__func__, [&](Arguments in) {
    return reshape(in.tensor(x, "x"), in.shape(sizes, ndim, "sizes"));
  });
}

ag_tensor* ag_view(const ag_tensor* x, const int64_t* sizes, int64_t ndim) {
  return make(__func__, [&](Arguments in) {
    return view(in.tensor(x, "x"), in.shape(sizes, ndim, "sizes"));
  });
}

ag_tensor* ag_transpose(const ag_tensor* x, int64_t dim0, int64_t dim1) {
  return make(__func__, [&](Arguments in) { return transpose(in.tensor(x, "x"), dim0, dim1); });
}

ag_tensor* ag_t(const ag_tensor* x) {
  return make(__func__, [&](Arguments in) { return autograd::t(in.tensor(x, "x")); });
}

ag_tensor* ag_permute(const ag_tensor* x, const int64_t* dims, int64_t ndims) {
  return make(__func__, [&](Arguments in) {
    return permute(in.tensor(x, "x"), in.shape(dims, ndims, "dims"));
  });
}

ag_tensor* ag_expand(const ag_tensor* x, const int64_t* sizes, int64_t ndim) {
  return make(__func__, [&](Arguments in) {
    return expand(in.tensor(x, "x"), in.shape(sizes, ndim, "sizes"));
  });
}

ag_tensor* ag_squeeze(const ag_tensor* x, const int64_t* dims, int64_t ndims) {
  return make(__func__, [&](Arguments in) {
    return squeeze(in.tensor(x, "x"), in.shape(dims, ndims, "dims"));
  });
}

ag_tensor* ag_unsqueeze(const ag_tensor* x, int64_t dim) {
  return make(__func__, [&](Arguments in) { return unsqueeze(in.tensor(x, "x"), dim); });
}

ag_tensor* ag_flatten(const ag_tensor* x, int64_t start_dim, int64_t end_dim) {
  return make(__func__,
              [&](Arguments in) { return flatten(in.tensor(x, "x"), start_dim, end_dim); });
}

ag_tensor* ag_unflatten(const ag_tensor* x, int64_t dim, const int64_t* sizes, int64_t ndim) {
  return make(__func__, [&](Arguments in) {
    return unflatten(in.tensor(x, "x"), dim, in.shape(sizes, ndim, "sizes"));
  });
}

ag_tensor* ag_movedim(const ag_tensor* x, const int64_t* source, int64_t n_source,
                      const int64_t* destination, int64_t n_destination) {
  return make(__func__, [&](Arguments in) {
    return movedim(in.tensor(x, "x"), in.shape(source, n_source, "source"),
                   in.shape(destination, n_destination, "destination"));
  });
}

ag_tensor* ag_narrow(const ag_tensor* x, int64_t dim, int64_t start, int64_t length) {
  return make(__func__,
              [&](Arguments in) { return narrow(in.tensor(x, "x"), dim, start, length); });
}

ag_tensor* ag_diagonal(const ag_tensor* x, int64_t offset, int64_t dim1, int64_t dim2) {
  return make(__func__,
              [&](Arguments in) { return diagonal(in.tensor(x, "x"), offset, dim1, dim2); });
}

ag_tensor* ag_unfold(const ag_tensor* x, int64_t dim, int64_t size, int64_t step) {
  return make(__func__, [&](Arguments in) { return unfold(in.tensor(x, "x"), dim, size, step); });
}

ag_tensor* ag_as_strided(const ag_tensor* x, const int64_t* sizes, int64_t n,
                         const int64_t* strides, int64_t n_strides, int64_t storage_offset) {
  return make(__func__, [&](Arguments in) {
    return as_strided(in.tensor(x, "x"), in.shape(sizes, n, "sizes"),
                      in.shape(strides, n_strides, "strides"),
                      storage_offset == -1 ? std::nullopt : std::optional<int64_t>(storage_offset));
  });
}

ag_tensor* ag_view_dtype(const ag_tensor* x, ag_dtype dtype) {
  return make(__func__,
              [&](Arguments in) { return view_dtype(in.tensor(x, "x"), in.dtype(dtype)); });
}

ag_tensor* ag_atleast_1d(const ag_tensor* x) {
  return make(__func__, [&](Arguments in) { return atleast_1d(in.tensor(x, "x")); });
}

ag_tensor* ag_atleast_2d(const ag_tensor* x) {
  return make(__func__, [&](Arguments in) { return atleast_2d(in.tensor(x, "x")); });
}

ag_tensor* ag_atleast_3d(const ag_tensor* x) {
  return make(__func__, [&](Arguments in) { return atleast_3d(in.tensor(x, "x")); });
}

// ---- parts

ag_tensor* ag_select(const ag_tensor* x, int64_t dim, int64_t index) {
  return make(__func__, [&](Arguments in) { return select(in.tensor(x, "x"), dim, index); });
}

ag_tensor* ag_slice(const ag_tensor* x, int64_t dim, int64_t start, int64_t end, int64_t step) {
  return make(__func__,
              [&](Arguments in) { return slice(in.tensor(x, "x"), dim, start, end, step); });
}

// ---- copies and sharing

ag_tensor* ag_contiguous(const ag_tensor* x) {
  return make(__func__, [&](Arguments in) { return contiguous(in.tensor(x, "x")); });
}

ag_tensor* ag_clone(const ag_tensor* x) {
  return make(__func__, [&](Arguments in) { return clone(in.tensor(x, "x")); });
}

ag_tensor* ag_detach(const ag_tensor* x) {
  return make(__func__, [&](Arguments in) { return in.tensor(x, "x")->detach(); });
}
