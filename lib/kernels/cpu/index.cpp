// Plain loops: these are bound by memory.
#include "kernels/cpu/index.hpp"

#include <cstring>

namespace autograd::cpu {

namespace {

/// take_rows for rows of one element: a call of memcpy for each would take most of the time.
template <size_t kBytes>
void take_elements(const char* from, const int64_t* index, char* to, int64_t count) {
  for (int64_t i = 0; i < count; ++i, to += kBytes)
    std::memcpy(to, from + index[i] * static_cast<int64_t>(kBytes), kBytes);
}

}  // namespace

void take_rows(const void* x, const int64_t* index, void* out, int64_t outer, int64_t n,
               int64_t count, int64_t inner_bytes) {
  if (outer == 1 && inner_bytes == 8)
    return take_elements<8>(static_cast<const char*>(x), index, static_cast<char*>(out), count);
  if (outer == 1 && inner_bytes == 4)
    return take_elements<4>(static_cast<const char*>(x), index, static_cast<char*>(out), count);
  const char* from = static_cast<const char*>(x);
  char* to = static_cast<char*>(out);
  for (int64_t o = 0; o < outer; ++o, from += n * inner_bytes)
    for (int64_t i = 0; i < count; ++i, to += inner_bytes)
      std::memcpy(to, from + index[i] * inner_bytes, static_cast<size_t>(inner_bytes));
}

namespace {

template <class T>
void add_typed(const T* g, const int64_t* index, T* out, int64_t outer, int64_t n, int64_t count,
               int64_t inner) {
  for (int64_t o = 0; o < outer; ++o, out += n * inner)
    for (int64_t i = 0; i < count; ++i, g += inner) {
      T* row = out + index[i] * inner;
      for (int64_t j = 0; j < inner; ++j) row[j] = static_cast<T>(row[j] + g[j]);
    }
}

}  // namespace

void add_rows(DType dtype, const void* g, const int64_t* index, void* out, int64_t outer, int64_t n,
              int64_t count, int64_t inner) {
  if (dtype == DType::kFloat32)
    add_typed(static_cast<const float*>(g), index, static_cast<float*>(out), outer, n, count,
              inner);
  else
    add_typed(static_cast<const double*>(g), index, static_cast<double*>(out), outer, n, count,
              inner);
}

void take_along(const void* x, const int64_t* index, void* out, int64_t outer, int64_t n,
                int64_t inner, int64_t item_bytes) {
  const char* from = static_cast<const char*>(x);
  char* to = static_cast<char*>(out);
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < inner; ++i, to += item_bytes)
      std::memcpy(to, from + ((o * n + *index++) * inner + i) * item_bytes,
                  static_cast<size_t>(item_bytes));
}

void put_along(const void* g, const int64_t* index, void* out, int64_t outer, int64_t n,
               int64_t inner, int64_t item_bytes) {
  const char* from = static_cast<const char*>(g);
  char* to = static_cast<char*>(out);
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < inner; ++i, from += item_bytes)
      std::memcpy(to + ((o * n + *index++) * inner + i) * item_bytes, from,
                  static_cast<size_t>(item_bytes));
}

}  // namespace autograd::cpu
