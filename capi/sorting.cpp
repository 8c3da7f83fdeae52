// C functions that sort and search.
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

namespace {

template <class Op>
ag_status write_pair(const char* function, ag_tensor** values, ag_tensor** indices, const Op& op) {
  return run(function,
             [&](Arguments in) { capi::write_pair(in, values, indices, [&] { return op(in); }); });
}

// Writes the values and whatever else is asked for with a pointer that is not NULL.
template <class All, class Along>
ag_status write_unique(const char* function, const ag_tensor* x, const int64_t* dims, int64_t ndims,
                       ag_tensor** values, ag_tensor** inverse, ag_tensor** counts, const All& all,
                       const Along& along) {
  return run(function, [&](Arguments in) {
    in.array(dims, ndims, "dims");
    if (ndims > 1) in.reject("ndims", ndims);
    in.pointer(values, "values");
    Unique found = ndims ? along(in.tensor(x, "x"), dims[0]) : all(in.tensor(x, "x"));
    *values = to_handle(std::move(found.values));
    if (inverse) *inverse = to_handle(std::move(found.inverse));
    if (counts) *counts = to_handle(std::move(found.counts));
  });
}

}  // namespace

ag_status ag_sort(const ag_tensor* x, int64_t dim, int32_t descending, ag_tensor** values,
                  ag_tensor** indices) {
  return write_pair(__func__, values, indices,
                    [&](Arguments in) { return sort(in.tensor(x, "x"), dim, descending != 0); });
}

ag_tensor* ag_argsort(const ag_tensor* x, int64_t dim, int32_t descending) {
  return make(__func__,
              [&](Arguments in) { return argsort(in.tensor(x, "x"), dim, descending != 0); });
}

ag_status ag_topk(const ag_tensor* x, int64_t k, int64_t dim, int32_t largest, ag_tensor** values,
                  ag_tensor** indices) {
  return write_pair(__func__, values, indices,
                    [&](Arguments in) { return topk(in.tensor(x, "x"), k, dim, largest != 0); });
}

ag_status ag_kthvalue(const ag_tensor* x, int64_t k, int64_t dim, int32_t keepdim,
                      ag_tensor** values, ag_tensor** indices) {
  return write_pair(__func__, values, indices, [&](Arguments in) {
    return kthvalue(in.tensor(x, "x"), k, dim, keepdim != 0);
  });
}

ag_status ag_unique(const ag_tensor* x, const int64_t* dims, int64_t ndims, ag_tensor** values,
                    ag_tensor** inverse, ag_tensor** counts) {
  return write_unique(
      __func__, x, dims, ndims, values, inverse, counts, [](const Tensor& t) { return unique(t); },
      [](const Tensor& t, int64_t dim) { return unique_dim(t, dim); });
}

ag_status ag_unique_consecutive(const ag_tensor* x, const int64_t* dims, int64_t ndims,
                                ag_tensor** values, ag_tensor** inverse, ag_tensor** counts) {
  return write_unique(
      __func__, x, dims, ndims, values, inverse, counts,
      [](const Tensor& t) { return unique_consecutive(t); },
      [](const Tensor& t, int64_t dim) { return unique_consecutive_dim(t, dim); });
}

ag_tensor* ag_searchsorted(const ag_tensor* sorted, const ag_tensor* values, int32_t right,
                           const ag_tensor* sorter) {
  return make(__func__, [&](Arguments in) {
    return searchsorted(in.tensor(sorted, "sorted"), in.tensor(values, "values"), right != 0,
                        in.optional_tensor(sorter));
  });
}

ag_tensor* ag_histc(const ag_tensor* x, int64_t bins, double low, double high) {
  return make(__func__, [&](Arguments in) { return histc(in.tensor(x, "x"), bins, low, high); });
}

ag_tensor* ag_histogram(const ag_tensor* x, const ag_tensor* edges, const ag_tensor* weight,
                        int32_t density) {
  return make(__func__, [&](Arguments in) {
    return histogram(in.tensor(x, "x"), in.tensor(edges, "edges"), *in.optional_tensor(weight),
                     density != 0);
  });
}

ag_tensor* ag_isin(const ag_tensor* elements, const ag_tensor* test_elements, int32_t invert) {
  return make(__func__, [&](Arguments in) {
    return isin(in.tensor(elements, "elements"), in.tensor(test_elements, "test_elements"),
                invert != 0);
  });
}
