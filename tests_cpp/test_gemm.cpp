// Matrix product kernel: every instruction set, layout, dtype and epilogue against a triple loop.
#include <algorithm>
#include <string>

#include "kernel_test.hpp"
#include "kernels/cpu/gemm.hpp"

namespace autograd::cpu {
namespace {

struct Layout {
  const char* name;
  int64_t (*row_stride)(int64_t rows, int64_t cols);
  int64_t (*col_stride)(int64_t rows, int64_t cols);
};

using I = int64_t;
const Layout kLayouts[] = {
    {"plain", [](I, I c) { return c; }, [](I, I) { return I{1}; }},
    {"transposed", [](I, I) { return I{1}; }, [](I r, I) { return r; }},
    {"plain, rows apart", [](I, I c) { return c + 3; }, [](I, I) { return I{1}; }},
    {"transposed, columns apart", [](I, I) { return I{1}; }, [](I r, I) { return r + 5; }},
    {"no unit stride", [](I, I c) { return 2 * c + 1; }, [](I, I) { return I{2}; }},
    {"rows upwards", [](I, I c) { return -c; }, [](I, I) { return I{1}; }},
    {"columns backwards", [](I, I c) { return c; }, [](I, I) { return I{-1}; }},
    {"transposed, columns upwards", [](I, I) { return I{1}; }, [](I r, I) { return -r - 1; }},
    {"one row repeated", [](I, I) { return I{0}; }, [](I, I) { return I{1}; }},
    {"one column repeated", [](I, I) { return I{1}; }, [](I, I) { return I{0}; }},
    {"one number repeated", [](I, I) { return I{0}; }, [](I, I) { return I{0}; }},
};

/// A matrix of normal numbers in a buffer that ends where it ends; the gaps hold NaN.
template <class T>
class Matrix {
 public:
  Matrix(int64_t rows, int64_t cols, const Layout& layout, uint32_t seed)
      : row_stride_(layout.row_stride(rows, cols)), col_stride_(layout.col_stride(rows, cols)) {
    const int64_t down = (rows - 1) * row_stride_, across = (cols - 1) * col_stride_;
    first_ = -std::min<int64_t>(down, 0) - std::min<int64_t>(across, 0);
    const int64_t size = std::abs(down) + std::abs(across) + 1;
    values_.assign(size, std::numeric_limits<T>::has_quiet_NaN ? static_cast<T>(kNaN) : T{77});
    const std::vector<T> normal = normal_numbers<T>(size, seed);
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < cols; ++j) at(i, j) = normal[&at(i, j) - values_.data()];
    }
  }

  T& at(int64_t i, int64_t j) { return values_[first_ + i * row_stride_ + j * col_stride_]; }
  MatrixView view() { return from_row(0); }
  MatrixView from_row(int64_t i) {
    return {values_.data() + first_ + i * row_stride_, row_stride_, col_stride_};
  }
  MatrixView from_col(int64_t j) {
    return {values_.data() + first_ + j * col_stride_, row_stride_, col_stride_};
  }

 private:
  int64_t row_stride_, col_stride_, first_;
  std::vector<T> values_;
};

/// gemm with a workspace of exactly the size asked for, between guards.
template <class T>
void run(int64_t m, int64_t n, int64_t k, const MatrixView& a, const MatrixView& b, T* c,
         int64_t c_row, const GemmEpilogue& epilogue = {}) {
  const size_t bytes = gemm_workspace(dtype_of<T>(), m, n, k, a, b);
  std::vector<uint8_t> buffer(bytes + 128 + 64, 0x5A);
  const size_t start = 64 + (64 - reinterpret_cast<uintptr_t>(buffer.data()) % 64) % 64;
  gemm(dtype_of<T>(), m, n, k, a, b, c, c_row, epilogue, bytes ? buffer.data() + start : nullptr);
  for (size_t i = 0; i < buffer.size(); ++i) {
    if (i < start || i >= start + bytes) {
      ASSERT_EQ(buffer[i], 0x5A) << "workspace byte " << i;
    }
  }
}

