// PyTorch's result type.
#include "autograd/runtime.hpp"
#include "core/op.hpp"

namespace autograd::detail {

DType result_type(const Arg* inputs, int n) {
  const TensorBody& first = *inputs[0].body;
  bool same = true;
  for (int i = 1; i < n; ++i)
    same &= inputs[i].body->dtype == first.dtype && inputs[i].body->is_number == first.is_number;
  if (same && !first.is_number) return first.dtype;

  constexpr int kNone = -1;
  int group[3] = {kNone, kNone, kNone};  // with dims, 0-d, wrapped numbers
  for (int i = 0; i < n; ++i) {
    const TensorBody& t = *inputs[i].body;
    int& slot = group[t.is_number ? 2 : t.sizes.empty() ? 1 : 0];
    const DType type = t.is_number && is_floating(t.dtype) ? default_dtype() : t.dtype;
    slot = static_cast<int>(slot == kNone ? type : promote(static_cast<DType>(slot), type));
  }
  int result = group[0];
  for (int lower : {group[1], group[2]}) {
    if (lower == kNone) continue;
    if (result == kNone) {
      result = lower;
      continue;
    }
    const DType high = static_cast<DType>(result), low = static_cast<DType>(lower);
    if (!is_floating(high) && (high == DType::kBool || is_floating(low)))
      result = static_cast<int>(promote(high, low));
  }
  return static_cast<DType>(result);
}

}  // namespace autograd::detail

namespace autograd {

DType result_type(const Tensor& a, const Tensor& b) {
  for (const Tensor* each : {&a, &b})
    if (!*each) fail(ErrorCode::kRuntime, "result_type: an undefined tensor was used");
  const detail::Arg both[2] = {detail::Arg(a), detail::Arg(b)};
  return detail::result_type(both, 2);
}

}  // namespace autograd
