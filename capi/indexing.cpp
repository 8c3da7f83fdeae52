// C functions that index, gather and scatter.
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

namespace {

constexpr int64_t kNumbersPerItem = 4;

std::vector<Index> index_items(Arguments in, const int64_t* items, int64_t n, int64_t n_tensors) {
  in.array(items, n, "items");
  // Every dim read, every dim added, one ellipsis: longer lists cannot be right, and are not read.
  if (n > 2 * kMaxDims + 1)
    throw Error(ErrorCode::kIndex, "too many indices: got " + std::to_string(n));
  std::vector<Index> list;
  list.reserve(static_cast<size_t>(n));
  for (const int64_t* item = items; item != items + n * kNumbersPerItem; item += kNumbersPerItem) {
    if (item[0] < AG_INDEX_INT || item[0] > AG_INDEX_BOOL) in.reject("items", item[0]);
    if (item[0] == AG_INDEX_TENSOR && (item[1] < 0 || item[1] >= n_tensors))
      in.reject("items", item[1]);
    list.push_back({static_cast<Index::Kind>(item[0]), item[1], item[2], item[3]});
  }
  return list;
}

ScatterReduce reduction(Arguments in, const ag_scatter_reduction& value) {
  int32_t number;
  std::memcpy(&number, &value, sizeof(number));
  if (number < 0 || number > static_cast<int32_t>(ScatterReduce::kAmin))
    in.reject("reduce", number);
  return static_cast<ScatterReduce>(number);
}

// The number that a one-element tensor holds, exactly.
Scalar number_of(const Tensor& t) {
  if (is_floating(t.dtype())) return t.item();
  return static_cast<long long>(t.item_int());
}

}  // namespace

// ---- items

ag_tensor* ag_index(const ag_tensor* x, const int64_t* items, int64_t n) {
  return make(__func__,
              [&](Arguments in) { return index(in.tensor(x, "x"), index_items(in, items, n, 0)); });
}

ag_tensor* ag_index_tensors(const ag_tensor* x, const int64_t* items, int64_t n,
                            const ag_tensor* const* tensors, int64_t n_tensors) {
  return make(__func__, [&](Arguments in) {
    return index_tensors(in.tensor(x, "x"), index_items(in, items, n, n_tensors),
                         in.tensors(tensors, n_tensors, "tensors"));
  });
}

ag_status ag_index_assign_(ag_tensor* self, const int64_t* items, int64_t n,
                           const ag_tensor* const* tensors, int64_t n_tensors,
                           const ag_tensor* value) {
  return run(__func__, [&](Arguments in) {
    index_assign_(in.tensor(self, "self"), index_items(in, items, n, n_tensors),
                  in.tensors(tensors, n_tensors, "tensors"), in.tensor(value, "value"));
  });
}

ag_tensor* ag_index_put(const ag_tensor* x, const ag_tensor* const* indices, int64_t n,
                        const ag_tensor* values, int32_t accumulate) {
  return make(__func__, [&](Arguments in) {
    return index_put(in.tensor(x, "x"), in.tensors(indices, n, "indices"),
                     in.tensor(values, "values"), accumulate != 0);
  });
}

ag_status ag_index_put_(ag_tensor* self, const ag_tensor* const* indices, int64_t n,
                        const ag_tensor* values, int32_t accumulate) {
  return run(__func__, [&](Arguments in) {
    index_put_(in.tensor(self, "self"), in.tensors(indices, n, "indices"),
               in.tensor(values, "values"), accumulate != 0);
  });
}

// ---- slices by number

ag_tensor* ag_index_select(const ag_tensor* x, int64_t dim, const ag_tensor* index) {
  return make(__func__, [&](Arguments in) {
    return index_select(in.tensor(x, "x"), dim, in.tensor(index, "index"));
  });
}

ag_tensor* ag_index_add(const ag_tensor* x, int64_t dim, const ag_tensor* index,
                        const ag_tensor* source, const ag_tensor* alpha) {
  return make(__func__, [&](Arguments in) {
    return index_add(in.tensor(x, "x"), dim, in.tensor(index, "index"), in.tensor(source, "source"),
                     number_of(in.tensor(alpha, "alpha")));
  });
}

ag_status ag_index_add_(ag_tensor* self, int64_t dim, const ag_tensor* index,
                        const ag_tensor* source, const ag_tensor* alpha) {
  return run(__func__, [&](Arguments in) {
    index_add_(in.tensor(self, "self"), dim, in.tensor(index, "index"), in.tensor(source, "source"),
               number_of(in.tensor(alpha, "alpha")));
  });
}

ag_tensor* ag_index_copy(const ag_tensor* x, int64_t dim, const ag_tensor* index,
                         const ag_tensor* source) {
  return make(__func__, [&](Arguments in) {
    return index_copy(in.tensor(x, "x"), dim, in.tensor(index, "index"),
                      in.tensor(source, "source"));
  });
}

