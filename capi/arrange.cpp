// C functions that give copies with the elements at other places.
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

ag_tensor* ag_combinations(const ag_tensor* x, int64_t r, int32_t with_replacement) {
  return make(__func__, [&](Arguments in) {
    return combinations(in.tensor(x, "x"), r, with_replacement != 0);
  });
}

ag_tensor* ag_flip(const ag_tensor* x, const int64_t* dims, int64_t ndims) {
  return make(__func__,
              [&](Arguments in) { return flip(in.tensor(x, "x"), in.shape(dims, ndims, "dims")); });
}

ag_tensor* ag_fliplr(const ag_tensor* x) {
  return make(__func__, [&](Arguments in) { return fliplr(in.tensor(x, "x")); });
}

ag_tensor* ag_flipud(const ag_tensor* x) {
  return make(__func__, [&](Arguments in) { return flipud(in.tensor(x, "x")); });
}

ag_tensor* ag_rot90(const ag_tensor* x, int64_t k, const int64_t* dims, int64_t ndims) {
  return make(__func__, [&](Arguments in) {
    return rot90(in.tensor(x, "x"), k, in.shape(dims, ndims, "dims"));
  });
}

ag_tensor* ag_roll(const ag_tensor* x, const int64_t* shifts, int64_t nshifts, const int64_t* dims,
                   int64_t ndims) {
  return make(__func__, [&](Arguments in) {
    return roll(in.tensor(x, "x"), in.shape(shifts, nshifts, "shifts"),
                in.shape(dims, ndims, "dims"));
  });
}

ag_tensor* ag_repeat(const ag_tensor* x, const int64_t* repeats, int64_t n) {
  return make(__func__, [&](Arguments in) {
    return repeat(in.tensor(x, "x"), in.shape(repeats, n, "repeats"));
  });
}

ag_tensor* ag_tile(const ag_tensor* x, const int64_t* repeats, int64_t n) {
  return make(__func__, [&](Arguments in) {
    return tile(in.tensor(x, "x"), in.shape(repeats, n, "repeats"));
  });
}

ag_tensor* ag_repeat_interleave(const ag_tensor* x, const ag_tensor* repeats, const int64_t* dims,
                                int64_t ndims, int64_t output_size) {
  return make(__func__, [&](Arguments in) {
    const Shape dim = in.shape(dims, ndims, "dims");
    if (dim.size() > 1) in.reject("ndims", ndims);
    return repeat_interleave(in.tensor(x, "x"), in.tensor(repeats, "repeats"),
                             dim.empty() ? std::nullopt : std::optional<int64_t>(dim[0]),
                             output_size < 0 ? std::nullopt : std::optional<int64_t>(output_size));
  });
}

ag_tensor* ag_tril(const ag_tensor* x, int64_t diagonal) {
  return make(__func__, [&](Arguments in) { return tril(in.tensor(x, "x"), diagonal); });
}

ag_tensor* ag_triu(const ag_tensor* x, int64_t diagonal) {
  return make(__func__, [&](Arguments in) { return triu(in.tensor(x, "x"), diagonal); });
}

ag_tensor* ag_diag(const ag_tensor* x, int64_t offset) {
  return make(__func__, [&](Arguments in) { return diag(in.tensor(x, "x"), offset); });
}

ag_tensor* ag_diag_embed(const ag_tensor* x, int64_t offset, int64_t dim1, int64_t dim2) {
  return make(__func__,
              [&](Arguments in) { return diag_embed(in.tensor(x, "x"), offset, dim1, dim2); });
}

ag_tensor* ag_diagflat(const ag_tensor* x, int64_t offset) {
  return make(__func__, [&](Arguments in) { return diagflat(in.tensor(x, "x"), offset); });
}

ag_tensor* ag_pixel_shuffle(const ag_tensor* x, int64_t factor) {
  return make(__func__, [&](Arguments in) { return pixel_shuffle(in.tensor(x, "x"), factor); });
}

ag_tensor* ag_pixel_unshuffle(const ag_tensor* x, int64_t factor) {
  return make(__func__, [&](Arguments in) { return pixel_unshuffle(in.tensor(x, "x"), factor); });
}

ag_tensor* ag_channel_shuffle(const ag_tensor* x, int64_t groups) {
  return make(__func__, [&](Arguments in) { return channel_shuffle(in.tensor(x, "x"), groups); });
}

ag_tensor* ag_pad(const ag_tensor* x, const int64_t* pads, int64_t n, ag_pad_mode mode,
                  double value) {
  return make(__func__, [&](Arguments in) {
    return pad(in.tensor(x, "x"), in.list(pads, n, "pads"), in.pad_mode(mode), value);
  });
}

ag_tensor* ag_interpolate(const ag_tensor* x, const int64_t* sizes, int64_t n, const double* scales,
                          ag_interpolation mode) {
  return make(__func__, [&](Arguments in) {
    const Shape to = in.shape(sizes, n, "sizes");
    std::vector<double> steps;
    if (scales) steps.assign(scales, scales + n);
    for (double scale : steps)
      if (!(scale >= 0)) in.reject("scales", 0);
    return interpolate(in.tensor(x, "x"), to, steps, in.interpolation(mode));
  });
}

ag_tensor* ag_grid_sample(const ag_tensor* x, const ag_tensor* grid, ag_sample_mode mode,
                          ag_sample_padding padding_mode, ag_bool align_corners) {
  return make(__func__, [&](Arguments in) {
    return grid_sample(in.tensor(x, "x"), in.tensor(grid, "grid"), in.sample_mode(mode),
                       in.sample_padding(padding_mode), align_corners != 0);
  });
}

ag_tensor* ag_affine_grid(const ag_tensor* theta, const int64_t* sizes, int64_t n,
                          ag_bool align_corners) {
  return make(__func__, [&](Arguments in) {
    return affine_grid(in.tensor(theta, "theta"), in.shape(sizes, n, "sizes"), align_corners != 0);
  });
}
