// Different elements and slices, places in sorted rows, membership, histograms.
#include "kernels/cpu/search.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/interrupt.hpp"
#include "core/parallel.hpp"
#include "kernels/cpu/pause.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

// ---- searchsorted; ints[0] = right

void check_sorter(const Call& call) {
  if (!call.has(2)) return;
  const TensorBody &sorted = call.in(0), &sorter = call.in(2);
  if (sorter.dtype != DType::kInt64)
    fail(ErrorCode::kRuntime,
         "searchsorted(): sorter must be a tensor of dtype int64 but got dtype ",
         name_of(sorter.dtype));
  if (sorter.sizes != sorted.sizes)
    fail(ErrorCode::kRuntime,
         "searchsorted(): boundary and sorter must have the same size, but got boundary "
         "tensor ",
         sorted.sizes, " and got sorter tensor ", sorter.sizes);
}

void infer_search(const Call& call, OutputMetas& outputs) {
  const TensorBody &sorted = call.in(0), &values = call.in(1);
  if (sorted.dtype == DType::kBool || values.dtype == DType::kBool)
    fail(ErrorCode::kNotImplemented, "searchsorted: not implemented for 'Bool'");
  check_sorter(call);
  const int rank = sorted.sizes.size();
  if (values.sizes.empty() && rank != 1)
    fail(ErrorCode::kRuntime,
         "searchsorted(): input value can be a scalar only when boundaries tensor dimension "
         "is 1, but we got boundaries tensor dim(",
         rank, ") and input value's dim(0) numel(1)");
  bool fits = rank == 1 || rank == values.sizes.size();
  for (int d = 0; fits && rank > 1 && d < rank - 1; ++d) fits = sorted.sizes[d] == values.sizes[d];
  if (!fits || rank == 0)
    fail(ErrorCode::kRuntime,
         "searchsorted(): boundaries tensor should be 1 dimension or the first N-1 "
         "dimensions of boundaries tensor and input value tensor must match, but we got boundaries "
         "tensor ",
         sorted.sizes, " and input value tensor ", values.sizes);
  OutputMeta& meta = outputs.add();
  meta.dtype = DType::kInt64;
  meta.sizes = values.sizes;
}

Tensor dense_as(TensorBody& t, DType dtype) {
  if (t.dtype == dtype) return dense(t);
  Tensor converted = make_tensor(t.sizes, dtype);
  copy_into(*body(converted), t);
  return converted;
}

Tensor checked_order(const Call& call, int64_t n) {
  if (!call.has(2)) return Tensor();
  const Tensor order = dense(call.in(2));
  const int64_t* p = order.data_as<int64_t>();
  for (int64_t i = 0; i < order.numel(); ++i)
    if (p[i] < 0 || p[i] >= n)
      fail(ErrorCode::kRuntime, "searchsorted(): sorter index out of range, got ", p[i], " for ", n,
           " elements");
  return order;
}

void forward_search(const Call& call) {
  TensorBody& out = call.out();
  const int64_t n = call.in(0).sizes.back();
  const Tensor order = checked_order(call, n);
  if (out.numel == 0) return;
  DType compute = call.in(0).dtype;
  if (compute != call.in(1).dtype) compute = promote(compute, call.in(1).dtype);
  const Tensor sorted = dense_as(call.in(0), compute), values = dense_as(call.in(1), compute);
  const bool one_row = sorted.dim() == 1;
  const int64_t m = one_row ? out.numel : out.sizes.back(), rows = out.numel / m;
  const int64_t item = static_cast<int64_t>(size_of(compute));
  const char *from = static_cast<const char*>(sorted.data()),
             *wanted = static_cast<const char*>(values.data());
  int64_t* found = reinterpret_cast<int64_t*>(out.data);
  const int64_t* at = order ? order.data_as<int64_t>() : nullptr;
  const bool right = call.attrs.ints[0] != 0;
  const auto search = [&](int64_t r, int64_t begin, int64_t end) {
    cpu::search_sorted(compute, from + r * n * item, at ? at + r * n : nullptr, n,
                       wanted + (r * m + begin) * item, end - begin, right, found + r * m + begin);
  };
  if (rows == 1)
    parallel_for(m, kGrain / 16, [&](int64_t begin, int64_t end) { search(0, begin, end); });
  else
    parallel_for(rows, std::max<int64_t>(1, kGrain / 16 / m), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) search(r, 0, m);
    });
}

