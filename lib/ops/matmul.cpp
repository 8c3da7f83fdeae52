// Matrix products. Transposes are flags of the op, so that no gradient needs a transposed view.
#include <algorithm>

#include "autograd/ops.hpp"
#include "autograd/runtime.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/interrupt.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "kernels/cpu/gemm.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/flops.hpp"
#include "ops/product_rules.hpp"
#include "ops/registry.hpp"
#include "ops/scratch.hpp"

namespace autograd {
namespace detail {
namespace {

struct Product {
  int64_t m, n, k;
  cpu::MatrixView a, b;
  char* c;
  int64_t c_row_stride;
  DType dtype;
};

cpu::MatrixView offset(const cpu::MatrixView& v, int64_t rows, int64_t cols, DType dtype) {
  const int64_t elements = rows * v.row_stride + cols * v.col_stride;
  return {static_cast<const char*>(v.data) + elements * static_cast<int64_t>(size_of(dtype)),
          v.row_stride, v.col_stride};
}

void run_one(const Product& p, const cpu::GemmEpilogue& epilogue) {
  const Scratch workspace(cpu::gemm_workspace(p.dtype, p.m, p.n, p.k, p.a, p.b));
  cpu::gemm(p.dtype, p.m, p.n, p.k, p.a, p.b, p.c, p.c_row_stride, epilogue, workspace.data());
}

// Large products are cut along the longer side of C; between slices of a fifth of a second Ctrl-C
// is seen.
void run_product(const Product& p, const cpu::GemmEpilogue& epilogue) {
  constexpr double kSliceWork = 1LL << 34;  // of each thread
  const double work = static_cast<double>(p.m * p.n) * static_cast<double>(p.k);
  if (work <= kThreadWork) return run_one(p, epilogue);
  const bool by_rows = p.m >= p.n;
  const int64_t length = by_rows ? p.m : p.n, item = static_cast<int64_t>(size_of(p.dtype));
  const auto run_part = [&](int64_t begin, int64_t end) {
    Product part = p;
    cpu::GemmEpilogue part_epilogue = epilogue;
    if (by_rows) {
      part.m = end - begin;
      part.a = offset(p.a, begin, 0, p.dtype);
      part.c = p.c + begin * p.c_row_stride * item;
    } else {
      part.n = end - begin;
      part.b = offset(p.b, 0, begin, p.dtype);
      part.c = p.c + begin * item;
      if (epilogue.bias)
        part_epilogue.bias = static_cast<const char*>(epilogue.bias) + begin * item;
    }
    run_one(part, part_epilogue);
  };
  // Every piece packs the whole other matrix: no more of them than even out the threads.
  const int64_t threads = num_threads();
  const int64_t slices =
      std::clamp<int64_t>(static_cast<int64_t>(work / (kSliceWork * static_cast<double>(threads))),
                          1, std::max<int64_t>(length / 1024, 1));
  const int64_t size = (length / slices + 15) / 16 * 16;
  const int64_t least = static_cast<int64_t>(static_cast<double>(length) * kThreadWork / work);
  const int64_t grain = std::max({int64_t{64}, least, size / (2 * threads)});
  for (int64_t begin = 0; begin < length; begin += size) {
    const int64_t end = std::min(begin + size, length);
    if (begin > 0) poll_in_kernel();
    if (threads == 1)
      run_part(begin, end);
    else
      parallel_for((end - begin + 15) / 16, (grain + 15) / 16, [&](int64_t first, int64_t last) {
        run_part(begin + first * 16, std::min(begin + last * 16, end));
      });
  }
}

cpu::MatrixView matrix(const TensorBody& t, bool transposed) {
  const int last = t.sizes.size() - 1;
  const int64_t rows = t.strides[last - 1], cols = t.strides[last];
  return {t.data, transposed ? cols : rows, transposed ? rows : cols};
}

void check_dtypes(const Call& call, int first, int second) {
  const DType a = call.in(first).dtype, b = call.in(second).dtype;
  if (a != b)
    fail(ErrorCode::kRuntime, call.op.name,
         ": expected m1 and m2 to have the same dtype, but got: ", name_of(a), " != ", name_of(b));
  if (a == DType::kBool) fail(ErrorCode::kRuntime, call.op.name, ": not implemented for 'Bool'");
}

int64_t rows_of(const Shape& sizes, bool transposed) {
  return sizes[sizes.size() - (transposed ? 1 : 2)];
}
int64_t cols_of(const Shape& sizes, bool transposed) {
  return sizes[sizes.size() - (transposed ? 2 : 1)];
}

// ---- mm and bmm; ints[0], ints[1]: a, b are read transposed

void infer_mm(const Call& call, OutputMetas& outputs) {
  const Shape &a = call.in(0).sizes, &b = call.in(1).sizes;
  const bool ta = call.attrs.ints[0], tb = call.attrs.ints[1];
  if (a.size() != 2) fail(ErrorCode::kRuntime, "mm: self must be a matrix, got sizes ", a);
  if (b.size() != 2) fail(ErrorCode::kRuntime, "mm: mat2 must be a matrix, got sizes ", b);
  if (cols_of(a, ta) != rows_of(b, tb))
    fail(ErrorCode::kRuntime, "mm: mat1 and mat2 shapes cannot be multiplied (", rows_of(a, ta),
         "x", cols_of(a, ta), " and ", rows_of(b, tb), "x", cols_of(b, tb), ")");
  check_dtypes(call, 0, 1);
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = {rows_of(a, ta), cols_of(b, tb)};
}

void forward_mm(const Call& call) {
  const TensorBody &a = call.in(0), &b = call.in(1);
  const bool ta = call.attrs.ints[0], tb = call.attrs.ints[1];
  TensorBody& out = call.out();
  run_product({out.sizes[0], out.sizes[1], cols_of(a.sizes, ta), matrix(a, ta), matrix(b, tb),
               out.data, out.sizes[1], out.dtype},
              {});
}

void infer_bmm(const Call& call, OutputMetas& outputs) {
  const Shape &a = call.in(0).sizes, &b = call.in(1).sizes;
  const bool ta = call.attrs.ints[0], tb = call.attrs.ints[1];
  if (a.size() != 3 || b.size() != 3)
    fail(ErrorCode::kRuntime, "bmm: batch1 and batch2 must be 3D tensors, got sizes ", a, " and ",
         b);
  if (a[0] != b[0] || cols_of(a, ta) != rows_of(b, tb))
    fail(ErrorCode::kRuntime,
         "bmm: Expected size for first two dimensions of batch2 tensor to be: [", a[0], ", ",
         cols_of(a, ta), "] but got: [", b[0], ", ", rows_of(b, tb), "]; got sizes ", a, " and ",
         b);
  check_dtypes(call, 0, 1);
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = {a[0], rows_of(a, ta), cols_of(b, tb)};
}

void forward_bmm(const Call& call) {
  const TensorBody &a = call.in(0), &b = call.in(1);
  const bool ta = call.attrs.ints[0], tb = call.attrs.ints[1];
  TensorBody& out = call.out();
  const int64_t batches = out.sizes[0], m = out.sizes[1], n = out.sizes[2],
                k = cols_of(a.sizes, ta);
  const int64_t item = static_cast<int64_t>(size_of(out.dtype));
  const int64_t each = std::max<int64_t>(m * n * k, 1);
  const auto one = [&](int64_t i) {
    cpu::MatrixView va = matrix(a, ta), vb = matrix(b, tb);
    va.data = a.data + i * a.strides[0] * item;
    vb.data = b.data + i * b.strides[0] * item;
    return Product{m, n, k, va, vb, out.data + i * m * n * item, n, out.dtype};
  };
  // Times the same matrix: one product of all rows.
  const cpu::MatrixView rows = matrix(a, ta);
  if (b.strides[0] == 0 && batches > 1 && m > 0 &&
      (m == 1 || a.strides[0] == m * (ta ? a.strides[2] : a.strides[1]))) {
    const int64_t step = m == 1 ? a.strides[0] : a.strides[0] / m;
    run_product({batches * m,
                 n,
                 k,
                 {rows.data, step, rows.col_stride},
                 matrix(b, tb),
                 out.data,
                 n,
                 out.dtype},
                {});
    return;
  }
  // One product at a time only where there are too few to keep all threads busy.
  if (each > kThreadWork && batches < 2 * num_threads()) {
    for (int64_t i = 0; i < batches; ++i) run_product(one(i), {});
    return;
  }
  parallel_for(batches, std::max<int64_t>(1, kThreadWork / each), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) run_one(one(i), {});
  });
}

Tensor product(const Op& op, const Tensor& a, const Tensor& b, bool ta, bool tb) {
  Attrs attrs;
  attrs.ints[0] = ta;
  attrs.ints[1] = tb;
  return dispatch(op, {a, b}, attrs);
}

// C = A' B' with A' = A or A^T: dA' = g B'^T, dB' = A'^T g, transposed back where A' is A^T. A is
// input `first`, B the next.
void backward_factors(Backward& r, const Op& op, int first) {
  const bool ta = r.attrs().ints[0], tb = r.attrs().ints[1];
  const int a = first, b = first + 1;
  const Tensor g = r.grad();
  if (r.needs(a))
    r.set(a, ta ? product(op, r.input(b), g, tb, true) : product(op, g, r.input(b), false, !tb));
  if (r.needs(b))
    r.set(b, tb ? product(op, g, r.input(a), true, ta) : product(op, r.input(a), g, !ta, false));
}

void backward_product(Backward& r) { backward_factors(r, r.op(), 0); }
bool batch_mm(const BatchedCall& c);
bool batch_bmm(const BatchedCall& c);

constexpr Op op_mm = {.name = "mm",
                      .traits = kProduct,
                      .infer = infer_mm,
                      .forward = {forward_mm},
                      .backward = backward_product,
                      .reads = {reads_input(1), reads_input(0)},
                      .attrs = ";;transpose_a,transpose_b",
                      .doc = "matrix product [m, k] x [k, n]",
                      .flops = product_flops,
                      .batch = {.call = batch_mm},
                      .check = takes<2>};

constexpr Op op_bmm = {.name = "bmm",
                       .traits = kProduct,
                       .infer = infer_bmm,
                       .forward = {forward_bmm},
                       .backward = backward_product,
                       .reads = {reads_input(1), reads_input(0)},
                       .attrs = ";;transpose_a,transpose_b",
                       .doc = "batched matrix product [B, m, k] x [B, k, n]",
                       .flops = product_flops,
                       .batch = {.call = batch_bmm},
                       .check = takes<2>};

// ---- examples

// [examples, rows, k] times one [k, n] is one product of all rows.
Tensor product_of_rows(const Tensor& a, const Tensor& b, bool tb) {
  const Tensor rows = product(op_mm, reshape(a, {a.size(0) * a.size(1), a.size(2)}), b, false, tb);
  return reshape(rows, {a.size(0), a.size(1), rows.size(1)});
}

bool batch_mm(const BatchedCall& c) {
  const bool ta = c.attrs.ints[0], tb = c.attrs.ints[1];
  if (c.is_batched(1) || ta)
    c.outputs[0] = product(op_bmm, c.front(0), c.front(1), ta, tb);
  else
    c.outputs[0] = product_of_rows(c.values[0], c.values[1], tb);
  return true;
}

Tensor merged_batch(const Tensor& t) { return flatten(t, 0, 1); }

bool batch_bmm(const BatchedCall& c) {
  const Tensor y = product(op_bmm, merged_batch(c.front(0)), merged_batch(c.front(1)),
                           c.attrs.ints[0], c.attrs.ints[1]);
  c.outputs[0] = reshape(y, {c.size, c.sizes(0)[0], y.size(1), y.size(2)});
  return true;
}

// ---- linear: x [..., in], weight [out, in], bias [out] or absent

int64_t leading(const Shape& sizes) {
  int64_t rows = 1;
  for (int d = 0; d + 1 < sizes.size(); ++d) rows *= sizes[d];
  return rows;
}

Tensor as_rows(const Tensor& x) {
  return x.dim() == 2 ? x : reshape(x, {leading(x.sizes()), x.size(-1)});
}

void infer_linear(const Call& call, OutputMetas& outputs) {
  const Shape &x = call.in(0).sizes, &w = call.in(1).sizes;
  if (w.size() != 2)
    fail(ErrorCode::kRuntime, "linear: weight must be a matrix [out, in], got sizes ", w);
  if (x.empty()) fail(ErrorCode::kRuntime, "linear: input needs at least one dim");
  if (x.back() != w[1])
    fail(ErrorCode::kRuntime, "linear: mat1 and mat2 shapes cannot be multiplied (", leading(x),
         "x", x.back(), " and ", w[1], "x", w[0], "); got input ", x, " and weight ", w);
  check_dtypes(call, 0, 1);
  if (call.has(2)) {
    const TensorBody& bias = call.in(2);
    if (bias.sizes.size() != 1 || bias.sizes[0] != w[0])
      fail(ErrorCode::kRuntime, "linear: bias must have sizes [", w[0], "] for weight ", w,
           ", got ", bias.sizes);
    check_dtypes(call, 0, 2);
  }
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = x;
  meta.sizes[x.size() - 1] = w[0];
}

void forward_linear(const Call& call) {
  TensorBody& x = call.in(0);
  const TensorBody& w = call.in(1);
  TensorBody& out = call.out();
  const int64_t m = leading(x.sizes), k = w.sizes[1], n = w.sizes[0];
  Tensor copy;
  cpu::MatrixView rows{x.data, k, 1};
  if (x.sizes.size() == 2) {
    rows = matrix(x, false);
  } else if (!x.is_contiguous) {
    copy = dense(x);
    rows.data = copy.data();
  }
  Tensor bias;
  cpu::GemmEpilogue epilogue;
  if (call.has(2)) {
    bias = dense(call.in(2));
    epilogue.bias = bias.data();
  }
  run_product({m, n, k, rows, matrix(w, true), out.data, n, out.dtype}, epilogue);
}

void backward_linear(Backward& r) {
  const Tensor g = r.grad();
  const Tensor rows = as_rows(g);
  if (r.needs(0)) {
    const Tensor dx = product(op_mm, rows, r.input(1), false, false);
    r.set(0, g.dim() == 2 ? dx : reshape(dx, r.input_sizes(0)));
  }
  if (r.needs(1)) r.set(1, product(op_mm, rows, as_rows(r.input(0)), true, false));
  if (r.needs(2)) r.set(2, rows);
}

bool batch_linear(const BatchedCall& c) {
  const bool has_bias = c.has(2);
  if (!c.is_batched(1) && !(has_bias && c.is_batched(2))) {
    c.make({c.values[0], c.values[1], has_bias ? c.values[2] : Tensor()}, c.attrs);
    return true;
  }
  const int rank = c.rank(0);
  Shape sizes = c.sizes(0);
  sizes[rank - 1] = c.sizes(1)[0];
  sizes.insert(0, c.size);
  Tensor y;
  if (c.is_batched(1)) {
    const Tensor x = c.front(0);
    const Tensor rows = reshape(x, {c.size, leading(c.sizes(0)), x.size(-1)});
    y = reshape(product(op_bmm, rows, c.values[1], false, true), sizes);
  } else {
    y = linear(c.front(0), c.values[1], Tensor());
  }
  c.outputs[0] = has_bias ? add(y, c.aligned(2, rank)) : y;
  return true;
}

constexpr Op op_linear = {.name = "linear",
                          .traits = kProduct,
                          .infer = infer_linear,
                          .forward = {forward_linear},
                          .backward = backward_linear,
                          .reads = {reads_input(1), reads_input(0)},
                          .doc = "x weight^T + bias",
                          .optional_inputs = 4,
                          .flops = linear_flops,
                          .batch = {.call = batch_linear},
                          .check = takes<2, 3>};

// ---- addmm: input broadcast to [m, n], plus a b; ints as in mm. In place, input is the output.

void infer_addmm(const Call& call, OutputMetas& outputs) {
  const Arg* factors = call.inputs + 1;
  infer_mm(Call{call.op, factors, 2, call.attrs, call.outputs, 1}, outputs);
  check_dtypes(call, 0, 1);
  OutputMeta& meta = outputs[0];
  if (call.in(0).sizes.size() > 2 ||
      broadcast_sizes(call.op.name, meta.sizes, call.in(0).sizes) != meta.sizes)
    fail(ErrorCode::kRuntime, "addmm: The expanded size of the tensor must match: input ",
         call.in(0).sizes, " does not broadcast to ", meta.sizes);
}

void forward_addmm(const Call& call) {
  const TensorBody &a = call.in(1), &b = call.in(2);
  const bool ta = call.attrs.ints[0], tb = call.attrs.ints[1];
  TensorBody& out = call.out();
  if (out.data != call.in(0).data) copy_into(out, call.in(0));
  cpu::GemmEpilogue epilogue;
  epilogue.accumulate = true;
  run_product({out.sizes[0], out.sizes[1], cols_of(a.sizes, ta), matrix(a, ta), matrix(b, tb),
               out.data, out.sizes[1], out.dtype},
              epilogue);
}

void backward_addmm(Backward& r) {
  if (r.needs(0)) r.set(0, r.grad());
  backward_factors(r, op_mm, 1);
}

bool batch_addmm(const BatchedCall& c) {
  const bool ta = c.attrs.ints[0], tb = c.attrs.ints[1];
  const Tensor y = c.is_batched(2) || !c.is_batched(1) || ta
                       ? product(op_bmm, c.front(1), c.front(2), ta, tb)
                       : product_of_rows(c.values[1], c.values[2], tb);
  c.outputs[0] = add(y, c.aligned(0, 2));
  return true;
}

constexpr Op op_addmm = {.name = "addmm",
                         .traits = kProduct,
                         .infer = infer_addmm,
                         .forward = {forward_addmm},
                         .backward = backward_addmm,
                         .reads = {0, reads_input(2), reads_input(1)},
                         .attrs = ";;transpose_a,transpose_b",
                         .doc = "input + a b",
                         .flops = addmm_flops,
                         .batch = {.call = batch_addmm},
                         .check = takes<3>};

// ---- dot and mv; ints[0] of mv: the matrix is read transposed

void infer_dot(const Call& call, OutputMetas& outputs) {
  const TensorBody &a = call.in(0), &b = call.in(1);
  if (a.sizes.size() != 1 || b.sizes.size() != 1)
    fail(ErrorCode::kRuntime, "dot: 1D tensors expected, but got ", a.sizes.size(), "D and ",
         b.sizes.size(), "D tensors; got sizes ", a.sizes, " and ", b.sizes);
  if (a.dtype != b.dtype)
    fail(ErrorCode::kRuntime, "dot: expected both vectors to have same dtype, but found ",
         name_of(a.dtype), " and ", name_of(b.dtype));
  if (a.sizes != b.sizes)
    fail(ErrorCode::kRuntime, "dot: inconsistent tensor size, expected tensor ", a.sizes,
         " and src ", b.sizes, " to have the same number of elements, but got ", a.numel, " and ",
         b.numel, " elements respectively");
  if (a.dtype == DType::kBool)
    fail(ErrorCode::kNotImplemented, "\"dot\" not implemented for 'Bool'");
  outputs.add().dtype = a.dtype;
}

void forward_dot(const Call& call) {
  const TensorBody &a = call.in(0), &b = call.in(1);
  run_product({1,
               1,
               a.sizes[0],
               {a.data, 0, a.strides[0]},
               {b.data, b.strides[0], 0},
               call.out().data,
               1,
               a.dtype},
              {});
}

void backward_dot(Backward& r) {
  const Tensor g = r.grad();
  if (r.needs(0)) r.set(0, mul(r.input(1), g));
  if (r.needs(1)) r.set(1, mul(r.input(0), g));
}

bool batch_dot(const BatchedCall& c) {
  c.outputs[0] = reshape(
      product(op_bmm, unsqueeze(c.front(0), 1), unsqueeze(c.front(1), 2), false, false), {c.size});
  return true;
}

constexpr Op op_dot = {.name = "dot",
                       .traits = kProduct,
                       .infer = infer_dot,
                       .forward = {forward_dot},
                       .backward = backward_dot,
                       .reads = {reads_input(1), reads_input(0)},
                       .doc = "sum of the products of two vectors",
                       .flops = dot_flops,
                       .batch = {.call = batch_dot},
                       .check = takes<2>};

void infer_mv(const Call& call, OutputMetas& outputs) {
  const Shape &a = call.in(0).sizes, &v = call.in(1).sizes;
  if (a.size() != 2 || v.size() != 1)
    fail(ErrorCode::kRuntime, "mv: vector + matrix @ vector expected, got ", a.size(), "D and ",
         v.size(), "D; got sizes ", a, " and ", v);
  const bool ta = call.attrs.ints[0];
  if (cols_of(a, ta) != v[0])
    fail(ErrorCode::kRuntime, "mv: size mismatch, got mat ", a, " (", a[0], "x", a[1], "), vec ", v,
         " (", v[0], ")");
  check_dtypes(call, 0, 1);
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = {rows_of(a, ta)};
}

void forward_mv(const Call& call) {
  const TensorBody &a = call.in(0), &v = call.in(1);
  TensorBody& out = call.out();
  run_product({out.sizes[0],
               1,
               v.sizes[0],
               matrix(a, call.attrs.ints[0]),
               {v.data, v.strides[0], 0},
               out.data,
               1,
               out.dtype},
              {});
}

Tensor matrix_vector(const Tensor& a, const Tensor& v, bool transposed);

// y = A v: dA = g v^T, dv = A^T g.
void backward_mv(Backward& r) {
  const bool ta = r.attrs().ints[0];
  const Tensor g = r.grad();
  if (r.needs(0)) r.set(0, ta ? outer(r.input(1), g) : outer(g, r.input(1)));
  if (r.needs(1)) r.set(1, matrix_vector(r.input(0), g, !ta));
}

bool batch_mv(const BatchedCall& c) {
  const bool ta = c.attrs.ints[0];
  c.outputs[0] =
      c.is_batched(0)
          ? squeeze(product(op_bmm, c.values[0], unsqueeze(c.front(1), 2), ta, false), {2})
          : product(op_mm, c.values[1], c.values[0], false, !ta);
  return true;
}

constexpr Op op_mv = {.name = "mv",
                      .traits = kProduct,
                      .infer = infer_mv,
                      .forward = {forward_mv},
                      .backward = backward_mv,
                      .reads = {reads_input(1), reads_input(0)},
                      .attrs = ";;transpose_a",
                      .doc = "matrix times vector [m, k] x [k]",
                      .flops = dot_flops,
                      .batch = {.call = batch_mv},
                      .check = takes<2>};

Tensor matrix_vector(const Tensor& a, const Tensor& v, bool transposed) {
  Attrs attrs;
  attrs.ints[0] = transposed;
  return dispatch(op_mv, {a, v}, attrs);
}

constexpr const Op* kProductOps[] = {&op_mm, &op_bmm, &op_linear, &op_addmm, &op_dot, &op_mv};

}  // namespace

