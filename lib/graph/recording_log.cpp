// Calls as bytes in a log: a few stores per call, so that what is watched runs nearly as fast.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "core/node.hpp"
#include "core/thread_state.hpp"
#include "graph/places.hpp"
#include "graph/recording.hpp"

namespace autograd::detail {
namespace {

uint64_t word(const void* p) { return reinterpret_cast<uintptr_t>(p); }

template <class T>
const T* pointer(uint64_t bits) {
  return reinterpret_cast<const T*>(static_cast<uintptr_t>(bits));
}

// Flags of a call.
constexpr int32_t kBackward = 1, kInPlaceCall = 2, kHasAttrs = 4, kRecorded = 8, kVisited = 16;

/// What every call has.
struct CallHead {
  uint64_t op, time;
  int32_t flags, n_inputs, n_outputs, scope;
  uint32_t location;
};

// Flags of a tensor; the rank is in the bits above, or:
constexpr uint8_t kAbsent = 1, kNeedsGrad = 2, kNumber = 4, kDense = 8;
constexpr int kTensorFlags = 4, kAsBefore = 15;
static_assert(kMaxDims < kAsBefore);

/// What every tensor has that is described.
struct TensorPlace {
  uint64_t id, storage, data;
};
constexpr int kKnownRank = 3;  // with the number of elements two sizes tell the third

constexpr size_t kAttrsBytes = 6 * 8 + 4 + 3 * 8 * kMaxDims;
constexpr size_t kCallBytes = sizeof(CallHead) + 4 * 8 + kAttrsBytes;
constexpr size_t kTensorBytes = 2 + sizeof(TensorPlace) + 8 + 2 * 8 * kMaxDims;
constexpr size_t kMostOptions = 64;
constexpr size_t kOptionsBytes = 2 * 8 + 8 * kMostOptions;
constexpr size_t kFirstBlock = 1 << 15, kBlock = 1 << 18;

/// A block for the next recording: fresh memory costs more than what is written to it.
std::atomic<uint8_t*> spare{nullptr};

// The element of a number that was written in the program, in the eight bytes of its own type.
uint64_t number_bits(const TensorBody& b) {
  uint64_t bits = 0;
  std::memcpy(&bits, b.data, size_of(b.dtype));
  return bits;
}

int64_t size_of(const TensorBody& b, int d) { return d < b.sizes.size() ? b.sizes[d] : 0; }

bool is_dense(const TensorBody& b) {
  int64_t dense = 1;
  for (int d = b.sizes.size(); d-- > 0; dense *= std::max<int64_t>(b.sizes[d], 1))
    if (b.strides[d] != dense) return false;
  return true;
}

// Bit i: the node keeps input i; bit 32 + i: output i.
uint64_t saved_bits(const Node& node) {
  uint64_t bits = 0;
  for (int i = 0; i < node.inputs.size() && i < 32; ++i)
    if (node.inputs[i].saved) bits |= uint64_t{1} << i;
  for (int i = 0; i < node.outputs.size() && i < 32; ++i)
    if (node.outputs[i].saved) bits |= uint64_t{1} << (32 + i);
  return bits;
}

// The node that this call has just recorded.
const Node* node_of(const Call& call) {
  for (int i = 0; i < call.n_outputs; ++i) {
    const Node* node = call.out(i).node;
    if (node && node->op == &call.op) return node;
  }
  return nullptr;
}

}  // namespace

namespace {

// These write into room that was made before, and return what is behind.
template <class T>
uint8_t* put(uint8_t* at, const T& value) {
  std::memcpy(at, &value, sizeof(value));
  return at + sizeof(value);
}
uint8_t* put(uint8_t* at, const Shape& shape) {
  for (int64_t value : shape) at = put(at, value);
  return at;
}
uint8_t* put(uint8_t* at, const Attrs& attrs) {
  at = put(put(at, attrs.reals), attrs.ints);
  uint32_t lengths = 0;
  for (int i = 0; i < 3; ++i) lengths |= static_cast<uint32_t>(attrs.lists[i].size()) << (8 * i);
  at = put(at, lengths);
  if (lengths == 0) return at;
  for (const Shape& list : attrs.lists) at = put(at, list);
  return at;
}

}  // namespace

// One that looks as it did when it was written last is two bytes.
inline uint8_t* CallLog::write_tensor(uint8_t* at, const TensorBody* b) {
  if (!b) return put(at, kAbsent);
  const size_t slot = b->id % kKnown;
  const Known& known = known_[slot];
  if (known.id != b->id || known.data != b->data || known.storage != b->storage->id ||
      known.numel != b->numel || !b->is_contiguous || known.rank != b->sizes.size() ||
      known.sizes[0] != size_of(*b, 0) || known.sizes[1] != size_of(*b, 1) ||
      known.dtype != b->dtype)
    return describe(at, *b, known_[slot]);
  at[0] = static_cast<uint8_t>((b->needs_grad() ? kNeedsGrad : 0) | kAsBefore << kTensorFlags);
  at[1] = static_cast<uint8_t>(slot);
  return at + 2;
}

uint8_t* CallLog::describe(uint8_t* at, const TensorBody& b, Known& known) {
  const int rank = b.sizes.size();
  const bool needs_grad = b.needs_grad(), is_number = rank == 0 && !needs_grad, dense = is_dense(b);
  at[0] = static_cast<uint8_t>((needs_grad ? kNeedsGrad : 0) | (is_number ? kNumber : 0) |
                               (dense ? kDense : 0) | rank << kTensorFlags);
  at[1] = static_cast<uint8_t>(b.dtype);
  at = put(at + 2, TensorPlace{b.id, b.storage->id, word(b.data)});
  if (is_number) at = put(at, number_bits(b));
  at = put(at, b.sizes);
  if (!dense) at = put(at, b.strides);
  // Strides of dims of size 1 may differ though the elements lie as if they did not.
  const bool may_be_known = !is_number && dense && rank <= kKnownRank;
  known.id = may_be_known ? b.id : ~uint64_t{0};
  known.storage = b.storage->id;
  known.data = b.data;
  known.numel = b.numel;
  for (int d = 0; d < 2; ++d) known.sizes[d] = size_of(b, d);
  known.rank = rank;
  known.dtype = b.dtype;
  return at;
}

// An optimizer's options are the same for all parameters of a step, and written once.
uint8_t* CallLog::write_options(uint8_t* at, const TensorBody& b) {
  const bool is_new = options_ != b.id;
  options_ = b.id;
  at = put(at, b.id);
  if (!is_new) return at;
  const uint64_t n = std::min<uint64_t>(static_cast<uint64_t>(b.numel), kMostOptions);
  at = put(at, n);
  std::memcpy(at, b.data, n * sizeof(double));
  return at + n * sizeof(double);
}

CallLog::~CallLog() {
  for (Block& block : blocks_)
    if (block.capacity == kBlock) delete[] spare.exchange(block.bytes.release());
}

void CallLog::make_room(size_t n) {
  uint8_t* const warm = n <= kBlock ? spare.exchange(nullptr) : nullptr;
  const size_t capacity = warm ? kBlock : std::max(n, blocks_.empty() ? kFirstBlock : kBlock);
  std::unique_ptr<uint8_t[]> bytes(warm ? warm : new uint8_t[capacity]);
  blocks_.push_back({std::move(bytes), 0, capacity});
  left_ = capacity;
}

void CallLog::add(const Call& call, uint64_t time, int32_t scope) {
  const size_t tensors = static_cast<size_t>(call.n_inputs + call.n_outputs);
  const size_t most = kCallBytes + tensors * kTensorBytes + kOptionsBytes;
  if (left_ < most) [[unlikely]]
    make_room(most);
  Block& block = blocks_.back();
  uint8_t* const begin = block.bytes.get() + block.used;
  uint8_t* at = begin;
  // The last input of an optimizer's step holds its options, which are no part of the computation.
  const bool is_update = call.op.traits & kUpdate;
  const int n_shown = is_update ? call.n_inputs - 1 : call.n_inputs;
  const ThreadState& state = thread_state;
  const Node* node = state.grad_enabled && call.op.backward ? node_of(call) : nullptr;
  const bool in_place = call.n_inputs > 0 && call.n_outputs > 0 && call.inputs[0].body &&
                        call.inputs[0].body == body(call.outputs[0]);
  const bool has_attrs = call.op.attrs[0] != '\0';
  const int32_t flags = (state.in_backward ? kBackward : 0) | (in_place ? kInPlaceCall : 0) |
                        (has_attrs ? kHasAttrs : 0) | (node ? kRecorded : 0) |
                        (state.visiting ? kVisited : 0);
  at = put(at, CallHead{word(&call.op), time, flags, n_shown, call.n_outputs, scope,
                        location_of(call, in_place)});
  if (node) at = put(put(at, word(node)), saved_bits(*node));
  if (state.visiting) at = put(put(at, word(state.visiting)), word(state.visiting->op));
  if (has_attrs) at = put(at, call.attrs);
  if (is_update) at = write_options(at, call.in(n_shown));
  for (int i = 0; i < n_shown; ++i) at = write_tensor(at, call.inputs[i].body);
  for (int i = 0; i < call.n_outputs; ++i) at = write_tensor(at, body(call.outputs[i]));
  const size_t written = static_cast<size_t>(at - begin);
  block.used += written;
  left_ -= written;
}

struct CallReader::Bytes {
  const uint8_t* at;