/// A call prepared once gives the same bits wherever its addresses are moved to.
template <class T>
void expect_prepared(int64_t m, int64_t n, int64_t k, const MatrixView& a, const MatrixView& b,
                     const T* bias, int64_t c_row, const T* expected) {
  if (gemm_workspace(dtype_of<T>(), m, n, k, a, b) > 0) return;
  GemmCall call{m,
                n,
                k,
                {nullptr, a.row_stride, a.col_stride},
                {nullptr, b.row_stride, b.col_stride},
                nullptr,
                c_row,
                nullptr};
  prepare_gemm(dtype_of<T>(), call);
  const size_t size = static_cast<size_t>((m - 1) * c_row + n);
  for (const size_t shift : {0, 3}) {
    Guarded<T> c(size, shift);
    std::copy_n(expected, size, c.data());  // between rows nothing changes
    for (int64_t i = 0; i < m; ++i) std::fill_n(c.data() + i * c_row, n, static_cast<T>(kNaN));
    call.a.data = a.data;
    call.b.data = b.data;
    call.bias = bias;
    call.c = c.data();
    call();
    c.expect_intact();
    ASSERT_EQ(std::memcmp(c.data(), expected, size * sizeof(T)), 0) << "prepared";
  }
}

struct Product {
  int64_t m, n, k;
  const Layout *a, *b;
  bool accumulate, bias;
};

template <class T>
void check(const Product& q, uint32_t seed) {
  SCOPED_TRACE(::testing::Message()
               << name_of(dtype_of<T>()) << " m " << q.m << " n " << q.n << " k " << q.k << ", A "
               << q.a->name << ", B " << q.b->name << (q.accumulate ? ", accumulate" : "")
               << (q.bias ? ", bias" : ""));
  Matrix<T> a(q.m, std::max<int64_t>(q.k, 1), *q.a, seed);
  Matrix<T> b(std::max<int64_t>(q.k, 1), q.n, *q.b, seed + 1);
  const std::vector<T> bias = normal_numbers<T>(q.n, seed + 2);
  const int64_t c_row = q.n + seed % 3;
  const size_t size = (q.m - 1) * c_row + q.n;
  const std::vector<T> start = normal_numbers<T>(size, seed + 3);
  Guarded<T> c(size, seed % 5);
  std::copy(start.begin(), start.end(), c.data());
  run(q.m, q.n, q.k, a.view(), b.view(), c.data(), c_row,
      {q.accumulate, q.bias ? bias.data() : nullptr});
  c.expect_intact();
  if constexpr (std::is_floating_point_v<T>) {
    if (!q.accumulate && q.k > 0)
      expect_prepared<T>(q.m, q.n, q.k, a.view(), b.view(), q.bias ? bias.data() : nullptr, c_row,
                         c.data());
  }
  for (int64_t i = 0; i < q.m; ++i) {
    for (int64_t j = 0; j < c_row && i * c_row + j < static_cast<int64_t>(size); ++j) {
      const size_t at = i * c_row + j;
      if (j >= q.n) {
        ASSERT_EQ(c[at], start[at]) << "between rows " << i << " and " << i + 1;
        continue;
      }
      long double want =
          (q.accumulate ? start[at] : T{0}) + static_cast<long double>(q.bias ? bias[j] : T{0});
      long double magnitude =
          (q.accumulate ? std::fabs(start[at]) : T{0}) + (q.bias ? std::fabs(bias[j]) : T{0});
      for (int64_t p = 0; p < q.k; ++p) {
        const long double term = static_cast<long double>(a.at(i, p)) * b.at(p, j);
        want += term;
        magnitude += std::fabs(term);
      }
      // One rounding per multiply-add (two without FMA), one each for C and bias.
      const double bound =
          (q.k + 4) * std::numeric_limits<T>::epsilon() * static_cast<double>(magnitude);
      ASSERT_TRUE(close(c[at], static_cast<double>(want), bound)) << "at " << i << ", " << j;
    }
  }
}

template <class T>
void check_random_sizes() {
  for_each_target([] {
    std::mt19937 random(7);
    const auto below = [&](int n) { return static_cast<int64_t>(random() % n); };
    for (const Layout& a : kLayouts) {
      for (const Layout& b : kLayouts) {
        for (int repeat = 0; repeat < 6; ++repeat) {
          const Product q = {1 + below(40), 1 + below(40), 1 + below(40), &a, &b,
                             below(2) == 1, below(2) == 1};
          check<T>(q, random());
          if (::testing::Test::HasFatalFailure()) return;
        }
      }
    }
  });
}

TEST(Gemm, RandomSizesFloat32) { check_random_sizes<float>(); }
TEST(Gemm, RandomSizesFloat64) { check_random_sizes<double>(); }

