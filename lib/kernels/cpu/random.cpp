// Philox4x32-10 and the distributions made from it, for every instruction set.
//
// The counter of a block is (block number, low and high; domain; 0), the key is the seed. A block
// has 4 words. Numbers of 32 random bits take one each (domain 0: element i is word i % 4 of block
// i / 4), numbers of 64 bits take two (domain 1: half i % 2 of block i / 2).
#include "kernels/cpu/random.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/cpu/element_types.hpp"
#include "kernels/cpu/pause.hpp"
#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/random.cpp"
// foreach_target.h must come first.
// clang-format off
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using D64 = hn::ScalableTag<uint64_t>;
using V64 = hn::Vec<D64>;

/// Blocks generated at a time.
constexpr size_t kBlocks = 128;

template <class Word>
constexpr uint64_t kDomain = sizeof(Word) == 4 ? 0 : 1;
template <class Word>
constexpr size_t kPerBlock = 16 / sizeof(Word);

/// The products of the lower halves of the lanes.
HWY_INLINE V64 multiply_low(V64 a, uint32_t b) {
  const D64 d;
#if HWY_TARGET == HWY_SCALAR
  return hn::Set(d, (hn::GetLane(a) & 0xFFFFFFFF) * b);
#else
  const hn::Repartition<uint32_t, D64> d32;
  return hn::MulEven(hn::BitCast(d32, a), hn::BitCast(d32, hn::Set(d, b)));
#endif
}

/// The 32-bit words of a few blocks, one block in each 64-bit lane. The upper halves of the lanes
/// hold rubbish: the multiplication does not look at them.
struct Blocks {
  V64 c0, c1, c2, c3;

  HWY_INLINE void round(V64 key0, V64 key1) {
    const auto p0 = multiply_low(c0, 0xD2511F53), p1 = multiply_low(c2, 0xCD9E8D57);
    c0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p1), c1), key0);
    c2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p0), c3), key1);
    c1 = p1;
    c3 = p0;
  }
  /// Words in order, block after block.
  HWY_INLINE void store(uint64_t* out) const {
    const D64 d;
    const auto low = hn::Set(d, 0xFFFFFFFF);
    const auto c01 = hn::Or(hn::And(c0, low), hn::ShiftLeft<32>(c1));
    const auto c23 = hn::Or(hn::And(c2, low), hn::ShiftLeft<32>(c3));
    hn::StoreInterleaved2(c01, c23, d, out);
  }
};

/// Writes blocks first, first + 1, ...: at least `count`, rounded up to whole pairs of vectors.
HWY_INLINE void philox(uint64_t seed, uint64_t domain, uint64_t first, size_t count,
                       uint64_t* out) {
  const D64 d;
  const size_t lanes = hn::Lanes(d);
  for (size_t i = 0; i < count; i += 2 * lanes) {
    const auto n = hn::Add(hn::Set(d, first + i), hn::Iota(d, 0));
    const auto m = hn::Add(n, hn::Set(d, lanes));
    Blocks a{n, hn::ShiftRight<32>(n), hn::Set(d, domain), hn::Zero(d)};
    Blocks b{m, hn::ShiftRight<32>(m), a.c2, a.c3};
    auto key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
      const auto k0 = hn::Set(d, key0), k1 = hn::Set(d, key1);
      a.round(k0, k1);
      b.round(k0, k1);
      key0 += 0x9E3779B9;  // Weyl sequence of the golden ratio and sqrt(3) - 1
      key1 += 0xBB67AE85;
    }
    a.store(out + 2 * i);
    b.store(out + 2 * (i + lanes));
  }
}

