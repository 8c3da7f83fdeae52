// Margins between several classes of a row and all its others.
#pragma once
#include <cstddef>
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// Rows of `classes` numbers x. The row's own classes are those in t, equally long, before the
/// first -1; each as often as it stands there. Every t is -1 or a class.
struct LabelledRows {
  const void* x;
  const int64_t* t;
  int64_t rows, classes;
};

/// Bytes of scratch memory for both functions.
size_t multilabel_margin_scratch(DType dtype, int64_t classes);

/// out[i] = the sum of max(0, 1 - x[i][t] + x[i][j]) over the row's own classes t and all others j,
/// divided by the number of classes. NaN counts as 0.
void multilabel_margin(DType dtype, const LabelledRows& of, void* scratch, void* out);

/// dx = the slopes of out[i] by x[i].
void multilabel_margin_slopes(DType dtype, const LabelledRows& of, void* scratch, void* dx);

}  // namespace autograd::cpu
