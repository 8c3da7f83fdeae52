// What the tests of the pointwise kernels share: the ops by name, values of every kind, what a row
// must compute, and comparison in units in the last place.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "kernel_test.hpp"
#include "kernels/cpu/pointwise.hpp"
#include "kernels/cpu/pointwise_table.hpp"

namespace autograd::cpu::pointwise_test {

using Real = long double;
inline constexpr double kInf = std::numeric_limits<double>::infinity();
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kParams[3] = {-0.75, 1.5, 0};

/// The inputs of one element as the row names them: (x), (g, x, y), (a, b) or (c, a, b).
struct Args {
  Real v[3];
};
using Formula = Real (*)(const Args&);

enum Domain { kFloats = 1, kIntegers = 2, kBools = 4, kNumbers = 3, kAll = 7 };

/// What a row must compute. ulp: the allowed error of a float result in units of its last place.
struct Expected {
  int inputs;
  int domain;
  double ulp;
  Formula formula;
  bool bool_result = false;
  bool bool_condition = false;
  /// Float inputs are brought into [low, high].
  double low = -kInf, high = kInf;
  /// Errors are measured at this magnitude where it exceeds the result's.
  Formula scale = nullptr;
};

/// By the names of the rows.
const std::map<std::string, Expected>& expected_rows();

inline const std::vector<std::string>& op_names() {
  static const std::vector<std::string> names = {
#define UNARY(name, ...) #name, #name "_backward",
#define UNARY_FLAT(name, ...) #name,
#define PREDICATE(name, ...) #name,
#define BINARY(name, ...) #name,
#define BINARY_FLAT(name, ...) #name,
#define COMPARE(name, ...) #name,
#define TERNARY(name, ...) #name,
#define SELECT(name, ...) #name,
#include "ops/pointwise.def"
  };
  return names;
}

inline PointwiseOp op_of(const std::string& name) {
  for (size_t i = 0; i < op_names().size(); ++i) {
    if (op_names()[i] == name) return static_cast<PointwiseOp>(i);
  }
  ADD_FAILURE() << "no op " << name;
  return PointwiseOp::k_copy;
}

template <class T>
struct Type;
template <>
struct Type<float> {
  static constexpr DType dtype = DType::kFloat32;
  static constexpr int domain = kFloats;
};
template <>
struct Type<double> {
  static constexpr DType dtype = DType::kFloat64;
  static constexpr int domain = kFloats;
};
template <>
struct Type<int32_t> {
  static constexpr DType dtype = DType::kInt32;
  static constexpr int domain = kIntegers;
};
template <>
struct Type<int64_t> {
  static constexpr DType dtype = DType::kInt64;
  static constexpr int domain = kIntegers;
};
template <>
struct Type<uint8_t> {
  static constexpr DType dtype = DType::kUInt8;
  static constexpr int domain = kIntegers;
};
/// A bool as it lies in memory.
struct Byte {
  uint8_t value;
};
template <>
struct Type<Byte> {
  static constexpr DType dtype = DType::kBool;
  static constexpr int domain = kBools;
};

inline Real to_real(Byte b) { return b.value != 0; }
template <class T>
Real to_real(T x) {
  return x;
}

/// The result as T: floats round, integers wrap around, bools are 0 or 1.
template <class T>
T from_real(Real x) {
  if constexpr (std::is_same_v<T, Byte>) {
    return {static_cast<uint8_t>(x != 0)};
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<uint64_t>(static_cast<__int128>(x)));
  } else {
    return static_cast<T>(x);
  }
}

template <class T>
std::vector<T> special_values() {
  if constexpr (std::is_same_v<T, Byte>) {
    return {{0}, {1}, {2}, {255}};
  } else if constexpr (std::is_integral_v<T>) {
    return {T(0),
            T(1),
            T(2),
            T(-1),
            T(3),
            std::numeric_limits<T>::max(),
            std::numeric_limits<T>::min()};
  } else {
    using L = std::numeric_limits<T>;
    return {T(0),      T(-0.0),  T(1),      T(-1),           T(0.5),       T(-0.5),
            T(2),      T(3),     T(kInf),   T(-kInf),        T(kNaN),      L::max(),
            -L::max(), L::min(), -L::min(), L::denorm_min(), L::min() / 4, T(1000),
            T(-1000),  T(200),   T(-200),   T(88.5),         T(88.72),     T(-87.5),
            T(-103),   T(-0.75), T(1.5),    T(709.5),        T(-740),      T(1e-5)};
  }
}

inline std::mt19937_64& random_bits() {
  static std::mt19937_64 engine(20240607);
  return engine;
}

