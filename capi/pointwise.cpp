// C functions of the pointwise ops, most of them made from the table that defines the ops.
#include <optional>

#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

// Each row of the table makes `ag_<name>`, and a UNARY or BINARY row `ag_<name>_` as well; those
// with parameters are written by hand. The header decides which of them are part of the ABI: one
// that it does not declare is a hidden function that nobody calls, and may lack the C++ function
// that it would stand for.

namespace {

template <class Op, class... Operands>
constexpr bool kHas = std::is_invocable_v<Op, Operands...>;

template <class Op>
ag_tensor* unary(const char* function, const ag_tensor* x, Op op) {
  if constexpr (!kHas<Op, const Tensor&>)
    return nullptr;
  else
    return make(function, [&](Arguments in) { return op(*in.tensor(x, "x")); });
}

template <class Op>
ag_tensor* binary(const char* function, const ag_tensor* a, const ag_tensor* b, Op op) {
  return make(function, [&](Arguments in) { return op(*in.tensor(a, "a"), *in.tensor(b, "b")); });
}

template <class Op>
ag_status unary_in_place(const char* function, ag_tensor* self, Op op) {
  if constexpr (!kHas<Op, Tensor&>)
    return AG_ERROR_NOT_IMPLEMENTED;
  else
    return run(function, [&](Arguments in) { op(*in.tensor(self, "self")); });
}

template <class Op>
ag_status binary_in_place(const char* function, ag_tensor* self, const ag_tensor* other, Op op) {
  if constexpr (!kHas<Op, Tensor&, const Tensor&>)
    return AG_ERROR_NOT_IMPLEMENTED;
  else
    return run(function,
               [&](Arguments in) { op(*in.tensor(self, "self"), *in.tensor(other, "other")); });
}

}  // namespace

// The functions are found by their arguments, and their result types tell whether they exist.
#define AG_UNARY(name)                                                                 \
  ag_tensor* ag_##name(const ag_tensor* x) {                                           \
    return unary(__func__, x, [](auto& t) -> decltype(name(t)) { return name(t); });   \
  }                                                                                    \
  ag_status ag_##name##_(ag_tensor* self) {                                            \
    return unary_in_place(__func__, self,                                              \
                          [](auto& t) -> decltype(name##_(t)) { return name##_(t); }); \
  }
#define AG_BINARY(name)                                                             \
  ag_tensor* ag_##name(const ag_tensor* a, const ag_tensor* b) {                    \
    return binary(__func__, a, b, [](auto& s, auto& t) { return name(s, t); });     \
  }                                                                                 \
  ag_status ag_##name##_(ag_tensor* self, const ag_tensor* other) {                 \
    return binary_in_place(                                                         \
        __func__, self, other,                                                      \
        [](auto& s, auto& t) -> decltype(name##_(s, t)) { return name##_(s, t); }); \
  }
#define UNARY(name, ...) AG_UNARY(name)
#define UNARY_PARAM(name, ...)
#define UNARY_FLAT(name, ...) AG_UNARY(name)
#define PREDICATE(name, ...) AG_UNARY(name)
#define BINARY(name, ...) AG_BINARY(name)
#define BINARY_FLAT(name, ...) AG_BINARY(name)
#define COMPARE(name, ...) AG_BINARY(name)
#define SELECT(name, ...)                                                                      \
  ag_tensor* ag_##name(const ag_tensor* condition, const ag_tensor* a, const ag_tensor* b) {   \
    return make(__func__, [&](Arguments in) {                                                  \
      return name(*in.tensor(condition, "condition"), *in.tensor(a, "a"), *in.tensor(b, "b")); \
    });                                                                                        \
  }
#include "pointwise.def"
// Made of several ops, or of an op with parameters, but alike.
AG_UNARY(entr)
AG_UNARY(softsign)
AG_UNARY(deg2rad)
AG_UNARY(rad2deg)
AG_BINARY(float_power)
AG_BINARY(ldexp)

// ---- with parameters

ag_tensor* ag_round_decimals(const ag_tensor* x, int64_t decimals) {
  return make(__func__, [&](Arguments in) { return round_decimals(in.tensor(x, "x"), decimals); });
}

ag_status ag_round_decimals_(ag_tensor* self, int64_t decimals) {
  return run(__func__, [&](Arguments in) { round_decimals_(in.tensor(self, "self"), decimals); });
}

ag_tensor* ag_i0(const ag_tensor* x) {
  return make(__func__, [&](Arguments in) { return i0(in.tensor(x, "x")); });
}

ag_tensor* ag_i0e(const ag_tensor* x) {
  return make(__func__, [&](Arguments in) { return i0e(in.tensor(x, "x")); });
}

ag_tensor* ag_i1(const ag_tensor* x) {
  return make(__func__, [&](Arguments in) { return i1(in.tensor(x, "x")); });
}

ag_tensor* ag_i1e(const ag_tensor* x) {
  return make(__func__, [&](Arguments in) { return i1e(in.tensor(x, "x")); });
}

ag_status ag_frexp(const ag_tensor* x, ag_tensor** mantissa, ag_tensor** exponent) {
  return run(__func__, [&](Arguments in) {
    write_pair(in, mantissa, exponent, [&] { return frexp(in.tensor(x, "x")); });
  });
}

