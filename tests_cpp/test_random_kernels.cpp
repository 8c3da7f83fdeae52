// Random kernels: Philox against its published vectors, fills bit for bit against scalar formulas,
// and the distributions with a fixed seed.
#include <algorithm>
#include <array>
#include <numeric>
#include <set>

#include "kernel_test.hpp"
#include "kernels/cpu/random.hpp"

namespace autograd::cpu {
namespace {

using Words = std::array<uint32_t, 4>;

/// Philox4x32-10 as in the paper, one block.
Words philox(Words c, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * c[0], p1 = uint64_t{0xCD9E8D57} * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ key0, static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ key1, static_cast<uint32_t>(p0)};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return c;
}

/// The random words of element i: 32 bits from domain 0, 64 from domain 1.
Words block_at(Philox rng, uint64_t block, uint32_t domain) {
  return philox({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), domain, 0},
                static_cast<uint32_t>(rng.seed), static_cast<uint32_t>(rng.seed >> 32));
}
uint32_t word32(Philox rng, uint64_t i) {
  return block_at(rng, (rng.offset + i) / 4, 0)[(rng.offset + i) % 4];
}
uint64_t word64(Philox rng, uint64_t i) {
  const Words w = block_at(rng, (rng.offset + i) / 2, 1);
  const size_t half = (rng.offset + i) % 2 * 2;
  return w[half] | uint64_t{w[half + 1]} << 32;
}

template <class T>
T uniform_at(Philox rng, uint64_t i) {
  if constexpr (sizeof(T) == 4) {
    return static_cast<T>(word32(rng, i) >> 8) * 0x1p-24f;
  } else {
    return static_cast<T>(word64(rng, i) >> 11) * 0x1p-53;
  }
}

constexpr Philox kStreams[] = {
    {0, 0}, {42, 1}, {0xDEADBEEFCAFEF00D, 3}, {7, 0x3FFFFFFFE}, {7, 0xFFFFFFFFFFFF0000}};

TEST(Philox, ReferenceMatchesPublishedVectors) {
  constexpr uint32_t f = 0xFFFFFFFF;
  EXPECT_EQ(philox({0, 0, 0, 0}, 0, 0), (Words{0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8}));
  EXPECT_EQ(philox({f, f, f, f}, f, f), (Words{0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD}));
  EXPECT_EQ(philox({0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344}, 0xA4093822, 0x299F31D0),
            (Words{0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1}));
}

template <class T>
class RandomKernel : public ::testing::Test {
 public:
  static std::vector<T> uniform(Philox rng, int64_t n, int64_t first = 0) {
    std::vector<T> v(n);
    fill_uniform(dtype_of<T>(), rng, first, v.data(), n);
    return v;
  }
  static std::vector<T> normal(Philox rng, int64_t n, int64_t first = 0) {
    std::vector<T> v(n);
    fill_normal(dtype_of<T>(), rng, first, v.data(), n);
    return v;
  }
};
using Floats = ::testing::Types<float, double>;
TYPED_TEST_SUITE(RandomKernel, Floats);

TYPED_TEST(RandomKernel, UniformIsTheDocumentedFunction) {
  using T = TypeParam;
  for_each_target([] {
    for (const Philox rng : kStreams) {
      for (const int64_t n : {0, 1, 2, 3, 5, 16, 33, 70, 513, 2049}) {
        Guarded<T> out(n, n % 4);
        fill_uniform(dtype_of<T>(), rng, 0, out.data(), n);
        out.expect_intact();
        for (int64_t i = 0; i < n; ++i)
          ASSERT_EQ(out[i], uniform_at<T>(rng, i)) << i << " of " << n;
      }
    }
  });
}