/// Values of all magnitudes, every third a special one.
template <class T>
T random_value() {
  static const std::vector<T> special = special_values<T>();
  const uint64_t bits = random_bits()();
  if (bits % 3 == 0) return special[(bits >> 8) % special.size()];
  if constexpr (std::is_same_v<T, Byte>) {
    return {static_cast<uint8_t>((bits >> 8) % 3)};
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(bits % 3 == 1 ? static_cast<int64_t>(bits >> 8) % 20
                                        : static_cast<int64_t>(bits));
  } else {
    const T unit = static_cast<T>(static_cast<double>(static_cast<int64_t>(bits)) * 0x1p-63);
    return bits % 3 == 1 ? unit * 10
                         : unit * std::ldexp(T(1), static_cast<int>(random_bits()() % 60) - 30);
  }
}

/// Runs `check` for every instruction set this CPU has, with the kernels chosen for it.
template <class Check>
void for_each_target(Check check) {
  cpu::for_each_target([&] {
    choose_pointwise_kernels();
    check();
  });
  choose_pointwise_kernels();
}

/// Is `got` within `ulp` units in the last place of `want`, or the same special value?
template <class T>
::testing::AssertionResult close(T got, Real want, double ulp, Real scale) {
  if constexpr (std::is_floating_point_v<T>) {
    using L = std::numeric_limits<T>;
    if (std::isnan(want) && std::isnan(got)) return ::testing::AssertionSuccess();
    if (static_cast<Real>(got) == static_cast<Real>(static_cast<T>(want)))
      return ::testing::AssertionSuccess();
    const Real magnitude = std::min<Real>(std::max(std::fabs(want), scale), L::max());
    const Real unit = std::max<Real>(
        magnitude > 0 ? std::ldexp(Real(L::epsilon()), std::ilogb(magnitude)) : 0, L::denorm_min());
    if (std::isfinite(got) && std::fabs(got - want) <= ulp * unit)
      return ::testing::AssertionSuccess();
  } else {
    const T wanted = from_real<T>(want);
    if (std::memcmp(&got, &wanted, sizeof(T)) == 0) return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure() << "got " << to_real(got) << ", expected " << want;
}

/// The formula, where T does not ask for something else.
template <class T>
Real expected_value(const std::string& name, const Expected& expected, const Args& args) {
  if constexpr (std::is_integral_v<T>) {
    // The bounds -0.75 and 1.5 become integers first; a product may not fit into a long double.
    if (name == "clamp") return std::min<Real>(std::max<Real>(args.v[0], 0), 1);
    if (name == "mul") {
      return static_cast<T>(static_cast<uint64_t>(static_cast<T>(args.v[0])) *
                            static_cast<uint64_t>(static_cast<T>(args.v[1])));
    }
  }
  if constexpr (std::is_integral_v<T>) {
    const bool by_zero = args.v[1] == 0;
    const bool divides = name == "remainder" || name == "fmod" || name == "div_trunc" ||
                         name == "div_floor" || name == "floor_divide";
    if (divides && by_zero) return 0;  // refused before a kernel is called
    if (name == "square") {
      const uint64_t x = static_cast<uint64_t>(static_cast<T>(args.v[0]));
      return static_cast<T>(x * x);
    }
    if (name == "threshold") return args.v[0] <= 0 ? 1 : args.v[0];
    if (name == "hardtanh") return std::min<Real>(std::max<Real>(args.v[0], 0), 1);
    if (name == "nan_to_num") return args.v[0];
    if (name == "addcmul") return args.v[0];  // -0.75 becomes 0
  }
  if constexpr (std::is_same_v<T, Byte>) {
    if (name == "bitwise_not") return args.v[0] == 0;
  }
  const Real want = expected.formula(args);
  if constexpr (std::is_floating_point_v<T>) {
    // The quotient is rounded before it is cut.
    if (name == "div_trunc")
      return std::trunc(static_cast<T>(args.v[0]) / static_cast<T>(args.v[1]));
    if (name == "addcdiv" && std::fabs(args.v[1] / args.v[2]) > std::numeric_limits<T>::max())
      return want * kInf;
  }
  // exp(-x) overflows where sigmoid is subnormal, in PyTorch too.
  if constexpr (std::is_floating_point_v<T>) {
    if (name == "silu" && std::exp(-args.v[0]) > std::numeric_limits<T>::max())
      return args.v[0] / kInf;
    if (name == "sigmoid" && std::exp(-args.v[0]) > std::numeric_limits<T>::max()) return 0;
  }
  return want;
}

}  // namespace autograd::cpu::pointwise_test