/// Calls use(words, skip, at, count) until n elements are done: words[skip .. skip + count) are the
/// random words of elements at .. at + count, and words before and behind belong to whole blocks.
template <class Word, class Use>
HWY_INLINE void for_words(Philox rng, int64_t first, int64_t n, const Use& use) {
  HWY_ALIGN uint64_t words[2 * kBlocks];
  const uint64_t start = rng.offset + static_cast<uint64_t>(first);
  size_t skip = start % kPerBlock<Word>;
  uint64_t block = start / kPerBlock<Word>;
  for (size_t at = 0, rest = static_cast<size_t>(n); rest > 0; skip = 0, block += kBlocks) {
    const size_t blocks = std::min(kBlocks, hwy::DivCeil(skip + rest, kPerBlock<Word>));
    const size_t count = std::min(rest, blocks * kPerBlock<Word> - skip);
    philox(rng.seed, kDomain<Word>, block, blocks, words);
    use(words, skip, at, count);
    at += count;
    rest -= count;
  }
}

template <class T>
using WordOf = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;

/// As many of the upper bits as T has digits, as a fraction in [0, 1).
HWY_INLINE auto to_unit(hn::Vec<hn::ScalableTag<uint32_t>> bits) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const auto high = hn::BitCast(di, hn::ShiftRight<8>(bits));
  return hn::Mul(hn::ConvertTo(d, high), hn::Set(d, 0x1p-24f));
}
HWY_INLINE auto to_unit(V64 bits) {
  const hn::ScalableTag<double> d;
  const hn::RebindToSigned<decltype(d)> di;
  const auto high = hn::BitCast(di, hn::ShiftRight<11>(bits));
  return hn::Mul(hn::ConvertTo(d, high), hn::Set(d, 0x1p-53));
}

/// Fills out through transform(words of two vectors, numbers of two vectors), two vectors because
/// Box-Muller makes two numbers from two.
template <class T, class Transform>
HWY_INLINE void fill(Philox rng, int64_t first, void* out, int64_t n, const Transform& transform) {
  const hn::ScalableTag<T> d;
  const hn::ScalableTag<WordOf<T>> dw;
  const size_t lanes = hn::Lanes(d);
  T* to = static_cast<T*>(out);
  for_words<WordOf<T>>(
      rng, first, n, [&](uint64_t* words, size_t skip, size_t at, size_t count) HWY_ATTR {
        HWY_ALIGN T numbers[kBlocks * kPerBlock<WordOf<T>>];
        const auto* w = reinterpret_cast<const WordOf<T>*>(words);
        for (size_t i = 0; i < skip + count; i += 2 * lanes) {
          const auto pair = transform(hn::Load(dw, w + i), hn::Load(dw, w + i + lanes));
          hn::Store(pair.first, d, numbers + i);
          hn::Store(pair.second, d, numbers + i + lanes);
        }
        std::memcpy(to + at, numbers + skip, count * sizeof(T));
      });
}

struct SinCos32 {
  using D = hn::ScalableTag<float>;
  static constexpr float kRound = 12582912.0f;  // 1.5 * 2^23
  using V = hn::Vec<D>;
  static HWY_INLINE V sin(V x, V z) {
    const D d;
    auto p = hn::MulAdd(hn::Set(d, -1.9515295891e-4f), z, hn::Set(d, 8.3321608736e-3f));
    p = hn::MulAdd(p, z, hn::Set(d, -1.6666654611e-1f));
    return hn::MulAdd(p, hn::Mul(z, x), x);
  }
  static HWY_INLINE V cos(V z) {
    const D d;
    auto p = hn::MulAdd(hn::Set(d, 2.443315711809948e-5f), z, hn::Set(d, -1.388731625493765e-3f));
    p = hn::MulAdd(p, z, hn::Set(d, 4.166664568298827e-2f));
    return hn::MulAdd(hn::MulAdd(p, z, hn::Set(d, -0.5f)), z, hn::Set(d, 1.0f));
  }
};

