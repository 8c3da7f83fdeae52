// Positions checked and made into offsets, dims put together into as few loops as possible.
#include "ops/index_plan.hpp"

#include <algorithm>

#include "core/text.hpp"
#include "ops/broadcast.hpp"

namespace autograd::detail {

namespace {

bool contains(const Shape& dims, int d) {
  for (int64_t one : dims)
    if (one == d) return true;
  return false;
}

[[noreturn, gnu::cold, gnu::noinline]] void fail_position(Range range, int64_t position, int dim,
                                                          int64_t size, const Shape& sizes) {
  switch (range) {
    case Range::kSelect:
      fail(ErrorCode::kIndex, "index out of range in self: index ", position,
           " is out of bounds for dimension ", dim, " with size ", size, " (sizes ", sizes, ")");
    case Range::kFlat:
      fail(ErrorCode::kIndex, "out of range: tried to access index ", position, " on a tensor of ",
           size, " elements.");
    case Range::kAdd:
      fail(ErrorCode::kRuntime, "index ", position, " is out of bounds for dimension ", dim,
           " with size ", size, " (sizes ", sizes, ")");
    case Range::kCopy:
      fail(ErrorCode::kIndex, "index_copy_(): index ", position, " is out of bounds for dimension ",
           dim, " with size ", size, " (sizes ", sizes, ")");
    case Range::kWrap:
      break;
  }
  fail(ErrorCode::kIndex, "index ", position, " is out of bounds for dimension ", dim,
       " with size ", size, " (sizes ", sizes, ")");
}

// Sizes of a tensor without elements may have a product beyond 64 bits.
int64_t times(int64_t a, int64_t b) {
  int64_t product;
  return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

struct IndexLoop {
  int64_t size, x, y;
};

// Neighbours that can be walked as one dim become one; sizes of 1 go away.
void add_loop(Vector<IndexLoop>& loops, IndexLoop loop) {
  if (loop.size == 1) return;
  if (!loops.empty()) {
    IndexLoop& outer = loops.back();
    if (outer.x == loop.x * loop.size && outer.y == loop.y * loop.size) {
      outer = {outer.size * loop.size, loop.x, loop.y};
      return;
    }
  }
  loops.push_back(loop);
}

}  // namespace

Shape indexed_sizes(const Shape& x, const Indexed& indexed, const Shape& index) {
  Shape sizes;
  int kept = 0;
  for (int d = 0; d < x.size(); ++d) {
    if (contains(indexed.dims, d)) continue;
    if (kept++ == indexed.place)
      for (int64_t n : index) sizes.push_back(n);
    sizes.push_back(x[d]);
  }
  if (kept <= indexed.place)
    for (int64_t n : index) sizes.push_back(n);
  return sizes;
}

Tensor offsets_of(const TensorBody& x, const Shape& dims, TensorBody& index, Range range) {
  Tensor offsets = make_tensor({index.numel}, DType::kInt64);
  int64_t* out = offsets.data_as<int64_t>();
  const int64_t* positions = out;
  if (index.is_contiguous && index.dtype == DType::kInt64)
    positions = reinterpret_cast<const int64_t*>(index.data);
  else
    borrow(&index).copy_out(DType::kInt64, out);
  int64_t n = 1;
  bool uniform = true;
  for (int i = dims.size() - 1; i >= 0; --i) {
    if (i + 1 < dims.size() && x.sizes[static_cast<int>(dims[i])] != 1)
      uniform &= x.strides[static_cast<int>(dims[i])] ==
                 times(x.strides[static_cast<int>(dims.back())], n);
    n = times(n, x.sizes[static_cast<int>(dims[i])]);
  }
  uniform |= x.numel == 0;  // nothing is read: offsets do not matter
  const bool wraps = range == Range::kWrap || range == Range::kFlat;
  const int64_t step = dims.empty() || x.numel == 0 ? 0 : x.strides[static_cast<int>(dims.back())];
  if (x.numel == 0 && n > 0 && wraps) {
    // As in PyTorch: where nothing can be read, positions are not looked at.
    for (int64_t j = 0; j < index.numel; ++j) out[j] = 0;
    return offsets;
  }
  if (uniform) {
    uint64_t unusual = 0;  // its sign is set by what is negative or too large
    const uint64_t most = static_cast<uint64_t>(n - 1);
    for (int64_t j = 0; j < index.numel; ++j) {
      const uint64_t p = static_cast<uint64_t>(positions[j]);
      unusual |= p | (most - p);
    }
    if (static_cast<int64_t>(unusual) >= 0) {
      if (step != 1)
        for (int64_t j = 0; j < index.numel; ++j) out[j] = positions[j] * step;
      else if (positions != out)
        std::copy_n(positions, index.numel, out);
      return offsets;
    }
    const int64_t turn = wraps ? n : 0;
    int64_t wrong = 0;  // negative if a position is
    for (int64_t j = 0; j < index.numel; ++j) {
      const int64_t p = positions[j] + (positions[j] < 0 ? turn : 0);
      wrong |= p | (n - 1 - p);
    }
    if (wrong >= 0) {
      for (int64_t j = 0; j < index.numel; ++j)
        out[j] = (positions[j] + (positions[j] < 0 ? turn : 0)) * step;
      return offsets;
    }
  }
  for (int64_t j = 0; j < index.numel; ++j) {
    const int64_t given = positions[j], p = given < 0 && wraps ? given + n : given;
    if (p < 0 || p >= n) [[unlikely]]
      fail_position(range, given, dims.empty() ? 0 : static_cast<int>(dims[0]), n, x.sizes);
    if (uniform) continue;  // one of the others is wrong
    int64_t rest = p, offset = 0;
    for (int i = dims.size() - 1; i >= 0; --i) {
      const int d = static_cast<int>(dims[i]);
      offset += rest % x.sizes[d] * x.strides[d];
      rest /= x.sizes[d];
    }
    out[j] = offset;
  }
  return offsets;
}

BlockPlan plan_blocks(const TensorBody& x, const Indexed& indexed, int64_t count, bool repeat) {
  BlockPlan plan{};
  if (x.numel == 0 || count == 0) return plan;
  int kept[kMaxDims];
  int n = 0;
  for (int d = 0; d < x.sizes.size(); ++d)
    if (!contains(indexed.dims, d)) kept[n++] = d;
  int64_t strides[kMaxDims];  // of y
  int64_t dense = 1, y_count = 0;
  for (int i = n; i-- > 0;) {
    if (i == indexed.place - 1) y_count = dense, dense *= count;
    strides[i] = dense;
    dense *= x.sizes[kept[i]];
  }
  if (indexed.place == 0) y_count = dense;
  Vector<IndexLoop> loops[2];
  for (int i = 0; i < n; ++i)
    add_loop(loops[i >= indexed.place],
             {x.sizes[kept[i]], x.strides[kept[i]], repeat ? 0 : strides[i]});
  const auto last = [](Vector<IndexLoop>& list, IndexLoop otherwise) {
    if (list.empty()) return otherwise;
    const IndexLoop found = list.back();
    list.pop_back();
    return found;
  };
  const IndexLoop inner = last(loops[1], {1, 1, repeat ? 0 : 1}), outer = last(loops[0], {1, 0, 0});
  plan.blocks = {outer.size, count,   inner.size,           outer.x,
                 inner.x,    outer.y, repeat ? 0 : y_count, inner.y};
  for (const Vector<IndexLoop>& list : loops)
    for (const IndexLoop& loop : list) {
      plan.sizes.push_back(loop.size);
      plan.x_strides.push_back(loop.x);
      plan.y_strides.push_back(loop.y);
    }
  return plan;
}

}  // namespace autograd::detail
