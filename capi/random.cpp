// C functions that draw random numbers.
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

ag_status ag_random_(ag_tensor* self, int64_t low, int64_t high) {
  return run(__func__, [&](Arguments in) { random_(in.tensor(self, "self"), low, high); });
}

ag_status ag_exponential_(ag_tensor* self, double rate) {
  return run(__func__, [&](Arguments in) { exponential_(in.tensor(self, "self"), rate); });
}

ag_status ag_log_normal_(ag_tensor* self, double mean, double std) {
  return run(__func__, [&](Arguments in) { log_normal_(in.tensor(self, "self"), mean, std); });
}

ag_status ag_cauchy_(ag_tensor* self, double median, double sigma) {
  return run(__func__, [&](Arguments in) { cauchy_(in.tensor(self, "self"), median, sigma); });
}

ag_status ag_geometric_(ag_tensor* self, double p) {
  return run(__func__, [&](Arguments in) { geometric_(in.tensor(self, "self"), p); });
}

ag_tensor* ag_bernoulli(const ag_tensor* p) {
  return make(__func__, [&](Arguments in) { return bernoulli(in.tensor(p, "p")); });
}

ag_tensor* ag_standard_gamma(const ag_tensor* shape) {
  return make(__func__, [&](Arguments in) { return standard_gamma(in.tensor(shape, "shape")); });
}

ag_tensor* ag_poisson(const ag_tensor* rate) {
  return make(__func__, [&](Arguments in) { return poisson(in.tensor(rate, "rate")); });
}

ag_tensor* ag_binomial(const ag_tensor* trials, const ag_tensor* p) {
  return make(__func__, [&](Arguments in) {
    return binomial(in.tensor(trials, "trials"), in.tensor(p, "p"));
  });
}

ag_tensor* ag_multinomial(const ag_tensor* weights, int64_t num_samples, int32_t replacement) {
  return make(__func__, [&](Arguments in) {
    return multinomial(in.tensor(weights, "weights"), num_samples, replacement != 0);
  });
}