  template <class T>
  T raw() {
    T value;
    std::memcpy(&value, at, sizeof(value));
    at += sizeof(value);
    return value;
  }
  Shape shape(uint32_t length) {
    Shape list;
    for (uint32_t i = 0; i < length; ++i) list.push_back(raw<int64_t>());
    return list;
  }
  void attrs(Attrs& attrs) {
    std::memcpy(attrs.reals, at, sizeof(attrs.reals));
    std::memcpy(attrs.ints, at + sizeof(attrs.reals), sizeof(attrs.ints));
    at += sizeof(attrs.reals) + sizeof(attrs.ints);
    const uint32_t lengths = raw<uint32_t>();
    for (int i = 0; i < 3; ++i) attrs.lists[i] = shape(lengths >> (8 * i) & 0xFF);
  }
};

void CallReader::read_options(Bytes& from, LoggedCall& call) {
  const uint64_t before = options_;
  call.options = options_ = from.raw<uint64_t>();
  call.option_numbers.clear();
  if (options_ == before) return;
  for (uint64_t n = from.raw<uint64_t>(); n > 0; --n)
    call.option_numbers.push_back(from.raw<double>());
}

LoggedTensor CallReader::read_tensor(Bytes& from) {
  LoggedTensor t;
  const uint8_t flags = from.raw<uint8_t>();
  t.is_absent = flags & kAbsent;
  if (t.is_absent) return t;
  if (flags >> kTensorFlags == kAsBefore) {
    t = known_[from.raw<uint8_t>()];
    t.needs_grad = flags & kNeedsGrad;
    return t;
  }
  t.needs_grad = flags & kNeedsGrad;
  t.is_number = flags & kNumber;
  t.dtype = static_cast<DType>(from.raw<uint8_t>());
  const TensorPlace head = from.raw<TensorPlace>();
  t.id = head.id;
  t.storage = head.storage;
  t.data = head.data;
  if (t.is_number) t.number = from.raw<uint64_t>();
  t.sizes = from.shape(flags >> kTensorFlags);
  if (flags & kDense) {
    t.strides = t.sizes;
    int64_t dense = 1;
    for (int d = t.sizes.size(); d-- > 0; dense *= std::max<int64_t>(t.sizes[d], 1))
      t.strides[d] = dense;
  } else {
    t.strides = from.shape(flags >> kTensorFlags);
  }
  known_[t.id % CallLog::kKnown] = t;
  return t;
}

bool CallReader::next(LoggedCall& call) {
  const std::vector<CallLog::Block>& blocks = log_.blocks();
  while (block_ < blocks.size() && at_ == blocks[block_].used) {
    ++block_;
    at_ = 0;
  }
  if (block_ == blocks.size()) return false;
  Bytes from{blocks[block_].bytes.get() + at_};
  const CallHead head = from.raw<CallHead>();
  call.in_backward = head.flags & kBackward;
  call.in_place = head.flags & kInPlaceCall;
  call.op = pointer<Op>(head.op);
  call.time = head.time;
  call.scope = head.scope;
  call.location = head.location;
  call.node = head.flags & kRecorded ? pointer<void>(from.raw<uint64_t>()) : nullptr;
  call.saved = head.flags & kRecorded ? from.raw<uint64_t>() : 0;
  call.visiting = head.flags & kVisited ? pointer<void>(from.raw<uint64_t>()) : nullptr;
  call.visiting_op = head.flags & kVisited ? pointer<Op>(from.raw<uint64_t>()) : nullptr;
  call.attrs = Attrs();
  if (head.flags & kHasAttrs) from.attrs(call.attrs);
  call.options = 0;
  if (call.op->traits & kUpdate) read_options(from, call);
  call.inputs.clear();
  call.outputs.clear();
  for (int32_t i = 0; i < head.n_inputs; ++i) call.inputs.push_back(read_tensor(from));
  for (int32_t i = 0; i < head.n_outputs; ++i) call.outputs.push_back(read_tensor(from));
  at_ = static_cast<size_t>(from.at - blocks[block_].bytes.get());
  return true;
}

}  // namespace autograd::detail
