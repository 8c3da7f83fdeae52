// Calls as bytes in a log: a few stores per call, so that what is watched runs nearly as fast.
// Numbers are written seven bits a byte, most as the difference from the one before.
#include <algorithm>
#include <cstring>

#include "core/node.hpp"
#include "core/thread_state.hpp"
#include "graph/recording.hpp"

namespace autograd::detail {
namespace {

uint64_t word(const void* p) { return reinterpret_cast<uintptr_t>(p); }

template <class T>
const T* pointer(uint64_t bits) {
  return reinterpret_cast<const T*>(static_cast<uintptr_t>(bits));
}

// Flags of a call and of a tensor.
constexpr uint64_t kBackward = 1, kInPlaceCall = 2, kHasAttrs = 4, kRecorded = 8, kVisited = 16;
constexpr int kCallFlags = 5;
constexpr uint8_t kAbsent = 1, kNeedsGrad = 2, kNumber = 4, kDense = 8;
constexpr int kTensorFlags = 4;  // the rank is in the bits above
static_assert(kMaxDims < 16);

constexpr size_t kMostBytes = 10;  // of a number
constexpr size_t kCallBytes = 12 * kMostBytes;
constexpr size_t kAttrsBytes = 6 * 8 + (1 + 3 * kMaxDims) * kMostBytes;
constexpr size_t kTensorBytes = 10 + (3 + 2 * kMaxDims) * kMostBytes;
constexpr size_t kMostOptions = 64;
constexpr size_t kOptionsBytes = 2 * kMostBytes + 8 * kMostOptions;
constexpr size_t kFirstBlock = 1 << 15, kBlock = 1 << 18;

/// Writes into room that was made before.
struct Writer {
  uint8_t* at;

