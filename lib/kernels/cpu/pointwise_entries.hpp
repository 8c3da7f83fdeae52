// AUTOGRAD_TABLE_ROW(row) for each row of the kernel table, in the order of PointwiseOp. No include
// guard: every table includes it once.
#define UNARY(name, ...) AUTOGRAD_TABLE_ROW(name##_row) AUTOGRAD_TABLE_ROW(name##_backward_row)
#define UNARY_FLAT(name, ...) AUTOGRAD_TABLE_ROW(name##_row)
#define PREDICATE(name, ...) AUTOGRAD_TABLE_ROW(name##_row)
#define BINARY(name, ...) AUTOGRAD_TABLE_ROW(name##_row)
#define BINARY_FLAT(name, ...) AUTOGRAD_TABLE_ROW(name##_row)
#define COMPARE(name, ...) AUTOGRAD_TABLE_ROW(name##_row)
#define TERNARY(name, ...) AUTOGRAD_TABLE_ROW(name##_row)
#define SELECT(name, ...) AUTOGRAD_TABLE_ROW(name##_row)
#include "ops/pointwise.def"
#undef AUTOGRAD_TABLE_ROW