bool batch_search(const BatchedCall& c) {
  if (c.has(2)) return false;
  const bool one_row = c.rank(0) == 1 && !c.is_batched(0);
  if (!one_row && c.rank(0) != c.rank(1)) return false;
  c.make({one_row ? c.values[0] : c.front(0), c.front(1)}, c.attrs);
  return true;
}

constexpr Op op_search = {.name = "searchsorted",
                          .traits = kReduction,
                          .infer = infer_search,
                          .forward = {forward_search},
                          .attrs = ";;right",
                          .doc = "places of values in sorted rows",
                          .optional_inputs = 1u << 2,
                          .batch = {.call = batch_search},
                          .check = (takes<2, 3>)};

// ---- histc; reals: the ends; ints: bins, leading dims that have histograms of their own

void infer_histc(const Call& call, OutputMetas& outputs) {
  const TensorBody& x = call.in(0);
  OutputMeta& meta = outputs.add();
  meta.dtype = x.dtype;
  meta.sizes = Shape(x.sizes.data(), static_cast<int>(call.attrs.ints[1]));
  meta.sizes.push_back(call.attrs.ints[0]);
}

template <class T>
void count_parts(const Call& call) {
  const Tensor x = dense(call.in(0)), found = zeros(call.out().sizes, DType::kInt64);
  const int64_t bins = call.attrs.ints[0], rows = found.numel() / bins;
  const T *data = x.data_as<T>(), low = static_cast<T>(call.attrs.reals[0]),
          high = static_cast<T>(call.attrs.reals[1]);
  int64_t* counts = found.data_as<int64_t>();
  for (int64_t row = 0; row < rows; ++row, counts += bins)
    for (const T* const end = data + x.numel() / rows; data < end; ++data) {
      if (!(*data >= low && *data <= high)) continue;
      // NaN where the range is empty or infinite in this dtype.
      const T place = (*data - low) * static_cast<T>(bins) / (high - low);
      const bool is_inside = place < static_cast<T>(bins);
      ++counts[is_inside ? static_cast<int64_t>(place) : place > 0 ? bins - 1 : 0];
    }
  copy_into(call.out(), *body(found));
}

void forward_histc(const Call& call) {
  call.in(0).dtype == DType::kFloat32 ? count_parts<float>(call) : count_parts<double>(call);
}

void check_histc(const Call& call) {
  need_counts(call, 1, 1);
  need_float(call, 0);
  need_number(call, 0, 1, kMostElements);
  need_number(call, 1, 0, call.in(0).sizes.size());
  const double low = call.attrs.reals[0], high = call.attrs.reals[1];
  need(call, low < high && std::isfinite(low) && std::isfinite(high), "ends in order are wanted");
}

constexpr Op op_histc = {.name = "histc",
                         .traits = kReduction,
                         .infer = infer_histc,
                         .forward = {forward_histc},
                         .attrs = ";low,high;bins,leading_dims",
                         .doc = "how many elements lie in each of equal parts of a range",
                         .batch = {1, [](Attrs& a, int64_t) { ++a.ints[1]; }},
                         .check = check_histc};

// ---- histogram(x, edges, weight); ints: leading dims of x that have histograms of their own

void infer_histogram(const Call& call, OutputMetas& outputs) {
  const TensorBody& x = call.in(0);
  OutputMeta& meta = outputs.add();
  meta.dtype = x.dtype;
  meta.sizes = Shape(x.sizes.data(), static_cast<int>(call.attrs.ints[0]));
  meta.sizes.push_back(call.in(1).numel - 1);
}

