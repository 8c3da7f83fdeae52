// Speed of the matrix product against this core's multiply-add peak, measured in the same run.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "../lib/kernels/cpu/gemm.hpp"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace autograd::cpu {
namespace {

/// This process's own time, so that neighbours on the machine count less.
double seconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

constexpr int kSteps = 40000;

#if defined(__x86_64__)
/// GFLOP/s of chains of multiply-adds in registers, enough of them to hide the latency, and all
/// different, lest the compiler make them one.
[[gnu::target("avx2,fma")]] double peak_avx2() {
  __m256 sums[12];
  for (int i = 0; i < 12; ++i) sums[i] = _mm256_set1_ps(static_cast<float>(i));
  const __m256 factor = _mm256_set1_ps(0.999f), term = _mm256_set1_ps(1e-9f);
  const double start = seconds();
  for (int i = 0; i < kSteps; ++i) {
#pragma GCC unroll 12
    for (__m256& sum : sums) sum = _mm256_fmadd_ps(sum, factor, term);
  }
  const double time = seconds() - start;
  for (__m256& sum : sums) asm volatile("" : : "x"(sum));
  return 2e-9 * 8 * 12 * kSteps / time;
}

[[gnu::target("avx512f")]] double peak_avx512() {
  __m512 sums[16];
  for (int i = 0; i < 16; ++i) sums[i] = _mm512_set1_ps(static_cast<float>(i));
  const __m512 factor = _mm512_set1_ps(0.999f), term = _mm512_set1_ps(1e-9f);
  const double start = seconds();
  for (int i = 0; i < kSteps; ++i) {
#pragma GCC unroll 16
    for (__m512& sum : sums) sum = _mm512_fmadd_ps(sum, factor, term);
  }
  const double time = seconds() - start;
  for (__m512& sum : sums) asm volatile("" : : "v"(sum));
  return 2e-9 * 16 * 16 * kSteps / time;
}

double peak() {
  if (__builtin_cpu_supports("avx512f")) return peak_avx512();
  return __builtin_cpu_supports("avx2") ? peak_avx2() : 0;
}
#else
double peak() { return 0; }
#endif

struct Median {
  std::vector<double> samples;
  double value() {
    std::sort(samples.begin(), samples.end());
    return samples.empty() ? 0 : samples[samples.size() / 2];
  }
};

/// One line: float32 in the layouts NN, NT and TN, their samples and the peak's taken in turns.
void measure(int64_t m, int64_t n, int64_t k) {
  const std::vector<float> a(m * k, 1.0f), b(k * n, 1.0f);
  std::vector<float> c(m * n);
  const MatrixView plain_a = {a.data(), k, 1}, plain_b = {b.data(), n, 1};
  const MatrixView views[3][2] = {
      {plain_a, plain_b}, {plain_a, {b.data(), 1, k}}, {{a.data(), 1, m}, plain_b}};
  const size_t bytes = gemm_workspace(DType::kFloat32, m, n, k, plain_a, plain_b);
  const std::unique_ptr<void, void (*)(void*)> workspace(
      std::aligned_alloc(64, (bytes + 127) / 64 * 64), std::free);
  const double work =
      2e-9 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const int calls = std::clamp(static_cast<int>(2e-3 / work), 1, 1000);
  const int repeats = std::clamp(static_cast<int>(20 / (work * calls)), 5, 301);
  Median times[3], peaks;
  for (int i = 0; i < repeats; ++i) {
    peaks.samples.push_back(peak());
    for (int layout = 0; layout < 3; ++layout) {
      const double start = seconds();
      for (int call = 0; call < calls; ++call) {
        gemm(DType::kFloat32, m, n, k, views[layout][0], views[layout][1], c.data(), n, {},
             workspace.get());
      }
      times[layout].samples.push_back((seconds() - start) / calls);
    }
  }
  const double limit = peaks.value();
  std::printf("%5ld %5ld %5ld  peak %4.0f", static_cast<long>(m), static_cast<long>(n),
              static_cast<long>(k), limit);
  for (int layout = 0; layout < 3; ++layout) {
    const double time = times[layout].value();
    std::printf("  %s %10.3f us %5.1f GFLOP/s",
                layout == 0   ? "NN"
                : layout == 1 ? "NT"
                              : "TN",
                time * 1e6, work / time);
    if (limit > 0) std::printf(" %3.0f %%", 100 * work / time / limit);
  }
  std::printf("\n");
}

}  // namespace
}  // namespace autograd::cpu

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "--peak") == 0) {
    autograd::cpu::Median peaks;
    for (int i = 0; i < 101; ++i) peaks.samples.push_back(autograd::cpu::peak());
    std::printf("%.1f\n", peaks.value());
    return 0;
  }
  constexpr int64_t kShapes[][3] = {
      {2, 2, 2},          {1, 64, 64},       {16, 1, 64},     {16, 4, 64},     {16, 10, 64},
      {16, 64, 4},        {4, 64, 16},       {64, 64, 16},    {16, 64, 64},    {64, 64, 64},
      {32, 128, 128},     {64, 256, 256},    {128, 128, 128}, {256, 256, 256}, {512, 512, 512},
      {1024, 1024, 1024}, {2048, 2048, 2048}};
  for (const auto& [m, n, k] : kShapes) autograd::cpu::measure(m, n, k);
}
