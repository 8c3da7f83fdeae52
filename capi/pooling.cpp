// C functions of the poolings.
#include "guard.hpp"

using namespace autograd;
using capi::Arguments;

namespace {

/// What the functions of one number of spatial dims call.
struct Poolings {
  std::pair<Tensor, Tensor> (*max)(const Tensor&, const Shape&, const MaxPoolOptions&);
  Tensor (*mean)(const Tensor&, const Shape&, const AvgPoolOptions&);
  Tensor (*adaptive_mean)(const Tensor&, const Shape&);
  std::pair<Tensor, Tensor> (*adaptive_max)(const Tensor&, const Shape&);
};

constexpr Poolings kPoolings[] = {
    {max_pool1d_with_indices, avg_pool1d, adaptive_avg_pool1d, adaptive_max_pool1d_with_indices},
    {max_pool2d_with_indices, avg_pool2d, adaptive_avg_pool2d, adaptive_max_pool2d_with_indices},
    {max_pool3d_with_indices, avg_pool3d, adaptive_avg_pool3d, adaptive_max_pool3d_with_indices}};

void write(std::pair<Tensor, Tensor> pair, ag_tensor** values, ag_tensor** indices) {
  *values = capi::to_handle(std::move(pair.first));
  *indices = capi::to_handle(std::move(pair.second));
}

MaxPoolOptions max_options(const Arguments& in, const int64_t* stride, int64_t n_stride,
                           const int64_t* padding, int64_t n_padding, const int64_t* dilation,
                           int64_t n_dilation, int32_t ceil_mode) {
  MaxPoolOptions options;
  options.stride = in.shape(stride, n_stride, "stride");
  options.padding = in.shape(padding, n_padding, "padding");
  options.dilation = in.shape(dilation, n_dilation, "dilation");
  options.ceil_mode = ceil_mode != 0;
  return options;
}

}  // namespace

