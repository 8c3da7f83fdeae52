// Plain loops: these are bound by memory.
#include "kernels/cpu/index.hpp"

#include <cstring>

#include "kernels/cpu/element_types.hpp"

namespace autograd::cpu {

namespace {

// A copy of a fixed number of bytes is one or two instructions, a call of memcpy many.
template <size_t bytes>
void take_elements(const char* from, const int64_t* rows, char* to, int64_t count) {
  for (int64_t i = 0; i < count; ++i, to += bytes)
    std::memcpy(to, from + rows[i] * static_cast<int64_t>(bytes), bytes);
}

template <int64_t bytes>
void take_fixed(const char* x, const int64_t* offsets, char* y, const Blocks& b, int64_t item) {
  for (int64_t o = 0; o < b.outer; ++o, x += b.x_outer * item, y += b.y_outer * item)
    for (int64_t j = 0; j < b.count; ++j)
      std::memcpy(y + j * bytes, x + offsets[j] * item, static_cast<size_t>(bytes));
}

template <class T>
void take_strided(const T* x, const int64_t* offsets, T* y, const Blocks& b) {
  for (int64_t o = 0; o < b.outer; ++o)
    for (int64_t j = 0; j < b.count; ++j) {
      const T* from = x + o * b.x_outer + offsets[j];
      T* to = y + o * b.y_outer + j * b.y_count;
      for (int64_t i = 0; i < b.inner; ++i) to[i * b.y_inner] = from[i * b.x_inner];
    }
}

template <class T>
void put_strided(T* x, const int64_t* offsets, const T* y, const Blocks& b) {
  if (b.inner == 1) {
    for (int64_t o = 0; o < b.outer; ++o, x += b.x_outer, y += b.y_outer)
      for (int64_t j = 0; j < b.count; ++j) x[offsets[j]] = y[j * b.y_count];
    return;
  }
  for (int64_t o = 0; o < b.outer; ++o)
    for (int64_t j = 0; j < b.count; ++j) {
      T* to = x + o * b.x_outer + offsets[j];
      const T* from = y + o * b.y_outer + j * b.y_count;
      for (int64_t i = 0; i < b.inner; ++i) to[i * b.x_inner] = from[i * b.y_inner];
    }
}

template <class T>
void add_typed(T* x, const int64_t* offsets, const T* y, const Blocks& b) {
  if (b.inner == 1) {
    for (int64_t o = 0; o < b.outer; ++o, x += b.x_outer, y += b.y_outer)
      for (int64_t j = 0; j < b.count; ++j) x[offsets[j]] = add(x[offsets[j]], y[j * b.y_count]);
    return;
  }
  for (int64_t o = 0; o < b.outer; ++o)
    for (int64_t j = 0; j < b.count; ++j) {
      T* to = x + o * b.x_outer + offsets[j];
      const T* from = y + o * b.y_outer + j * b.y_count;
      if (b.x_inner == 1 && b.y_inner == 1)
        for (int64_t i = 0; i < b.inner; ++i) to[i] = add(to[i], from[i]);
      else
        for (int64_t i = 0; i < b.inner; ++i)
          to[i * b.x_inner] = add(to[i * b.x_inner], from[i * b.y_inner]);
    }
}

}  // namespace

void take_blocks(int64_t item, const void* x, const int64_t* offsets, void* y, const Blocks& b) {
  const char* from = static_cast<const char*>(x);
  char* to = static_cast<char*>(y);
  const bool dense = (b.x_inner == 1 || b.inner == 1) && b.y_inner == 1;
  const int64_t bytes = b.inner * item;
  if (dense && b.y_count == b.inner) {
    switch (bytes) {
      case 1:
        return take_fixed<1>(from, offsets, to, b, item);
      case 4:
        return take_fixed<4>(from, offsets, to, b, item);
      case 8:
        return take_fixed<8>(from, offsets, to, b, item);
      case 16:
        return take_fixed<16>(from, offsets, to, b, item);
      case 32:
        return take_fixed<32>(from, offsets, to, b, item);
      default:
        break;
    }
  }
  if (!dense)
    return by_size(item, [&](auto* t) {
      using T = Element<decltype(t)>;
      take_strided(static_cast<const T*>(x), offsets, static_cast<T*>(y), b);
    });
  for (int64_t o = 0; o < b.outer; ++o, from += b.x_outer * item)
    for (int64_t j = 0; j < b.count; ++j)
      std::memcpy(to + (o * b.y_outer + j * b.y_count) * item, from + offsets[j] * item,
                  static_cast<size_t>(bytes));
}

void take_rows(const void* x, const int64_t* rows, void* out, int64_t count, int64_t row_bytes) {
  const char* from = static_cast<const char*>(x);
  char* to = static_cast<char*>(out);
  if (row_bytes == 8) return take_elements<8>(from, rows, to, count);
  if (row_bytes == 4) return take_elements<4>(from, rows, to, count);
  for (int64_t i = 0; i < count; ++i, to += row_bytes)
    std::memcpy(to, from + rows[i] * row_bytes, static_cast<size_t>(row_bytes));
}

void put_blocks(int64_t item, void* x, const int64_t* offsets, const void* y, const Blocks& b) {
  if (b.x_inner == 1 && b.y_inner == 1 && b.inner * item >= 32) {
    for (int64_t o = 0; o < b.outer; ++o)
      for (int64_t j = 0; j < b.count; ++j)
        std::memcpy(static_cast<char*>(x) + (o * b.x_outer + offsets[j]) * item,
                    static_cast<const char*>(y) + (o * b.y_outer + j * b.y_count) * item,
                    static_cast<size_t>(b.inner * item));
    return;
  }
  by_size(item, [&](auto* t) {
    using T = Element<decltype(t)>;
    put_strided(static_cast<T*>(x), offsets, static_cast<const T*>(y), b);
  });
}

void add_blocks(DType dtype, void* x, const int64_t* offsets, const void* y, const Blocks& b) {
  by_dtype(dtype, [&](auto* t) {
    using T = Element<decltype(t)>;
    add_typed(static_cast<T*>(x), offsets, static_cast<const T*>(y), b);
  });
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
