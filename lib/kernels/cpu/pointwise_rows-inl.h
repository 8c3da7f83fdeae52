// The rows of pointwise.def as types: each has the expression as a function of any value type
// (`of`), what it reads, and for which dtypes it is defined.
#if defined(AUTOGRAD_KERNELS_CPU_POINTWISE_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AUTOGRAD_KERNELS_CPU_POINTWISE_ROWS_INL_H_
#undef AUTOGRAD_KERNELS_CPU_POINTWISE_ROWS_INL_H_
#else
#define AUTOGRAD_KERNELS_CPU_POINTWISE_ROWS_INL_H_
#endif

#include <cstdint>
#include <type_traits>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {

/// For which compute dtypes a row is defined: the table's classes, and those of the kinds of row
/// that have no class, whose loops differ.
enum class RowClass {
  FLOAT,
  FLOAT_ONLY,
  NUMBER,
  COUNTED,
  NUMBER_OR_BOOL,
  INTEGER,
  INTEGER_OR_BOOL,
  kCompare,
  kSelect
};

/// Is the row defined for elements of type T?
constexpr bool is_defined(RowClass cls, bool is_float, bool is_bool) {
  switch (cls) {
    case RowClass::FLOAT:
    case RowClass::FLOAT_ONLY:
      return is_float;
    case RowClass::INTEGER:
      return !is_float && !is_bool;
    case RowClass::INTEGER_OR_BOOL:
      return !is_float;
    case RowClass::NUMBER:
    case RowClass::COUNTED:
      return !is_bool;
    default:
      return true;
  }
}

constexpr bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// Does the expression mention the one-letter variable? Only those inputs may be read.
constexpr bool mentions(const char* expression, char variable) {
  for (char before = ' '; *expression; before = *expression++) {
    if (*expression == variable && !is_word(before) && !is_word(expression[1])) return true;
  }
  return false;
}

/// Does the expression choose between values? NaN makes maximum and minimum do so.
constexpr bool selects(const char* expression) {
  for (const char* word : {"where(", "maximum(", "minimum("})
    for (const char* at = expression; *at; ++at) {
      int i = 0;
      while (word[i] && at[i] == word[i]) ++i;
      if (!word[i]) return true;
    }
  return false;
}

#undef AUTOGRAD_ROW
#define AUTOGRAD_ROW(type, cls, inputs, i0, i1, i2, condition, expression)                       \
  struct type {                                                                                  \
    static constexpr RowClass kClass = RowClass::cls;                                            \
    static constexpr int kInputs = inputs;                                                       \
    static constexpr bool kReads[3] = {mentions(#expression, #i0[0]),                            \
                                       mentions(#expression, #i1[0]),                            \
                                       mentions(#expression, #i2[0])};                           \
    static constexpr bool kSelects = selects(#expression);                                       \
    static constexpr bool kUsesP = mentions(#expression, 'p'),                                   \
                          kUsesQ = mentions(#expression, 'q'),                                   \
                          kUsesR = mentions(#expression, 'r');                                   \
    template <class V>                                                                           \
    static HWY_INLINE auto of([[maybe_unused]] condition i0, [[maybe_unused]] V i1,              \
                              [[maybe_unused]] V i2, [[maybe_unused]] V p, [[maybe_unused]] V q, \
                              [[maybe_unused]] V r) {                                            \
      return expression;                                                                         \
    }                                                                                            \
  };
#define UNARY(name, cls, forward, uses, gradient)                   \
  AUTOGRAD_ROW(name##_row, cls, 1, x, unused1, unused2, V, forward) \
  AUTOGRAD_ROW(name##_backward_row, FLOAT, 3, g, x, y, V, gradient)
#define UNARY_FLAT(name, cls, forward) \
  AUTOGRAD_ROW(name##_row, cls, 1, x, unused1, unused2, V, forward)
#define PREDICATE(name, forward) \
  AUTOGRAD_ROW(name##_row, kCompare, 1, x, unused1, unused2, V, forward)
#define BINARY(name, cls, forward, uses_a, gradient_a, uses_b, gradient_b) \
  AUTOGRAD_ROW(name##_row, cls, 2, a, b, unused2, V, forward)
#define BINARY_FLAT(name, cls, forward) AUTOGRAD_ROW(name##_row, cls, 2, a, b, unused2, V, forward)
#define COMPARE(name, forward) AUTOGRAD_ROW(name##_row, kCompare, 2, a, b, unused2, V, forward)
#define TERNARY(name, params, cls, forward, ...) \
  AUTOGRAD_ROW(name##_row, cls, 3, a, b, c, V, forward)
#define SELECT(name, forward, ...) AUTOGRAD_ROW(name##_row, kSelect, 3, c, a, b, bool, forward)
#include "ops/pointwise.def"

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
