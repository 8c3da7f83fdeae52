// Scaled dot product attention. Fused, it never holds more than a tile of the scores: the forward
// pass keeps the logarithm of each row's sum, the backward pass computes the tiles again.
#include "kernels/cpu/attention.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "core/thread_state.hpp"
#include "kernels/cpu/gemm.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/flops.hpp"
#include "ops/matrices.hpp"
#include "ops/recompute.hpp"
#include "ops/registry.hpp"
#include "ops/scratch.hpp"

namespace autograd {
namespace detail {
namespace {

constexpr int64_t kQueries = 256, kKeys = 512;  // sizes of a tile of scores
// Multiply-adds below which a second thread costs more than it brings.
constexpr int64_t kAttentionWork = 1 << 21;

int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

/// A matrix of a batch, the last two dims of a tensor.
struct Matrix {
  char* data;
  int64_t row, col, item;

  Matrix at(int64_t first_row) const { return {data + first_row * row * item, row, col, item}; }
  cpu::MatrixView view() const { return {data, row, col}; }
  cpu::MatrixView transposed() const { return {data, col, row}; }
};

Matrix matrix_of(const TensorBody& t, int64_t index) {
  const int rank = t.sizes.size();
  int64_t offset = 0;
  for (int d = rank - 3; d >= 0; --d) {
    offset += index % t.sizes[d] * t.strides[d];
    index /= t.sizes[d];
  }
  const int64_t item = static_cast<int64_t>(size_of(t.dtype));
  return {t.data + offset * item, t.strides[rank - 2], t.strides[rank - 1], item};
}

/// What all tiles of a call share. Inputs from `at` on: query, key, value, mask.
struct Problem {
  Problem(const Call& call, int at)
      : q(call.in(at)), k(call.in(at + 1)), v(call.in(at + 2)), dtype(q.dtype) {
    const int rank = q.sizes.size();
    queries = q.sizes[rank - 2];
    width = q.sizes[rank - 1];
    keys = k.sizes[rank - 2];
    out_width = v.sizes[rank - 1];
    for (int d = 0; d + 2 < rank; ++d) batch *= q.sizes[d];
    if (call.has(at + 3)) mask = &call.in(at + 3);
    scale = call.attrs.reals[0];
    causal = call.attrs.ints[0];
    tile_keys = std::min(keys, kKeys);
    tile_queries = std::min(queries, kQueries);
    item = static_cast<int64_t>(size_of(dtype));
  }

  int64_t work() const { return std::max<int64_t>(1, queries * keys * (width + out_width)); }
  /// Keys that some of the queries before `end` see.
  int64_t visible(int64_t end) const { return causal ? std::min(keys, end) : keys; }

  cpu::ScoreTile tile(void* scores, int64_t index, int64_t first_query, int64_t rows,
                      int64_t first_key, int64_t cols) const {
    cpu::ScoreTile t;
    t.scores = scores;
    t.rows = rows;
    t.cols = cols;
    t.stride = round_up(cols, cpu::kScorePadding);
    t.scale = scale;
    t.causal = causal;
    t.first = first_query - first_key;
    if (!mask) return t;
    const Matrix m = matrix_of(*mask, index);
    t.mask_kind =
        mask->dtype == DType::kBool ? cpu::ScoreTile::kBoolMask : cpu::ScoreTile::kFloatMask;
    t.mask = m.data + (first_query * m.row + first_key * m.col) * m.item;
    t.mask_row = m.row;
    t.mask_col = m.col;
    return t;
  }
  size_t score_bytes() const {
    return static_cast<size_t>(tile_queries * round_up(tile_keys, cpu::kScorePadding) * item);
  }

