// The softmax of attention over tiles of scores, forward and backward, float32 and float64.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// Rows of a tile of scores are this many elements apart from a multiple of it, so that whole
/// vectors may be read and written behind the last column.
inline constexpr int64_t kScorePadding = 16;

/// Products q k^T of some queries with some keys, and what turns them into scores
/// s = scale * product + mask.
struct ScoreTile {
  enum MaskKind { kNoMask, kBoolMask, kFloatMask };
  void* scores;  ///< [rows, cols], rows `stride` apart, a multiple of kScorePadding
  int64_t rows, cols, stride;
  double scale;
  MaskKind mask_kind = kNoMask;
  const void* mask = nullptr;  ///< a bool that is false, or a float of -inf, hides a key
  int64_t mask_row = 0, mask_col = 0;
  bool causal = false;
  int64_t first = 0;  ///< if causal: row i sees columns up to first + i
};

/// One step of the softmax over a row that comes in tiles: scores become exp(s - max), `max` and
/// `sum` [rows] are brought up to date, and what `out` [rows, width] holds so far is scaled to the
/// new maximum. is_first: nothing was there before.
void attention_step(DType dtype, const ScoreTile& tile, void* max, void* sum, void* out,
                    int64_t out_stride, int64_t width, bool is_first);

/// out /= sum, and max becomes max + log(sum). Rows that see no key: out is 0, and max is +inf, so
/// that exp(s - max) is 0.
void attention_finish(DType dtype, int64_t rows, void* max, const void* sum, void* out,
                      int64_t out_stride, int64_t width);

/// scores become p = exp(s - lse[row]), and d (the same geometry), which holds the gradient of p,
/// becomes that of the product: scale * p * (d - delta[row]).
void attention_backward(DType dtype, const ScoreTile& tile, const void* lse, const void* delta,
                        void* d);

/// delta[row] = sum over j of a[row][j] * b[row][j].
void row_dots(DType dtype, int64_t rows, int64_t width, const void* a, int64_t a_stride,
              const void* b, int64_t b_stride, void* delta);

}  // namespace autograd::cpu
