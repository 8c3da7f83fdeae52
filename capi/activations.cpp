// C functions of the activations that take parameters or are made of several ops; those of the
// others come from pointwise.def.
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

#define AG_ACTIVATION(name)                                                        \
  ag_tensor* ag_##name(const ag_tensor* x) {                                       \
    return make(__func__, [&](Arguments in) { return name(*in.tensor(x, "x")); }); \
  }
#define AG_ACTIVATION_1(name, p)                                                      \
  ag_tensor* ag_##name(const ag_tensor* x, double p) {                                \
    return make(__func__, [&](Arguments in) { return name(*in.tensor(x, "x"), p); }); \
  }
#define AG_ACTIVATION_2(name, p, q)                                                      \
  ag_tensor* ag_##name(const ag_tensor* x, double p, double q) {                         \
    return make(__func__, [&](Arguments in) { return name(*in.tensor(x, "x"), p, q); }); \
  }
#define AG_IN_PLACE_1(name, p)                                                         \
  ag_status ag_##name##_(ag_tensor* self, double p) {                                  \
    return run(__func__, [&](Arguments in) { name##_(*in.tensor(self, "self"), p); }); \
  }
#define AG_IN_PLACE_2(name, p, q)                                                         \
  ag_status ag_##name##_(ag_tensor* self, double p, double q) {                           \
    return run(__func__, [&](Arguments in) { name##_(*in.tensor(self, "self"), p, q); }); \
  }

AG_ACTIVATION(tanhshrink)
AG_ACTIVATION_1(leaky_relu, negative_slope)
AG_IN_PLACE_1(leaky_relu, negative_slope)
AG_ACTIVATION_1(elu, alpha)
AG_IN_PLACE_1(elu, alpha)
AG_ACTIVATION_1(celu, alpha)
AG_IN_PLACE_1(celu, alpha)
AG_ACTIVATION_1(softshrink, lambd)
AG_ACTIVATION_1(hardshrink, lambd)
AG_ACTIVATION_2(softplus, beta, threshold)
AG_ACTIVATION_2(hardtanh, min_val, max_val)
AG_IN_PLACE_2(hardtanh, min_val, max_val)

ag_tensor* ag_threshold(const ag_tensor* x, double threshold, double value) {
  return make(__func__, [&](Arguments in) {
    return autograd::threshold(*in.tensor(x, "x"), threshold, value);
  });
}

ag_status ag_threshold_(ag_tensor* self, double threshold, double value) {
  return run(__func__,
             [&](Arguments in) { threshold_(*in.tensor(self, "self"), threshold, value); });
}

ag_tensor* ag_rrelu(const ag_tensor* x, double lower, double upper, int32_t training) {
  return make(__func__,
              [&](Arguments in) { return rrelu(*in.tensor(x, "x"), lower, upper, training != 0); });
}

ag_status ag_rrelu_(ag_tensor* self, double lower, double upper, int32_t training) {
  return run(__func__,
             [&](Arguments in) { rrelu_(*in.tensor(self, "self"), lower, upper, training != 0); });
}

ag_tensor* ag_glu(const ag_tensor* x, int64_t dim) {
  return make(__func__, [&](Arguments in) { return glu(*in.tensor(x, "x"), dim); });
}
