// The softmax of attention over tiles, every instruction set against plain loops in long double.
#include <algorithm>

#include "kernel_test.hpp"
#include "kernels/cpu/attention.hpp"

namespace autograd::cpu {
namespace {

using Real = long double;

struct Plain {
  std::vector<Real> weights, out, lse;
};

/// Softmax of the scores of all tiles side by side, and its product with `values` [cols, width].
template <class T>
Plain plain(const std::vector<Real>& scores, const std::vector<T>& values, int64_t rows,
            int64_t cols, int64_t width) {
  Plain p{std::vector<Real>(rows * cols), std::vector<Real>(rows * width), {}};
  for (int64_t i = 0; i < rows; ++i) {
    Real m = -kInf, sum = 0;
    for (int64_t j = 0; j < cols; ++j) m = std::max(m, scores[i * cols + j]);
    for (int64_t j = 0; j < cols && m > -kInf; ++j) sum += std::exp(scores[i * cols + j] - m);
    p.lse.push_back(m > -kInf ? m + std::log(sum) : kInf);
    for (int64_t j = 0; j < cols; ++j) {
      const Real w = m > -kInf ? std::exp(scores[i * cols + j] - m) / sum : 0;
      p.weights[i * cols + j] = w;
      for (int64_t k = 0; k < width; ++k) p.out[i * width + k] += w * values[j * width + k];
    }
  }
  return p;
}

/// What the kernels have to make of products: s = scale * product + mask, causal if asked for.
template <class T>
struct Example {
  int64_t rows, cols, first;
  bool causal;
  ScoreTile::MaskKind kind;
  std::vector<T> products, mask;
  std::vector<uint8_t> flags;

  Example(int64_t n_rows, int64_t n_cols, bool is_causal, ScoreTile::MaskKind mask_kind)
      : rows(n_rows), cols(n_cols), first(2), causal(is_causal), kind(mask_kind) {
    products = normal_numbers<T>(rows * cols, 1);
    mask = normal_numbers<T>(rows * cols, 2);
    for (T m : mask) flags.push_back(m > -0.5);
    // The last row sees nothing.
    std::fill(mask.end() - cols, mask.end(), static_cast<T>(-kInf));
    std::fill(flags.end() - cols, flags.end(), 0);
  }
  std::vector<Real> scores() const {
    std::vector<Real> s;
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < cols; ++j) {
        Real x = Real(products[i * cols + j]) * 0.5L;
        if (kind == ScoreTile::kFloatMask) x += mask[i * cols + j];
        if (kind == ScoreTile::kBoolMask && !flags[i * cols + j]) x = -kInf;
        if (causal && j > first + i) x = -kInf;
        s.push_back(x);
      }
    return s;
  }
  /// The tile of columns [at, at + n), its products in `memory`.
  ScoreTile tile(Guarded<T>& memory, int64_t at, int64_t n, int64_t stride) const {
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < n; ++j) memory[i * stride + j] = products[i * cols + at + j];
    ScoreTile t{memory.data(), rows, n, stride, 0.5};
    t.causal = causal;
    t.first = first - at;
    t.mask_kind = kind;
    t.mask_row = cols;
    t.mask_col = 1;
    if (kind == ScoreTile::kFloatMask) t.mask = mask.data() + at;
    if (kind == ScoreTile::kBoolMask) t.mask = flags.data() + at;
    return t;
  }
};