struct SinCos64 {
  using D = hn::ScalableTag<double>;
  static constexpr double kRound = 6755399441055744.0;  // 1.5 * 2^52
  using V = hn::Vec<D>;
  static HWY_INLINE V sin(V x, V z) {
    const D d;
    auto p = hn::MulAdd(hn::Set(d, 1.58962301576546568060e-10), z,
                        hn::Set(d, -2.50507477628578072866e-8));
    p = hn::MulAdd(p, z, hn::Set(d, 2.75573136213857245213e-6));
    p = hn::MulAdd(p, z, hn::Set(d, -1.98412698295895385996e-4));
    p = hn::MulAdd(p, z, hn::Set(d, 8.33333333332211858878e-3));
    p = hn::MulAdd(p, z, hn::Set(d, -1.66666666666666307295e-1));
    return hn::MulAdd(p, hn::Mul(z, x), x);
  }
  static HWY_INLINE V cos(V z) {
    const D d;
    auto p = hn::MulAdd(hn::Set(d, -1.13585365213876817300e-11), z,
                        hn::Set(d, 2.08757008419747316778e-9));
    p = hn::MulAdd(p, z, hn::Set(d, -2.75573141792967388112e-7));
    p = hn::MulAdd(p, z, hn::Set(d, 2.48015872888517045348e-5));
    p = hn::MulAdd(p, z, hn::Set(d, -1.38888888888730564116e-3));
    p = hn::MulAdd(p, z, hn::Set(d, 4.16666666666665929218e-2));
    return hn::MulAdd(hn::MulAdd(p, z, hn::Set(d, -0.5)), z, hn::Set(d, 1.0));
  }
};

/// Box and Muller (Ann. Math. Stat. 29, 1958): (u, v) becomes sqrt(-2 log(1 - u)) times the cosine
/// and the sine of 2 pi v. The angle is reduced to an eighth of the circle while it is still a
/// fraction, hence exactly; polynomials of Cephes (Moshier).
template <class T, class V = hn::Vec<hn::ScalableTag<T>>>
HWY_INLINE std::pair<V, V> box_muller(V u, V v) {
  using P = std::conditional_t<sizeof(T) == 4, SinCos32, SinCos64>;
  const hn::ScalableTag<T> d;
  const hn::RebindToSigned<decltype(d)> di;
  const auto log = hn::Log(d, hn::Sub(hn::Set(d, T{1}), u));
  const auto radius = hn::Sqrt(hn::Mul(hn::Set(d, T{-2}), log));

  const auto shifted = hn::MulAdd(v, hn::Set(d, T{4}), hn::Set(d, P::kRound));
  const auto quarters = hn::Sub(shifted, hn::Set(d, P::kRound));
  const auto quadrant = hn::BitCast(di, shifted);
  const auto angle = hn::Mul(hn::NegMulAdd(quarters, hn::Set(d, T{0.25}), v),
                             hn::Set(d, static_cast<T>(6.283185307179586476925)));
  const auto square = hn::Mul(angle, angle);
  const auto sin = P::sin(angle, square), cos = P::cos(square);
  // Odd quadrants swap sine and cosine; bit 1 of the quadrant is the sign of the sine, that of the
  // next quadrant the sign of the cosine.
  constexpr int kSign = sizeof(T) * 8 - 2;
  const auto two = hn::Set(di, 2), one = hn::Set(di, 1);
  const auto swap = hn::RebindMask(d, hn::Eq(hn::And(quadrant, one), one));
  const auto cos_sign = hn::ShiftLeft<kSign>(hn::And(hn::Add(quadrant, one), two));
  const auto sin_sign = hn::ShiftLeft<kSign>(hn::And(quadrant, two));
  const auto x = hn::Xor(hn::IfThenElse(swap, sin, cos), hn::BitCast(d, cos_sign));
  const auto y = hn::Xor(hn::IfThenElse(swap, cos, sin), hn::BitCast(d, sin_sign));
  return {hn::Mul(radius, x), hn::Mul(radius, y)};
}

template <class T>
void uniform_of(Philox rng, int64_t first, void* out, int64_t n) {
  fill<T>(rng, first, out, n,
          [](auto a, auto b) HWY_ATTR { return std::make_pair(to_unit(a), to_unit(b)); });
}