#define AG_POOL(n)                                                                                \
  ag_tensor* ag_max_pool##n##d(const ag_tensor* input, const int64_t* kernel, int64_t n_kernel,   \
                               const int64_t* stride, int64_t n_stride, const int64_t* padding,   \
                               int64_t n_padding, const int64_t* dilation, int64_t n_dilation,    \
                               int32_t ceil_mode) {                                               \
    return capi::make(__func__, [&](Arguments in) {                                               \
      return kPoolings[n - 1]                                                                     \
          .max(in.tensor(input, "input"), in.shape(kernel, n_kernel, "kernel_size"),              \
               max_options(in, stride, n_stride, padding, n_padding, dilation, n_dilation,        \
                           ceil_mode))                                                            \
          .first;                                                                                 \
    });                                                                                           \
  }                                                                                               \
  ag_status ag_max_pool##n##d_with_indices(                                                       \
      const ag_tensor* input, const int64_t* kernel, int64_t n_kernel, const int64_t* stride,     \
      int64_t n_stride, const int64_t* padding, int64_t n_padding, const int64_t* dilation,       \
      int64_t n_dilation, int32_t ceil_mode, ag_tensor** values, ag_tensor** indices) {           \
    return capi::run(__func__, [&](Arguments in) {                                                \
      in.pointer(values, "values");                                                               \
      in.pointer(indices, "indices");                                                             \
      write(kPoolings[n - 1].max(in.tensor(input, "input"),                                       \
                                 in.shape(kernel, n_kernel, "kernel_size"),                       \
                                 max_options(in, stride, n_stride, padding, n_padding, dilation,  \
                                             n_dilation, ceil_mode)),                             \
            values, indices);                                                                     \
    });                                                                                           \
  }                                                                                               \
  ag_tensor* ag_avg_pool##n##d(const ag_tensor* input, const int64_t* kernel, int64_t n_kernel,   \
                               const int64_t* stride, int64_t n_stride, const int64_t* padding,   \
                               int64_t n_padding, int32_t ceil_mode, int32_t count_include_pad,   \
                               const int64_t* divisor_override) {                                 \
    return capi::make(__func__, [&](Arguments in) {                                               \
      AvgPoolOptions options;                                                                     \
      options.stride = in.shape(stride, n_stride, "stride");                                      \
      options.padding = in.shape(padding, n_padding, "padding");                                  \
      options.ceil_mode = ceil_mode != 0;                                                         \
      options.count_include_pad = count_include_pad != 0;                                         \
      if (divisor_override) options.divisor_override = *divisor_override;                         \
      return kPoolings[n - 1].mean(in.tensor(input, "input"),                                     \
                                   in.shape(kernel, n_kernel, "kernel_size"), options);           \
    });                                                                                           \
  }                                                                                               \
  ag_tensor* ag_adaptive_avg_pool##n##d(const ag_tensor* input, const int64_t* output_size,       \
                                        int64_t n_output_size) {                                  \
    return capi::make(__func__, [&](Arguments in) {                                               \
      return kPoolings[n - 1].adaptive_mean(in.tensor(input, "input"),                            \
                                            in.shape(output_size, n_output_size, "output_size")); \
    });                                                                                           \
  }                                                                                               \
  ag_tensor* ag_adaptive_max_pool##n##d(const ag_tensor* input, const int64_t* output_size,       \
                                        int64_t n_output_size) {                                  \
    return capi::make(__func__, [&](Arguments in) {                                               \
      return kPoolings[n - 1]                                                                     \
          .adaptive_max(in.tensor(input, "input"),                                                \
                        in.shape(output_size, n_output_size, "output_size"))                      \
          .first;                                                                                 \
    });                                                                                           \
  }                                                                                               \
  ag_status ag_adaptive_max_pool##n##d_with_indices(                                              \
      const ag_tensor* input, const int64_t* output_size, int64_t n_output_size,                  \
      ag_tensor** values, ag_tensor** indices) {                                                  \
    return capi::run(__func__, [&](Arguments in) {                                                \
      in.pointer(values, "values");                                                               \
      in.pointer(indices, "indices");                                                             \
      write(kPoolings[n - 1].adaptive_max(in.tensor(input, "input"),                              \
                                          in.shape(output_size, n_output_size, "output_size")),   \
            values, indices);                                                                     \
    });                                                                                           \
  }

AG_POOL(1)
AG_POOL(2)
AG_POOL(3)

namespace {

Im2colOptions im2col_options(const Arguments& in, const int64_t* dilation, int64_t n_dilation,
                             const int64_t* padding, int64_t n_padding, const int64_t* stride,
                             int64_t n_stride) {
  return {in.shape(dilation, n_dilation, "dilation"), in.shape(padding, n_padding, "padding"),
          in.shape(stride, n_stride, "stride")};
}

}  // namespace

ag_tensor* ag_im2col(const ag_tensor* input, const int64_t* kernel, int64_t n_kernel,
                     const int64_t* dilation, int64_t n_dilation, const int64_t* padding,
                     int64_t n_padding, const int64_t* stride, int64_t n_stride) {
  return capi::make(__func__, [&](Arguments in) {
    return im2col(in.tensor(input, "input"), in.shape(kernel, n_kernel, "kernel_size"),
                  im2col_options(in, dilation, n_dilation, padding, n_padding, stride, n_stride));
  });
}

ag_tensor* ag_col2im(const ag_tensor* input, const int64_t* output_size, int64_t n_output_size,
                     const int64_t* kernel, int64_t n_kernel, const int64_t* dilation,
                     int64_t n_dilation, const int64_t* padding, int64_t n_padding,
                     const int64_t* stride, int64_t n_stride) {
  return capi::make(__func__, [&](Arguments in) {
    return col2im(in.tensor(input, "input"), in.shape(output_size, n_output_size, "output_size"),
                  in.shape(kernel, n_kernel, "kernel_size"),
                  im2col_options(in, dilation, n_dilation, padding, n_padding, stride, n_stride));
  });
}
