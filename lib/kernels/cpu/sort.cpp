// Each element becomes an unsigned key that sorts as the element does, with its position beside it.
// Short rows are ranked, longer ones sorted by the bytes of the keys, from the last to the first (a
// stable radix sort): neither has branches to guess. The first few elements of a row are found with
// a heap.
#include "kernels/cpu/sort.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/cpu/element_types.hpp"
#include "kernels/cpu/pause.hpp"
#include "kernels/cpu/rank.hpp"

namespace autograd::cpu {

namespace {

// A 32-bit key above a 32-bit position: one number.
struct Narrow {
  uint64_t bits;
  static Narrow of(uint64_t key, int64_t at) { return {key << 32 | static_cast<uint64_t>(at)}; }
  uint64_t key() const { return bits >> 32; }
  int64_t at() const { return static_cast<int64_t>(bits & 0xffffffffu); }
  bool operator<(const Narrow& o) const { return bits < o.bits; }
  static constexpr int kBytes = 4;
  static constexpr uint64_t kMask = 0xffffffffu;
};

struct Wide {
  uint64_t bits;
  int64_t position;
  static Wide of(uint64_t key, int64_t at) { return {key, at}; }
  uint64_t key() const { return bits; }
  int64_t at() const { return position; }
  bool operator<(const Wide& o) const {
    return bits != o.bits ? bits < o.bits : position < o.position;
  }
  static constexpr int kBytes = 8;
  static constexpr uint64_t kMask = ~uint64_t{0};
};

template <class T>
using EntryOf = std::conditional_t<sizeof(T) == 8, Wide, Narrow>;

// The sign of a float decides in which direction its other bits count.
template <class Bits, class T>
uint64_t float_key(T value) {
  constexpr Bits sign = Bits{1} << (sizeof(Bits) * 8 - 1);
  const T positive_zero = value + T{0};  // -0 + 0 is 0, all else stays
  Bits bits;
  std::memcpy(&bits, &positive_zero, sizeof(bits));
  const Bits negative = bits >> (sizeof(Bits) * 8 - 1);
  bits ^= static_cast<Bits>(Bits{0} - negative) | sign;
  return value != value ? static_cast<Bits>(~Bits{0}) : bits;
}

uint64_t key_of(float v) { return float_key<uint32_t>(v); }
uint64_t key_of(double v) { return float_key<uint64_t>(v); }
uint64_t key_of(int32_t v) { return static_cast<uint32_t>(v) ^ 0x80000000u; }
uint64_t key_of(int64_t v) { return static_cast<uint64_t>(v) ^ (uint64_t{1} << 63); }
uint64_t key_of(uint8_t v) { return v; }
uint64_t key_of(Truth v) { return v; }

template <class T, class Entry>
void make_entries(const T* x, Entry* entries, int64_t n, bool descending) {
  const uint64_t flip = descending ? Entry::kMask : 0;
  in_parts(n, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) entries[i] = Entry::of(key_of(x[i]) ^ flip, i);
  });
}

// Sorts a; b is room for as many. The result is in the one that is returned.
template <class Entry>
Entry* radix_sort(Entry* a, Entry* b, int64_t n) {
  uint32_t counts[Entry::kBytes][256] = {};
  in_parts(n, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int byte = 0; byte < Entry::kBytes; ++byte)
        ++counts[byte][a[i].key() >> (8 * byte) & 0xff];
  });
  for (int byte = 0; byte < Entry::kBytes; ++byte) {
    uint32_t* count = counts[byte];
    if (count[a[0].key() >> (8 * byte) & 0xff] == static_cast<uint64_t>(n)) continue;
    uint32_t start = 0;
    for (int digit = 0; digit < 256; ++digit) {
      const uint32_t here = count[digit];
      count[digit] = start;
      start += here;
    }
    in_parts(n, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) b[count[a[i].key() >> (8 * byte) & 0xff]++] = a[i];
    });
    std::swap(a, b);
  }
  return a;
}

// The k first entries, sorted: a heap keeps the best so far, the worst of them on top.
template <class T, class Entry>
void first_of(const T* x, Entry* a, int64_t n, int64_t k, bool descending) {
  make_entries(x, a, k, descending);
  std::make_heap(a, a + k);
  const uint64_t flip = descending ? Entry::kMask : 0;
  in_parts(n - k, [&](int64_t begin, int64_t end) {
    for (int64_t i = k + begin; i < k + end; ++i) {
      const Entry entry = Entry::of(key_of(x[i]) ^ flip, i);
      if (!(entry < a[0])) [[likely]]
        continue;
      std::pop_heap(a, a + k);
      a[k - 1] = entry;
      std::push_heap(a, a + k);
    }
  });
  std::sort_heap(a, a + k);
}

