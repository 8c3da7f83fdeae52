// Reductions: dims are brought into the form [outer, reduce, inner] that the kernels know.
#include <algorithm>

#include "autograd/ops.hpp"
#include "core/parallel.hpp"
#include "ops/broadcast.hpp"
#include "ops/reduce.hpp"

namespace autograd::detail {
namespace {

constexpr int64_t kRowChunk = 1 << 16;  // one long row is reduced in pieces of this many elements

// Finds outer, reduce and inner in a row-major tensor whose reduced dims lie side by side.
bool split_dims(const Shape& sizes, Mask mask, cpu::ReduceShape& shape) {
  int first = -1, last = -1;
  for (int d = 0; d < sizes.size(); ++d)
    if ((mask >> d & 1) && sizes[d] != 1) {
      if (first < 0) first = d;
      last = d;
    }
  shape = {1, 1, 1, 0, 0};
  for (int d = 0; d < sizes.size(); ++d) {
    const bool is_reduced = (mask >> d & 1) && sizes[d] != 1;
    if (first >= 0 && d > first && d < last && !is_reduced && sizes[d] != 1) return false;
    if (is_reduced)
      shape.reduce *= sizes[d];
    else if (first >= 0 && d > first)
      shape.inner *= sizes[d];
    else
      shape.outer *= sizes[d];
  }
  if (first < 0) {
    shape.inner = shape.outer;  // nothing to reduce: one long row of results
    shape.outer = 1;
  }
  shape.reduce_stride = shape.inner;
  shape.outer_stride = shape.reduce * shape.inner;
  return true;
}

// A contiguous tensor with kept dims first and reduced dims last.
Tensor moved_last(TensorBody& x, Mask mask) {
  Shape sizes, strides;
  for (int pass = 0; pass < 2; ++pass)
    for (int d = 0; d < x.sizes.size(); ++d)
      if ((mask >> d & 1) == static_cast<Mask>(pass)) {
        sizes.push_back(x.sizes[d]);
        strides.push_back(x.strides[d]);
      }
  Tensor alias = make_alias(&x, sizes, strides, 0);
  Tensor out = make_tensor(sizes, x.dtype);
  copy_into(*body(out), *body(alias));
  return out;
}

// A view of x with its dims in the order in which they lie in memory, and mask with them; an
// undefined tensor if that is not row-major, or if kept dims would change places.
Tensor in_memory_order(TensorBody& x, Mask& mask) {
  int order[kMaxDims], used = 0;
  for (int d = 0; d < x.sizes.size(); ++d) {
    if (x.sizes[d] == 1) continue;
    int place = used++;
    for (; place > 0 && x.strides[order[place - 1]] < x.strides[d]; --place) {
      const int other = order[place - 1];
      if (!(mask >> d & 1) && !(mask >> other & 1)) return {};
      order[place] = other;
    }
    order[place] = d;
  }
  Shape sizes, strides;
  Mask moved = 0;
  for (int i = 0; i < used; ++i) {
    sizes.push_back(x.sizes[order[i]]);
    strides.push_back(x.strides[order[i]]);
    moved |= (mask >> order[i] & 1) << i;
  }
  int64_t dense = 1;
  for (int i = used - 1; i >= 0; --i) {
    if (strides[i] != dense) return {};
    dense *= sizes[i];
  }
  mask = moved;
  return make_alias(&x, sizes, strides, 0);
}

// The last reduced dims that lie side by side.
Mask last_group(const Shape& sizes, Mask mask) {
  Mask group = 0;
  for (int d = sizes.size() - 1; d >= 0; --d) {
    if (mask >> d & 1)
      group |= 1u << d;
    else if (sizes[d] != 1 && group)
      break;
  }
  return group;
}

void check_supported(bool supported, const char* op, DType dtype) {
  if (!supported) fail(ErrorCode::kNotImplemented, op, ": not implemented for ", name_of(dtype));
}

// One row of floats: fixed chunks, so that the result does not depend on the number of
// threads.
void reduce_long_row(cpu::ReduceOp op, DType dtype, const char* in, char* out, int64_t n) {
  const int64_t chunks = (n + kRowChunk - 1) / kRowChunk,
                item = static_cast<int64_t>(size_of(dtype));
  Tensor partial = make_tensor({chunks}, dtype);
  char* sums = static_cast<char*>(partial.data());
  parallel_for(chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      const int64_t length = std::min(kRowChunk, n - c * kRowChunk);
      cpu::reduce(op, dtype, in + c * kRowChunk * item, sums + c * item, {1, length, 1, length, 1},
                  nullptr);
    }
  });
  const bool extreme = op == cpu::ReduceOp::kMax || op == cpu::ReduceOp::kMin;
  cpu::reduce(extreme ? op : cpu::ReduceOp::kSum, dtype, sums, out, {1, chunks, 1, chunks, 1},
              nullptr);
}

