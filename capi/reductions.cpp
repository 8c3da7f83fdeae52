// C functions of the reductions.
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

namespace {

// -1 stands for the op's own choice.
std::optional<DType> optional_dtype(Arguments in, int32_t dtype) {
  if (dtype == -1) return std::nullopt;
  if (dtype < 0 || dtype >= kDTypeCount) in.reject("dtype", dtype);
  return static_cast<DType>(dtype);
}

std::optional<int64_t> optional_dim(Arguments in, const int64_t* dims, int64_t ndims) {
  in.array(dims, ndims, "dims");
  if (ndims > 1) in.reject("ndims", ndims);
  return ndims ? std::optional(dims[0]) : std::nullopt;
}

// For max and min along a dim: writes both results, or none.
template <class Op>
void write_pair(Arguments in, ag_tensor** values, ag_tensor** indices, Op op) {
  in.pointer(values, "values");
  in.pointer(indices, "indices");
  std::pair<Tensor, Tensor> results = op();
  *values = to_handle(std::move(results.first));
  *indices = to_handle(std::move(results.second));
}

}  // namespace

ag_tensor* ag_sum(const ag_tensor* x, const int64_t* dims, int64_t ndims, int32_t keepdim,
                  int32_t dtype) {
  return make(__func__, [&](Arguments in) {
    return sum(in.tensor(x, "x"), in.shape(dims, ndims, "dims"), keepdim != 0,
               optional_dtype(in, dtype));
  });
}

ag_tensor* ag_mean(const ag_tensor* x, const int64_t* dims, int64_t ndims, int32_t keepdim,
                   int32_t dtype) {
  return make(__func__, [&](Arguments in) {
    return mean(in.tensor(x, "x"), in.shape(dims, ndims, "dims"), keepdim != 0,
                optional_dtype(in, dtype));
  });
}

ag_tensor* ag_var(const ag_tensor* x, const int64_t* dims, int64_t ndims, double correction,
                  int32_t keepdim) {
  return make(__func__, [&](Arguments in) {
    return var(in.tensor(x, "x"), in.shape(dims, ndims, "dims"), correction, keepdim != 0);
  });
}

ag_tensor* ag_amax(const ag_tensor* x, const int64_t* dims, int64_t ndims, int32_t keepdim) {
  return make(__func__, [&](Arguments in) {
    return amax(in.tensor(x, "x"), in.shape(dims, ndims, "dims"), keepdim != 0);
  });
}

ag_tensor* ag_amin(const ag_tensor* x, const int64_t* dims, int64_t ndims, int32_t keepdim) {
  return make(__func__, [&](Arguments in) {
    return amin(in.tensor(x, "x"), in.shape(dims, ndims, "dims"), keepdim != 0);
  });
}

ag_tensor* ag_max(const ag_tensor* x) {
  return make(__func__, [&](Arguments in) { return max(in.tensor(x, "x")); });
}

ag_tensor* ag_min(const ag_tensor* x) {
  return make(__func__, [&](Arguments in) { return min(in.tensor(x, "x")); });
}

ag_status ag_max_dim(const ag_tensor* x, int64_t dim, int32_t keepdim, ag_tensor** values,
                     ag_tensor** indices) {
  return run(__func__, [&](Arguments in) {
    write_pair(in, values, indices, [&] { return max(in.tensor(x, "x"), dim, keepdim != 0); });
  });
}

ag_status ag_min_dim(const ag_tensor* x, int64_t dim, int32_t keepdim, ag_tensor** values,
                     ag_tensor** indices) {
  return run(__func__, [&](Arguments in) {
    write_pair(in, values, indices, [&] { return min(in.tensor(x, "x"), dim, keepdim != 0); });
  });
}

ag_tensor* ag_argmax(const ag_tensor* x, const int64_t* dims, int64_t ndims, int32_t keepdim) {
  return make(__func__, [&](Arguments in) {
    return argmax(in.tensor(x, "x"), optional_dim(in, dims, ndims), keepdim != 0);
  });
}

ag_tensor* ag_argmin(const ag_tensor* x, const int64_t* dims, int64_t ndims, int32_t keepdim) {
  return make(__func__, [&](Arguments in) {
    return argmin(in.tensor(x, "x"), optional_dim(in, dims, ndims), keepdim != 0);
  });
}
