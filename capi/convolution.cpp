// C functions of the convolutions.
#include "guard.hpp"

using namespace autograd;
using capi::Arguments;

namespace {

using Conv = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, const ConvOptions&);
using ConvTranspose = Tensor (*)(const Tensor&, const Tensor&, const Tensor&,
                                 const ConvTransposeOptions&);

}  // namespace

// Three dims each: the functions differ in the rank they expect.
#define AG_CONV(name)                                                                          \
  ag_tensor* ag_##name(const ag_tensor* input, const ag_tensor* weight, const ag_tensor* bias, \
                       const int64_t* stride, int64_t n_stride, const int64_t* padding,        \
                       int64_t n_padding, const int64_t* dilation, int64_t n_dilation,         \
                       int64_t groups) {                                                       \
    return capi::make("ag_" #name, [&](Arguments in) {                                         \
      const Conv conv = name;                                                                  \
      ConvOptions options;                                                                     \
      options.same = n_padding == -1;                                                          \
      options.stride = in.shape(stride, n_stride, "stride");                                   \
      if (!options.same) options.padding = in.shape(padding, n_padding, "padding");            \
      options.dilation = in.shape(dilation, n_dilation, "dilation");                           \
      options.groups = groups;                                                                 \
      return conv(in.tensor(input, "input"), in.tensor(weight, "weight"),                      \
                  in.optional_tensor(bias), options);                                          \
    });                                                                                        \
  }

#define AG_CONV_TRANSPOSE(name)                                                                    \
  ag_tensor* ag_##name(const ag_tensor* input, const ag_tensor* weight, const ag_tensor* bias,     \
                       const int64_t* stride, int64_t n_stride, const int64_t* padding,            \
                       int64_t n_padding, const int64_t* output_padding, int64_t n_output_padding, \
                       int64_t groups, const int64_t* dilation, int64_t n_dilation) {              \
    return capi::make("ag_" #name, [&](Arguments in) {                                             \
      const ConvTranspose conv = name;                                                             \
      ConvTransposeOptions options;                                                                \
      options.stride = in.shape(stride, n_stride, "stride");                                       \
      options.padding = in.shape(padding, n_padding, "padding");                                   \
      options.output_padding = in.shape(output_padding, n_output_padding, "output_padding");       \
      options.groups = groups;                                                                     \
      options.dilation = in.shape(dilation, n_dilation, "dilation");                               \
      return conv(in.tensor(input, "input"), in.tensor(weight, "weight"),                          \
                  in.optional_tensor(bias), options);                                              \
    });                                                                                            \
  }

AG_CONV(conv1d)
AG_CONV(conv2d)
AG_CONV(conv3d)
AG_CONV_TRANSPOSE(conv_transpose1d)
AG_CONV_TRANSPOSE(conv_transpose2d)
AG_CONV_TRANSPOSE(conv_transpose3d)