TEST(Gemm, EverySmallShape) {
  for_each_target([] {
    for (int64_t m = 1; m <= 14; ++m) {
      for (int64_t n = 1; n <= 40; ++n) {
        for (const int64_t k : {1, 2, 3, 4, 5, 8, 11}) {
          const uint32_t seed = static_cast<uint32_t>(m * 1000 + n * 20 + k);
          const Layout* b = &kLayouts[(m + n + k) % 2];
          check<float>({m, n, k, &kLayouts[0], b, seed % 3 == 0, seed % 4 == 0}, seed);
          if (::testing::Test::HasFatalFailure()) return;
        }
      }
    }
  });
}

TEST(Gemm, WideSmallProducts) {
  for_each_target([] {
    for (const int64_t m : {1, 2, 3, 4, 7}) {
      for (const int64_t n : {1, 15, 60, 64, 131}) {
        for (const int64_t k : {7, 64, 256, 515}) {
          for (const Layout& b : {kLayouts[0], kLayouts[1], kLayouts[4]}) {
            check<float>({m, n, k, &kLayouts[0], &b, n % 2 == 1, m % 2 == 0}, 11);
            if (::testing::Test::HasFatalFailure()) return;
          }
        }
      }
    }
  });
}

/// Few rows or columns: whole squares and partial ones, one block of k and several.
template <class T>
void check_turned() {
  for_each_target([] {
    for (const int64_t m : {4, 7, 8, 13, 15, 16, 31, 32}) {
      for (const int64_t n : {1, 2, 3, 4, 33, 64, 70, 128}) {
        for (const int64_t k : {16, 33, 64, 320}) {
          for (const Layout& b : {kLayouts[1], kLayouts[3], kLayouts[4], kLayouts[9]}) {
            const uint32_t seed = static_cast<uint32_t>(m * 1000 + n * 20 + k);
            check<T>({m, n, k, &kLayouts[(m + n) % 3], &b, seed % 3 == 0, seed % 4 == 0}, seed);
            if (::testing::Test::HasFatalFailure()) return;
          }
        }
      }
    }
  });
}

TEST(Gemm, TurnedFloat32) { check_turned<float>(); }
TEST(Gemm, TurnedFloat64) { check_turned<double>(); }