/// Bins between ascending edges, which are first taken to be equally wide.
template <class T>
struct Bins {
  const T* edges;
  int64_t count;
  T low = edges[0], high = edges[count], per_width = static_cast<T>(count) / (high - low);

  /// Which of them an element not outside lies in.
  int64_t of(T x) const {
    const T guess = (x - low) * per_width;
    const int64_t last = count - 1;
    const int64_t place = guess < static_cast<T>(last) ? static_cast<int64_t>(guess) : last;
    if (edges[place] <= x && (x < edges[place + 1] || place == last)) [[likely]]
      return place;
    return std::clamp<int64_t>(std::upper_bound(edges, edges + count + 1, x) - edges - 1, 0, last);
  }
};

template <class T>
void fill_bins(const Call& call) {
  const Tensor x = dense(call.in(0)), edges = dense(call.in(1)),
               weight = call.has(2) ? dense(call.in(2)) : Tensor(),
               found = zeros(call.out().sizes, DType::kFloat64);
  const Bins<T> bins{edges.data_as<T>(), edges.numel() - 1};
  const T *data = x.data_as<T>(), *weights = weight ? weight.data_as<T>() : nullptr;
  const int64_t rows = found.numel() / bins.count, n = rows ? x.numel() / rows : 0;
  double* sums = found.data_as<double>();
  for (int64_t row = 0; row < rows; ++row, sums += bins.count, data += n) {
    cpu::in_parts(n, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        if (data[i] >= bins.low && data[i] <= bins.high)
          sums[bins.of(data[i])] += weights ? static_cast<double>(weights[i]) : 1;
    });
    if (weights) weights += n;
  }
  copy_into(call.out(), *body(found));
}

void forward_histogram(const Call& call) {
  call.in(0).dtype == DType::kFloat32 ? fill_bins<float>(call) : fill_bins<double>(call);
}

void check_histogram(const Call& call) {
  need_counts(call, 2, 3);
  need_float(call, 0);
  need_dtype_of(call, 1, 0);
  need_dtype_of(call, 2, 0);
  need_number(call, 0, 0, call.in(0).sizes.size());
  need(call, call.in(1).sizes.size() == 1 && call.in(1).numel > 1, "edges are wanted");
  need_sizes(call, 2, call.in(0).sizes);
}

constexpr Op op_histogram = {.name = "histogram",
                             .traits = kReduction,
                             .infer = infer_histogram,
                             .forward = {forward_histogram},
                             .attrs = ";;leading_dims",
                             .doc = "sums of weights of the elements between each two edges",
                             .optional_inputs = 1u << 2,
                             .inputs = ",edges,weight",
                             .batch = {1 | 4, [](Attrs& a, int64_t) { ++a.ints[0]; }},
                             .check = check_histogram};

constexpr const Op* kSearchOps[] = {&op_search, &op_histc, &op_histogram};

// ---- unique

// From the order in which slices are read, and whether each differs from the one before, all that
// is asked for.
template <class Differs>
Unique collect(const Tensor& x, int64_t dim, const std::vector<int64_t>& order,
               const Differs& differs) {
  const int64_t n = static_cast<int64_t>(order.size());
  std::vector<int64_t> firsts, counts, inverse(order.size());
  for (int64_t i = 0; i < n; ++i) {
    if (i == 0 || differs(order[static_cast<size_t>(i - 1)], order[static_cast<size_t>(i)])) {
      firsts.push_back(order[static_cast<size_t>(i)]);
      counts.push_back(0);
    }
    ++counts.back();
    inverse[static_cast<size_t>(order[static_cast<size_t>(i)])] =
        static_cast<int64_t>(firsts.size()) - 1;
  }
  return {index_select(x, dim, tensor(firsts)), tensor(inverse), tensor(counts)};
}