ag_tensor* ag_polygamma(const ag_tensor* x, int64_t n) {
  return make(__func__, [&](Arguments in) { return polygamma(n, in.tensor(x, "x")); });
}

ag_status ag_polygamma_(ag_tensor* self, int64_t n) {
  return run(__func__, [&](Arguments in) { polygamma_(in.tensor(self, "self"), n); });
}

namespace {

// A NULL handle is a number that was left out.
std::optional<double> optional_number(Arguments in, const ag_tensor* number) {
  return number ? std::optional<double>(in.optional_tensor(number)->item()) : std::nullopt;
}

}  // namespace

ag_tensor* ag_logit(const ag_tensor* x, const ag_tensor* eps) {
  return make(__func__,
              [&](Arguments in) { return logit(in.tensor(x, "x"), optional_number(in, eps)); });
}

ag_status ag_logit_(ag_tensor* self, const ag_tensor* eps) {
  return run(__func__,
             [&](Arguments in) { logit_(in.tensor(self, "self"), optional_number(in, eps)); });
}

ag_tensor* ag_nan_to_num(const ag_tensor* x, double nan, const ag_tensor* posinf,
                         const ag_tensor* neginf) {
  return make(__func__, [&](Arguments in) {
    return nan_to_num(in.tensor(x, "x"), nan, optional_number(in, posinf),
                      optional_number(in, neginf));
  });
}

ag_status ag_nan_to_num_(ag_tensor* self, double nan, const ag_tensor* posinf,
                         const ag_tensor* neginf) {
  return run(__func__, [&](Arguments in) {
    nan_to_num_(in.tensor(self, "self"), nan, optional_number(in, posinf),
                optional_number(in, neginf));
  });
}

#define AG_WITH_VALUE(name)                                                                        \
  ag_tensor* ag_##name(const ag_tensor* x, const ag_tensor* a, const ag_tensor* b, double value) { \
    return make(__func__, [&](Arguments in) {                                                      \
      return name(*in.tensor(x, "x"), *in.tensor(a, "a"), *in.tensor(b, "b"), value);              \
    });                                                                                            \
  }                                                                                                \
  ag_status ag_##name##_(ag_tensor* self, const ag_tensor* a, const ag_tensor* b, double value) {  \
    return run(__func__, [&](Arguments in) {                                                       \
      name##_(*in.tensor(self, "self"), *in.tensor(a, "a"), *in.tensor(b, "b"), value);            \
    });                                                                                            \
  }
AG_WITH_VALUE(addcmul)
AG_WITH_VALUE(addcdiv)

ag_tensor* ag_lerp(const ag_tensor* x, const ag_tensor* end, const ag_tensor* weight) {
  return make(__func__, [&](Arguments in) {
    return lerp(*in.tensor(x, "x"), *in.tensor(end, "end"), *in.tensor(weight, "weight"));
  });
}

ag_status ag_lerp_(ag_tensor* self, const ag_tensor* end, const ag_tensor* weight) {
  return run(__func__, [&](Arguments in) {
    lerp_(*in.tensor(self, "self"), *in.tensor(end, "end"), *in.tensor(weight, "weight"));
  });
}

ag_tensor* ag_isclose(const ag_tensor* a, const ag_tensor* b, double rtol, double atol,
                      int32_t equal_nan) {
  return make(__func__, [&](Arguments in) {
    return isclose(*in.tensor(a, "a"), *in.tensor(b, "b"), rtol, atol, equal_nan != 0);
  });
}

ag_tensor* ag_clamp(const ag_tensor* x, const ag_tensor* min, const ag_tensor* max) {
  return make(__func__, [&](Arguments in) {
    return clamp(*in.tensor(x, "x"), *in.optional_tensor(min), *in.optional_tensor(max));
  });
}

ag_tensor* ag_to_dtype(const ag_tensor* t, ag_dtype dtype) {
  return make(__func__, [&](Arguments in) { return to(in.tensor(t, "t"), in.dtype(dtype)); });
}

ag_status ag_clamp_(ag_tensor* self, const ag_tensor* min, const ag_tensor* max) {
  return run(__func__, [&](Arguments in) {
    clamp_(in.tensor(self, "self"), in.optional_tensor(min), in.optional_tensor(max));
  });
}

ag_status ag_copy_(ag_tensor* self, const ag_tensor* src) {
  return run(__func__,
             [&](Arguments in) { copy_(in.tensor(self, "self"), in.tensor(src, "src")); });
}

ag_status ag_zero_(ag_tensor* self) {
  return run(__func__, [&](Arguments in) { zero_(in.tensor(self, "self")); });
}

ag_status ag_fill_(ag_tensor* self, const ag_tensor* value) {
  return run(__func__,
             [&](Arguments in) { fill_(in.tensor(self, "self"), in.tensor(value, "value")); });
}

ag_status ag_uniform_(ag_tensor* self, double low, double high) {
  return run(__func__, [&](Arguments in) { uniform_(in.tensor(self, "self"), low, high); });
}

ag_status ag_normal_(ag_tensor* self, double mean, double std) {
  return run(__func__, [&](Arguments in) { normal_(in.tensor(self, "self"), mean, std); });
}