/// The place of each element in sorted order, for n <= kMostRanked; scratch holds 2 n keys.
template <class T>
const auto* places_of(const T* x, int64_t n, bool descending, void* scratch) {
  using Key = std::conditional_t<sizeof(T) == 8, int64_t, int32_t>;
  using Bits = std::make_unsigned_t<Key>;
  Key* keys = static_cast<Key*>(scratch);
  // Unsigned order becomes signed order where the top bit changes.
  const Bits flip = (descending ? ~Bits{0} : Bits{0}) ^ Bits { 1 } << (sizeof(Bits) * 8 - 1);
  for (int64_t i = 0; i < n; ++i)
    keys[i] = static_cast<Key>(static_cast<Bits>(key_of(x[i])) ^ flip);
  rank_keys(keys, keys + n, n);
  return keys + n;
}

template <class T>
void sort_typed(const T* x, int64_t* indices, int64_t rows, int64_t n, int64_t k, bool descending,
                void* scratch) {
  using Entry = EntryOf<T>;
  Entry* a = static_cast<Entry*>(scratch);
  for (int64_t r = 0; r < rows; ++r, x += n, indices += k) {
    if (n <= kMostRanked && k * 8 > n) {
      const auto* places = places_of(x, n, descending, scratch);
      for (int64_t i = 0; i < n; ++i)
        if (places[i] < k) indices[places[i]] = i;
      continue;
    }
    const Entry* sorted = a;
    if (k * 8 <= n) {
      first_of(x, a, n, k, descending);
    } else {
      make_entries(x, a, n, descending);
      sorted = radix_sort(a, a + n, n);
    }
    in_parts(k, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) indices[i] = sorted[i].at();
    });
  }
}

template <class Entry>
const Entry& middle(const Entry& a, const Entry& b, const Entry& c) {
  return std::max(std::min(a, b), std::min(std::max(a, b), c));
}

// Entry number k in order of different ones: parted at a pivot again and again, all of them moved,
// so that there are no branches to guess. room holds as many.
template <class Entry>
Entry nth_of_few(Entry* a, Entry* room, int64_t n, int64_t k) {
  constexpr int64_t kFew = 16;
  while (n > kFew) {
    Entry middles[3];
    for (int64_t i = 0; i < 3; ++i)
      middles[i] = middle(a[i * n / 9], a[(i + 3) * n / 9], a[(i + 6) * n / 9]);
    const Entry pivot = middle(middles[0], middles[1], middles[2]);
    int64_t less = 0, more = 0;
    for (int64_t i = 0; i < n; ++i) {
      const Entry entry = a[i];
      room[less] = entry;
      a[more] = entry;
      less += entry < pivot;
      more += pivot < entry;
    }
    if (k == less) return pivot;
    if (k < less) std::swap(a, room);
    n = k < less ? less : more;
    k -= k < less ? 0 : less + 1;
  }
  std::nth_element(a, a + k, a + n);
  return a[k];
}

// Entry number k in order; room holds as many. Of many, those are kept, byte for byte, whose keys
// begin as the wanted one does.
template <class Entry>
Entry nth(Entry* a, Entry* room, int64_t n, int64_t k) {
  constexpr int64_t kMany = 4096;
  for (int byte = Entry::kBytes - 1; byte >= 0 && n > kMany; --byte) {
    int64_t counts[256] = {};
    const auto digit = [&](int64_t i) { return a[i].key() >> (8 * byte) & 0xff; };
    in_parts(n, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) ++counts[digit(i)];
    });
    uint64_t wanted = 0;
    while (k >= counts[wanted]) k -= counts[wanted++];
    if (counts[wanted] == n) continue;
    int64_t kept = 0;
    in_parts(n, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const bool keep = digit(i) == wanted;
        a[kept] = a[i];
        kept += keep;
      }
    });
    n = kept;
  }
  return nth_of_few(a, room, n, k);
}

template <class T>
void nth_typed(const T* x, int64_t* indices, int64_t rows, int64_t n, int64_t k, void* scratch) {
  using Entry = EntryOf<T>;
  Entry* a = static_cast<Entry*>(scratch);
  for (int64_t r = 0; r < rows; ++r, x += n) {
    make_entries(x, a, n, false);
    indices[r] = nth(a, a + n, n, k).at();
  }
}

}  // namespace

size_t sort_scratch(DType dtype, int64_t n) {
  const size_t entry = size_of(dtype) == 8 ? sizeof(Wide) : sizeof(Narrow);
  return 2 * static_cast<size_t>(n) * entry;
}

void sort_rows(DType dtype, const void* x, int64_t* indices, int64_t rows, int64_t n, int64_t k,
               bool descending, void* scratch) {
  if (k == 0) return;
  by_dtype(dtype, [&](auto* t) {
    using T = Element<decltype(t)>;
    sort_typed(static_cast<const T*>(x), indices, rows, n, k, descending, scratch);
  });
}

void nth_of_rows(DType dtype, const void* x, int64_t* indices, int64_t rows, int64_t n, int64_t k,
                 void* scratch) {
  by_dtype(dtype, [&](auto* t) {
    using T = Element<decltype(t)>;
    nth_typed(static_cast<const T*>(x), indices, rows, n, k, scratch);
  });
}

}  // namespace autograd::cpu