TYPED_TEST(RandomKernel, NormalIsBoxMullerOfTheUniforms) {
  using T = TypeParam;
  for_each_target([] {
    for (const Philox rng : kStreams) {
      Guarded<T> out(1031, 1);
      fill_normal(dtype_of<T>(), rng, 0, out.data(), 1031);
      out.expect_intact();
      for (int64_t i = 0; i < 1031; ++i) {
        const uint64_t odd = (rng.offset + i) % 2;
        const long double u = uniform_at<T>(rng, i - odd), v = uniform_at<T>(rng, i - odd + 1);
        const long double angle = 2 * 3.14159265358979323846264L * v;
        const long double radius = std::sqrt(-2 * std::log(1 - u));
        const double want = radius * (odd ? std::sin(angle) : std::cos(angle));
        const double eps = std::numeric_limits<T>::epsilon();
        ASSERT_TRUE(close(out[i], want, 4 * eps * static_cast<double>(radius))) << i;
      }
    }
  });
}

/// What makes fills independent of the number of threads.
TYPED_TEST(RandomKernel, SplitFillsEqualWholeOnes) {
  for_each_target([] {
    for (const Philox rng : kStreams) {
      const auto uniform = TestFixture::uniform(rng, 1500), normal = TestFixture::normal(rng, 1500);
      for (const int64_t cut : {1, 2, 3, 4, 7, 32, 511, 1024, 1499}) {
        auto u = TestFixture::uniform(rng, cut), z = TestFixture::normal(rng, cut);
        const auto u2 = TestFixture::uniform(rng, 1500 - cut, cut);
        const auto z2 = TestFixture::normal(rng, 1500 - cut, cut);
        u.insert(u.end(), u2.begin(), u2.end());
        z.insert(z.end(), z2.begin(), z2.end());
        ASSERT_EQ(u, uniform) << cut;
        ASSERT_EQ(z, normal) << cut;
        const Philox later{rng.seed, rng.offset + static_cast<uint64_t>(cut)};
        ASSERT_EQ(TestFixture::normal(later, 1500 - cut), z2);
      }
    }
  });
}

/// The largest distance between the distribution of v and that which `cdf` gives (Kolmogorov and
/// Smirnov), times sqrt(n): above 1.95 once in a thousand.
template <class T, class F>
double distance(std::vector<T> v, const F& cdf) {
  std::sort(v.begin(), v.end());
  double most = 0;
  const double n = v.size();
  for (size_t i = 0; i < v.size(); ++i) {
    const double p = cdf(v[i]);
    most = std::max({most, p - i / n, (i + 1) / n - p});
  }
  return most * std::sqrt(n);
}

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0) / a.size();
}

TYPED_TEST(RandomKernel, Distributions) {
  const int64_t n = 400000;
  const auto u = TestFixture::uniform({2024, 0}, n), z = TestFixture::normal({2024, 0}, n);
  EXPECT_GE(*std::min_element(u.begin(), u.end()), 0);
  EXPECT_LT(*std::max_element(u.begin(), u.end()), 1);
  EXPECT_LT(distance(u, [](double x) { return x; }), 1.95);
  EXPECT_LT(distance(z, [](double x) { return std::erfc(-x / std::sqrt(2.0)) / 2; }), 1.95);
  double mean = 0, square = 0, fourth = 0;
  for (const double x : z) {
    mean += x / n;
    square += x * x / n;
    fourth += x * x * x * x / n;
  }
  EXPECT_NEAR(mean, 0, 4 / std::sqrt(n));
  EXPECT_NEAR(square, 1, 4 * std::sqrt(2.0 / n));
  EXPECT_NEAR(fourth, 3, 4 * std::sqrt(96.0 / n));
  // Neighbours, which share a block or a pair, and other seeds are independent.
  const std::vector<double> a(z.begin(), z.end() - 4);
  for (int lag = 1; lag <= 4; ++lag) {
    const std::vector<double> b(z.begin() + lag, z.end() - 4 + lag);
    EXPECT_NEAR(correlation(a, b), 0, 4 / std::sqrt(n)) << lag;
  }
  const auto other = TestFixture::normal({2025, 0}, n - 4);
  EXPECT_NEAR(correlation(a, {other.begin(), other.end()}), 0, 4 / std::sqrt(n));
}

