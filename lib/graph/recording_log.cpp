// Calls as words in a log: a few stores per call, so that what is watched runs nearly as fast.
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

// A call: these words, what its flags announce, its tensors.
// Without an op, it is a note of two tensors.
enum CallWord { kOp, kTime, kCounts, kWhere, kCallWords };
constexpr uint64_t kInBackward = 1, kHasAttrs = 2, kHasLists = 4, kRecorded = 8, kVisited = 16;
constexpr int kInputsAt = 8, kOutputsAt = 36;  // bits of kCounts; the flags are below
constexpr uint64_t kMostTensors = (uint64_t{1} << (kOutputsAt - kInputsAt)) - 1;
constexpr int kScopeAt = 32;  // bits of kWhere; the location is below

// A tensor: one word, and behind it, if it is described, these words and its sizes and strides.
constexpr uint64_t kNeedsGrad = 1, kAbsent = 2, kNumber = 4, kAsBefore = 8;
constexpr int kDTypeAt = 8, kRankAt = 16;  // bits of the first word; the flags are below
enum TensorWord { kLook, kId, kStorage, kData, kTensorWords };

constexpr size_t kAttrWords = 6;
constexpr size_t kMostCallWords = kCallWords + 4 + kAttrWords + 1 + 3 * kMaxDims;
constexpr size_t kMostTensorWords = kTensorWords + 1 + 2 * kMaxDims;
constexpr size_t kMostOptions = 64;
constexpr size_t kMostOptionWords = 2 + kMostOptions;
constexpr int kUsualTensors = 8;
constexpr size_t most_words(uint64_t tensors) {
  return kMostCallWords + tensors * kMostTensorWords + kMostOptionWords;
}
constexpr size_t kUsualWords = most_words(kUsualTensors);
constexpr size_t kBlockWords = 1 << 11;
constexpr size_t kLineWords = 8;  // of the cache

/// Blocks for the next recordings, 2 MiB at most: fresh memory costs more than what is written to
/// it. No lock, which another thread may hold while the process forks.
std::atomic<uint64_t*> spare[128];

/// nullptr if there is none.
uint64_t* take_spare() {
  for (auto& place : spare)
    if (place.load(std::memory_order_relaxed))
      if (uint64_t* const block = place.exchange(nullptr)) return block;
  return nullptr;
}

/// False if there are enough.
bool keep_spare(uint64_t* block) {
  for (auto& place : spare) {
    uint64_t* none = nullptr;
    if (!place.load(std::memory_order_relaxed) && place.compare_exchange_strong(none, block))
      return true;
  }
  return false;
}

// The element of a number that was written in the program, in the eight bytes of its own type.
uint64_t number_bits(const TensorBody& b) {
  uint64_t bits = 0;
  std::memcpy(&bits, b.data, size_of(b.dtype));
  return bits;
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

// These write into room that was made before, and return what is behind.
inline uint64_t* put(uint64_t* at, const Shape& shape) {
  std::memcpy(at, shape.data(), static_cast<size_t>(shape.size()) * sizeof(uint64_t));
  return at + shape.size();
}
inline uint64_t* put(uint64_t* at, const TensorBody& b, uint64_t needs_grad) {
  const int rank = b.sizes.size();
  at[kLook] = needs_grad | static_cast<uint64_t>(b.dtype) << kDTypeAt |
              static_cast<uint64_t>(rank) << kRankAt;
  at[kId] = b.id;
  at[kStorage] = b.storage->id;
  at[kData] = word(b.data);
  if (rank == 0 && !needs_grad) {
    at[kLook] |= kNumber;
    at[kTensorWords] = number_bits(b);  // which may be another one next time
    return at + kTensorWords + 1;
  }
  at += kTensorWords;
  if (rank > 2) return put(put(at, b.sizes), b.strides);
  // What is copied too much is overwritten.
  std::memcpy(at, b.sizes.data(), 2 * sizeof(uint64_t));
  std::memcpy(at + rank, b.strides.data(), 2 * sizeof(uint64_t));
  return at + 2 * rank;
}
inline uint64_t* put_numbers(uint64_t* at, const Attrs& attrs) {
  static_assert(sizeof(attrs.reals) + sizeof(attrs.ints) == kAttrWords * sizeof(uint64_t));
  std::memcpy(at, attrs.reals, sizeof(attrs.reals));
  std::memcpy(at + 3, attrs.ints, sizeof(attrs.ints));
  return at + kAttrWords;
}
inline uint64_t* put_lists(uint64_t* at, const Attrs& attrs) {
  uint64_t lengths = 0;
  for (int i = 0; i < 3; ++i) lengths |= static_cast<uint64_t>(attrs.lists[i].size()) << (8 * i);
  *at++ = lengths;
  for (const Shape& list : attrs.lists) at = put(at, list);
  return at;
}

}  // namespace