void multiply_matrices(DType dtype, int64_t m, int64_t n, int64_t k, const cpu::MatrixView& a,
                       const cpu::MatrixView& b, void* c, int64_t c_row_stride,
                       const cpu::GemmEpilogue& epilogue) {
  run_product({m, n, k, a, b, static_cast<char*>(c), c_row_stride, dtype}, epilogue);
}

OpList product_ops() { return {kProductOps, std::size(kProductOps)}; }

}  // namespace detail

Tensor mm(const Tensor& a, const Tensor& b) {
  return detail::product(detail::op_mm, a, b, false, false);
}
Tensor bmm(const Tensor& a, const Tensor& b) {
  return detail::product(detail::op_bmm, a, b, false, false);
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  return detail::dispatch(detail::op_linear, {x, weight, bias});
}

Tensor dot(const Tensor& a, const Tensor& b) { return detail::dispatch(detail::op_dot, {a, b}); }
Tensor mv(const Tensor& a, const Tensor& v) { return detail::matrix_vector(a, v, false); }

Tensor addmm(const Tensor& input, const Tensor& a, const Tensor& b, double beta, double alpha) {
  if (beta == 1 && alpha == 1) return detail::dispatch(detail::op_addmm, {input, a, b});
  return detail::scaled_sum("addmm", input, mm(a, b), beta, alpha);
}

