#include "ops/conv_geometry.hpp"
namespace autograd::detail {
bool sheets_convolution(const ConvGeometry&, DType, const char*, const char*, const char*, char*) {
  return false;
}
bool sheets_convolution_input(const ConvGeometry&, DType, const char*, const char*, const char*,
                              char*) {
  return false;
}
bool sheets_convolution_weight(const ConvGeometry&, DType, const char*, const char*, char*) {
  return false;
}
}  // namespace autograd::detail