// One that was described before is one word: geometry and memory of a tensor never change.
inline uint64_t* CallLog::write_tensor(uint64_t* at, TensorBody* b) {
  if (!b) {
    *at = kAbsent;
    return at + 1;
  }
  static_assert(kNeedsGrad == 1);
  const uint64_t needs_grad = b->needs_grad();
  if (b->described_in.load(std::memory_order_relaxed) == number_) {
    *at = needs_grad | kAsBefore | b->id << kRankAt;
    return at + 1;
  }
  if (!b->sizes.empty() || needs_grad) b->described_in.store(number_, std::memory_order_relaxed);
  return put(at, *b, needs_grad);
}

// An optimizer's options are the same for all parameters of a step, and written once.
uint64_t* CallLog::write_options(uint64_t* at, const TensorBody& b) {
  const bool is_new = options_ != b.id;
  *at++ = options_ = b.id;
  if (!is_new) return at;
  const uint64_t n = std::min<uint64_t>(static_cast<uint64_t>(b.numel), kMostOptions);
  *at++ = n;
  std::memcpy(at, b.data, n * sizeof(double));
  return at + n;
}

// Numbers come again after four billion recordings: a tensor that was last described that long ago
// may then be missing in the graph.
CallLog::CallLog()
    : number_([] {
        static std::atomic<uint32_t> last{0};
        const uint32_t next = last.fetch_add(1, std::memory_order_relaxed) + 1;
        return next ? next : last.fetch_add(1, std::memory_order_relaxed) + 1;
      }()) {}

void CallLog::Release::operator()(uint64_t* words) const {
  if (!is_usual || !keep_spare(words)) delete[] words;
}

void CallLog::end_block() {
  if (at_) blocks_.back()->used = static_cast<size_t>(at_ - blocks_.back()->words.get());
}

CallLog::Blocks CallLog::written() {
  end_block();
  at_ = end_ = near_end_ = nullptr;
  return {blocks_.begin(), blocks_.end()};
}

void CallLog::make_room(size_t n) {
  if (static_cast<size_t>(end_ - at_) >= n) return;
  end_block();
  const size_t capacity = std::max(n, kBlockWords);
  const bool is_usual = capacity == kBlockWords;
  uint64_t* const warm = is_usual ? take_spare() : nullptr;
  std::unique_ptr<uint64_t[], Release> words(warm ? warm : new uint64_t[capacity], {is_usual});
  at_ = words.get();
  end_ = at_ + capacity;
  blocks_.push_back(std::make_shared<Block>(Block{std::move(words), 0, capacity}));
  near_end_ = end_ - kUsualWords;
}

[[gnu::always_inline]] inline void CallLog::add(const Call& call, uint64_t time, int32_t scope) {
  if (const int n = call.n_inputs + call.n_outputs; at_ >= near_end_ || n > kUsualTensors)
      [[unlikely]]
    make_room(most_words(static_cast<uint64_t>(n)));
  const ThreadState& state = thread_state;
  const Op& op = call.op;
  // The last input of an optimizer's step holds its options, which are no part of the computation.
  const bool is_update = op.traits & kUpdate;
  const int n_shown = call.n_inputs - is_update;
  const TensorBody* const out = call.n_outputs > 0 ? body_or_null(call.outputs[0]) : nullptr;
  const bool in_place = out && call.n_inputs > 0 && call.inputs[0].body == out;
  uint64_t* const head = at_;
  static_assert(kInBackward == 1 && kUsualWords < kBlockWords);
  uint64_t counts = static_cast<uint64_t>(state.in_backward) |
                    static_cast<uint64_t>(n_shown) << kInputsAt |
                    static_cast<uint64_t>(call.n_outputs) << kOutputsAt;
  head[kOp] = word(&op);
  head[kTime] = time;
  head[kWhere] = location_of(call, in_place) | static_cast<uint64_t>(scope) << kScopeAt;
  uint64_t* at = head + kCallWords;
  if (const Node* node = state.grad_enabled && op.backward ? node_of(call) : nullptr) {
    counts |= kRecorded;
    at[0] = word(node);
    at[1] = saved_bits(*node);
    at += 2;
  }
  if (state.visiting) {
    counts |= kVisited;
    at[0] = word(state.visiting);
    at[1] = word(state.visiting->op);
    at += 2;
  }
  if (const char lists = op.attrs[0]) {
    counts |= kHasAttrs;
    at = put_numbers(at, call.attrs);
    if (lists != ';') {
      counts |= kHasLists;
      at = put_lists(at, call.attrs);
    }
  }
  head[kCounts] = counts;
  if (is_update) at = write_options(at, call.in(n_shown));
  for (int i = 0; i < n_shown; ++i) at = write_tensor(at, call.inputs[i].body);
  for (int i = 0; i < call.n_outputs; ++i) at = write_tensor(at, body_or_null(call.outputs[i]));
  at_ = at;
  // Where the next call will be written, so that it need not wait for the memory.
  for (size_t line = 0; line < 4; ++line) __builtin_prefetch(at + line * kLineWords, 1);
}

