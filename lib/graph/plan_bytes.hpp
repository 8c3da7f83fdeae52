// Numbers and texts as bytes, little endian, and back with every length checked.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "core/text.hpp"

namespace autograd::detail {

class ByteWriter {
 public:
  void u8(int value) { bytes_.push_back(static_cast<char>(value)); }
  void i64(int64_t value) {
    for (int i = 0; i < 8; ++i) u8(static_cast<int>(static_cast<uint64_t>(value) >> 8 * i & 255));
  }
  void real(double value) {
    int64_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    i64(bits);
  }
  void text(std::string_view value) { block(value.data(), value.size()); }
  void block(const void* data, size_t n) {
    i64(static_cast<int64_t>(n));
    bytes_.append(static_cast<const char*>(data), n);
  }
  void shape(const Shape& shape) {
    u8(shape.size());
    for (int64_t each : shape) i64(each);
  }
  void numbers(const std::vector<int>& values) {
    i64(static_cast<int64_t>(values.size()));
    for (int each : values) i64(each);
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

inline constexpr std::string_view kPlanMagic = "AGPLAN3\n",
                                  kNoPlan = "not a plan that can be used: ";

inline uint64_t checksum(std::string_view bytes) {  // FNV-1a
  uint64_t hash = 14695981039346656037u;
  for (char each : bytes) hash = (hash ^ static_cast<unsigned char>(each)) * 1099511628211u;
  return hash;
}

[[noreturn]] inline void fail_plan(const std::string& what) {
  fail(ErrorCode::kValue, kNoPlan, what);
}

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  int u8() { return static_cast<unsigned char>(take(1)[0]); }
  bool flag() {
    const int value = u8();
    if (value > 1) fail_plan("a flag is neither 0 nor 1");
    return value != 0;
  }
  int64_t i64() {
    const std::string_view bytes = take(8);
    uint64_t value = 0;
    for (int i = 0; i < 8; ++i)
      value |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[static_cast<size_t>(i)]))
               << 8 * i;
    return static_cast<int64_t>(value);
  }
  double real() {
    const int64_t bits = i64();
    double value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  /// In [low, high).
  int number(int64_t low, int64_t high, const char* what) {
    const int64_t value = i64();
    if (value < low || value >= high) fail_plan(concat(what, " ", value, " is out of range"));
    return static_cast<int>(value);
  }
  /// A count of things that take at least `bytes_each` bytes.
  size_t count(size_t bytes_each, const char* what) {
    const int64_t value = i64();
    if (value < 0 || static_cast<uint64_t>(value) > rest_.size() / bytes_each)
      fail_plan(concat("the number of ", what, ", ", value, ", is more than the file holds"));
    return static_cast<size_t>(value);
  }
  std::string_view block() { return take(count(1, "bytes")); }
  std::string text() { return std::string(block()); }
  Shape shape() {
    const int n = u8();
    if (n > kMaxDims) fail_plan(concat("a tensor has ", n, " dims"));
    Shape shape;
    for (int i = 0; i < n; ++i) shape.push_back(i64());
    return shape;
  }
  std::vector<int> numbers(int64_t low, int64_t high, const char* what) {
    std::vector<int> values(count(8, what));
    for (int& each : values) each = number(low, high, what);
    return values;
  }
  bool is_empty() const { return rest_.empty(); }

 private:
  std::string_view take(size_t n) {
    if (n > rest_.size()) fail_plan("it is cut off");
    const std::string_view part = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return part;
  }
  std::string_view rest_;
};

}  // namespace autograd::detail
