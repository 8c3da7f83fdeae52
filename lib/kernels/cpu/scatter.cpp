// Plain loops: these are bound by memory and by the dependence of one write on the one before.
#include "kernels/cpu/scatter.hpp"

#include "kernels/cpu/element_types.hpp"

namespace autograd::cpu {

namespace {

template <class T>
T larger(T a, T b) {
  return b > a || b != b ? b : a;
}
template <class T>
T smaller(T a, T b) {
  return b < a || b != b ? b : a;
}

template <ScatterOp op, class T>
T combine(T a, T b) {
  if constexpr (op == ScatterOp::kSet) return b;
  if constexpr (op == ScatterOp::kAdd) return add(a, b);
  if constexpr (op == ScatterOp::kMul) return mul(a, b);
  if constexpr (op == ScatterOp::kMax) return a != a ? a : larger(a, b);
  if constexpr (op == ScatterOp::kMin) return a != a ? a : smaller(a, b);
}

// The usual case, along the last dim of dense tensors: constants in the place of strides.
bool is_dense_row(const Positions& p) {
  return p.x_col == 0 && p.along == 1 && p.index_col == 1 && p.y_col == 1;
}

template <class T>
const int64_t* gather_dense(const T* x, const int64_t* index, T* y, const Positions& p) {
  const uint64_t size = static_cast<uint64_t>(p.size);
  for (int64_t r = 0; r < p.rows; ++r) {
    const T* from = x + r * p.x_row;
    const int64_t* at = index + r * p.index_row;
    T* to = y + r * p.y_row;
    for (int64_t c = 0; c < p.n; ++c) {
      const uint64_t position = static_cast<uint64_t>(at[c]);
      if (position >= size) [[unlikely]]
        return at + c;
      to[c] = from[position];
    }
  }
  return nullptr;
}

template <ScatterOp op, class T>
const int64_t* scatter_dense(T* x, const int64_t* index, const T* y, const Positions& p) {
  const uint64_t size = static_cast<uint64_t>(p.size);
  for (int64_t r = 0; r < p.rows; ++r) {
    T* to = x + r * p.x_row;
    const int64_t* at = index + r * p.index_row;
    const T* from = y + r * p.y_row;
    for (int64_t c = 0; c < p.n; ++c) {
      const uint64_t position = static_cast<uint64_t>(at[c]);
      if (position >= size) [[unlikely]]
        return at + c;
      to[position] = combine<op>(to[position], from[c]);
    }
  }
  return nullptr;
}

template <class T>
const int64_t* gather_typed(const T* x, const int64_t* index, T* y, const Positions& p) {
  if (is_dense_row(p)) return gather_dense(x, index, y, p);
  const uint64_t size = static_cast<uint64_t>(p.size);
  for (int64_t r = 0; r < p.rows; ++r) {
    const T* from = x + r * p.x_row;
    const int64_t* at = index + r * p.index_row;
    T* to = y + r * p.y_row;
    for (int64_t c = 0; c < p.n; ++c) {
      const int64_t* position = at + c * p.index_col;
      if (static_cast<uint64_t>(*position) >= size) return position;
      to[c * p.y_col] = from[c * p.x_col + *position * p.along];
    }
  }
  return nullptr;
}

template <ScatterOp op, class T>
const int64_t* scatter_typed(T* x, const int64_t* index, const T* y, const Positions& p) {
  if (is_dense_row(p)) return scatter_dense<op>(x, index, y, p);
  const uint64_t size = static_cast<uint64_t>(p.size);
  for (int64_t r = 0; r < p.rows; ++r) {
    T* to = x + r * p.x_row;
    const int64_t* at = index + r * p.index_row;
    const T* from = y + r * p.y_row;
    for (int64_t c = 0; c < p.n; ++c) {
      const int64_t* position = at + c * p.index_col;
      if (static_cast<uint64_t>(*position) >= size) return position;
      T& element = to[c * p.x_col + *position * p.along];
      element = combine<op>(element, from[c * p.y_col]);
    }
  }
  return nullptr;
}

template <ScatterOp op>
const int64_t* scatter_as(DType dtype, void* x, const int64_t* index, const void* y,
                          const Positions& p) {
  const int64_t* bad = nullptr;
  by_dtype(dtype, [&](auto* t) {
    using T = Element<decltype(t)>;
    bad = scatter_typed<op>(static_cast<T*>(x), index, static_cast<const T*>(y), p);
  });
  return bad;
}

}  // namespace

const int64_t* gather(int64_t item, const void* x, const int64_t* index, void* y,
                      const Positions& p) {
  const int64_t* bad = nullptr;
  by_size(item, [&](auto* t) {
    using T = Element<decltype(t)>;
    bad = gather_typed(static_cast<const T*>(x), index, static_cast<T*>(y), p);
  });
  return bad;
}

const int64_t* scatter(ScatterOp op, DType dtype, void* x, const int64_t* index, const void* y,
                       const Positions& p) {
  switch (op) {
    case ScatterOp::kSet:
      return scatter_as<ScatterOp::kSet>(dtype, x, index, y, p);
    case ScatterOp::kAdd:
      return scatter_as<ScatterOp::kAdd>(dtype, x, index, y, p);
    case ScatterOp::kMul:
      return scatter_as<ScatterOp::kMul>(dtype, x, index, y, p);
    case ScatterOp::kMax:
      return scatter_as<ScatterOp::kMax>(dtype, x, index, y, p);
    case ScatterOp::kMin:
      return scatter_as<ScatterOp::kMin>(dtype, x, index, y, p);
  }
  return nullptr;
}

}  // namespace autograd::cpu
