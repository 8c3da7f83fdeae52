// The strided loop and convert against element-by-element loops, over random shapes, strides,
// dtypes and ranges.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "kernel_test.hpp"
#include "kernels/cpu/pointwise.hpp"
#include "kernels/cpu/stream.hpp"

namespace autograd::cpu {
namespace {

std::mt19937 engine(7);
int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(engine); }

double read(const void* at, DType type) {
  switch (type) {
    case DType::kFloat32:
      return *static_cast<const float*>(at);
    case DType::kFloat64:
      return *static_cast<const double*>(at);
    case DType::kInt32:
      return *static_cast<const int32_t*>(at);
    case DType::kInt64:
      return static_cast<double>(*static_cast<const int64_t*>(at));
    case DType::kUInt8:
      return *static_cast<const uint8_t*>(at);
    case DType::kBool:
      return *static_cast<const uint8_t*>(at) != 0;
  }
  return 0;
}

/// Writes a small number exactly representable in every type, as static_cast would.
void write(void* at, DType type, double x) {
  switch (type) {
    case DType::kFloat32:
      *static_cast<float*>(at) = static_cast<float>(x);
      break;
    case DType::kFloat64:
      *static_cast<double*>(at) = x;
      break;
    case DType::kInt32:
      *static_cast<int32_t*>(at) = static_cast<int32_t>(x);
      break;
    case DType::kInt64:
      *static_cast<int64_t*>(at) = static_cast<int64_t>(x);
      break;
    case DType::kUInt8:
      *static_cast<uint8_t*>(at) = static_cast<uint8_t>(static_cast<int64_t>(x));
      break;
    case DType::kBool:
      *static_cast<uint8_t*>(at) = x != 0;
      break;
  }
}

/// An operand in an array of its own, exactly as large as its strides need, behind a random offset.
struct Array {
  DType stored, as;
  std::vector<int64_t> strides;
  std::vector<double> room;  // aligned for every type
  int64_t first, extent;
  Operand operand() { return {at(0), stored, as, strides.data()}; }
  unsigned char* at(int64_t offset) {
    return reinterpret_cast<unsigned char*>(room.data()) +
           (first + offset) * static_cast<int64_t>(size_of(stored));
  }
};

/// Strides of a random layout: permuted dimensions, gaps, broadcast dimensions (not for outputs).
std::vector<int64_t> random_strides(const std::vector<int64_t>& sizes, bool output) {
  const int ndim = static_cast<int>(sizes.size());
  std::vector<int> order(ndim);
  for (int d = 0; d < ndim; ++d) order[d] = ndim - 1 - d;
  if (pick(0, 2) == 0) std::shuffle(order.begin(), order.end(), engine);
  const bool gaps = pick(0, 2) == 0, broadcast = !output && pick(0, 1) == 0;
  std::vector<int64_t> strides(ndim);
  int64_t next = gaps ? pick(1, 3) : 1;
  for (const int d : order) {
    if (broadcast && pick(0, 1) == 0) continue;
    strides[d] = next;
    next *= std::max<int64_t>(sizes[d], 1);
    if (gaps && pick(0, 2) == 0) next += pick(0, 3);
  }
  return strides;
}

Array random_array(const std::vector<int64_t>& sizes, DType as, bool output) {
  Array a;
  a.as = as;
  a.stored = pick(0, 2) == 0 ? static_cast<DType>(pick(0, kDTypeCount - 1)) : as;
  a.strides = random_strides(sizes, output);
  a.extent = 1;
  for (size_t d = 0; d < sizes.size(); ++d)
    a.extent += std::max<int64_t>(sizes[d] - 1, 0) * a.strides[d];
  a.first = pick(0, 3);
  const int64_t bytes = (a.first + a.extent) * static_cast<int64_t>(size_of(a.stored));
  a.room.resize((bytes + 7) / 8);
  for (int64_t i = -a.first; i < a.extent; ++i) write(a.at(i), a.stored, pick(0, 9));
  return a;
}

std::vector<int64_t> random_sizes() {
  std::vector<int64_t> sizes(pick(0, 5));
  for (int64_t& size : sizes) size = pick(0, 9) == 0 ? 1 : pick(1, 7);
  if (!sizes.empty() && pick(0, 2) == 0)
    sizes[pick(0, static_cast<int>(sizes.size()) - 1)] = pick(100, 900);
  if (sizes.size() > 1 && pick(0, 5) == 0) sizes[0] = pick(20, 140), sizes[1] = pick(20, 140);
  if (!sizes.empty() && pick(0, 30) == 0) sizes[0] = 0;
  if (pick(0, 40) == 0) sizes = {2, 1, 2, 3, 1, 2, 1, 2, 2, 1, 3, 2};
  return sizes;
}

struct LoopCase {
  PointwiseOp op;
  DType compute;
  int inputs;
};

double naive(PointwiseOp op, DType compute, const double* v) {
  if (op == PointwiseOp::k_lt) return v[0] < v[1];
  if (op == PointwiseOp::k_where) return v[0] != 0 ? v[1] : v[2];
  const double sum = v[0] + v[1];
  return compute == DType::kBool ? sum != 0 : sum;
}

int64_t offset_of(const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides,
                  int64_t linear) {
  int64_t offset = 0;
  for (int d = static_cast<int>(sizes.size()) - 1; d >= 0; --d) {
    offset += linear % sizes[d] * strides[d];
    linear /= sizes[d];
  }
  return offset;
}

/// One random call, compared byte by byte: elements outside [begin, end) must keep their values.
void check_random_call(const LoopCase& c) {
  std::vector<int64_t> sizes = random_sizes();
  int64_t total = 1;
  for (const int64_t size : sizes) total *= size;
  if (total > 20000) return;
  int64_t begin = 0, end = total;
  if (pick(0, 2) == 0) {
    begin = pick(0, static_cast<int>(total));
    end = pick(static_cast<int>(begin), static_cast<int>(total));
  }
  std::vector<Array> arrays;
  arrays.push_back(random_array(sizes, c.op == PointwiseOp::k_lt ? DType::kBool : c.compute, true));
  for (int k = 0; k < c.inputs; ++k) {
    const bool condition = c.op == PointwiseOp::k_where && k == 0;
    arrays.push_back(random_array(sizes, condition ? DType::kBool : c.compute, false));
  }
  // In place: the first input of the compute type is the output itself.
  const bool in_place =
      c.op == PointwiseOp::k_add && arrays[0].stored == c.compute && pick(0, 4) == 0;
  Array expected = arrays[0];
  for (int64_t i = begin; i < end; ++i) {
    double values[3] = {};
    for (int k = 0; k < c.inputs; ++k) {
      Array& a = in_place && k == 0 ? arrays[0] : arrays[k + 1];
      values[k] = read(a.at(offset_of(sizes, a.strides, i)), a.stored);
      alignas(8) unsigned char converted[8];
      write(converted, a.as, values[k]);
      values[k] = read(converted, a.as);
    }
    alignas(8) unsigned char result[8];
    write(result, arrays[0].as, naive(c.op, c.compute, values));
    write(expected.at(offset_of(sizes, expected.strides, i)), expected.stored,
          read(result, arrays[0].as));
  }

  std::vector<Operand> operands;
  for (Array& a : arrays) operands.push_back(a.operand());
  if (in_place) operands[1] = operands[0];
  pointwise_loop(pointwise_kernel(c.op, c.compute), nullptr, operands.data(), c.inputs,
                 sizes.data(), static_cast<int>(sizes.size()), begin, end,
                 c.inputs == 2 ? pointwise_rows_kernel(c.op, c.compute) : nullptr);
  ASSERT_EQ(std::memcmp(arrays[0].room.data(), expected.room.data(), expected.room.size() * 8), 0)
      << ::testing::PrintToString(sizes) << " [" << begin << ", " << end << ") out strides "
      << ::testing::PrintToString(arrays[0].strides) << " in strides "
      << ::testing::PrintToString(arrays[1].strides) << " op " << static_cast<int>(c.op)
      << " dtype " << name_of(c.compute);
}

TEST(PointwiseLoop, RandomCalls) {
  const LoopCase cases[] = {
      {PointwiseOp::k_add, DType::kFloat32, 2},  {PointwiseOp::k_add, DType::kInt64, 2},
      {PointwiseOp::k_add, DType::kFloat64, 2},  {PointwiseOp::k_add, DType::kBool, 2},
      {PointwiseOp::k_add, DType::kUInt8, 2},    {PointwiseOp::k_lt, DType::kFloat32, 2},
      {PointwiseOp::k_lt, DType::kInt32, 2},     {PointwiseOp::k_where, DType::kFloat32, 3},
      {PointwiseOp::k_where, DType::kFloat64, 3}};
  for (int round = 0; round < 2500; ++round) {
    for (const LoopCase& c : cases) {
      check_random_call(c);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(PointwiseLoop, LargeTransposedAndBroadcast) {
  const int64_t sizes[] = {150, 700};
  std::vector<float> a(150 * 700), b(150 * 700), out(150 * 700);
  for (size_t i = 0; i < a.size(); ++i)
    a[i] = static_cast<float>(i), b[i] = static_cast<float>(i % 77);
  const int64_t dense[] = {700, 1}, transposed[] = {1, 150}, column[] = {1, 0}, row[] = {0, 1};
  for (const int64_t* second : {transposed, column, row, dense}) {
    for (const int64_t begin : {0, 333, 699, 700, 5001}) {
      const Operand operands[] = {{out.data(), DType::kFloat32, DType::kFloat32, dense},
                                  {a.data(), DType::kFloat32, DType::kFloat32, dense},
                                  {b.data(), DType::kFloat32, DType::kFloat32, second}};
      std::fill(out.begin(), out.end(), -1.0f);
      const int64_t end = 150 * 700 - begin / 2;
      pointwise_loop(pointwise_kernel(PointwiseOp::k_add, DType::kFloat32), nullptr, operands, 2,
                     sizes, 2, begin, end,
                     pointwise_rows_kernel(PointwiseOp::k_add, DType::kFloat32));
      for (int64_t i = 0; i < 150 * 700; ++i) {
        const float want =
            i < begin || i >= end ? -1 : a[i] + b[i / 700 * second[0] + i % 700 * second[1]];
        ASSERT_EQ(out[i], want) << i << " from " << begin;
      }
    }
  }
}

template <class T>
void check_rows_with_numbers(DType dtype) {
  // Rows and a number for each, in place too, and an outer product, where all rows are one; over
  // lengths around those of vectors.
  const PointwiseOp ops[] = {PointwiseOp::k_add, PointwiseOp::k_sub,     PointwiseOp::k_mul,
                             PointwiseOp::k_div, PointwiseOp::k_maximum, PointwiseOp::k_minimum};
  for (const PointwiseOp op : ops) {
    const PointwiseRowsKernel by_rows = pointwise_rows_kernel(op, dtype);
    ASSERT_NE(by_rows, nullptr);
    for (const int64_t n : {1, 2, 7, 16, 17, 31, 64, 100}) {
      for (const bool first : {false, true}) {
        const int64_t rows = 5;
        std::vector<T> dense(rows * n), numbers(rows), out(rows * n, -1);
        for (size_t i = 0; i < dense.size(); ++i) dense[i] = static_cast<T>(i % 11) - 4;
        for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<T>(i) - 2.5f;
        BroadcastRows r{
            {dense.data(), numbers.data()}, {n, 1}, {false, true}, out.data(), n, rows, n};
        if (first)
          r = {{numbers.data(), dense.data()}, {1, n}, {true, false}, out.data(), n, rows, n};
        by_rows(r);
        const std::vector<T> got = out;
        r.row[first] = 0;
        by_rows(r);
        const std::vector<T> outer = out;
        out = dense;
        r.row[first] = n;
        r.in[first] = out.data();
        by_rows(r);
        ASSERT_EQ(out, got);
        for (int64_t i = 0; i < 2 * rows * n; ++i) {
          const bool shared = i >= rows * n;
          const int64_t at = shared ? i - rows * n : i;
          T a = dense[shared ? at % n : at], b = numbers[at / n], want = 0;
          if (first) std::swap(a, b);
          if (op == PointwiseOp::k_add) want = a + b;
          if (op == PointwiseOp::k_sub) want = a - b;
          if (op == PointwiseOp::k_mul) want = a * b;
          if (op == PointwiseOp::k_div) want = a / b;
          if (op == PointwiseOp::k_maximum) want = std::max(a, b);
          if (op == PointwiseOp::k_minimum) want = std::min(a, b);
          ASSERT_EQ((shared ? outer : got)[at], want)
              << static_cast<int>(op) << " at " << at << " of " << n << (shared ? ", outer" : "");
        }
      }
    }
  }
}

TEST(PointwiseLoop, RowsWithNumbers) {
  for_each_target([] {
    check_rows_with_numbers<float>(DType::kFloat32);
    check_rows_with_numbers<double>(DType::kFloat64);
  });
  EXPECT_EQ(pointwise_rows_kernel(PointwiseOp::k_add, DType::kInt64), nullptr);
  EXPECT_EQ(pointwise_rows_kernel(PointwiseOp::k_exp, DType::kFloat32), nullptr);
}

TEST(PointwiseLoop, ResultsPastTheCaches) {
  // Pieces that begin and end anywhere, constants, another dtype, and a result over its input.
  const int64_t n = 2 * kStreamedBytes / 4 + 37;
  const int64_t sizes[] = {n}, dense[] = {1}, constant[] = {0};
  std::vector<float> a(static_cast<size_t>(n)), room(static_cast<size_t>(n) + 32);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 1013);
  const float two = 2;
  const PointwiseKernel add = pointwise_kernel(PointwiseOp::k_add, DType::kFloat32);
  for (const int shift : {0, 1, 5, 16}) {
    float* const out = room.data() + shift;
    for (const bool with_constant : {false, true}) {
      const Operand operands[] = {
          {out, DType::kFloat32, DType::kFloat32, dense},
          {a.data(), DType::kFloat32, DType::kFloat32, dense},
          {with_constant ? const_cast<float*>(&two) : a.data(), DType::kFloat32, DType::kFloat32,
           with_constant ? constant : dense}};
      const int64_t begin = 3 * shift, end = n - 7 * shift;
      std::fill(room.begin(), room.end(), -1.0f);
      pointwise_loop(add, nullptr, operands, 2, sizes, 1, begin, end);
      for (int64_t i = 0; i < n; ++i) {
        const float x = a[static_cast<size_t>(i)];
        ASSERT_EQ(out[i], i < begin || i >= end ? -1 : x + (with_constant ? two : x)) << i;
      }
    }
    std::copy(a.begin(), a.end(), out);
    const Operand in_place[] = {{out, DType::kFloat32, DType::kFloat32, dense},
                                {out, DType::kFloat32, DType::kFloat32, dense}};
    pointwise_loop(pointwise_kernel(PointwiseOp::k_square, DType::kFloat32), nullptr, in_place, 1,
                   sizes, 1, 0, n);
    for (int64_t i = 0; i < n; ++i)
      ASSERT_EQ(out[i], a[static_cast<size_t>(i)] * a[static_cast<size_t>(i)]) << i;
  }
}

TEST(PointwiseLoop, AbsentInputsAndNoElements) {
  const float g[] = {1, 2, 3, 4};
  float out[4] = {};
  const int64_t sizes[] = {2, 2}, dense[] = {2, 1}, flipped[] = {1, 2};
  const Operand operands[] = {{out, DType::kFloat32, DType::kFloat32, dense},
                              {const_cast<float*>(g), DType::kFloat32, DType::kFloat32, flipped},
                              {nullptr, DType::kFloat32, DType::kFloat32, nullptr},
                              {nullptr, DType::kFloat32, DType::kFloat32, nullptr}};
  const PointwiseKernel kernel = pointwise_kernel(PointwiseOp::k_neg_backward, DType::kFloat32);
  pointwise_loop(kernel, nullptr, operands, 3, sizes, 2, 0, 0);
  EXPECT_EQ(out[0], 0);
  pointwise_loop(kernel, nullptr, operands, 3, sizes, 2, 0, 4);
  EXPECT_EQ(std::vector<float>(out, out + 4), (std::vector<float>{-1, -3, -2, -4}));
}

template <class From, class To>
std::vector<To> converted(std::vector<From> from, DType from_type, DType to_type) {
  std::vector<To> to(from.size());
  convert(from.data(), from_type, 1, to.data(), to_type, 1, static_cast<int64_t>(from.size()));
  // Long runs go another way.
  constexpr size_t kCopies = 9;
  std::vector<From> all;
  std::vector<To> want;
  for (size_t i = 0; i < kCopies; ++i) {
    all.insert(all.end(), from.begin(), from.end());
    want.insert(want.end(), to.begin(), to.end());
  }
  for_each_target([&] {
    Guarded<To> got(all.size());
    convert(all.data(), from_type, 1, got.data(), to_type, 1, static_cast<int64_t>(all.size()));
    got.expect_intact();
    EXPECT_EQ(std::vector<To>(got.data(), got.data() + got.size()), want)
        << name_of(from_type) << " to " << name_of(to_type);
  });
  return to;
}

TEST(Convert, NumbersThatDoNotFit) {
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              inf = std::numeric_limits<float>::infinity();
  const std::vector<float> floats = {3e9f,           nan,           -3e9f, inf, -inf,
                                     -2147483648.0f, 2147483648.0f, -1.9f};
  EXPECT_EQ((converted<float, int32_t>(floats, DType::kFloat32, DType::kInt32)),
            (std::vector<int32_t>{INT32_MIN, INT32_MIN, INT32_MIN, INT32_MIN, INT32_MIN, INT32_MIN,
                                  INT32_MIN, -1}));
  EXPECT_EQ((converted<float, int64_t>(floats, DType::kFloat32, DType::kInt64)),
            (std::vector<int64_t>{3000000000, INT64_MIN, -3000000000, INT64_MIN, INT64_MIN,
                                  INT32_MIN, 2147483648, -1}));
  EXPECT_EQ((converted<double, uint8_t>({300, nan, -1, 1e30, -300, 255.9}, DType::kFloat64,
                                        DType::kUInt8)),
            (std::vector<uint8_t>{44, 0, 255, 0, 212, 255}));
  EXPECT_EQ((converted<float, uint8_t>({300, nan, -1, 1e30f, 1e18f, 255.9f, -3e9f, inf},
                                       DType::kFloat32, DType::kUInt8)),
            (std::vector<uint8_t>{44, 0, 255, 0, 0, 255, 0, 0}));
  EXPECT_EQ((converted<float, uint8_t>({0, -0.0f, nan, 0.5f, -inf}, DType::kFloat32, DType::kBool)),
            (std::vector<uint8_t>{0, 0, 1, 1, 1}));
  EXPECT_EQ((converted<uint8_t, float>({0, 1, 2, 255}, DType::kBool, DType::kFloat32)),
            (std::vector<float>{0, 1, 1, 1}));
  EXPECT_EQ((converted<int64_t, int32_t>({int64_t{1} << 32 | 5, -1}, DType::kInt64, DType::kInt32)),
            (std::vector<int32_t>{5, -1}));
}

TEST(Convert, FillsAnyLength) {
  for_each_target([] {
    for (int64_t n = 0; n < 150; ++n) {
      const double number = 7;
      for (int to = 0; to < kDTypeCount; ++to) {
        const DType type = static_cast<DType>(to);
        Guarded<char> got(static_cast<size_t>(n) * size_of(type));
        convert(&number, DType::kFloat64, 0, got.data(), type, 1, n);
        got.expect_intact();
        for (int64_t i = 0; i < n; ++i)
          ASSERT_EQ(read(got.data() + static_cast<size_t>(i) * size_of(type), type),
                    type == DType::kBool ? 1 : 7);
      }
    }
  });
}

TEST(Convert, EveryPairAndStride) {
  for (int from = 0; from < kDTypeCount; ++from) {
    for (int to = 0; to < kDTypeCount; ++to) {
      for (const auto& [src_stride, dst_stride] :
           {std::pair{1, 1}, {0, 1}, {3, 1}, {1, 2}, {2, 3}, {0, 2}}) {
        const DType src_type = static_cast<DType>(from), dst_type = static_cast<DType>(to);
        double src[200], dst[200], want[200];
        for (int i = 0; i < 50; ++i)
          write(reinterpret_cast<char*>(src) + i * src_stride * size_of(src_type), src_type,
                i % 11);
        std::fill_n(dst, 200, -1.0);
        std::fill_n(want, 200, -1.0);
        for (int i = 0; i < 50; ++i) {
          write(reinterpret_cast<char*>(want) + i * dst_stride * size_of(dst_type), dst_type,
                read(reinterpret_cast<char*>(src) + i * src_stride * size_of(src_type), src_type));
        }
        convert(src, src_type, src_stride, dst, dst_type, dst_stride, 50);
        EXPECT_EQ(std::memcmp(dst, want, sizeof(dst)), 0)
            << name_of(src_type) << " to " << name_of(dst_type);
      }
    }
  }
}

}  // namespace
}  // namespace autograd::cpu
