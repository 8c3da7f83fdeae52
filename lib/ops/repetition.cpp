// Elements chosen by number: repetitions of single elements, and combinations.
#include <algorithm>
#include <limits>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "ops/broadcast.hpp"

namespace autograd {
namespace detail {
namespace {

void check_output(std::optional<int64_t> wanted, int64_t size, const char* text) {
  if (wanted && *wanted != size)
    fail(ErrorCode::kRuntime, "repeat_interleave: ", text, ", expected ", size, " but got ",
         *wanted);
}

// One number for all elements: an expanded view, made dense.
Tensor repeat_evenly(const Tensor& x, int64_t repeats, int d, std::optional<int64_t> output_size) {
  int64_t total;
  if (repeats < 0) fail(ErrorCode::kRuntime, "Repeats must be non-negative, got ", repeats);
  if (__builtin_mul_overflow(x.sizes()[d], repeats, &total))
    fail(ErrorCode::kRuntime, "repeat_interleave: ", repeats, " repeats of sizes ", x.sizes(),
         " overflow");
  check_output(output_size, total, "Invalid output_size");
  Shape apart = x.sizes(), result = x.sizes();
  result[d] = total;
  checked_numel(result);
  apart.insert(d + 1, repeats);
  return reshape(clone(expand(unsqueeze(x, d + 1), apart)), result);
}

// The number of each input position, as often as it is repeated.
Tensor repeated_positions(const Tensor& repeats, int64_t n) {
  need_elements("repeat_interleave", repeats);
  note_read(*body(repeats), "repeat_interleave()");
  const Tensor counts = dense(*body(to(repeats, DType::kInt64)));
  const int64_t* count = counts.data_as<int64_t>();
  const int64_t step = counts.numel() == 1 ? 0 : 1;
  int64_t total = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (count[i * step] < 0)
      fail(ErrorCode::kRuntime, "repeats can not be negative, got ", count[i * step]);
    if (__builtin_add_overflow(total, count[i * step], &total))
      fail(ErrorCode::kRuntime, "repeat_interleave: too many repeats");
  }
  Tensor positions = make_tensor({total}, DType::kInt64);
  int64_t* at = positions.data_as<int64_t>();
  for (int64_t i = 0; i < n; ++i) at = std::fill_n(at, count[i * step], i);
  return positions;
}

}  // namespace
}  // namespace detail

Tensor repeat_interleave(const Tensor& x, const Tensor& repeats, std::optional<int64_t> dim,
                         std::optional<int64_t> output_size) {
  if (repeats.dim() > 1)
    fail(ErrorCode::kRuntime, "repeats must be 0-dim or 1-dim tensor, got sizes ", repeats.sizes());
  if (repeats.dtype() != DType::kInt64 && repeats.dtype() != DType::kInt32)
    fail(ErrorCode::kNotImplemented, "\"repeat_interleave_cpu\" not implemented for '",
         name_of(repeats.dtype()), "': repeats must be int32 or int64");
  const Tensor from = dim ? (x.dim() ? x : view(x, {1})) : reshape(x, {-1});
  const int d = dim ? detail::normalize_dim(*dim, from.dim()) : 0;
  if (repeats.dim() == 0) return detail::repeat_evenly(from, repeats.item_int(), d, output_size);
  const int64_t n = from.sizes()[d];
  if (repeats.numel() != n && repeats.numel() != 1)
    fail(ErrorCode::kRuntime,
         "repeats must have the same size as input along dim, but got repeats.size(0) = ",
         repeats.numel(), " and input.size(", d, ") = ", n, " (sizes ", x.sizes(), ")");
  const Tensor positions = detail::repeated_positions(repeats, n);
  detail::check_output(output_size, positions.numel(),
                       "allocated size does not match required size");
  return index_select(from, d, positions);
}

namespace detail {
namespace {

// n over r; no result beyond any memory.
int64_t binomial(int64_t n, int64_t r, const Shape& sizes) {
  r = std::min(r, n - r);
  int64_t count = 1;
  // The factors are at least 2, so that the loop ends soon.
  for (int64_t i = 1; i <= r; ++i) {
    const __int128 next = static_cast<__int128>(count) * (n - r + i) / i;
    if (next > std::numeric_limits<int64_t>::max())
      fail(ErrorCode::kRuntime, "combinations: too many combinations of ", r,
           " elements for input sizes ", sizes);
    count = static_cast<int64_t>(next);
  }
  return count;
}

// The next r positions below n in lexicographic order; false after the last.
bool next_combination(std::vector<int64_t>& positions, int64_t n, bool with_replacement) {
  const int64_t r = static_cast<int64_t>(positions.size());
  for (int64_t i = r - 1; i >= 0; --i) {
    int64_t& position = positions[static_cast<size_t>(i)];
    if (position >= (with_replacement ? n - 1 : n - r + i)) continue;
    ++position;
    for (int64_t j = i + 1; j < r; ++j)
      positions[static_cast<size_t>(j)] = position + (with_replacement ? 0 : j - i);
    return true;
  }
  return false;
}

}  // namespace
}  // namespace detail

Tensor combinations(const Tensor& x, int64_t r, bool with_replacement) {
  if (x.dim() != 1) fail(ErrorCode::kRuntime, "Expect a 1D vector, but got shape ", x.sizes());
  if (r < 0) fail(ErrorCode::kRuntime, "Expect a non-negative number, but got ", r);
  if (r == 0) return empty({0}, x.dtype());
  const int64_t n = x.numel();
  detail::checked_numel({r});
  int64_t rows = 0;
  if (n > 0 && (with_replacement || r <= n))
    rows = detail::binomial(with_replacement ? n + r - 1 : n, r, x.sizes());
  Tensor all = detail::make_tensor({rows, r}, DType::kInt64);
  std::vector<int64_t> positions(rows ? static_cast<size_t>(r) : 0, 0);
  for (size_t i = 0; !with_replacement && i < positions.size(); ++i)
    positions[i] = static_cast<int64_t>(i);
  int64_t* to = all.data_as<int64_t>();
  for (bool more = rows > 0; more; more = detail::next_combination(positions, n, with_replacement))
    to = std::copy(positions.begin(), positions.end(), to);
  return view(index_select(x, 0, view(all, {-1})), all.sizes());
}

}  // namespace autograd
