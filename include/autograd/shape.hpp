// A short list of integers: sizes, strides or dims.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace autograd {

/// Most dims a tensor can have.
inline constexpr int kMaxDims = 12;

/// Up to kMaxDims integers, stored in place. Constructors from longer lists throw Error (value).
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> values)
      : Shape(values.begin(), static_cast<int64_t>(values.size())) {}
  Shape(const std::vector<int64_t>& values)
      : Shape(values.data(), static_cast<int64_t>(values.size())) {}
  Shape(const int64_t* values, int64_t count) : rank_(check_rank(count)) {
    for (int i = 0; i < rank_; ++i) values_[i] = values[i];
  }
  Shape(const Shape& other) : rank_(other.rank_) { copy(other); }
  Shape& operator=(const Shape& other) {
    rank_ = other.rank_;
    copy(other);
    return *this;
  }

  int size() const { return rank_; }
  bool empty() const { return rank_ == 0; }
  int64_t operator[](int i) const { return values_[i]; }
  int64_t& operator[](int i) { return values_[i]; }
  int64_t back() const { return values_[rank_ - 1]; }
  const int64_t* data() const { return values_; }
  const int64_t* begin() const { return values_; }
  const int64_t* end() const { return values_ + rank_; }

  /// Appends; throws Error (value) beyond kMaxDims.
  void push_back(int64_t value) {
    check_rank(rank_ + 1);
    values_[rank_++] = value;
  }
  void insert(int at, int64_t value) {
    push_back(value);
    for (int i = rank_ - 1; i > at; --i) values_[i] = values_[i - 1];
    values_[at] = value;
  }
  void erase(int at) {
    for (int i = at; i + 1 < rank_; ++i) values_[i] = values_[i + 1];
    --rank_;
  }
  /// `count` entries of `value`.
  static Shape filled(int count, int64_t value) {
    Shape s;
    for (int i = 0; i < count; ++i) s.push_back(value);
    return s;
  }

  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (int i = 0; i < a.rank_; ++i)
      if (a.values_[i] != b.values_[i]) return false;
    return true;
  }
  friend bool operator!=(const Shape& a, const Shape& b) { return !(a == b); }

 private:
  static int check_rank(int64_t count);
  void copy(const Shape& other) {
    for (int i = 0; i < rank_; ++i) values_[i] = other.values_[i];
  }

  int32_t rank_ = 0;
  int64_t values_[kMaxDims];
};

/// "[2, 3]".
std::string to_string(const Shape& shape);

}  // namespace autograd
