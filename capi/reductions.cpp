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

// ---- products, deviations, norms

ag_tensor* ag_prod(const ag_tensor* x, const int64_t* dims, int64_t ndims, int32_t keepdim,
                   int32_t dtype) {
  return make(__func__, [&](Arguments in) {
    return prod(in.tensor(x, "x"), optional_dim(in, dims, ndims), keepdim != 0,
                optional_dtype(in, dtype));
  });
}

ag_tensor* ag_std(const ag_tensor* x, const int64_t* dims, int64_t ndims, double correction,
                  int32_t keepdim) {
  return make(__func__, [&](Arguments in) {
    return autograd::std(in.tensor(x, "x"), in.shape(dims, ndims, "dims"), correction,
                         keepdim != 0);
  });
}

ag_status ag_var_mean(const ag_tensor* x, const int64_t* dims, int64_t ndims, double correction,
                      int32_t keepdim, ag_tensor** var, ag_tensor** mean) {
  return run(__func__, [&](Arguments in) {
    write_pair(in, var, mean, [&] {
      return var_mean(in.tensor(x, "x"), in.shape(dims, ndims, "dims"), correction, keepdim != 0);
    });
  });
}

ag_status ag_std_mean(const ag_tensor* x, const int64_t* dims, int64_t ndims, double correction,
                      int32_t keepdim, ag_tensor** std, ag_tensor** mean) {
  return run(__func__, [&](Arguments in) {
    write_pair(in, std, mean, [&] {
      return std_mean(in.tensor(x, "x"), in.shape(dims, ndims, "dims"), correction, keepdim != 0);
    });
  });
}

ag_tensor* ag_logsumexp(const ag_tensor* x, const int64_t* dims, int64_t ndims, int32_t keepdim) {
  return make(__func__, [&](Arguments in) {
    return logsumexp(in.tensor(x, "x"), in.shape(dims, ndims, "dims"), keepdim != 0);
  });
}

ag_tensor* ag_vector_norm(const ag_tensor* x, double ord, const int64_t* dims, int64_t ndims,
                          int32_t keepdim, int32_t dtype) {
  return make(__func__, [&](Arguments in) {
    return vector_norm(in.tensor(x, "x"), ord, in.shape(dims, ndims, "dims"), keepdim != 0,
                       optional_dtype(in, dtype));
  });
}

ag_tensor* ag_renorm(const ag_tensor* x, double p, int64_t dim, double maxnorm) {
  return make(__func__, [&](Arguments in) { return renorm(in.tensor(x, "x"), p, dim, maxnorm); });
}

ag_status ag_renorm_(ag_tensor* self, double p, int64_t dim, double maxnorm) {
  return run(__func__, [&](Arguments in) { renorm_(in.tensor(self, "self"), p, dim, maxnorm); });
}

// ---- truth and counts

ag_tensor* ag_any(const ag_tensor* x, const int64_t* dims, int64_t ndims, int32_t keepdim) {
  return make(__func__, [&](Arguments in) {
    return any(in.tensor(x, "x"), in.shape(dims, ndims, "dims"), keepdim != 0);
  });
}

ag_tensor* ag_all(const ag_tensor* x, const int64_t* dims, int64_t ndims, int32_t keepdim) {
  return make(__func__, [&](Arguments in) {
    return all(in.tensor(x, "x"), in.shape(dims, ndims, "dims"), keepdim != 0);
  });
}

ag_tensor* ag_count_nonzero(const ag_tensor* x, const int64_t* dims, int64_t ndims) {
  return make(__func__, [&](Arguments in) {
    return count_nonzero(in.tensor(x, "x"), in.shape(dims, ndims, "dims"));
  });
}

ag_tensor* ag_nansum(const ag_tensor* x, const int64_t* dims, int64_t ndims, int32_t keepdim,
                     int32_t dtype) {
  return make(__func__, [&](Arguments in) {
    return nansum(in.tensor(x, "x"), in.shape(dims, ndims, "dims"), keepdim != 0,
                  optional_dtype(in, dtype));
  });
}

ag_tensor* ag_nanmean(const ag_tensor* x, const int64_t* dims, int64_t ndims, int32_t keepdim,
                      int32_t dtype) {
  return make(__func__, [&](Arguments in) {
    return nanmean(in.tensor(x, "x"), in.shape(dims, ndims, "dims"), keepdim != 0,
                   optional_dtype(in, dtype));
  });
}

ag_tensor* ag_bincount(const ag_tensor* x, const ag_tensor* weights, int64_t minlength) {
  return make(__func__, [&](Arguments in) {
    return bincount(in.tensor(x, "x"), in.optional_tensor(weights), minlength);
  });
}