// The variance of one row of floats, from those of chunks that fit the nearest cache (Chan, Golub
// and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979).
template <class T>
void variance_of_long_row(const T* in, T* out, int64_t n, double correction) {
  constexpr int64_t kRow = (int64_t{32} << 10) / static_cast<int64_t>(sizeof(T));
  const DType dtype = sizeof(T) == 4 ? DType::kFloat32 : DType::kFloat64;
  const int64_t chunks = (n + kRow - 1) / kRow;
  const auto length = [&](int64_t c) { return std::min(kRow, n - c * kRow); };
  const Tensor sums = make_tensor({chunks}, dtype), variances = make_tensor({chunks}, dtype);
  T *const sum = static_cast<T*>(sums.data()), *const variance = static_cast<T*>(variances.data());
  parallel_for(chunks, kGrain / kRow, [&](int64_t begin, int64_t end) {
    const double of_all[] = {0};
    for (int64_t c = begin; c < end; ++c) {
      const cpu::ReduceShape row = {1, length(c), 1, length(c), 1};
      cpu::reduce(cpu::ReduceOp::kVar, dtype, in + c * kRow, variance + c, row, of_all);
      cpu::reduce(cpu::ReduceOp::kSum, dtype, in + c * kRow, sum + c, row, nullptr);
    }
  });
  double total = 0, squares = 0;
  for (int64_t c = 0; c < chunks; ++c) total += sum[c];
  for (int64_t c = 0; c < chunks; ++c) {
    const double size = static_cast<double>(length(c)),
                 off = sum[c] / size - total / static_cast<double>(n);
    squares += size * (variance[c] + off * off);
  }
  *out = static_cast<T>(squares / std::max(static_cast<double>(n) - correction, 0.0));
}

}  // namespace

Mask mask_of(const Shape& dims, int rank) {
  if (dims.empty()) return rank == 0 ? 1u : (1u << rank) - 1;
  Mask mask = 0;
  for (int64_t dim : dims) {
    const int d = normalize_dim(dim, rank);
    if (mask >> d & 1)
      fail(ErrorCode::kRuntime, "dim ", d, " appears multiple times in the list of dims");
    mask |= 1u << d;
  }
  return mask;
}

// In the attributes of every reduction: ints[0] = mask of reduced dims, ints[1] = keepdim, ints[2]
// = output dtype or -1.
Attrs reduce_attrs(const Tensor& x, const Shape& dims, bool keepdim) {
  Attrs attrs;
  attrs.ints[0] = mask_of(dims, x.dim());
  attrs.ints[1] = keepdim;
  attrs.ints[2] = -1;
  return attrs;
}

Shape reduced_sizes(const Shape& sizes, Mask mask, bool keepdim) {
  Shape out;
  for (int d = 0; d < sizes.size(); ++d) {
    if (!(mask >> d & 1))
      out.push_back(sizes[d]);
    else if (keepdim)
      out.push_back(1);
  }
  return out;
}

int64_t reduced_count(const Shape& sizes, Mask mask) {
  int64_t n = 1;
  for (int d = 0; d < sizes.size(); ++d)
    if (mask >> d & 1) n *= sizes[d];
  return n;
}