template <class T>
void check_tall_and_blocked() {
  const int64_t shapes[][3] = {{200, 1, 300},  {300, 2, 70},   {129, 5, 64},
                               {193, 70, 257}, {42, 2071, 33}, {97, 130, 520}};
  const int layouts[][2] = {{0, 0}, {1, 1}, {4, 4}, {3, 7}, {6, 5}};
  for_each_target([&] {
    uint32_t seed = 0;
    for (const auto& [m, n, k] : shapes) {
      for (const auto& [a, b] : layouts) {
        ++seed;
        check<T>({m, n, k, &kLayouts[a], &kLayouts[b], seed % 3 == 0, seed % 2 == 0}, seed);
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  });
}

TEST(Gemm, TallAndBlockedFloat32) { check_tall_and_blocked<float>(); }
TEST(Gemm, TallAndBlockedFloat64) { check_tall_and_blocked<double>(); }

/// Rows and columns split off, as threads would, are the same to the last bit.
template <class T>
void check_split(int64_t m, int64_t n, int64_t k, const Layout& a_layout, const Layout& b_layout) {
  SCOPED_TRACE(::testing::Message() << "m " << m << " n " << n << " k " << k << ", A "
                                    << a_layout.name << ", B " << b_layout.name);
  Matrix<T> a(m, k, a_layout, 1), b(k, n, b_layout, 2);
  const std::vector<T> bias = normal_numbers<T>(n, 3);
  const std::vector<T> start = normal_numbers<T>(m * n, 4);
  std::vector<T> whole = start;
  run(m, n, k, a.view(), b.view(), whole.data(), n, {true, bias.data()});
  for (const int64_t step : {1, 3, 7, 100}) {
    std::vector<T> rows = start, cols = start;
    for (int64_t i = 0; i < m; i += step) {
      run(std::min(step, m - i), n, k, a.from_row(i), b.view(), rows.data() + i * n, n,
          {true, bias.data()});
    }
    ASSERT_EQ(std::memcmp(rows.data(), whole.data(), whole.size() * sizeof(T)), 0)
        << "rows by " << step;
    for (int64_t j = 0; j < n; j += step) {
      run(m, std::min(step, n - j), k, a.view(), b.from_col(j), cols.data() + j, n,
          {true, bias.data() + j});
    }
    ASSERT_EQ(std::memcmp(cols.data(), whole.data(), whole.size() * sizeof(T)), 0)
        << "columns by " << step;
  }
}

TEST(Gemm, SplittingChangesNoBit) {
  for_each_target([] {
    for (const Layout& b : {kLayouts[0], kLayouts[1], kLayouts[4]}) {
      for (const Layout& a : {kLayouts[0], kLayouts[1]}) {
        check_split<float>(33, 41, 70, a, b);
        check_split<float>(75, 68, 530, a, b);
        check_split<float>(32, 70, 80, a, b);
        check_split<float>(40, 4, 64, a, b);
        check_split<double>(16, 70, 64, a, b);
        check_split<double>(29, 1, 300, a, b);
        check_split<double>(69, 67, 515, a, b);
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  });
}

template <class T>
void check_pair(int64_t m, int64_t n, int64_t k, int64_t k2, const Layout& layout) {
  SCOPED_TRACE(::testing::Message() << "m " << m << " n " << n << " k " << k << " and " << k2);
  Matrix<T> a(m, std::max<int64_t>(k, 1), layout, 1), b(std::max<int64_t>(k, 1), n, kLayouts[0], 2);
  Matrix<T> d(m, std::max<int64_t>(k2, 1), kLayouts[0], 3);
  Matrix<T> e(std::max<int64_t>(k2, 1), n, layout, 4);
  std::vector<T> expected(m * n);
  run(m, n, k, a.view(), b.view(), expected.data(), n);
  run(m, n, k2, d.view(), e.view(), expected.data(), n, {true, nullptr});
  Guarded<T> c(m * n, 3);
  gemm_pair(dtype_of<T>(), m, n, k, a.view(), b.view(), k2, d.view(), e.view(), c.data(), n,
            nullptr);
  c.expect_intact();
  ASSERT_EQ(std::memcmp(c.data(), expected.data(), expected.size() * sizeof(T)), 0);
}

TEST(Gemm, PairIsTwoProductsBitForBit) {
  for_each_target([] {
    for (const int64_t m : {1, 5, 16, 23, 64}) {
      for (const int64_t n : {1, 4, 8, 16, 19, 32, 48, 64}) {
        for (const int64_t k : {0, 1, 16, 33, 64, 70}) {
          for (const Layout& layout : {kLayouts[0], kLayouts[1], kLayouts[2], kLayouts[4]}) {
            check_pair<float>(m, n, k, 16, layout);
            check_pair<double>(m, n, 16, k, layout);
            if (::testing::Test::HasFatalFailure()) return;
          }
        }
      }
    }
  });
}

TEST(Gemm, AddressChangesNoBit) {
  for_each_target([] {
    const int64_t m = 19, n = 37, k = 45;
    for (const bool transposed : {false, true}) {
      std::vector<float> first;
      for (size_t shift = 0; shift < 17; ++shift) {
        Guarded<float> a(m * k, shift), b(k * n, 16 - shift), c(m * n, shift / 2);
        const std::vector<float> as = normal_numbers<float>(m * k, 1);
        const std::vector<float> bs = normal_numbers<float>(k * n, 2);
        std::copy(as.begin(), as.end(), a.data());
        std::copy(bs.begin(), bs.end(), b.data());
        run(m, n, k, {a.data(), k, 1}, {b.data(), transposed ? 1 : n, transposed ? k : 1}, c.data(),
            n);
        c.expect_intact();
        if (shift == 0) first.assign(c.data(), c.data() + m * n);
        ASSERT_EQ(std::memcmp(first.data(), c.data(), m * n * sizeof(float)), 0) << shift;
      }
    }
  });
}

TEST(Gemm, NothingToSumOrToWrite) {
  for_each_target([] {
    for (const bool accumulate : {false, true}) {
      for (const bool bias : {false, true}) {
        check<float>({3, 5, 0, &kLayouts[0], &kLayouts[0], accumulate, bias}, 1);
        check<double>({18, 33, 0, &kLayouts[0], &kLayouts[0], accumulate, bias}, 2);
      }
    }
    float c = 3;
    run<float>(0, 4, 2, {nullptr, 2, 1}, {nullptr, 4, 1}, &c, 4);
    run<float>(4, 0, 2, {nullptr, 2, 1}, {nullptr, 0, 1}, &c, 0);
    run<int32_t>(0, 0, 0, {nullptr, 0, 1}, {nullptr, 0, 1}, nullptr, 0);
    EXPECT_EQ(c, 3);
  });
}

TEST(Gemm, SmallSumsSurviveALargeStart) {
  for_each_target([] {
    const std::vector<float> a(256, 1e-3f), b(256, 1.0f);
    float c = 1e6f;
    run(1, 1, 256, {a.data(), 256, 1}, {b.data(), 1, 1}, &c, 1, {true, nullptr});
    EXPECT_EQ(c, 1000000.25f);
  });
}

TEST(Gemm, SpecialValuesStayInTheirRowsAndColumns) {
  for_each_target([] {
    const int64_t m = 9, n = 19, k = 13;
    std::vector<float> a(m * k, 1.0f), b(k * n, 1.0f), c(m * n);
    a[4 * k + 2] = static_cast<float>(kNaN);
    b[5 * n + 18] = static_cast<float>(kInf);
    run(m, n, k, {a.data(), k, 1}, {b.data(), n, 1}, c.data(), n);
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        const double want = i == 4 ? kNaN : j == 18 ? kInf : static_cast<double>(k);
        EXPECT_TRUE(close(c[i * n + j], want, 0)) << i << ", " << j;
      }
    }
  });
}

template <class T>
void check_integers() {
  using U = std::make_unsigned_t<T>;
  std::mt19937_64 random(5);
  for (const Layout& a_layout : kLayouts) {
    for (const Layout& b_layout : kLayouts) {
      for (const bool accumulate : {false, true}) {
        const int64_t m = 1 + random() % 9, n = 1 + random() % 40, k = random() % 20;
        Matrix<T> a(m, std::max<int64_t>(k, 1), a_layout, 1);
        Matrix<T> b(std::max<int64_t>(k, 1), n, b_layout, 2);
        for (int64_t p = 0; p < k; ++p) {
          for (int64_t i = 0; i < m; ++i) a.at(i, p) = static_cast<T>(random());
          for (int64_t j = 0; j < n; ++j) b.at(p, j) = static_cast<T>(random());
        }
        std::vector<T> bias(n);
        for (T& x : bias) x = static_cast<T>(random());
        Guarded<T> c(m * n);
        for (size_t i = 0; i < c.size(); ++i) c[i] = static_cast<T>(random());
        std::vector<T> want(c.data(), c.data() + m * n);
        run(m, n, k, a.view(), b.view(), c.data(), n, {accumulate, bias.data()});
        c.expect_intact();
        for (int64_t i = 0; i < m; ++i) {
          for (int64_t j = 0; j < n; ++j) {
            uint64_t sum = static_cast<uint64_t>(bias[j]) + (accumulate ? want[i * n + j] : 0);
            for (int64_t p = 0; p < k; ++p) {
              sum += static_cast<uint64_t>(a.at(i, p)) * static_cast<uint64_t>(b.at(p, j));
            }
            ASSERT_EQ(c[i * n + j], static_cast<T>(static_cast<U>(sum)))
                << a_layout.name << ", " << b_layout.name << " at " << i << ", " << j;
          }
        }
      }
    }
  }
}

TEST(Gemm, Int32WrapsAround) { check_integers<int32_t>(); }
TEST(Gemm, Int64WrapsAround) { check_integers<int64_t>(); }
TEST(Gemm, UInt8WrapsAround) { check_integers<uint8_t>(); }

TEST(Gemm, SmallProductsNeedNoWorkspace) {
  const int64_t shapes[][3] = {{1, 64, 64},     {16, 64, 64},    {64, 64, 16},
                               {64, 64, 64},    {16, 4, 64},     {64, 128, 64},
                               {1, 4096, 4096}, {100000, 4, 64}, {16, 512, 512}};
  for (const auto& [m, n, k] : shapes) {
    EXPECT_EQ(gemm_workspace(DType::kFloat32, m, n, k, {nullptr, k, 1}, {nullptr, n, 1}), 0u);
  }
  EXPECT_GT(gemm_workspace(DType::kFloat64, 500, 500, 500, {nullptr, 500, 1}, {nullptr, 500, 1}),
            0u);
  EXPECT_EQ(gemm_workspace(DType::kInt32, 500, 500, 500, {nullptr, 500, 1}, {nullptr, 500, 1}), 0u);
}

}  // namespace
}  // namespace autograd::cpu