// ---- extremes and medians

ag_status ag_aminmax(const ag_tensor* x, const int64_t* dims, int64_t ndims, int32_t keepdim,
                     ag_tensor** min, ag_tensor** max) {
  return run(__func__, [&](Arguments in) {
    write_pair(in, min, max, [&] {
      return aminmax(in.tensor(x, "x"), optional_dim(in, dims, ndims), keepdim != 0);
    });
  });
}

ag_tensor* ag_quantile(const ag_tensor* x, const ag_tensor* q, const int64_t* dims, int64_t ndims,
                       int32_t keepdim, ag_quantile_interpolation mode) {
  return make(__func__, [&](Arguments in) {
    return quantile(in.tensor(x, "x"), in.tensor(q, "q"), optional_dim(in, dims, ndims),
                    keepdim != 0, in.quantile(mode));
  });
}

ag_tensor* ag_nanquantile(const ag_tensor* x, const ag_tensor* q, const int64_t* dims,
                          int64_t ndims, int32_t keepdim, ag_quantile_interpolation mode) {
  return make(__func__, [&](Arguments in) {
    return nanquantile(in.tensor(x, "x"), in.tensor(q, "q"), optional_dim(in, dims, ndims),
                       keepdim != 0, in.quantile(mode));
  });
}

ag_tensor* ag_median(const ag_tensor* x) {
  return make(__func__, [&](Arguments in) { return median(in.tensor(x, "x")); });
}

ag_tensor* ag_nanmedian(const ag_tensor* x) {
  return make(__func__, [&](Arguments in) { return nanmedian(in.tensor(x, "x")); });
}

ag_status ag_median_dim(const ag_tensor* x, int64_t dim, int32_t keepdim, ag_tensor** values,
                        ag_tensor** indices) {
  return run(__func__, [&](Arguments in) {
    write_pair(in, values, indices, [&] { return median(in.tensor(x, "x"), dim, keepdim != 0); });
  });
}

ag_status ag_nanmedian_dim(const ag_tensor* x, int64_t dim, int32_t keepdim, ag_tensor** values,
                           ag_tensor** indices) {
  return run(__func__, [&](Arguments in) {
    write_pair(in, values, indices,
               [&] { return nanmedian(in.tensor(x, "x"), dim, keepdim != 0); });
  });
}

ag_status ag_mode(const ag_tensor* x, int64_t dim, int32_t keepdim, ag_tensor** values,
                  ag_tensor** indices) {
  return run(__func__, [&](Arguments in) {
    write_pair(in, values, indices, [&] { return mode(in.tensor(x, "x"), dim, keepdim != 0); });
  });
}

// ---- scans

ag_tensor* ag_cumsum(const ag_tensor* x, int64_t dim, int32_t dtype) {
  return make(__func__, [&](Arguments in) {
    return cumsum(in.tensor(x, "x"), dim, optional_dtype(in, dtype));
  });
}

ag_tensor* ag_cumprod(const ag_tensor* x, int64_t dim, int32_t dtype) {
  return make(__func__, [&](Arguments in) {
    return cumprod(in.tensor(x, "x"), dim, optional_dtype(in, dtype));
  });
}

ag_status ag_cummax(const ag_tensor* x, int64_t dim, ag_tensor** values, ag_tensor** indices) {
  return run(__func__, [&](Arguments in) {
    write_pair(in, values, indices, [&] { return cummax(in.tensor(x, "x"), dim); });
  });
}

ag_status ag_cummin(const ag_tensor* x, int64_t dim, ag_tensor** values, ag_tensor** indices) {
  return run(__func__, [&](Arguments in) {
    write_pair(in, values, indices, [&] { return cummin(in.tensor(x, "x"), dim); });
  });
}

ag_tensor* ag_logcumsumexp(const ag_tensor* x, int64_t dim) {
  return make(__func__, [&](Arguments in) { return logcumsumexp(in.tensor(x, "x"), dim); });
}

ag_tensor* ag_diff(const ag_tensor* x, int64_t n, int64_t dim, const ag_tensor* prepend,
                   const ag_tensor* append) {
  return make(__func__, [&](Arguments in) {
    return diff(in.tensor(x, "x"), n, dim, in.optional_tensor(prepend), in.optional_tensor(append));
  });
}

ag_tensor* ag_trapezoid(const ag_tensor* y, const ag_tensor* x, double dx, int64_t dim) {
  return make(__func__, [&](Arguments in) {
    if (!x) return trapezoid(in.tensor(y, "y"), dx, dim);
    return trapezoid(in.tensor(y, "y"), in.tensor(x, "x"), dim);
  });
}
