// Reductions of integers and bools: plain loops the compiler vectorises.
#include "kernels/cpu/reduce_integer.hpp"

#include <algorithm>
#include <type_traits>

namespace autograd::cpu {
namespace {

struct Sum {
  template <class T>
  T operator()(T a, T b) const {
    using U = std::make_unsigned_t<T>;  // wraps instead of overflowing
    return static_cast<T>(static_cast<U>(a) + static_cast<U>(b));
  }
};
struct Max {
  template <class T>
  T operator()(T a, T b) const {
    return std::max(a, b);
  }
};
struct Min {
  template <class T>
  T operator()(T a, T b) const {
    return std::min(a, b);
  }
};

template <class T, class Join>
T fold_one(const T* in, int64_t n, int64_t stride, T init, Join join) {
  T acc = init;
  if (stride == 1) {
    for (int64_t r = 0; r < n; ++r) acc = join(acc, in[r]);
  } else {
    for (int64_t r = 0; r < n; ++r) acc = join(acc, in[r * stride]);
  }
  return acc;
}

/// Starts at `init` where there is nothing to fold, else at the first element.
template <class T, class Join>
void fold(const T* in, T* out, const ReduceShape& s, T init, Join join) {
  for (int64_t o = 0; o < s.outer; ++o, in += s.outer_stride, out += s.inner) {
    if (s.reduce == 0) {
      std::fill_n(out, s.inner, init);
    } else if (s.inner == 1) {
      *out = fold_one(in + s.reduce_stride, s.reduce - 1, s.reduce_stride, *in, join);
    } else {
      std::copy_n(in, s.inner, out);
      for (int64_t r = 1; r < s.reduce; ++r) {
        const T* row = in + r * s.reduce_stride;
        for (int64_t i = 0; i < s.inner; ++i) out[i] = join(out[i], row[i]);
      }
    }
  }
}

template <class T, class Better>
void find(const T* in, int64_t* out, const ReduceShape& s, Better better) {
  for (int64_t o = 0; o < s.outer; ++o, in += s.outer_stride, out += s.inner) {
    std::fill_n(out, s.inner, 0);
    for (int64_t r = 1; r < s.reduce; ++r) {
      const T* row = in + r * s.reduce_stride;
      for (int64_t i = 0; i < s.inner; ++i) {
        if (better(row[i], in[out[i] * s.reduce_stride + i])) out[i] = r;
      }
    }
  }
}

template <class T>
bool reduce_as(ReduceOp op, const void* in_bytes, void* out_bytes, const ReduceShape& s) {
  const T* in = static_cast<const T*>(in_bytes);
  T* out = static_cast<T*>(out_bytes);
  int64_t* index = static_cast<int64_t*>(out_bytes);
  switch (op) {
    case ReduceOp::kSum:
      fold(in, out, s, T{0}, Sum());
      return true;
    case ReduceOp::kMax:
      fold(in, out, s, T{0}, Max());
      return true;
    case ReduceOp::kMin:
      fold(in, out, s, T{0}, Min());
      return true;
    case ReduceOp::kArgmax:
      find(in, index, s, [](T a, T b) { return a > b; });
      return true;
    case ReduceOp::kArgmin:
      find(in, index, s, [](T a, T b) { return a < b; });
      return true;
    case ReduceOp::kVar:
    case ReduceOp::kSumAbs:
    case ReduceOp::kSumSquares:
      return false;
  }
  return false;
}

}  // namespace

bool reduce_integer(ReduceOp op, DType dtype, const void* in, void* out, const ReduceShape& shape) {
  switch (dtype) {
    case DType::kInt32:
      return reduce_as<int32_t>(op, in, out, shape);
    case DType::kInt64:
      return reduce_as<int64_t>(op, in, out, shape);
    case DType::kUInt8:
      return reduce_as<uint8_t>(op, in, out, shape);
    case DType::kBool:
      return op != ReduceOp::kSum && reduce_as<uint8_t>(op, in, out, shape);
    default:
      return false;
  }
}

void copy_places(const int32_t* in, size_t n, int64_t* out) { std::copy_n(in, n, out); }
void copy_places(const int64_t* in, size_t n, int64_t* out) { std::copy_n(in, n, out); }

}  // namespace autograd::cpu
