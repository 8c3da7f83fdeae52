// The levels a thread is in, and the way of a tensor into and out of them.
#include "core/batching.hpp"

#include <memory>
#include <utility>

#include "autograd/ops.hpp"
#include "core/record.hpp"
#include "core/thread_state.hpp"

namespace autograd {
namespace detail {

VmapLevel& active_level(uint64_t id) {
  for (VmapLevel* level = thread_state.vmap; level; level = level->outer)
    if (level->id == id) return *level;
  fail(
      ErrorCode::kRuntime,
      "vmap: a tensor that stands for one example was used outside of the function it was made in. "
      "Either your tensor may have escaped from inside a function being vmapped (return it "
      "instead), or it is used in another thread");
}

void check_randomness() {
  const VmapLevel* level = thread_state.vmap;
  if (level && level->randomness == Randomness::kError)
    fail(ErrorCode::kRuntime,
         "vmap: called random operation while in randomness error mode. Please either use the "
         "'same' or 'different' randomness flags on vmap or perform the randomness operation out "
         "of vmap");
}

Tensor make_example(Tensor all, uint64_t level) {
  TensorBody* batch = body(all);
  // History may have changed in place by way of another view.
  if (batch->source) refresh_view(batch);
  const int rank = batch->sizes.size() - 1;
  Tensor t = make_alias(batch, Shape(batch->sizes.data() + 1, rank),
                        Shape(batch->strides.data() + 1, rank), 0);
  body(t)->is_batched = true;
  body(t)->made_at = batch->made_at;
  body(t)->level = level;
  body(t)->batch = static_cast<TensorBody*>(all.release());
  return t;
}

namespace {
Tensor swapped(const Tensor& t) {
  Shape order;
  for (int d = 0; d < t.dim(); ++d) order.push_back(d < 2 ? 1 - d : d);
  return permute(t, order);
}
}  // namespace

Tensor without_level(const Tensor& t, const VmapLevel& level) {
  TensorBody* b = body(t);
  if (!b->is_batched || b->level < level.id) {
    Shape sizes = t.sizes();
    sizes.insert(0, level.size);
    return expand(t, sizes);
  }
  active_level(b->level);
  const Tensor all = borrow(b->batch);
  if (b->level == level.id) return all;
  return make_example(swapped(without_level(all, level)), b->level);
}

Tensor with_level(const Tensor& all, const VmapLevel& level) {
  TensorBody* b = body(all);
  if (!b->is_batched || b->level < level.id) return make_example(all, level.id);
  const uint64_t inner = b->level;
  return make_example(with_level(swapped(borrow(b->batch)), level), inner);
}

Tensor lifted(const Tensor& t) {
  Vector<VmapLevel*> levels;
  for (VmapLevel* level = thread_state.vmap; level; level = level->outer) levels.push_back(level);
  Tensor result = t;
  for (auto it = levels.rbegin(); it != levels.rend(); ++it)
    result = with_level(without_level(result, **it), **it);
  return result;
}

Tensor written_with(Tensor fresh, std::initializer_list<const Tensor*> others) {
  Vector<VmapLevel*> levels;
  for (VmapLevel* level = thread_state.vmap; level; level = level->outer)
    for (const Tensor* t : others)
      if (*t && vmap_varies(*t, level->id) && !vmap_varies(fresh, level->id)) {
        levels.push_back(level);
        break;
      }
  if (levels.empty()) return fresh;
  for (auto it = levels.rbegin(); it != levels.rend(); ++it)
    fresh = with_level(without_level(fresh, **it), **it);
  return clone(fresh);
}

void need_elements(const char* op, const Tensor& t) {
  if (!has_elements(t))
    fail(ErrorCode::kRuntime,
         "vmap: We do not support batching operators that can output dynamic shape. Attempted to "
         "vmap over ",
         op,
         ", whose result has other sizes for other elements: examples could not be put "
         "together again");
}

Tensor make_random_target(const Shape& sizes, DType dtype) {
  Shape all = sizes;
  Vector<VmapLevel*> levels;
  for (VmapLevel* level = thread_state.vmap; level; level = level->outer)
    if (level->randomness == Randomness::kDifferent) levels.push_back(level);
  for (VmapLevel* level : levels) all.insert(0, level->size);
  Tensor t = make_tensor(all, dtype);
  for (auto it = levels.rbegin(); it != levels.rend(); ++it) t = make_example(t, (*it)->id);
  return t;
}

TensorBody* innermost(TensorBody* b) {
  while (b->batch) b = b->batch;
  return b;
}

}  // namespace detail

using detail::body;
using detail::VmapLevel;

uint64_t vmap_begin(int64_t size, Randomness randomness) {
  if (size < 0) fail(ErrorCode::kValue, "vmap: a number of examples can't be negative, got ", size);
  static std::atomic<uint64_t> last{0};
  VmapLevel*& innermost = detail::thread_state.vmap;
  innermost = new VmapLevel{++last, size, randomness, innermost};
  return innermost->id;
}

void vmap_end(uint64_t level) {
  VmapLevel*& innermost = detail::thread_state.vmap;
  if (!innermost || innermost->id != level)
    fail(ErrorCode::kRuntime, "vmap: level ", level, " is not the innermost one of this thread");
  const std::unique_ptr<VmapLevel> ended(innermost);
  innermost = ended->outer;
}

Tensor vmap_example(const Tensor& t, int64_t dim, uint64_t id) {
  const VmapLevel& level = detail::active_level(id);
  if (t.dim() == 0)
    fail(ErrorCode::kValue, "vmap: a tensor of no dims has no dim that counts examples");
  const int d = detail::normalize_dim(dim, t.dim());
  if (t.sizes()[d] != level.size)
    fail(ErrorCode::kValue,
         "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes ",
         t.sizes(), " with ", t.sizes()[d], " examples along dim ", d, " instead of ", level.size);
  return detail::with_level(d == 0 ? t : movedim(t, {d}, {0}), level);
}

Tensor vmap_all(const Tensor& t, int64_t dim, uint64_t id) {
  const Tensor all = detail::without_level(t, detail::active_level(id));
  const int d = detail::normalize_dim(dim, all.dim());
  return d == 0 ? all : movedim(all, {0}, {d});
}

bool vmap_varies(const Tensor& t, uint64_t level) {
  for (const detail::TensorBody* b = body(t); b; b = b->batch)
    if (b->is_batched && b->level == level) return true;
  return false;
}

int vmap_depth() {
  int depth = 0;
  for (VmapLevel* level = detail::thread_state.vmap; level; level = level->outer) ++depth;
  return depth;
}

int vmap_depth_of(const Tensor& t) {
  const detail::TensorBody* b = body(t);
  if (!b->is_batched) return 0;
  int depth = 0;
  for (VmapLevel* level = detail::thread_state.vmap; level; level = level->outer)
    depth += level->id <= b->level;
  return depth;
}

void check_has_storage(const Tensor& t) { t.data(); }

Tensor vmap_like(const Tensor& fresh, const Tensor& like) {
  return detail::written_with(fresh, {&like});
}

Tensor vmap_value(const Tensor& t) {
  detail::TensorBody* b = body(t);
  return b->is_batched ? detail::borrow(b->batch) : t;
}

VmapScope::VmapScope(int64_t size, Randomness randomness) : level_(vmap_begin(size, randomness)) {}

VmapScope::~VmapScope() { vmap_end(level_); }

Tensor VmapScope::example(const Tensor& t, int64_t dim) const {
  return vmap_example(t, dim, level_);
}
Tensor VmapScope::all(const Tensor& t, int64_t dim) const { return vmap_all(t, dim, level_); }
bool VmapScope::varies(const Tensor& t) const { return vmap_varies(t, level_); }

std::vector<Tensor> vmap(const std::function<std::vector<Tensor>(const std::vector<Tensor>&)>& f,
                         const std::vector<Tensor>& inputs, const std::vector<int64_t>& in_dims,
                         Randomness randomness) {
  if (!in_dims.empty() && in_dims.size() != inputs.size())
    fail(ErrorCode::kValue, "vmap: got ", inputs.size(), " inputs and ", in_dims.size(),
         " in_dims");
  const auto dim_of = [&](size_t i) { return in_dims.empty() ? 0 : in_dims[i]; };
  int64_t size = -1;
  for (size_t i = 0; i < inputs.size() && size < 0; ++i)
    if (dim_of(i) != kShared) size = inputs[i].size(dim_of(i));
  if (size < 0) fail(ErrorCode::kValue, "vmap: no input has a dim that counts examples");
  const VmapScope scope(size, randomness);
  std::vector<Tensor> results;
  for (size_t i = 0; i < inputs.size(); ++i)
    results.push_back(dim_of(i) == kShared ? inputs[i] : scope.example(inputs[i], dim_of(i)));
  results = f(results);
  for (Tensor& t : results) t = scope.all(t);
  return results;
}

}  // namespace autograd