ag_status ag_index_copy_(ag_tensor* self, int64_t dim, const ag_tensor* index,
                         const ag_tensor* source) {
  return run(__func__, [&](Arguments in) {
    index_copy_(in.tensor(self, "self"), dim, in.tensor(index, "index"),
                in.tensor(source, "source"));
  });
}

ag_tensor* ag_index_reduce(const ag_tensor* x, int64_t dim, const ag_tensor* index,
                           const ag_tensor* source, ag_scatter_reduction reduce,
                           int32_t include_self) {
  return make(__func__, [&](Arguments in) {
    return index_reduce(in.tensor(x, "x"), dim, in.tensor(index, "index"),
                        in.tensor(source, "source"), reduction(in, reduce), include_self != 0);
  });
}

ag_status ag_index_reduce_(ag_tensor* self, int64_t dim, const ag_tensor* index,
                           const ag_tensor* source, ag_scatter_reduction reduce,
                           int32_t include_self) {
  return run(__func__, [&](Arguments in) {
    index_reduce_(in.tensor(self, "self"), dim, in.tensor(index, "index"),
                  in.tensor(source, "source"), reduction(in, reduce), include_self != 0);
  });
}

ag_tensor* ag_select_scatter(const ag_tensor* x, const ag_tensor* src, int64_t dim, int64_t index) {
  return make(__func__, [&](Arguments in) {
    return select_scatter(in.tensor(x, "x"), in.tensor(src, "src"), dim, index);
  });
}

ag_tensor* ag_slice_scatter(const ag_tensor* x, const ag_tensor* src, int64_t dim, int64_t start,
                            int64_t end, int64_t step) {
  return make(__func__, [&](Arguments in) {
    return slice_scatter(in.tensor(x, "x"), in.tensor(src, "src"), dim, start, end, step);
  });
}

ag_tensor* ag_diagonal_scatter(const ag_tensor* x, const ag_tensor* src, int64_t offset,
                               int64_t dim1, int64_t dim2) {
  return make(__func__, [&](Arguments in) {
    return diagonal_scatter(in.tensor(x, "x"), in.tensor(src, "src"), offset, dim1, dim2);
  });
}

ag_tensor* ag_index_fill(const ag_tensor* x, int64_t dim, const ag_tensor* index,
                         const ag_tensor* value) {
  return make(__func__, [&](Arguments in) {
    return index_fill(in.tensor(x, "x"), dim, in.tensor(index, "index"), in.tensor(value, "value"));
  });
}

ag_status ag_index_fill_(ag_tensor* self, int64_t dim, const ag_tensor* index,
                         const ag_tensor* value) {
  return run(__func__, [&](Arguments in) {
    index_fill_(in.tensor(self, "self"), dim, in.tensor(index, "index"), in.tensor(value, "value"));
  });
}

ag_tensor* ag_take(const ag_tensor* x, const ag_tensor* index) {
  return make(__func__,
              [&](Arguments in) { return take(in.tensor(x, "x"), in.tensor(index, "index")); });
}

ag_tensor* ag_put(const ag_tensor* x, const ag_tensor* index, const ag_tensor* source,
                  int32_t accumulate) {
  return make(__func__, [&](Arguments in) {
    return put(in.tensor(x, "x"), in.tensor(index, "index"), in.tensor(source, "source"),
               accumulate != 0);
  });
}

ag_status ag_put_(ag_tensor* self, const ag_tensor* index, const ag_tensor* source,
                  int32_t accumulate) {
  return run(__func__, [&](Arguments in) {
    put_(in.tensor(self, "self"), in.tensor(index, "index"), in.tensor(source, "source"),
         accumulate != 0);
  });
}

// ---- masks

ag_tensor* ag_nonzero(const ag_tensor* x) {
  return make(__func__, [&](Arguments in) { return nonzero(in.tensor(x, "x")); });
}

ag_tensor* ag_masked_fill(const ag_tensor* x, const ag_tensor* mask, const ag_tensor* value) {
  return make(__func__, [&](Arguments in) {
    return masked_fill(in.tensor(x, "x"), in.tensor(mask, "mask"), in.tensor(value, "value"));
  });
}

ag_status ag_masked_fill_(ag_tensor* self, const ag_tensor* mask, const ag_tensor* value) {
  return run(__func__, [&](Arguments in) {
    masked_fill_(in.tensor(self, "self"), in.tensor(mask, "mask"), in.tensor(value, "value"));
  });
}

ag_tensor* ag_masked_select(const ag_tensor* x, const ag_tensor* mask) {
  return make(__func__, [&](Arguments in) {
    return masked_select(in.tensor(x, "x"), in.tensor(mask, "mask"));
  });
}

ag_tensor* ag_masked_scatter(const ag_tensor* x, const ag_tensor* mask, const ag_tensor* source) {
  return make(__func__, [&](Arguments in) {
    return masked_scatter(in.tensor(x, "x"), in.tensor(mask, "mask"), in.tensor(source, "source"));
  });
}