/// A float fill and a double fill at neighbouring offsets must not share random words: here both
/// reach block 2000, whose words 1 and 3 would lead the doubles.
TEST(Random, FloatsAndDoublesHaveStreamsOfTheirOwn) {
  std::vector<float> f(4000);
  std::vector<double> d(2000);
  fill_uniform(DType::kFloat32, {1, 8000}, 0, f.data(), 4000);
  fill_uniform(DType::kFloat64, {1, 4000}, 0, d.data(), 2000);
  double sum = 0;
  for (size_t i = 0; i < 2000; ++i) sum += 12 * (f[2 * i + 1] - 0.5) * (d[i] - 0.5) / 2000;
  EXPECT_NEAR(sum, 0, 4 / std::sqrt(2000));
}

template <class T>
void check_randint(int64_t low, int64_t high) {
  for_each_target([&] {
    const Philox rng{99, 5};
    const uint64_t range = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
    Guarded<T> out(517, 1);
    fill_randint(dtype_of<T>(), rng, 3, low, high, out.data(), 517);
    out.expect_intact();
    for (uint64_t i = 0; i < 517; ++i) {
      const auto product = static_cast<unsigned __int128>(word64(rng, i + 3)) * range;
      const uint64_t k = static_cast<uint64_t>(product >> 64) + static_cast<uint64_t>(low);
      ASSERT_EQ(out[i], static_cast<T>(static_cast<int64_t>(k)));
      ASSERT_TRUE(static_cast<int64_t>(k) >= low && static_cast<int64_t>(k) < high);
    }
  });
}

TEST(Random, RandintIsTheDocumentedFunction) {
  constexpr int64_t least = std::numeric_limits<int64_t>::min();
  constexpr int64_t most = std::numeric_limits<int64_t>::max();
  check_randint<int64_t>(0, 10);
  check_randint<int64_t>(-7, -6);
  check_randint<int64_t>(least, most);
  check_randint<int64_t>(-5, most);
  check_randint<int32_t>(-1000, 1000);
  check_randint<uint8_t>(0, 256);
  check_randint<bool>(0, 2);
  check_randint<float>(-3, 4);
  check_randint<double>(0, int64_t{1} << 40);
}

TEST(Random, RandintIsUniform) {
  const int64_t n = 70000, high = 7;
  std::vector<int64_t> v(n);
  fill_randint(DType::kInt64, {3, 0}, 0, -high, 0, v.data(), n);
  double counts[high] = {}, chi_square = 0;
  for (const int64_t x : v) ++counts[x + high];
  for (const double count : counts) chi_square += (count - n / 7.0) * (count - n / 7.0) / (n / 7.0);
  EXPECT_LT(chi_square, 22.5);  // 6 degrees of freedom, once in a thousand
}

TEST(Random, RandpermPermutes) {
  for_each_target([] {
    for (const int64_t n : {0, 1, 2, 3, 64, 257, 1000}) {
      Guarded<int64_t> out(n, 1);
      fill_randperm({5, 0}, out.data(), n);
      out.expect_intact();
      std::set<int64_t> seen(out.data(), out.data() + n);
      ASSERT_EQ(static_cast<int64_t>(seen.size()), n);
      if (n > 0) {
        ASSERT_TRUE(*seen.begin() == 0 && *seen.rbegin() == n - 1);
      }
    }
  });
}

TEST(Random, PermutationsOfFourAreEquallyLikely) {
  const int trials = 24000;
  std::vector<double> counts(256);
  for (int t = 0; t < trials; ++t) {
    int64_t p[4];
    fill_randperm({11, static_cast<uint64_t>(4 * t)}, p, 4);
    ++counts[p[0] + 4 * p[1] + 16 * p[2] + 64 * p[3]];
  }
  double chi_square = 0;
  for (const double count : counts)
    chi_square += count > 0 ? (count - 1000) * (count - 1000) / 1000 : 0;
  EXPECT_EQ(std::count(counts.begin(), counts.end(), 0), 256 - 24);
  EXPECT_LT(chi_square, 49.7);  // 23 degrees of freedom, once in a thousand
}

}  // namespace
}  // namespace autograd::cpu
