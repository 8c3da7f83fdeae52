// The SGD kernel: every option and instruction set against PyTorch's steps, one number at a time.
#include <type_traits>

#include "kernel_test.hpp"
#include "kernels/cpu/optim.hpp"

namespace autograd::cpu {
namespace {

/// torch.optim.SGD on one number; fused multiply-adds where PyTorch has add(alpha) and mul().add().
template <class T>
void step(T& w, T g, T& b, const SgdOptions& o, bool first) {
  const T momentum = static_cast<T>(o.momentum), decay = static_cast<T>(o.weight_decay);
  T d = o.maximize ? -g : g;
  if (o.weight_decay != 0) d = std::fma(w, decay, d);
  if (o.momentum != 0) {
    b = first ? d : std::fma(d, static_cast<T>(1 - o.dampening), b * momentum);
    d = o.nesterov ? std::fma(b, momentum, d) : b;
  }
  w = std::fma(d, static_cast<T>(-o.lr), w);
}

std::vector<SgdOptions> all_options() {
  std::vector<SgdOptions> all;
  for (const double momentum : {0.0, 0.9}) {
    for (const double dampening : {0.0, 0.3}) {
      for (const double decay : {0.0, 0.01}) {
        for (const bool nesterov : {false, true}) {
          for (const bool maximize : {false, true}) {
            all.push_back({0.05, momentum, dampening, decay, nesterov, maximize});
          }
        }
      }
    }
  }
  return all;
}

template <class T>
class SgdKernel : public ::testing::Test {};
using Floats = ::testing::Types<float, double>;
TYPED_TEST_SUITE(SgdKernel, Floats);

TYPED_TEST(SgdKernel, MatchesScalarSteps) {
  using T = TypeParam;
  std::vector<size_t> sizes = {127, 1001};
  for (size_t n = 0; n <= 70; ++n) sizes.push_back(n);
  for_each_target([&] {
    for (const SgdOptions& o : all_options()) {
      for (const size_t n : sizes) {
        SCOPED_TRACE(::testing::Message()
                     << "n " << n << " momentum " << o.momentum << " dampening " << o.dampening
                     << " decay " << o.weight_decay << " nesterov " << o.nesterov);
        auto want_w = normal_numbers<T>(n, 1);
        std::vector<T> want_b(n);
        Guarded<T> w(n, 1), b(n, 3);
        std::copy(want_w.begin(), want_w.end(), w.data());
        for (int round = 0; round < 3; ++round) {
          const auto g = normal_numbers<T>(n, 2 + round);
          sgd_update(dtype_of<T>(), w.data(), g.data(), o.momentum == 0 ? nullptr : b.data(), n, o,
                     round == 0);
          for (size_t i = 0; i < n; ++i) {
            step(want_w[i], g[i], want_b[i], o, round == 0);
            // Without FMA instructions each of the few steps rounds once more.
            const double eps = std::numeric_limits<T>::epsilon();
            ASSERT_TRUE(close(w[i], want_w[i], 8 * eps * (1 + std::fabs(want_w[i]))));
            if (o.momentum != 0) {
              ASSERT_TRUE(close(b[i], want_b[i], 8 * eps * (4 + std::fabs(want_b[i]))));
            }
          }
        }
        w.expect_intact();
        b.expect_intact();
      }
    }
  });
}

/// With weight_decay 0 an infinite weight must not make 0 * inf, nor lr 0 move anything.
TYPED_TEST(SgdKernel, ZeroOptionsTouchNothing) {
  using T = TypeParam;
  for_each_target([] {
    std::vector<T> w(19, std::numeric_limits<T>::infinity()), g(19, 1);
    sgd_update(dtype_of<T>(), w.data(), g.data(), nullptr, 19, {0.1, 0, 0, 0, false, false}, true);
    for (const T x : w) EXPECT_EQ(x, std::numeric_limits<T>::infinity());
    std::fill(w.begin(), w.end(), T(0.25));
    sgd_update(dtype_of<T>(), w.data(), g.data(), nullptr, 19, {0, 0, 0, 0.5, false, false}, true);
    for (const T x : w) EXPECT_EQ(x, T(0.25));
  });
}

/// torch.optim.SGD([w], 0.1, momentum=0.9, dampening=0.2, weight_decay=0.01), three steps from
/// w = 1 with gradients 0.5, -0.25 and 2 (PyTorch 2.13, float64).
TEST(SgdKernels, AgreesWithPyTorch) {
  for_each_target([] {
    const SgdOptions o{0.1, 0.9, 0.2, 0.01, false, false};
    double w = 1, b = 0;
    bool first = true;
    for (const double g : {0.5, -0.25, 2.0}) {
      sgd_update(DType::kFloat64, &w, &g, &b, 1, o, first);
      first = false;
    }
    EXPECT_NEAR(w, 0.7376096473599999, 1e-15);
  });
}

}  // namespace
}  // namespace autograd::cpu