std::vector<int64_t> counted_to(int64_t n) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  return order;
}

Unique of_elements(const Tensor& x, bool sorts) {
  need_elements("unique", x);
  note_read(*body(x), "unique()");
  const Tensor flat = contiguous(reshape(x.detach(), {-1}));
  const Tensor order = sorts ? argsort(flat, 0) : Tensor();
  const int64_t* const at = sorts ? static_cast<const int64_t*>(order.data()) : nullptr;
  const int64_t n = flat.numel();
  const Tensor inverse = make_tensor(x.sizes(), DType::kInt64);
  const Tensor places = make_tensor({n}, DType::kInt64);
  int64_t* const starts = places.data_as<int64_t>();
  int64_t runs;
  {
    const LongKernel kernel(n);
    runs = cpu::find_runs(flat.dtype(), flat.data(), at, n, static_cast<int64_t*>(inverse.data()),
                          starts);
  }
  const Tensor lengths = make_tensor({runs}, DType::kInt64);
  int64_t* const counts = lengths.data_as<int64_t>();
  for (int64_t k = 0; k < runs; ++k) counts[k] = (k + 1 < runs ? starts[k + 1] : n) - starts[k];
  for (int64_t k = 0; at && k < runs; ++k) starts[k] = at[starts[k]];
  return {index_select(flat, 0, make_alias(body(places), {runs}, {1}, 0)), inverse, lengths};
}

Unique of_slices(const Tensor& x, int64_t dim, bool sorts) {
  need_elements("unique", x);
  if (x.dim() == 0)
    fail(ErrorCode::kIndex, "Dimension specified as ", dim, " but tensor has no dimensions");
  note_read(*body(x), "unique()");
  const int d = normalize_dim(dim, x.dim());
  const int64_t n = x.sizes()[d];
  for (int i = 0; i < x.dim(); ++i)
    if (i != d && x.sizes()[i] == 0 && n != 0)
      fail(ErrorCode::kRuntime,
           "There are 0 sized dimensions, and they aren't selected, so unique cannot be applied "
           "(sizes ",
           x.sizes(), ")");
  const Tensor slices = contiguous(transpose(x.detach(), 0, d));
  const int64_t width = n ? slices.numel() / n : 0;
  const char* data = static_cast<const char*>(slices.data());
  const int64_t bytes = width * static_cast<int64_t>(size_of(x.dtype()));
  const auto compare = [&](int64_t a, int64_t b) {
    return cpu::compare_slices(slices.dtype(), data + a * bytes, data + b * bytes, width);
  };
  std::vector<int64_t> order = counted_to(n);
  // Not std::stable_sort, which trusts the order: slices with NaN have none.
  if (sorts)
    std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      poll_interrupt(width);
      const int c = compare(a, b), reverse = compare(b, a);
      return c < 0 && reverse < 0 ? a < b : c != 0 ? c < 0 : a < b;
    });
  return collect(x.detach(), d, order, [&](int64_t a, int64_t b) { return compare(a, b) != 0; });
}

}  // namespace

OpList search_ops() { return {kSearchOps, std::size(kSearchOps)}; }

}  // namespace detail

Unique unique(const Tensor& x) { return detail::of_elements(x, true); }
Unique unique_consecutive(const Tensor& x) { return detail::of_elements(x, false); }
Unique unique_dim(const Tensor& x, int64_t dim) { return detail::of_slices(x, dim, true); }
Unique unique_consecutive_dim(const Tensor& x, int64_t dim) {
  return detail::of_slices(x, dim, false);
}

Tensor searchsorted(const Tensor& sorted, const Tensor& values, bool right, const Tensor& sorter) {
  detail::Attrs attrs;
  attrs.ints[0] = right;
  return detail::dispatch(detail::op_search, {sorted, values, sorter}, attrs);
}