void run_reduce(const char* name, cpu::ReduceOp op, TensorBody& x, Mask mask, TensorBody& out,
                const double* p) {
  cpu::ReduceShape shape;
  Tensor moved;
  const char* in = x.data;
  const bool joins =
      op != cpu::ReduceOp::kVar && op != cpu::ReduceOp::kArgmax && op != cpu::ReduceOp::kArgmin;
  if (!x.is_contiguous && x.numel > 1 && (joins || op == cpu::ReduceOp::kVar)) {
    Mask moved_mask = mask;
    const Tensor alias = in_memory_order(x, moved_mask);
    if (alias) return run_reduce(name, op, *body(alias), moved_mask, out, p);
  }
  const bool split = x.is_contiguous && split_dims(x.sizes, mask, shape);
  if (!split && joins && x.is_contiguous && x.numel > 0) {
    // Group by group: less to read than a copy with the dims side by side.
    const Mask group = last_group(x.sizes, mask);
    const Tensor part = make_tensor(reduced_sizes(x.sizes, group, true), x.dtype);
    run_reduce(name, op, x, group, *body(part), p);
    const bool extreme = op == cpu::ReduceOp::kMax || op == cpu::ReduceOp::kMin;
    return run_reduce(name, extreme ? op : cpu::ReduceOp::kSum, *body(part), mask & ~group, out, p);
  }
  if (!split) {
    moved = moved_last(x, mask);
    in = static_cast<const char*>(moved.data());
    const int64_t n = reduced_count(x.sizes, mask);
    shape = {out.numel, n, 1, n, 1};
  }
  if (shape.outer == 0 || shape.inner == 0) return;
  const bool is_long =
      is_floating(x.dtype) && shape.outer == 1 && shape.inner == 1 && shape.reduce > 2 * kRowChunk;
  if (is_long && joins) return reduce_long_row(op, x.dtype, in, out.data, shape.reduce);
  if (is_long && op == cpu::ReduceOp::kVar) {
    const auto run = [&]<class T>(T* to) {
      variance_of_long_row(reinterpret_cast<const T*>(in), to, shape.reduce, p[0]);
    };
    return x.dtype == DType::kFloat32 ? run(reinterpret_cast<float*>(out.data))
                                      : run(reinterpret_cast<double*>(out.data));
  }
  const int64_t item = static_cast<int64_t>(size_of(x.dtype)),
                out_item = static_cast<int64_t>(size_of(out.dtype));
  const bool by_outer = shape.outer >= shape.inner || shape.outer > 1;
  const int64_t length = by_outer ? shape.outer : shape.inner;
  const int64_t work = std::max<int64_t>(1, shape.reduce * (by_outer ? shape.inner : 1));
  parallel_for(length, std::max<int64_t>(1, 2 * kGrain / work), [&](int64_t begin, int64_t end) {
    cpu::ReduceShape part = shape;
    const char* from = in + (by_outer ? begin * shape.outer_stride : begin) * item;
    char* to = out.data + (by_outer ? begin * shape.inner : begin) * out_item;
    (by_outer ? part.outer : part.inner) = end - begin;
    check_supported(cpu::reduce(op, x.dtype, from, to, part, p), name, x.dtype);
  });
}

Tensor converted(TensorBody& x, DType dtype) {
  if (x.dtype == dtype) return borrow(&x);
  Tensor out = make_tensor(x.sizes, dtype);
  copy_into(*body(out), x);
  return out;
}

Along along(const Shape& sizes, Mask mask) {
  Along a;
  bool after = false;
  for (int d = 0; d < sizes.size(); ++d) {
    if (mask >> d & 1) {
      a.n = sizes[d];
      after = true;
    } else {
      (after ? a.inner : a.outer) *= sizes[d];
    }
  }
  return a;
}

// A reduced tensor with the reduced dims put back as size 1.
Tensor with_dims(const Backward& b, const Tensor& t) {
  if (b.attrs().ints[1]) return t;
  const Shape sizes = reduced_sizes(b.input_sizes(0), static_cast<Mask>(b.attrs().ints[0]), true);
  return sizes.size() == t.dim() ? t : reshape(t, sizes);
}

double count_of(const Backward& b) {
  return static_cast<double>(reduced_count(b.input_sizes(0), static_cast<Mask>(b.attrs().ints[0])));
}

Shape dims_of(const Attrs& attrs, int rank) {
  Shape dims;
  for (int d = 0; d < rank; ++d)
    if (attrs.ints[0] >> d & 1) dims.push_back(d);
  return dims;
}

void check_not_empty(const Call& call, bool has_dim) {
  const Shape& sizes = call.in(0).sizes;
  const Mask mask = static_cast<Mask>(call.attrs.ints[0]);
  if (reduced_count(sizes, mask) == 0 && !sizes.empty())
    fail(!has_dim && mask == (1u << sizes.size()) - 1 && !call.attrs.ints[1] ? ErrorCode::kRuntime
                                                                             : ErrorCode::kIndex,
         call.op.name, "(): Expected reduction dim to have non-zero size (sizes ", sizes,
         "): the operation has no identity for an empty input");
}

}  // namespace autograd::detail