/// Elements 2k and 2k + 1 come from the uniforms 2k and 2k + 1.
template <class T>
void normal_of(Philox rng, int64_t first, void* out, int64_t n) {
  fill<T>(rng, first, out, n, [](auto a, auto b) HWY_ATTR {
    const auto u = to_unit(a), v = to_unit(b);
#if HWY_TARGET == HWY_SCALAR
    return box_muller<T>(u, v);
#else
    const auto even = hn::OddEven(hn::DupEven(v), u), odd = hn::OddEven(v, hn::DupOdd(u));
    const auto [x, y] = box_muller<T>(even, odd);
    return std::make_pair(hn::OddEven(hn::DupEven(y), x), hn::OddEven(y, hn::DupOdd(x)));
#endif
  });
}

/// The upper 64 bits of word * range: uniform in [0, range) but for a bias of range / 2^64
/// (Lemire, "Fast random integer generation in an interval", 2019, without the rejection).
HWY_INLINE uint64_t scale_to(uint64_t word, uint64_t range) {
  return static_cast<uint64_t>((static_cast<unsigned __int128>(word) * range) >> 64);
}

template <class T>
void randint_of(Philox rng, int64_t first, int64_t low, int64_t high, T* out, int64_t n) {
  const uint64_t range = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
  for_words<uint64_t>(
      rng, first, n, [&](const uint64_t* words, size_t skip, size_t at, size_t count) {
        for (size_t i = 0; i < count; ++i) {
          const uint64_t k = scale_to(words[skip + i], range) + static_cast<uint64_t>(low);
          out[at + i] = static_cast<T>(static_cast<int64_t>(k));
        }
      });
}

}  // namespace

void uniform_any(DType dtype, Philox rng, int64_t first, void* out, int64_t n) {
  (dtype == DType::kFloat32 ? uniform_of<float> : uniform_of<double>)(rng, first, out, n);
}

void normal_any(DType dtype, Philox rng, int64_t first, void* out, int64_t n) {
  (dtype == DType::kFloat32 ? normal_of<float> : normal_of<double>)(rng, first, out, n);
}

void randint_any(DType dtype, Philox rng, int64_t first, int64_t low, int64_t high, void* out,
                 int64_t n) {
  by_dtype(dtype, [&](auto* type) {
    using T = Element<decltype(type)>;
    randint_of(rng, first, low, high, static_cast<T*>(out), n);
  });
}

void randperm_any(Philox rng, int64_t* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = i;
  // Number k of the stream chooses what goes to place n - 1 - k.
  for_words<uint64_t>(rng, 0, n, [&](const uint64_t* words, size_t skip, size_t at, size_t count) {
    pause_after(8 * static_cast<int64_t>(count));
    for (size_t i = 0; i < count; ++i) {
      const size_t last = static_cast<size_t>(n) - 1 - at - i;
      std::swap(out[last], out[scale_to(words[skip + i], last + 1)]);
    }
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {

HWY_EXPORT(uniform_any);
HWY_EXPORT(normal_any);
HWY_EXPORT(randint_any);
HWY_EXPORT(randperm_any);

void fill_uniform(DType dtype, Philox rng, int64_t first, void* out, int64_t n) {
  HWY_DYNAMIC_DISPATCH(uniform_any)(dtype, rng, first, out, n);
}

void fill_normal(DType dtype, Philox rng, int64_t first, void* out, int64_t n) {
  HWY_DYNAMIC_DISPATCH(normal_any)(dtype, rng, first, out, n);
}

void fill_randint(DType dtype, Philox rng, int64_t first, int64_t low, int64_t high, void* out,
                  int64_t n) {
  HWY_DYNAMIC_DISPATCH(randint_any)(dtype, rng, first, low, high, out, n);
}

void fill_randperm(Philox rng, int64_t* out, int64_t n) {
  HWY_DYNAMIC_DISPATCH(randperm_any)(rng, out, n);
}

}  // namespace autograd::cpu
#endif  // HWY_ONCE
