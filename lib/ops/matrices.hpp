// What ops over the last two dims share, among them those that compute in float64.
#pragma once
#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "autograd/ops.hpp"
#include "core/dispatch.hpp"
#include "core/parallel.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"

namespace autograd::detail {

inline constexpr int64_t kMatrixThreadWork = 1 << 18;  // m n min(m, n) worth a second thread

inline void check_matrices(const char* op, const Tensor& a) {
  if (a.dim() < 2)
    fail(ErrorCode::kRuntime, op,
         ": The input tensor A must have at least 2 dimensions, got sizes ", a.sizes());
}
inline void check_square_matrices(const char* op, const Tensor& a) {
  check_matrices(op, a);
  if (a.size(-1) != a.size(-2))
    fail(ErrorCode::kRuntime, op, ": A must be batches of square matrices, but they are ",
         a.size(-2), " by ", a.size(-1), " matrices; got sizes ", a.sizes());
}
inline void check_floating_matrices(const char* op, const Tensor& a) {
  check_matrices(op, a);
  if (!is_floating(a.dtype()))
    fail(ErrorCode::kRuntime, op, ": Expected a floating point or complex tensor as input. Got ",
         name_of(a.dtype()));
}
inline void check_square_floating_matrices(const char* op, const Tensor& a) {
  check_square_matrices(op, a);
  check_floating_matrices(op, a);
}

inline void check_pair(const char* op, const Tensor& a, const Tensor& b) {
  check_square_floating_matrices(op, a);
  if (a.dtype() != b.dtype())
    fail(ErrorCode::kRuntime, op, ": Expected A and B to have the same dtype, but found A of type ",
         name_of(a.dtype()), " and B of type ", name_of(b.dtype()), " instead");
}

/// a [.., n, n] and b [.., n, k], or [.., k, n] if not left.
inline void check_right_side(const char* op, const Tensor& a, const Tensor& b, bool left) {
  if (a.size(-1) != b.size(left ? -2 : -1))
    fail(ErrorCode::kRuntime, op, ": Incompatible shapes of A and B for the equation ",
         left ? "AX = B" : "XA = B", " (", a.size(-2), "x", a.size(-1), " and ", b.size(-2), "x",
         b.size(-1), "); got sizes ", a.sizes(), " and ", b.sizes());
}

/// Which matrix of a batch an error is about.
inline std::string batch_note(int64_t index, bool is_batch) {
  return is_batch ? "(Batch element " + std::to_string(index) + "): " : "";
}

inline Shape batch_of(const Shape& sizes) { return Shape(sizes.data(), sizes.size() - 2); }
inline Tensor with_batch(const Tensor& t, const Shape& batch) {
  Shape sizes = batch;
  sizes.push_back(t.size(-2));
  sizes.push_back(t.size(-1));
  return t.sizes() == sizes ? t : expand(t, sizes);
}

/// Both with the batch that they broadcast to.
inline std::pair<Tensor, Tensor> broadcast_matrices(const char* op, const Tensor& a,
                                                    const Tensor& b) {
  const Shape x = batch_of(a.sizes()), y = batch_of(b.sizes());
  const Shape batch = x == y ? x : broadcast_sizes(op, x, y);
  return {with_batch(a, batch), with_batch(b, batch)};
}

inline Tensor matrix_transposed(const Tensor& a) { return transpose(a, -2, -1); }

/// The matrices of a call's input, one after the other and converted to float64.
class Matrices {
 public:
  explicit Matrices(const Call& call)
      : dtype_(call.in(0).dtype), item_(static_cast<int64_t>(size_of(dtype_))) {
    const Shape& sizes = call.in(0).sizes;
    for (int d = 0; d + 2 < sizes.size(); ++d) count *= sizes[d];
    m = sizes[sizes.size() - 2];
    n = sizes.back();
    least = std::min(m, n);
    source_ = dense(call.in(0));
  }

  /// Runs work(i, a, scale) for each matrix: a [m, n] is the matrix divided by scale, in which no
  /// square over- or underflows.
  template <class Work>
  void each(const Work& work) const {
    const int64_t cost = std::max<int64_t>(1, m * n * least);
    parallel_for(count, std::max<int64_t>(1, kMatrixThreadWork / cost),
                 [&](int64_t begin, int64_t end) {
                   Vector<double> a(static_cast<size_t>(m * n));
                   for (int64_t i = begin; i < end; ++i) work(i, a.data(), load(i, a.data()));
                 });
  }

  /// The numbers times scale, to matrix i of an output of `size` elements each.
  void store(const TensorBody& out, int64_t i, int64_t size, const double* numbers,
             double scale = 1) const {
    for (int64_t k = 0; k < size; ++k)
      if (dtype_ == DType::kFloat64)
        reinterpret_cast<double*>(out.data)[i * size + k] = numbers[k] * scale;
      else
        reinterpret_cast<float*>(out.data)[i * size + k] = static_cast<float>(numbers[k] * scale);
  }

  int64_t count = 1, m, n, least;

 private:
  double load(int64_t i, double* a) const {
    const int64_t size = m * n;
    const char* from = static_cast<const char*>(source_.data()) + i * size * item_;
    double largest = 0;
    for (int64_t k = 0; k < size; ++k) {
      a[k] = dtype_ == DType::kFloat64
                 ? reinterpret_cast<const double*>(from)[k]
                 : static_cast<double>(reinterpret_cast<const float*>(from)[k]);
      largest = std::max(largest, std::abs(a[k]));
    }
    if (largest == 0 || !std::isfinite(largest) || (largest > 1e-60 && largest < 1e60)) return 1;
    const double scale = std::exp2(std::floor(std::log2(largest)));
    for (int64_t k = 0; k < size; ++k) a[k] /= scale;
    return scale;
  }

  DType dtype_;
  int64_t item_;
  Tensor source_;
};

/// An output with the batch of the input, and these last dims; without a dtype that of the input.
inline void add_output(const Call& call, OutputMetas& outputs, std::initializer_list<int64_t> last,
                       std::optional<DType> dtype = {}) {
  const Shape& sizes = call.in(0).sizes;
  OutputMeta& meta = outputs.add();
  meta.dtype = dtype.value_or(call.in(0).dtype);
  meta.sizes = Shape(sizes.data(), sizes.size() - 2);
  for (int64_t size : last) meta.sizes.push_back(size);
}

template <int kOutputs>
void check_floating_call(const Call& call) {
  need_counts(call, 1, 1, kOutputs);
  need_float(call, 0);
  need(call, call.in(0).sizes.size() >= 2, "matrices are wanted");
}

}  // namespace autograd::detail