  void byte(uint8_t value) { *at++ = value; }
  void put(uint64_t value) {
    if (value <= 0x7F) [[likely]]
      return byte(static_cast<uint8_t>(value));
    for (; value > 0x7F; value >>= 7) byte(static_cast<uint8_t>(value | 0x80));
    byte(static_cast<uint8_t>(value));
  }
  // A number near 0, of either sign.
  void put_signed(uint64_t value) {
    put(value << 1 ^ (static_cast<int64_t>(value) < 0 ? ~uint64_t{0} : 0));
  }
  void put_after(uint64_t& last, uint64_t value) {
    put_signed(value - last);
    last = value;
  }
  void put(const Shape& shape) {
    for (int64_t value : shape) put(static_cast<uint64_t>(value));
  }
  template <class T>
  void raw(const T& value) {
    std::memcpy(at, &value, sizeof(value));
    at += sizeof(value);
  }
};

void write_attrs(Writer& to, const Attrs& attrs) {
  uint64_t lengths = 0;
  for (int i = 0; i < 3; ++i) lengths |= static_cast<uint64_t>(attrs.lists[i].size()) << (8 * i);
  to.put(lengths);
  for (double value : attrs.reals) to.raw(value);
  for (int64_t value : attrs.ints) to.raw(value);
  for (const Shape& list : attrs.lists) to.put(list);
}

// The element of a number that was written in the program, in the eight bytes of its own type.
uint64_t number_bits(const TensorBody& b) {
  uint64_t bits = 0;
  std::memcpy(&bits, b.data, size_of(b.dtype));
  return bits;
}

bool is_dense(const TensorBody& b) {
  int64_t dense = 1;
  for (int d = b.sizes.size(); d-- > 0; dense *= std::max<int64_t>(b.sizes[d], 1))
    if (b.strides[d] != dense) return false;
  return true;
}

void write_tensor(Writer& to, const TensorBody* b, CallLog::Last& last) {
  if (!b) return to.byte(kAbsent);
  const bool is_number = b->sizes.empty() && !b->node && !b->requires_grad, dense = is_dense(*b);
  to.byte(static_cast<uint8_t>((b->needs_grad() ? kNeedsGrad : 0) | (is_number ? kNumber : 0) |
                               (dense ? kDense : 0) | b->sizes.size() << kTensorFlags));
  to.byte(static_cast<uint8_t>(b->dtype));
  to.put_after(last.tensor, b->id);
  to.put_signed(b->storage->id - b->id);
  to.raw(word(b->data));
  if (is_number) to.raw(number_bits(*b));
  to.put(b->sizes);
  if (!dense) to.put(b->strides);
}

// An optimizer's options are the same for all parameters of a step, and written once.
void write_options(Writer& to, const TensorBody& b, CallLog::Last& last) {
  const bool is_new = last.options != b.id;
  to.put_after(last.options, b.id);
  if (!is_new) return;
  const size_t n = std::min<size_t>(static_cast<size_t>(b.numel), kMostOptions);
  to.put(n);
  std::memcpy(to.at, b.data, n * sizeof(double));
  to.at += n * sizeof(double);
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

// The line that the program was at, which the tensors have noted already.
Location location_of(const Call& call, bool in_place) {
  if (call.op.traits & kUpdate || call.n_outputs == 0) return here();
  const TensorBody& out = call.out();
  return in_place ? out.storage->changed_at.load(std::memory_order_relaxed) : out.made_at;
}

}  // namespace

uint8_t* CallLog::room(size_t n) {
  if (blocks.empty() || blocks.back().used + n > blocks.back().capacity) {
    const size_t capacity = std::max(n, blocks.empty() ? kFirstBlock : kBlock);
    blocks.push_back({std::unique_ptr<uint8_t[]>(new uint8_t[capacity]), 0, capacity});
  }
  return blocks.back().bytes.get() + blocks.back().used;
}

void CallLog::add(const Call& call, uint64_t time, int32_t scope) {
  const size_t tensors = static_cast<size_t>(call.n_inputs + call.n_outputs);
  uint8_t* const begin = room(kCallBytes + kAttrsBytes + tensors * kTensorBytes + kOptionsBytes);
  Writer to{begin};
  // The last input of an optimizer's step holds its options, which are no part of the computation.
  const bool is_update = call.op.traits & kUpdate;
  const int n_shown = is_update ? call.n_inputs - 1 : call.n_inputs;
  const ThreadState& state = thread_state;
  const Node* node = state.grad_enabled && call.op.backward ? node_of(call) : nullptr;
  const bool in_place = call.n_inputs > 0 && call.n_outputs > 0 && call.inputs[0].body &&
                        call.inputs[0].body == body(call.outputs[0]);
  const bool has_attrs = call.op.attrs[0] != '\0';
  to.put((state.in_backward ? kBackward : 0) | (in_place ? kInPlaceCall : 0) |
         (has_attrs ? kHasAttrs : 0) | (node ? kRecorded : 0) | (state.visiting ? kVisited : 0) |
         static_cast<uint64_t>(n_shown) << kCallFlags);
  to.put(static_cast<uint64_t>(call.n_outputs));
  to.raw(word(&call.op));
  if (node) {
    const uint64_t saved = saved_bits(*node);
    to.raw(word(node));
    to.put(saved & 0xFFFFFFFF);
    to.put(saved >> 32);
  }
  if (state.visiting) {
    to.raw(word(state.visiting));
    to.raw(word(state.visiting->op));
  }
  to.put_after(last.time, time);
  to.put_after(last.scope, static_cast<uint64_t>(scope));
  to.put_after(last.location, location_of(call, in_place));
  if (has_attrs) write_attrs(to, call.attrs);
  if (is_update) write_options(to, call.in(n_shown), last);
  for (int i = 0; i < n_shown; ++i) write_tensor(to, call.inputs[i].body, last);
  for (int i = 0; i < call.n_outputs; ++i) write_tensor(to, body(call.outputs[i]), last);
  blocks.back().used += static_cast<size_t>(to.at - begin);
}

namespace {

struct Reader {
  const uint8_t* at;

