// C functions that make tensors out of numbers.
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

namespace {

Scalar number_in(const Tensor& t) {
  if (is_floating(t.dtype())) return Scalar(t.item());
  if (t.dtype() == DType::kBool) return Scalar(t.item_int() != 0);
  return Scalar(static_cast<long long>(t.item_int()));
}

}  // namespace

ag_tensor* ag_scalar_double(double value) {
  return make(__func__, [&](Arguments) { return scalar(value); });
}

ag_tensor* ag_scalar_int(int64_t value) {
  return make(__func__, [&](Arguments) { return scalar(static_cast<long long>(value)); });
}

ag_tensor* ag_scalar_bool(int32_t value) {
  return make(__func__, [&](Arguments) { return scalar(value != 0); });
}

ag_tensor* ag_empty(const int64_t* sizes, int64_t ndim, ag_dtype dtype) {
  return make(__func__,
              [&](Arguments in) { return empty(in.shape(sizes, ndim, "sizes"), in.dtype(dtype)); });
}

ag_tensor* ag_zeros(const int64_t* sizes, int64_t ndim, ag_dtype dtype) {
  return make(__func__,
              [&](Arguments in) { return zeros(in.shape(sizes, ndim, "sizes"), in.dtype(dtype)); });
}

ag_tensor* ag_ones(const int64_t* sizes, int64_t ndim, ag_dtype dtype) {
  return make(__func__,
              [&](Arguments in) { return ones(in.shape(sizes, ndim, "sizes"), in.dtype(dtype)); });
}

ag_tensor* ag_full(const int64_t* sizes, int64_t ndim, const ag_tensor* value, ag_dtype dtype) {
  return make(__func__, [&](Arguments in) {
    return full(in.shape(sizes, ndim, "sizes"), number_in(in.tensor(value, "value")),
                in.dtype(dtype));
  });
}

ag_tensor* ag_empty_like(const ag_tensor* t, ag_dtype dtype) {
  return make(__func__, [&](Arguments in) {
    Borrowed like = in.tensor(t, "t");
    return vmap_like(empty(like->sizes(), in.dtype(dtype)), like);
  });
}

ag_tensor* ag_zeros_like(const ag_tensor* t, ag_dtype dtype) {
  return make(__func__, [&](Arguments in) {
    Borrowed like = in.tensor(t, "t");
    return vmap_like(zeros(like->sizes(), in.dtype(dtype)), like);
  });
}

ag_tensor* ag_ones_like(const ag_tensor* t, ag_dtype dtype) {
  return make(__func__, [&](Arguments in) {
    Borrowed like = in.tensor(t, "t");
    return vmap_like(ones(like->sizes(), in.dtype(dtype)), like);
  });
}

ag_tensor* ag_arange(double start, double end, double step, ag_dtype dtype) {
  return make(__func__, [&](Arguments in) { return arange(start, end, step, in.dtype(dtype)); });
}

ag_tensor* ag_linspace(double start, double end, int64_t steps, ag_dtype dtype) {
  return make(__func__, [&](Arguments in) { return linspace(start, end, steps, in.dtype(dtype)); });
}

ag_tensor* ag_cosine_window(int64_t n, int32_t periodic, double a, double b, double c,
                            ag_dtype dtype) {
  return make(__func__, [&](Arguments in) {
    return cosine_window(n, periodic != 0, a, b, c, in.dtype(dtype));
  });
}

ag_tensor* ag_bartlett_window(int64_t n, int32_t periodic, ag_dtype dtype) {
  return make(__func__,
              [&](Arguments in) { return bartlett_window(n, periodic != 0, in.dtype(dtype)); });
}

ag_tensor* ag_kaiser_window(int64_t n, int32_t periodic, double beta, ag_dtype dtype) {
  return make(__func__,
              [&](Arguments in) { return kaiser_window(n, periodic != 0, beta, in.dtype(dtype)); });
}

ag_tensor* ag_eye(int64_t n, int64_t m, ag_dtype dtype) {
  return make(__func__, [&](Arguments in) { return eye(n, m, in.dtype(dtype)); });
}

ag_tensor* ag_tril_indices(int64_t rows, int64_t columns, int64_t offset, ag_dtype dtype) {
  return make(__func__,
              [&](Arguments in) { return tril_indices(rows, columns, offset, in.dtype(dtype)); });
}

ag_tensor* ag_triu_indices(int64_t rows, int64_t columns, int64_t offset, ag_dtype dtype) {
  return make(__func__,
              [&](Arguments in) { return triu_indices(rows, columns, offset, in.dtype(dtype)); });
}

ag_tensor* ag_rand(const int64_t* sizes, int64_t ndim, ag_dtype dtype) {
  return make(__func__,
              [&](Arguments in) { return rand(in.shape(sizes, ndim, "sizes"), in.dtype(dtype)); });
}

ag_tensor* ag_randn(const int64_t* sizes, int64_t ndim, ag_dtype dtype) {
  return make(__func__,
              [&](Arguments in) { return randn(in.shape(sizes, ndim, "sizes"), in.dtype(dtype)); });
}

ag_tensor* ag_randint(int64_t low, int64_t high, const int64_t* sizes, int64_t ndim,
                      ag_dtype dtype) {
  return make(__func__, [&](Arguments in) {
    return randint(low, high, in.shape(sizes, ndim, "sizes"), in.dtype(dtype));
  });
}

ag_tensor* ag_randperm(int64_t n) {
  return make(__func__, [&](Arguments) { return randperm(n); });
}
