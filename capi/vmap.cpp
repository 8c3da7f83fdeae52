// C functions of transforms: inputs to differentiate by, and functions mapped over examples.
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

ag_tensor* ag_transform_input(const ag_tensor* t) {
  return make(__func__, [&](Arguments in) { return transform_input(in.tensor(t, "t")); });
}

int32_t ag_depends_on_others(ag_tensor* const* outputs, int64_t n_outputs, ag_tensor* const* inputs,
                             int64_t n_inputs) {
  return read<int32_t>(__func__, -1, [&](Arguments in) {
    return depends_on_others(in.tensors(outputs, n_outputs, "outputs"),
                             in.tensors(inputs, n_inputs, "inputs"));
  });
}

int64_t ag_vmap_begin(int64_t size, int32_t randomness) {
  return read<int64_t>(__func__, -1, [&](Arguments in) {
    if (randomness < 0 || randomness > 2) in.reject("randomness", randomness);
    return vmap_begin(size, static_cast<Randomness>(randomness));
  });
}

ag_status ag_vmap_end(int64_t level) {
  return run(__func__, [&](Arguments) { vmap_end(static_cast<uint64_t>(level)); });
}

ag_tensor* ag_vmap_example(const ag_tensor* t, int64_t dim, int64_t level) {
  return make(__func__, [&](Arguments in) {
    return vmap_example(in.tensor(t, "t"), dim, static_cast<uint64_t>(level));
  });
}

ag_tensor* ag_vmap_all(const ag_tensor* t, int64_t dim, int64_t level) {
  return make(__func__, [&](Arguments in) {
    return vmap_all(in.tensor(t, "t"), dim, static_cast<uint64_t>(level));
  });
}

int32_t ag_vmap_varies(const ag_tensor* t, int64_t level) {
  return read<int32_t>(__func__, -1, [&](Arguments in) {
    return vmap_varies(in.tensor(t, "t"), static_cast<uint64_t>(level));
  });
}

int32_t ag_vmap_depth_of(const ag_tensor* t) {
  return read<int32_t>(__func__, -1,
                       [&](Arguments in) { return vmap_depth_of(in.tensor(t, "t")); });
}

ag_tensor* ag_vmap_like(const ag_tensor* fresh, const ag_tensor* like) {
  return make(__func__, [&](Arguments in) {
    return vmap_like(in.tensor(fresh, "fresh"), in.tensor(like, "like"));
  });
}

ag_tensor* ag_vmap_value(const ag_tensor* t) {
  return make(__func__, [&](Arguments in) { return vmap_value(in.tensor(t, "t")); });
}