// Here, where adding to the log is a part of it.
void CallRecorder::on_call(const Call& call) {
  if (abandoned.load(std::memory_order_relaxed)) [[unlikely]] {
    remove_observer(*this);
    delete this;
    return;
  }
  log_.add(call, ticks(), marks->current);
}

struct Words {
  const uint64_t* at;

  uint64_t next() { return *at++; }
  double real() {
    double value;
    std::memcpy(&value, at++, sizeof(value));
    return value;
  }
  Shape shape(uint64_t length) {
    Shape list;
    for (uint64_t i = 0; i < length; ++i) list.push_back(static_cast<int64_t>(next()));
    return list;
  }
  void numbers(Attrs& attrs) {
    for (double& value : attrs.reals) value = real();
    for (int64_t& value : attrs.ints) value = static_cast<int64_t>(next());
  }
  void lists(Attrs& attrs) {
    const uint64_t lengths = next();
    for (int i = 0; i < 3; ++i) attrs.lists[i] = shape(lengths >> (8 * i) & 0xFF);
  }
  /// One that was described.
  LoggedTensor tensor() {
    LoggedTensor t;
    const uint64_t look = next();
    t.is_absent = look & kAbsent;
    if (t.is_absent) return t;
    t.needs_grad = look & kNeedsGrad;
    t.is_number = look & kNumber;
    t.dtype = static_cast<DType>(look >> kDTypeAt & 0xFF);
    t.id = next();
    t.storage = next();
    t.data = next();
    if (t.is_number) {
      t.number = next();
      return t;
    }
    t.sizes = shape(look >> kRankAt);
    t.strides = shape(look >> kRankAt);
    return t;
  }
};

void CallReader::read_options(Words& from, LoggedCall& call) {
  const uint64_t before = options_;
  call.options = options_ = from.next();
  call.option_numbers.clear();
  if (options_ == before) return;
  for (uint64_t n = from.next(); n > 0; --n) call.option_numbers.push_back(from.real());
}

LoggedTensor CallReader::read_tensor(Words& from) {
  if (const uint64_t look = *from.at; look & kAsBefore) {
    ++from.at;
    const auto found = known_.find(look >> kRankAt);
    LoggedTensor t;
    if (found == known_.end())
      t.is_absent = true;
    else
      t = found->second;
    t.needs_grad = look & kNeedsGrad;
    return t;
  }
  LoggedTensor t = from.tensor();
  if (!t.is_absent && !t.is_number) known_[t.id] = t;
  return t;
}

void CallLog::note(const Tensor& t) {
  TensorBody* const b = body(t);  // throws if there is none
  make_room(1 + 2 * kMostTensorWords);
  *at_ = 0;
  at_ = write_tensor(write_tensor(at_ + 1, b), b->grad);
  ++n_notes_;
}

bool CallReader::next(LoggedCall& call) {
  Words from{nullptr};
  for (;;) {
    while (block_ < blocks_.size() && at_ == blocks_[block_]->used) {
      ++block_;
      at_ = 0;
    }
    if (block_ == blocks_.size()) return false;
    from.at = blocks_[block_]->words.get() + at_;
    if (*from.at) break;
    ++from.at;
    LoggedNote& note = notes_.emplace_back();
    note.tensor = read_tensor(from);
    note.grad = read_tensor(from);
    at_ = static_cast<size_t>(from.at - blocks_[block_]->words.get());
  }
  const uint64_t* const head = from.at;
  from.at += kCallWords;
  const uint64_t flags = head[kCounts];
  call.in_backward = flags & kInBackward;
  call.op = pointer<Op>(head[kOp]);
  call.time = head[kTime];
  call.scope = static_cast<int32_t>(head[kWhere] >> kScopeAt);
  call.location = static_cast<uint32_t>(head[kWhere]);
  call.node = flags & kRecorded ? pointer<void>(from.next()) : nullptr;
  call.saved = flags & kRecorded ? from.next() : 0;
  call.visiting = flags & kVisited ? pointer<void>(from.next()) : nullptr;
  call.visiting_op = flags & kVisited ? pointer<Op>(from.next()) : nullptr;
  call.attrs = Attrs();
  if (flags & kHasAttrs) from.numbers(call.attrs);
  if (flags & kHasLists) from.lists(call.attrs);
  call.options = 0;
  if (call.op->traits & kUpdate) read_options(from, call);
  call.inputs.clear();
  call.outputs.clear();
  for (uint64_t n = flags >> kInputsAt & kMostTensors; n > 0; --n)
    call.inputs.push_back(read_tensor(from));
  for (uint64_t n = flags >> kOutputsAt; n > 0; --n) call.outputs.push_back(read_tensor(from));
  call.in_place = !call.inputs.empty() && !call.outputs.empty() && !call.inputs[0].is_absent &&
                  call.inputs[0].id == call.outputs[0].id;
  at_ = static_cast<size_t>(from.at - blocks_[block_]->words.get());
  return true;
}

}  // namespace autograd::detail
