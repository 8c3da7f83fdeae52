// C functions that join tensors, take them apart, and make grids of them.
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

ag_tensor* ag_cat(const ag_tensor* const* tensors, int64_t n, int64_t dim) {
  return make(__func__, [&](Arguments in) { return cat(in.tensors(tensors, n, "tensors"), dim); });
}

ag_tensor* ag_stack(const ag_tensor* const* tensors, int64_t n, int64_t dim) {
  return make(__func__,
              [&](Arguments in) { return stack(in.tensors(tensors, n, "tensors"), dim); });
}

ag_status ag_split(const ag_tensor* x, const int64_t* sizes, int64_t n, int64_t dim,
                   ag_tensor** out) {
  return run(__func__, [&](Arguments in) {
    in.array(out, n, "out");
    write_all(split(in.tensor(x, "x"), in.list(sizes, n, "sizes"), dim), out);
  });
}

ag_status ag_chunk(const ag_tensor* x, int64_t chunks, int64_t dim, ag_tensor** out,
                   int64_t* count) {
  return run(__func__, [&](Arguments in) {
    in.pointer(out, "out");
    in.array(out, chunks, "chunks");
    std::vector<Tensor> parts = chunk(in.tensor(x, "x"), chunks, dim);
    if (count) *count = static_cast<int64_t>(parts.size());
    write_all(std::move(parts), out);
  });
}

ag_tensor* ag_hstack(const ag_tensor* const* tensors, int64_t n) {
  return make(__func__, [&](Arguments in) { return hstack(in.tensors(tensors, n, "tensors")); });
}

ag_tensor* ag_vstack(const ag_tensor* const* tensors, int64_t n) {
  return make(__func__, [&](Arguments in) { return vstack(in.tensors(tensors, n, "tensors")); });
}

ag_tensor* ag_dstack(const ag_tensor* const* tensors, int64_t n) {
  return make(__func__, [&](Arguments in) { return dstack(in.tensors(tensors, n, "tensors")); });
}

ag_tensor* ag_column_stack(const ag_tensor* const* tensors, int64_t n) {
  return make(__func__,
              [&](Arguments in) { return column_stack(in.tensors(tensors, n, "tensors")); });
}

ag_tensor* ag_block_diag(const ag_tensor* const* tensors, int64_t n) {
  return make(__func__,
              [&](Arguments in) { return block_diag(in.tensors(tensors, n, "tensors")); });
}

ag_tensor* ag_cartesian_prod(const ag_tensor* const* tensors, int64_t n) {
  return make(__func__,
              [&](Arguments in) { return cartesian_prod(in.tensors(tensors, n, "tensors")); });
}

ag_status ag_unbind(const ag_tensor* x, int64_t dim, int64_t n, ag_tensor** out) {
  return run(__func__, [&](Arguments in) {
    in.array(out, n, "out");
    Borrowed tensor = in.tensor(x, "x");
    if (tensor->dim() && tensor->size(dim) != n) in.reject("n", n);
    std::vector<Tensor> parts = unbind(tensor, dim);
    write_all(std::move(parts), out);
  });
}

ag_status ag_tensor_split(const ag_tensor* x, const int64_t* indices, int64_t n, int64_t dim,
                          ag_tensor** out) {
  return run(__func__, [&](Arguments in) {
    in.pointer(out, "out");
    write_all(tensor_split(in.tensor(x, "x"), in.list(indices, n, "indices"), dim), out);
  });
}

ag_status ag_broadcast_tensors(const ag_tensor* const* tensors, int64_t n, ag_tensor** out) {
  return run(__func__, [&](Arguments in) {
    in.array(out, n, "out");
    write_all(broadcast_tensors(in.tensors(tensors, n, "tensors")), out);
  });
}

ag_status ag_meshgrid(const ag_tensor* const* tensors, int64_t n, int32_t xy, ag_tensor** out) {
  return run(__func__, [&](Arguments in) {
    in.array(out, n, "out");
    write_all(meshgrid(in.tensors(tensors, n, "tensors"), xy != 0), out);
  });
}