  uint64_t get() {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const uint8_t next = *at++;
      value |= static_cast<uint64_t>(next & 0x7F) << shift;
      if (next < 0x80) return value;
    }
  }
  uint64_t get_signed() {
    const uint64_t value = get();
    return value >> 1 ^ (value & 1 ? ~uint64_t{0} : 0);
  }
  uint64_t get_after(uint64_t& last) { return last += get_signed(); }
  template <class T>
  T raw() {
    T value;
    std::memcpy(&value, at, sizeof(value));
    at += sizeof(value);
    return value;
  }
  Shape shape(uint64_t length) {
    Shape list;
    for (uint64_t i = 0; i < length; ++i) list.push_back(static_cast<int64_t>(get()));
    return list;
  }
};

void read_attrs(Reader& from, Attrs& attrs) {
  const uint64_t lengths = from.get();
  for (double& value : attrs.reals) value = from.raw<double>();
  for (int64_t& value : attrs.ints) value = from.raw<int64_t>();
  for (int i = 0; i < 3; ++i) attrs.lists[i] = from.shape(lengths >> (8 * i) & 0xFF);
}

void read_options(Reader& from, LoggedCall& call, CallLog::Last& last) {
  const uint64_t before = last.options;
  call.options = from.get_after(last.options);
  call.option_numbers.clear();
  if (call.options == before) return;
  for (uint64_t n = from.get(); n > 0; --n) call.option_numbers.push_back(from.raw<double>());
}

LoggedTensor read_tensor(Reader& from, CallLog::Last& last) {
  LoggedTensor t;
  const uint8_t head = *from.at++;
  t.is_absent = head & kAbsent;
  if (t.is_absent) return t;
  t.needs_grad = head & kNeedsGrad;
  t.is_number = head & kNumber;
  t.dtype = static_cast<DType>(*from.at++);
  t.id = from.get_after(last.tensor);
  t.storage = t.id + from.get_signed();
  t.data = from.raw<uint64_t>();
  if (t.is_number) t.number = from.raw<uint64_t>();
  t.sizes = from.shape(head >> kTensorFlags);
  if (!(head & kDense)) {
    t.strides = from.shape(head >> kTensorFlags);
    return t;
  }
  t.strides = t.sizes;
  int64_t dense = 1;
  for (int d = t.sizes.size(); d-- > 0; dense *= std::max<int64_t>(t.sizes[d], 1))
    t.strides[d] = dense;
  return t;
}

}  // namespace

bool CallReader::next(LoggedCall& call) {
  while (block_ < log_.blocks.size() && at_ == log_.blocks[block_].used) {
    ++block_;
    at_ = 0;
  }
  if (block_ == log_.blocks.size()) return false;
  Reader from{log_.blocks[block_].bytes.get() + at_};
  const uint64_t head = from.get(), n_outputs = from.get();
  call.in_backward = head & kBackward;
  call.in_place = head & kInPlaceCall;
  call.op = pointer<Op>(from.raw<uint64_t>());
  call.node = nullptr;
  call.saved = 0;
  if (head & kRecorded) {
    call.node = pointer<void>(from.raw<uint64_t>());
    call.saved = from.get();
    call.saved |= from.get() << 32;
  }
  call.visiting = head & kVisited ? pointer<void>(from.raw<uint64_t>()) : nullptr;
  call.visiting_op = head & kVisited ? pointer<Op>(from.raw<uint64_t>()) : nullptr;
  call.time = from.get_after(last_.time);
  call.scope = static_cast<int32_t>(from.get_after(last_.scope));
  call.location = static_cast<uint32_t>(from.get_after(last_.location));
  call.attrs = Attrs();
  if (head & kHasAttrs) read_attrs(from, call.attrs);
  call.options = 0;
  if (call.op->traits & kUpdate) read_options(from, call, last_);
  call.inputs.clear();
  call.outputs.clear();
  for (uint64_t i = 0; i < head >> kCallFlags; ++i) call.inputs.push_back(read_tensor(from, last_));
  for (uint64_t i = 0; i < n_outputs; ++i) call.outputs.push_back(read_tensor(from, last_));
  at_ = static_cast<size_t>(from.at - log_.blocks[block_].bytes.get());
  return true;
}

}  // namespace autograd::detail