template <class T>
void check(const Example<T>& e, int64_t tile_width) {
  constexpr int64_t kWidth = 5;
  const double eps = 64 * std::numeric_limits<T>::epsilon();
  const DType dtype = dtype_of<T>();
  const auto values = normal_numbers<T>(e.cols * kWidth, 3);
  const Plain want = plain(e.scores(), values, e.rows, e.cols, kWidth);
  const int64_t stride = (tile_width + kScorePadding - 1) / kScorePadding * kScorePadding;
  Guarded<T> scores(e.rows * stride), max(e.rows), sum(e.rows), out(e.rows * kWidth);
  for (size_t i = 0; i < out.size(); ++i) out[i] = 0;
  for (int64_t at = 0; at < e.cols; at += tile_width) {
    const int64_t n = std::min(tile_width, e.cols - at);
    const ScoreTile t = e.tile(scores, at, n, stride);
    attention_step(dtype, t, max.data(), sum.data(), out.data(), kWidth, kWidth, at == 0);
    for (int64_t i = 0; i < e.rows; ++i)
      for (int64_t j = 0; j < n; ++j)
        for (int64_t k = 0; k < kWidth; ++k)
          out[i * kWidth + k] += scores[i * stride + j] * values[(at + j) * kWidth + k];
  }
  attention_finish(dtype, e.rows, max.data(), sum.data(), out.data(), kWidth, kWidth);
  for (int64_t i = 0; i < e.rows; ++i) {
    ASSERT_TRUE(close(max[i], static_cast<double>(want.lse[i]), 8 * eps)) << "row " << i;
    for (int64_t k = 0; k < kWidth; ++k)
      ASSERT_TRUE(close(out[i * kWidth + k], static_cast<double>(want.out[i * kWidth + k]), eps));
  }
  const auto grads = normal_numbers<T>(e.rows * e.cols, 4);
  const auto delta = normal_numbers<T>(e.rows, 5);
  Guarded<T> d(e.rows * stride);
  for (int64_t at = 0; at < e.cols; at += tile_width) {
    const int64_t n = std::min(tile_width, e.cols - at);
    const ScoreTile t = e.tile(scores, at, n, stride);
    for (int64_t i = 0; i < e.rows; ++i)
      for (int64_t j = 0; j < n; ++j) d[i * stride + j] = grads[i * e.cols + at + j];
    attention_backward(dtype, t, max.data(), delta.data(), d.data());
    for (int64_t i = 0; i < e.rows; ++i)
      for (int64_t j = 0; j < n; ++j) {
        const Real w = want.weights[i * e.cols + at + j];
        const Real ds = w * (Real(grads[i * e.cols + at + j]) - delta[i]) * 0.5L;
        ASSERT_TRUE(close(scores[i * stride + j], static_cast<double>(w), eps));
        ASSERT_TRUE(close(d[i * stride + j], static_cast<double>(ds), eps));
      }
  }
  for (Guarded<T>* g : {&scores, &max, &sum, &out, &d}) g->expect_intact();
}

template <class T>
void check_all() {
  for_each_target([] {
    for (const auto kind : {ScoreTile::kNoMask, ScoreTile::kBoolMask, ScoreTile::kFloatMask})
      for (const bool causal : {false, true})
        for (const int64_t cols : {1, 3, 8, 17, 40}) {
          SCOPED_TRACE(::testing::Message()
                       << "mask " << kind << " causal " << causal << " cols " << cols);
          const Example<T> e(6, cols, causal, kind);
          check(e, cols);
          check(e, 7);
        }
  });
}

TEST(AttentionKernels, Float) { check_all<float>(); }
TEST(AttentionKernels, Double) { check_all<double>(); }

TEST(AttentionKernels, NanStays) {
  for_each_target([] {
    float scores[16] = {static_cast<float>(kNaN), 1};
    float max, sum, out = 0;
    attention_step(DType::kFloat32, {scores, 1, 2, 16, 1.0}, &max, &sum, &out, 1, 1, true);
    EXPECT_TRUE(std::isnan(sum));
  });
}

TEST(AttentionKernels, RowDots) {
  for_each_target([] {
    for (const int64_t n : {0, 1, 7, 33}) {
      const auto a = normal_numbers<double>(3 * n, 1), b = normal_numbers<double>(3 * n, 2);
      double got[3];
      row_dots(DType::kFloat64, 3, n, a.data(), n, b.data(), n, got);
      for (int64_t i = 0; i < 3; ++i) {
        Real want = 0;
        for (int64_t j = 0; j < n; ++j) want += Real(a[i * n + j]) * b[i * n + j];
        EXPECT_TRUE(close(got[i], static_cast<double>(want), 1e-13));
      }
    }
  });
}

}  // namespace
}  // namespace autograd::cpu