ag_status ag_masked_scatter_(ag_tensor* self, const ag_tensor* mask, const ag_tensor* source) {
  return run(__func__, [&](Arguments in) {
    masked_scatter_(in.tensor(self, "self"), in.tensor(mask, "mask"), in.tensor(source, "source"));
  });
}

// ---- gather and scatter

ag_tensor* ag_gather(const ag_tensor* x, int64_t dim, const ag_tensor* index) {
  return make(__func__, [&](Arguments in) {
    return gather(in.tensor(x, "x"), dim, in.tensor(index, "index"));
  });
}

ag_tensor* ag_take_along_dim(const ag_tensor* x, const ag_tensor* indices, const int64_t* dims,
                             int64_t ndims) {
  return make(__func__, [&](Arguments in) {
    in.array(dims, ndims, "dims");
    if (ndims > 1) in.reject("ndims", ndims);
    return take_along_dim(in.tensor(x, "x"), in.tensor(indices, "indices"),
                          ndims ? std::optional(dims[0]) : std::nullopt);
  });
}

ag_tensor* ag_scatter(const ag_tensor* x, int64_t dim, const ag_tensor* index,
                      const ag_tensor* src) {
  return make(__func__, [&](Arguments in) {
    return scatter(in.tensor(x, "x"), dim, in.tensor(index, "index"), in.tensor(src, "src"));
  });
}

ag_status ag_scatter_(ag_tensor* self, int64_t dim, const ag_tensor* index, const ag_tensor* src) {
  return run(__func__, [&](Arguments in) {
    scatter_(in.tensor(self, "self"), dim, in.tensor(index, "index"), in.tensor(src, "src"));
  });
}

ag_tensor* ag_scatter_add(const ag_tensor* x, int64_t dim, const ag_tensor* index,
                          const ag_tensor* src) {
  return make(__func__, [&](Arguments in) {
    return scatter_add(in.tensor(x, "x"), dim, in.tensor(index, "index"), in.tensor(src, "src"));
  });
}

ag_status ag_scatter_add_(ag_tensor* self, int64_t dim, const ag_tensor* index,
                          const ag_tensor* src) {
  return run(__func__, [&](Arguments in) {
    scatter_add_(in.tensor(self, "self"), dim, in.tensor(index, "index"), in.tensor(src, "src"));
  });
}

ag_tensor* ag_scatter_reduce(const ag_tensor* x, int64_t dim, const ag_tensor* index,
                             const ag_tensor* src, ag_scatter_reduction reduce,
                             int32_t include_self) {
  return make(__func__, [&](Arguments in) {
    return scatter_reduce(in.tensor(x, "x"), dim, in.tensor(index, "index"), in.tensor(src, "src"),
                          reduction(in, reduce), include_self != 0);
  });
}

ag_status ag_scatter_reduce_(ag_tensor* self, int64_t dim, const ag_tensor* index,
                             const ag_tensor* src, ag_scatter_reduction reduce,
                             int32_t include_self) {
  return run(__func__, [&](Arguments in) {
    scatter_reduce_(in.tensor(self, "self"), dim, in.tensor(index, "index"), in.tensor(src, "src"),
                    reduction(in, reduce), include_self != 0);
  });
}

// ---- embeddings

ag_tensor* ag_embedding(const ag_tensor* weight, const ag_tensor* index, int64_t padding_idx,
                        int32_t scale_grad_by_freq) {
  return make(__func__, [&](Arguments in) {
    return embedding(in.tensor(weight, "weight"), in.tensor(index, "index"), padding_idx,
                     scale_grad_by_freq != 0);
  });
}

ag_tensor* ag_embedding_bag(const ag_tensor* weight, const ag_tensor* index,
                            const ag_tensor* offsets, ag_bag_mode mode,
                            const ag_tensor* per_sample_weights, int64_t padding_idx,
                            ag_bool scale_grad_by_freq, ag_bool include_last_offset) {
  return make(__func__, [&](Arguments in) {
    return embedding_bag(in.tensor(weight, "weight"), in.tensor(index, "index"),
                         *in.optional_tensor(offsets), in.bag_mode(mode),
                         *in.optional_tensor(per_sample_weights), padding_idx,
                         scale_grad_by_freq != 0, include_last_offset != 0);
  });
}

ag_status ag_embedding_renorm_(ag_tensor* weight, const ag_tensor* index, double max_norm,
                               double norm_type) {
  return run(__func__, [&](Arguments in) {
    embedding_renorm_(in.tensor(weight, "weight"), in.tensor(index, "index"), max_norm, norm_type);
  });
}

ag_tensor* ag_one_hot(const ag_tensor* index, int64_t num_classes) {
  return make(__func__,
              [&](Arguments in) { return one_hot(in.tensor(index, "index"), num_classes); });
}
