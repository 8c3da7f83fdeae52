// C functions that give views and copies of one tensor.
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

namespace {

constexpr int64_t kNumbersPerItem = 4;

std::vector<Index> index_items(Arguments in, const int64_t* items, int64_t n) {
  in.array(items, n, "items");
  // Every dim read, every dim added, one ellipsis: longer lists cannot be right, and are not read.
  if (n > 2 * kMaxDims + 1)
    throw Error(ErrorCode::kIndex, "too many indices: got " + std::to_string(n));
  std::vector<Index> list;
  list.reserve(static_cast<size_t>(n));
  for (const int64_t* item = items; item != items + n * kNumbersPerItem; item += kNumbersPerItem) {
    if (item[0] < AG_INDEX_INT || item[0] > AG_INDEX_ELLIPSIS) in.reject("items", item[0]);
    list.push_back({static_cast<Index::Kind>(item[0]), item[1], item[2], item[3]});
  }
  return list;
}

}  // namespace

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

ag_tensor* ag_atleast_1d(const ag_tensor* x) {
  return make(__func__, [&](Arguments in) { return atleast_1d(in.tensor(x, "x")); });
}

ag_tensor* ag_atleast_2d(const ag_tensor* x) {
  return make(__func__, [&](Arguments in) { return atleast_2d(in.tensor(x, "x")); });
}

ag_tensor* ag_atleast_3d(const ag_tensor* x) {
  return make(__func__, [&](Arguments in) { return atleast_3d(in.tensor(x, "x")); });
}

// ---- indexing

ag_tensor* ag_select(const ag_tensor* x, int64_t dim, int64_t index) {
  return make(__func__, [&](Arguments in) { return select(in.tensor(x, "x"), dim, index); });
}

ag_tensor* ag_slice(const ag_tensor* x, int64_t dim, int64_t start, int64_t end, int64_t step) {
  return make(__func__,
              [&](Arguments in) { return slice(in.tensor(x, "x"), dim, start, end, step); });
}

ag_tensor* ag_index(const ag_tensor* x, const int64_t* items, int64_t n) {
  return make(__func__,
              [&](Arguments in) { return index(in.tensor(x, "x"), index_items(in, items, n)); });
}

ag_status ag_index_put_(ag_tensor* self, const int64_t* items, int64_t n, const ag_tensor* src) {
  return run(__func__, [&](Arguments in) {
    index_put_(in.tensor(self, "self"), index_items(in, items, n), in.tensor(src, "src"));
  });
}

ag_tensor* ag_index_select(const ag_tensor* x, int64_t dim, const ag_tensor* index) {
  return make(__func__, [&](Arguments in) {
    return index_select(in.tensor(x, "x"), dim, in.tensor(index, "index"));
  });
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
