// Calls as words in a log: a few stores per call, so that what is watched runs nearly as fast.
#include <algorithm>
#include <cstring>

#include "core/node.hpp"
#include "core/thread_state.hpp"
#include "graph/recording.hpp"

namespace autograd::detail {
namespace {

uint64_t word(const void* p) { return reinterpret_cast<uintptr_t>(p); }

uint64_t word(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

double real(uint64_t bits) {
  double value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

template <class T>
const T* pointer(uint64_t bits) {
  return reinterpret_cast<const T*>(static_cast<uintptr_t>(bits));
}

// Flags of a call and of a tensor.
constexpr uint64_t kBackward = 1, kInPlaceCall = 2, kHasAttrs = 4;
constexpr uint64_t kNeedsGrad = 1, kNumber = 2, kAbsent = 4;

constexpr size_t kCallWords = 8;
constexpr size_t kAttrsWords = 7 + 3 * kMaxDims;
constexpr size_t kTensorWords = 5 + 2 * kMaxDims;

/// Writes words into room that was made before.
struct Writer {
  uint64_t* at;
  void put(uint64_t value) { *at++ = value; }
  void put(const Shape& shape) {
    for (int64_t value : shape) put(static_cast<uint64_t>(value));
  }
};

void write_attrs(Writer& to, const Attrs& attrs) {
  uint64_t lengths = 0;
  for (int i = 0; i < 3; ++i) lengths |= static_cast<uint64_t>(attrs.lists[i].size()) << (8 * i);
  to.put(lengths);
  for (double value : attrs.reals) to.put(word(value));
  for (int64_t value : attrs.ints) to.put(static_cast<uint64_t>(value));
  for (const Shape& list : attrs.lists) to.put(list);
}

// The element of a number that was written in the program, in the eight bytes of its own type.
uint64_t number_bits(const TensorBody& b) {
  uint64_t bits = 0;
  std::memcpy(&bits, b.data, size_of(b.dtype));
  return bits;
}

void write_tensor(Writer& to, const TensorBody* b) {
  if (!b) return to.put(kAbsent);
  const bool is_number = b->sizes.empty() && !b->node && !b->requires_grad;
  to.put((b->needs_grad() ? kNeedsGrad : 0) | (is_number ? kNumber : 0) |
         static_cast<uint64_t>(b->dtype) << 8 | static_cast<uint64_t>(b->sizes.size()) << 16);
  to.put(b->id);
  to.put(b->storage->id);
  to.put(word(b->data));
  if (is_number) to.put(number_bits(*b));
  to.put(b->sizes);
  to.put(b->strides);
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

uint64_t* CallLog::room(size_t n) {
  if (size + n > words.size()) words.resize(std::max(2 * words.size(), size + n));
  return words.data() + size;
}

void log_call(const Call& call, int64_t time, int32_t scope, CallLog& log) {
  const size_t tensors = static_cast<size_t>(call.n_inputs + call.n_outputs);
  Writer to{log.room(kCallWords + kAttrsWords + tensors * kTensorWords)};
  // The last input of an optimizer's step holds its options, which are no part of the computation.
  const int n_shown = call.op.traits & kUpdate ? call.n_inputs - 1 : call.n_inputs;
  const ThreadState& state = thread_state;
  const Node* node = state.grad_enabled && call.op.backward ? node_of(call) : nullptr;
  const bool in_place = call.n_inputs > 0 && call.n_outputs > 0 && call.inputs[0].body &&
                        call.inputs[0].body == body(call.outputs[0]);
  const bool has_attrs = call.op.attrs[0] != '\0';
  to.put((state.in_backward ? kBackward : 0) | (in_place ? kInPlaceCall : 0) |
         (has_attrs ? kHasAttrs : 0) | static_cast<uint64_t>(n_shown) << 8 |
         static_cast<uint64_t>(call.n_outputs) << 32);
  to.put(word(&call.op));
  to.put(word(node));
  to.put(word(state.visiting));
  to.put(state.visiting ? word(state.visiting->op) : 0);
  to.put(node ? saved_bits(*node) : 0);
  to.put(static_cast<uint64_t>(time));
  to.put(static_cast<uint32_t>(scope) | static_cast<uint64_t>(location_of(call, in_place)) << 32);
  if (has_attrs) write_attrs(to, call.attrs);
  for (int i = 0; i < n_shown; ++i) write_tensor(to, call.inputs[i].body);
  for (int i = 0; i < call.n_outputs; ++i) write_tensor(to, body(call.outputs[i]));
  log.size = static_cast<size_t>(to.at - log.words.data());
}

namespace {

struct Reader {
  const uint64_t* at;
  uint64_t get() { return *at++; }
  Shape shape(uint64_t length) {
    Shape list;
    for (uint64_t i = 0; i < length; ++i) list.push_back(static_cast<int64_t>(get()));
    return list;
  }
};

void read_attrs(Reader& from, Attrs& attrs) {
  const uint64_t lengths = from.get();
  for (double& value : attrs.reals) value = real(from.get());
  for (int64_t& value : attrs.ints) value = static_cast<int64_t>(from.get());
  for (int i = 0; i < 3; ++i) attrs.lists[i] = from.shape(lengths >> (8 * i) & 0xFF);
}

LoggedTensor read_tensor(Reader& from) {
  LoggedTensor t;
  const uint64_t head = from.get();
  t.is_absent = head & kAbsent;
  if (t.is_absent) return t;
  t.needs_grad = head & kNeedsGrad;
  t.is_number = head & kNumber;
  t.dtype = static_cast<DType>(head >> 8 & 0xFF);
  const uint64_t rank = head >> 16;
  t.id = from.get();
  t.storage = from.get();
  t.data = from.get();
  if (t.is_number) t.number = from.get();
  t.sizes = from.shape(rank);
  t.strides = from.shape(rank);
  return t;
}

}  // namespace

void read_call(const CallLog& log, size_t& at, LoggedCall& call) {
  Reader from{log.words.data() + at};
  const uint64_t head = from.get();
  call.in_backward = head & kBackward;
  call.in_place = head & kInPlaceCall;
  call.op = pointer<Op>(from.get());
  call.node = pointer<void>(from.get());
  call.visiting = pointer<void>(from.get());
  call.visiting_op = pointer<Op>(from.get());
  call.saved = from.get();
  call.time = static_cast<int64_t>(from.get());
  const uint64_t place = from.get();
  call.scope = static_cast<int32_t>(place & 0xFFFFFFFF);
  call.location = static_cast<uint32_t>(place >> 32);
  call.attrs = Attrs();
  if (head & kHasAttrs) read_attrs(from, call.attrs);
  call.inputs.clear();
  call.outputs.clear();
  const uint64_t n_inputs = head >> 8 & 0xFFFFFF, n_outputs = head >> 32;
  for (uint64_t i = 0; i < n_inputs; ++i) call.inputs.push_back(read_tensor(from));
  for (uint64_t i = 0; i < n_outputs; ++i) call.outputs.push_back(read_tensor(from));
  at = static_cast<size_t>(from.at - log.words.data());
}

}  // namespace autograd::detail