  const TensorBody &q, &k, &v;
  const TensorBody* mask = nullptr;
  DType dtype;
  int64_t batch = 1, queries, keys, width, out_width, tile_queries, tile_keys, item;
  double scale;
  bool causal;
};

void multiply(DType dtype, int64_t m, int64_t n, int64_t k, const cpu::MatrixView& a,
              const cpu::MatrixView& b, void* c, int64_t c_row, bool accumulate, void* workspace) {
  cpu::GemmEpilogue epilogue;
  epilogue.accumulate = accumulate;
  cpu::gemm(dtype, m, n, k, a, b, c, c_row, epilogue, workspace);
}

size_t workspace_of(const Problem& p) {
  const cpu::MatrixView any{nullptr, 0, 1};
  const int64_t m = p.tile_queries, n = p.tile_keys, w = std::max(p.width, p.out_width);
  // The products of both passes, in any order of the three sizes.
  return std::max({cpu::gemm_workspace(p.dtype, m, n, w, any, any),
                   cpu::gemm_workspace(p.dtype, m, w, n, any, any),
                   cpu::gemm_workspace(p.dtype, n, w, m, any, any)});
}

void check_same(const Shape& a, const Shape& b, int dims) {
  for (int d = 0; d < dims; ++d)
    if (a[d] != b[d]) fail(ErrorCode::kRuntime, "attention: sizes ", a, " and ", b, " do not fit");
}

void infer_attention(const Call& call, OutputMetas& outputs) {
  const Shape &q = call.in(0).sizes, &k = call.in(1).sizes, &v = call.in(2).sizes;
  const int rank = q.size();
  if (k.size() != rank || v.size() != rank)
    fail(ErrorCode::kRuntime, "attention: sizes ", q, ", ", k, " and ", v, " do not fit");
  check_same(q, k, rank - 2);
  check_same(k, v, rank - 1);
  OutputMeta& out = outputs.add();
  out.dtype = call.in(0).dtype;
  out.sizes = q;
  out.sizes[rank - 1] = v[rank - 1];
  OutputMeta& lse = outputs.add();
  lse.dtype = out.dtype;
  lse.sizes = Shape(q.data(), rank - 1);
}

void forward_tiles(const Problem& p, const Call& call, int64_t begin, int64_t end) {
  const int64_t blocks = (p.queries + kQueries - 1) / kQueries;
  const size_t gemm_bytes = workspace_of(p), sums = static_cast<size_t>(p.tile_queries * p.item);
  Scratch scratch(p.score_bytes() + gemm_bytes + sums + 256);
  void* scores = scratch.take(p.score_bytes());
  void* workspace = scratch.take(gemm_bytes);
  void* sum = scratch.take(sums);
  for (int64_t i = begin; i < end; ++i) {
    const int64_t index = i / blocks, first = i % blocks * kQueries;
    const int64_t rows = std::min(kQueries, p.queries - first);
    const Matrix q = matrix_of(p.q, index).at(first);
    const Matrix k = matrix_of(p.k, index), v = matrix_of(p.v, index);
    char* out = call.out(0).data + (index * p.queries + first) * p.out_width * p.item;
    char* lse = call.out(1).data + (index * p.queries + first) * p.item;
    const int64_t visible = p.visible(first + rows);
    for (int64_t key = 0; key < visible; key += kKeys) {
      const int64_t cols = std::min(kKeys, visible - key);
      const cpu::ScoreTile tile = p.tile(scores, index, first, rows, key, cols);
      multiply(p.dtype, rows, cols, p.width, q.view(), k.at(key).transposed(), scores, tile.stride,
               false, workspace);
      cpu::attention_step(p.dtype, tile, lse, sum, out, p.out_width, p.out_width, key == 0);
      multiply(p.dtype, rows, p.out_width, cols, {scores, tile.stride, 1}, v.at(key).view(), out,
               p.out_width, key > 0, workspace);
    }
    cpu::attention_finish(p.dtype, rows, lse, sum, out, p.out_width, p.out_width);
  }
}

void forward_attention(const Call& call) {
  const Problem p(call, 0);
  if (p.keys == 0 || call.out(0).numel == 0) {
    std::fill_n(call.out(0).data, call.out(0).numel * p.item, char{0});
    std::fill_n(call.out(1).data, call.out(1).numel * p.item, char{0});
    return;
  }
  const int64_t blocks = (p.queries + kQueries - 1) / kQueries;
  parallel_for(p.batch * blocks, std::max<int64_t>(1, kAttentionWork * blocks / p.work()),
               [&](int64_t begin, int64_t end) { forward_tiles(p, call, begin, end); });
}

// ---- first order; inputs: g, query, key, value, mask, out, logsumexp

void infer_attention_backward(const Call& call, OutputMetas& outputs) {
  for (int i = 1; i <= 3; ++i) {
    OutputMeta& meta = outputs.add();
    meta.dtype = call.in(i).dtype;
    meta.sizes = call.in(i).sizes;
  }
}

struct BackwardBuffers {
  void *scores, *d, *delta, *workspace;
};

void backward_one(const Problem& p, const Call& call, const Tensor& g, int64_t index,
                  const BackwardBuffers& buffers) {
  const Matrix q = matrix_of(p.q, index), k = matrix_of(p.k, index), v = matrix_of(p.v, index);
  const Matrix dq = matrix_of(call.out(0), index), dk = matrix_of(call.out(1), index),
               dv = matrix_of(call.out(2), index);
  const Matrix go = matrix_of(*body(g), index), out = matrix_of(call.in(5), index);
  const char* lse = call.in(6).data + index * p.queries * p.item;
  cpu::row_dots(p.dtype, p.queries, p.out_width, go.data, go.row, out.data, out.row, buffers.delta);
  for (int64_t key = 0; key < p.keys; key += kKeys) {
    const int64_t cols = std::min(kKeys, p.keys - key);
    const Matrix kt = k.at(key), vt = v.at(key);
    bool is_first = true;
    for (int64_t first = 0; first < p.queries; first += kQueries) {
      const int64_t rows = std::min(kQueries, p.queries - first);
      if (p.causal && first + rows <= key) continue;
      const Matrix qt = q.at(first), gt = go.at(first);
      const cpu::ScoreTile tile = p.tile(buffers.scores, index, first, rows, key, cols);
      multiply(p.dtype, rows, cols, p.width, qt.view(), kt.transposed(), buffers.scores,
               tile.stride, false, buffers.workspace);
      multiply(p.dtype, rows, cols, p.out_width, gt.view(), vt.transposed(), buffers.d, tile.stride,
               false, buffers.workspace);
      cpu::attention_backward(p.dtype, tile, lse + first * p.item,
                              static_cast<char*>(buffers.delta) + first * p.item, buffers.d);
      multiply(p.dtype, cols, p.out_width, rows, {buffers.scores, 1, tile.stride}, gt.view(),
               dv.at(key).data, p.out_width, !is_first, buffers.workspace);
      multiply(p.dtype, cols, p.width, rows, {buffers.d, 1, tile.stride}, qt.view(),
               dk.at(key).data, p.width, !is_first, buffers.workspace);
      multiply(p.dtype, rows, p.width, cols, {buffers.d, tile.stride, 1}, kt.view(),
               dq.at(first).data, p.width, key > 0, buffers.workspace);
      is_first = false;
    }
    if (is_first) {  // keys that no query sees
      std::fill_n(dk.at(key).data, cols * p.width * p.item, char{0});
      std::fill_n(dv.at(key).data, cols * p.out_width * p.item, char{0});
    }
  }
}

void forward_attention_backward(const Call& call) {
  const Problem p(call, 1);
  const Tensor g = dense(call.in(0));
  if (p.keys == 0 || call.in(5).numel == 0) {
    for (int i = 0; i < 3; ++i) std::fill_n(call.out(i).data, call.out(i).numel * p.item, char{0});
    return;
  }
  parallel_for(p.batch, std::max<int64_t>(1, kAttentionWork / (3 * p.work())),
               [&](int64_t begin, int64_t end) {
                 const size_t gemm_bytes = workspace_of(p), scores = p.score_bytes(),
                              deltas = static_cast<size_t>(p.queries * p.item);
                 Scratch scratch(2 * scores + gemm_bytes + deltas + 256);
                 const BackwardBuffers buffers{scratch.take(scores), scratch.take(scores),
                                               scratch.take(deltas), scratch.take(gemm_bytes)};
                 for (int64_t i = begin; i < end; ++i) backward_one(p, call, g, i, buffers);
               });
}

/// Inputs from `at` on: query, key, value, mask.
void check_problem(const Call& call, int at) {
  const int rank = call.in(at).sizes.size();
  need(call, rank >= 2, "matrices are wanted");
  for (int i = at; i < at + 3; ++i) {
    need_float(call, i);
    need_dtype_of(call, i, at);
    need_rank(call, i, rank);
  }
  const Shape &q = call.in(at).sizes, &k = call.in(at + 1).sizes, &v = call.in(at + 2).sizes;
  check_same(q, k, rank - 2);
  check_same(k, v, rank - 1);
  need(call, q.back() == k.back(), "query and key have vectors of different lengths");
  if (!call.has(at + 3)) return;
  Shape scores = q;
  scores[rank - 1] = k[rank - 2];
  need_sizes(call, at + 3, scores);
  if (call.in(at + 3).dtype != DType::kBool) need_dtype_of(call, at + 3, at);
}

void check_attention(const Call& call) {
  need_counts(call, 3, 4, 2);
  check_problem(call, 0);
}

void check_attention_backward(const Call& call) {
  need_counts(call, 7, 7, 3);
  check_problem(call, 1);
  const Shape& q = call.in(1).sizes;
  Shape out = q;
  out[q.size() - 1] = call.in(3).sizes.back();
  for (int i : {0, 5}) need_sizes(call, i, out);
  need_sizes(call, 6, Shape(q.data(), q.size() - 1));
  for (int i : {0, 5, 6}) need_dtype_of(call, i, 1);
  need_dense(call, 6);
}

// One more dim of the batch. The kernel reads logsumexp as it lies, so it is repeated in memory.
bool batch_backward(const BatchedCall& c) {
  Vector<Tensor> arguments;
  for (int i = 0; i < c.n_inputs; ++i) arguments.push_back(c.has(i) ? c.front(i) : Tensor());
  arguments[6] = contiguous(arguments[6]);
  c.make(arguments, c.attrs);
  return true;
}

constexpr Op op_attention_backward = {.name = "attention_backward",
                                      .traits = kProduct,
                                      .infer = infer_attention_backward,
                                      .forward = {forward_attention_backward},
                                      .attrs = ";scale;is_causal",
                                      .doc = "gradients of attention for query, key and value",
                                      .optional_inputs = 1 << 4,
                                      .flops = attention_backward_flops,
                                      .batch = {.call = batch_backward},
                                      .check = check_attention_backward};

// ---- the same in public ops

Tensor hidden(int64_t queries, int64_t keys) {
  const Tensor rows = unsqueeze(arange(0, static_cast<double>(queries)), 1);
  return gt(arange(0, static_cast<double>(keys)), rows);
}

Tensor composed(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask, double scale,
                bool causal, double dropout_p) {
  Tensor s = mul(matmul(q, transpose(k, -2, -1)), scalar(scale));
  const Tensor lowest = scalar(-std::numeric_limits<double>::infinity());
  if (causal) s = where(hidden(q.size(-2), k.size(-2)), lowest, s);
  if (mask) s = mask.dtype() == DType::kBool ? where(mask, s, lowest) : add(s, mask);
  if ((causal || mask) && k.size(-2) > 0) {
    // Rows without a key have weights of 0 instead of NaN.
    const Tensor blind = eq(amax(s.detach(), {-1}, true), lowest);
    s = where(blind, scalar(0.0), s);
    s = where(blind, scalar(0.0), softmax(s, -1));
  } else {
    s = softmax(s, -1);
  }
  if (dropout_p > 0) s = dropout(s, dropout_p);
  return matmul(s, v);
}

void backward_fused_attention(Backward& r) {
  const double scale = r.attrs().reals[0];
  const bool causal = r.attrs().ints[0];
  if (thread_state.grad_enabled)
    return differentiate_composite(r, [&](const std::vector<Tensor>& x) {
      return std::vector<Tensor>{composed(x[0], x[1], x[2], x[3], scale, causal, 0)};
    });
  const Tensor mask = r.has_input(3) ? r.input(3) : Tensor();
  const Tensor inputs[] = {r.grad(), r.input(0), r.input(1), r.input(2),
                           mask,     r.output(), r.output(1)};
  const Arg args[] = {inputs[0], inputs[1], inputs[2], inputs[3], inputs[4], inputs[5], inputs[6]};
  Tensor grads[3];
  dispatch(op_attention_backward, args, 7, r.attrs(), grads, 3);
  for (int i = 0; i < 3; ++i)
    if (r.needs(i)) r.set(i, grads[i]);
}

constexpr uint32_t kAttentionReads = reads_input(0) | reads_input(1) | reads_input(2) |
                                     reads_input(3) | reads_output(0) | reads_output(1);

constexpr Op op_attention = {.name = "attention",
                             .traits = kProduct,
                             .infer = infer_attention,
                             .forward = {forward_attention},
                             .backward = backward_fused_attention,
                             .reads = {kAttentionReads, kAttentionReads, kAttentionReads},
                             .attrs = ";scale;is_causal",
                             .doc = "softmax(query key^T * scale + mask) value",
                             .optional_inputs = 1 << 3,
                             .flops = attention_flops,
                             .batch = {0xF},
                             .check = check_attention};

constexpr const Op* kAttentionOps[] = {&op_attention, &op_attention_backward};

// ---- arguments

void check_arguments(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                     const AttentionOptions& options) {
  constexpr const char* kName = "scaled_dot_product_attention: ";
  if (q.dim() < 2 || k.dim() < 2 || v.dim() < 2)
    fail(ErrorCode::kRuntime, kName,
         "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: ",
         q.dim(), " key.dim: ", k.dim(), " and value.dim: ", v.dim(), " instead.");
  if (q.dtype() != k.dtype() || q.dtype() != v.dtype())
    fail(ErrorCode::kRuntime, kName,
         "Expected query, key, and value to have the same dtype, but got query.dtype: ",
         name_of(q.dtype()), " key.dtype: ", name_of(k.dtype()),
         " and value.dtype: ", name_of(v.dtype()), " instead.");
  if (!is_floating(q.dtype()))
    fail(ErrorCode::kRuntime, kName, "expected a floating point dtype, but got ",
         name_of(q.dtype()));
  if (q.size(-1) != k.size(-1) || k.size(-2) != v.size(-2))
    fail(ErrorCode::kRuntime, kName, "mat1 and mat2 shapes cannot be multiplied: query ", q.sizes(),
         ", key ", k.sizes(), " and value ", v.sizes(),
         " need [..., L, E], [..., S, E], [..., S, Ev]");
  if (mask && options.is_causal)
    fail(ErrorCode::kRuntime, kName, "Explicit attn_mask should not be set when is_causal=True");
  if (mask && mask.dtype() != DType::kBool && mask.dtype() != q.dtype())
    fail(ErrorCode::kRuntime, kName,
         "Expected attn_mask dtype to be bool or float or to match query dtype, but got "
         "attn_mask.dtype: ",
         name_of(mask.dtype()), " and  query.dtype: ", name_of(q.dtype()), " instead.");
  if (!(options.dropout_p >= 0 && options.dropout_p <= 1))
    fail(ErrorCode::kRuntime, kName, "dropout probability has to be between 0 and 1, but got ",
         options.dropout_p);
}

// [..., heads, rows, width] as [..., groups, heads / groups, rows, width].
Tensor grouped(const Tensor& x, int64_t groups) {
  Shape sizes = x.sizes();
  const int at = sizes.size() - 3;
  const int64_t heads = sizes[at];
  sizes[at] = groups;
  sizes.insert(at + 1, groups ? heads / groups : 0);
  return reshape(x, sizes);
}

Tensor attend_in_groups(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                        AttentionOptions options) {
  const int64_t heads = q.size(-3), k_heads = k.size(-3), v_heads = v.size(-3);
  const auto divides = [&](int64_t n) { return n > 0 && heads % n == 0; };
  if (!divides(k_heads) || !divides(v_heads))
    fail(ErrorCode::kRuntime,
         "scaled_dot_product_attention: Number of heads in key and value must divide the number of "
         "heads in query, got ",
         q.sizes(), ", ", k.sizes(), " and ", v.sizes());
  options.enable_gqa = false;
  const auto repeated = [&](const Tensor& x, int64_t n) {
    return n == k_heads ? grouped(x, n)
                        : grouped(reshape(expand(unsqueeze(x, -3),
                                                 [&] {
                                                   Shape sizes = x.sizes();
                                                   sizes.insert(sizes.size() - 2, heads / n);
                                                   return sizes;
                                                 }()),
                                          [&] {
                                            Shape sizes = x.sizes();
                                            sizes[sizes.size() - 3] = heads;
                                            return sizes;
                                          }()),
                                  k_heads);
  };
  Tensor m = mask;
  if (m && m.dim() > 2) {
    m = m.size(-3) == 1 ? unsqueeze(m, -3) : grouped(m, k_heads);
  }
  const Tensor out = scaled_dot_product_attention(grouped(q, k_heads), repeated(k, k_heads),
                                                  repeated(v, v_heads), m, options);
  Shape sizes = q.sizes();
  sizes[sizes.size() - 1] = v.size(-1);
  return reshape(out, sizes);
}

}  // namespace

OpList attention_ops() { return {kAttentionOps, std::size(kAttentionOps)}; }

}  // namespace detail

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const Tensor& mask, const AttentionOptions& options) {
  using namespace detail;
  check_arguments(query, key, value, mask, options);
  if (options.enable_gqa) {
    if (query.dim() < 3 || key.dim() < 3 || value.dim() < 3)
      fail(ErrorCode::kIndex,
           "Dimension out of range (expected to be in range of [-2, 1], but got -3): enable_gqa "
           "needs a dim of heads");
    if (query.size(-3) != key.size(-3) || query.size(-3) != value.size(-3))
      return attend_in_groups(query, key, value, mask, options);
  }
  Shape batch = batch_of(query.sizes());
  if (batch != batch_of(key.sizes()))
    batch = broadcast_sizes("attention", batch, batch_of(key.sizes()));
  if (batch != batch_of(value.sizes()))
    batch = broadcast_sizes("attention", batch, batch_of(value.sizes()));
  const Tensor q = with_batch(query, batch), k = with_batch(key, batch),
               v = with_batch(value, batch);
  Tensor m = mask;
  if (m) {
    Shape sizes = batch;
    sizes.push_back(q.size(-2));
    sizes.push_back(k.size(-2));
    if (!broadcasts_to(m.sizes(), sizes))
      fail(ErrorCode::kRuntime, "scaled_dot_product_attention: attn_mask of sizes ", m.sizes(),
           " must match the size of the scores, it cannot be expanded to ", sizes);
    if (m.sizes() != sizes) m = expand(m, sizes);
  }
  // Vectors of no elements have products of 0, which no scale changes.
  const double width = static_cast<double>(std::max<int64_t>(1, q.size(-1)));
  const double scale = options.scale ? *options.scale : 1 / std::sqrt(width);
  if (options.dropout_p > 0 || (m && m.requires_grad()))
    return composed(q, k, v, m, scale, options.is_causal, options.dropout_p);
  Attrs attrs;
  attrs.reals[0] = scale;
  attrs.ints[0] = options.is_causal;
  return dispatch_pair(op_attention, {q, k, v, m}, attrs).first;
}

}  // namespace autograd