Tensor matmul(const Tensor& a, const Tensor& b) {
  if (a.dim() == 2 && b.dim() == 2) return mm(a, b);
  if (a.dim() == 0 || b.dim() == 0)
    fail(ErrorCode::kRuntime,
         "matmul: both arguments to matmul need to be at least 1D, but they are ", a.dim(),
         "D and ", b.dim(), "D");
  const int64_t inner_b = b.size(b.dim() == 1 ? 0 : -2);
  if (a.size(-1) != inner_b) {
    if (a.dim() == 1 && b.dim() == 1)
      fail(ErrorCode::kRuntime, "matmul: inconsistent tensor size, expected tensor ", a.sizes(),
           " and src ", b.sizes(), " to have the same number of elements");
    fail(ErrorCode::kRuntime, "matmul: mat1 and mat2 shapes cannot be multiplied (",
         detail::leading(a.sizes()), "x", a.size(-1), " and ", inner_b, "x",
         b.dim() == 1 ? 1 : b.size(-1), "); got ", a.sizes(), " and ", b.sizes());
  }
  // Vectors become matrices, and the added dim goes away again.
  if (a.dim() == 1 && b.dim() == 1) return dot(a, b);
  if (a.dim() == 2 && b.dim() == 1) return mv(a, b);
  if (a.dim() == 1 && b.dim() == 2) return detail::matrix_vector(b, a, true);
  if (a.dim() == 1) return squeeze(matmul(unsqueeze(a, 0), b), {-2});
  if (b.dim() == 1) return squeeze(matmul(a, unsqueeze(b, 1)), {-1});
  if (b.dim() > 2) return detail::batched_matmul(a, b);
  // A batch times one matrix is one product of all rows.
  Shape sizes = a.sizes();
  sizes[a.dim() - 1] = b.size(1);
  return reshape(mm(detail::as_rows(a), b), sizes);
}

}  // namespace autograd