Tensor histc(const Tensor& x, int64_t bins, double low, double high) {
  if (!is_floating(x.dtype()))
    fail(ErrorCode::kNotImplemented, "histc: not implemented for ", name_of(x.dtype()));
  if (bins <= 0) fail(ErrorCode::kRuntime, "histc(): bins must be > 0, but got ", bins);
  if (low == high && x.numel()) {
    low = amin(x.detach()).item();
    high = amax(x.detach()).item();
  }
  if (!std::isfinite(low) || !std::isfinite(high))
    fail(ErrorCode::kRuntime, "histc: range of [", low, ", ", high, "] is not finite");
  if (low > high)
    fail(ErrorCode::kRuntime, "histc: max must be larger than min, got min ", low, " and max ",
         high);
  if (low == high) --low, ++high;
  detail::Attrs attrs;
  attrs.reals[0] = low;
  attrs.reals[1] = high;
  attrs.ints[0] = bins;
  return detail::dispatch(detail::op_histc, {x}, attrs);
}

Tensor histogram(const Tensor& x, const Tensor& edges, const Tensor& weight, bool density) {
  if (!is_floating(x.dtype()))
    fail(ErrorCode::kNotImplemented, "histogram: not implemented for ", name_of(x.dtype()));
  if (edges.dtype() != x.dtype())
    fail(ErrorCode::kRuntime,
         "histogram(): input tensor and bins tensors should have the same dtype, but got ",
         name_of(x.dtype()), " and ", name_of(edges.dtype()));
  if (edges.dim() != 1)
    fail(ErrorCode::kRuntime, "histogram(): bins tensor should have one dimension, but got sizes ",
         edges.sizes());
  if (edges.numel() < 2)
    fail(ErrorCode::kRuntime, "histogram(): bins must be > 0, but got ", edges.numel() - 1);
  if (weight && (weight.sizes() != x.sizes() || weight.dtype() != x.dtype()))
    fail(ErrorCode::kRuntime,
         "histogram(): the weight tensor should have the same shape and dtype as the input tensor, "
         "but got ",
         weight.sizes(), " ", name_of(weight.dtype()), " and ", x.sizes(), " ", name_of(x.dtype()));
  const Tensor sums = detail::dispatch(detail::op_histogram, {x, edges, weight});
  if (!density) return sums;
  return sums / sum(sums) / diff(edges.detach());
}

Tensor isin(const Tensor& elements, const Tensor& test_elements, bool invert) {
  for (const Tensor* t : {&elements, &test_elements})
    if (t->dtype() == DType::kBool)
      fail(ErrorCode::kRuntime, "Unsupported input type encountered for isin(): Bool (sizes ",
           t->sizes(), ")");
  const DType compute = promote(elements.dtype(), test_elements.dtype());
  const Tensor wanted = to(elements.detach(), compute);
  if (!detail::has_elements(test_elements)) {
    const Tensor hits =
        eq(unsqueeze(wanted, -1), to(reshape(test_elements.detach(), {-1}), compute));
    return invert ? logical_not(any(hits, Shape{-1})) : any(hits, Shape{-1});
  }
  const Tensor sorted = sort(to(reshape(test_elements.detach(), {-1}), compute), 0).first;
  // NaN, sorted last, is equal to nothing.
  const int64_t numbers =
      is_floating(compute) ? sum(eq(sorted, sorted)).item_int() : sorted.numel();
  const Tensor among = slice(sorted, 0, 0, numbers);
  if (among.numel() == 0) return full(elements.sizes(), invert, DType::kBool);
  // The element at the place where each would be inserted is equal, or none is.
  const Tensor place = searchsorted(among, wanted.dim() ? wanted : reshape(wanted, {1}));
  const Tensor last = scalar(static_cast<long long>(among.numel() - 1));
  const Tensor at = reshape(take(among, minimum(place, last)), elements.sizes());
  return invert ? ne(at, wanted) : eq(at, wanted);
}

}  // namespace autograd
