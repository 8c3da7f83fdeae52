// Reads the frames of a running CPython without calling into it, so that an op learns its line in a
// few nanoseconds, with or without the interpreter's lock: a thread that is inside the library does
// not move its own frames.
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <new>
#include <thread>

#include "autograd/location.hpp"
#include "core/location.hpp"
#include "core/python_layout.hpp"

namespace autograd {
namespace detail {

std::atomic<uint64_t> python_epoch{0};

namespace {

using Layout = PythonLayout;

constexpr int kMostFrames = 128;  // passed by on the way to one of the user's

PythonInterpreter python;  // written once, before what follows
std::atomic<const PythonLayout*> layout_in_use{nullptr};

std::atomic<CodeResolver> resolver{nullptr};
std::atomic<int> asking{0};

// ---- what is known of places in bytecode: a cache of fixed size, read without locks

constexpr uint32_t kPassBy = 0xFFFFFFFF;  // a frame of the binding: its caller is wanted
const void* const kVacant = nullptr;

struct CodeSlot {
  std::atomic<const void*> code{kVacant};
  std::atomic<uint64_t> rest{0};  ///< offset and location
};
struct alignas(64) Bucket {
  CodeSlot slots[4];
};
constexpr int kBucketBits = 12;
Bucket buckets[1 << kBucketBits];
std::mutex mutex;  // for writers
uint64_t epochs = 0;
uint32_t next_victim = 0;

uint64_t pack(int32_t offset, uint32_t location) {
  return uint64_t{static_cast<uint32_t>(offset)} << 32 | location;
}

Bucket& bucket_of(const void* code, int32_t offset) {
  const uint64_t key =
      (reinterpret_cast<uintptr_t>(code) >> 4) ^ (uint64_t{static_cast<uint32_t>(offset)} << 40);
  return buckets[key * 0x9E3779B97F4A7C15u >> (64 - kBucketBits)];
}

/// 0 if it is not there.
uint32_t look_up(const void* code, int32_t offset) {
  const Bucket& bucket = bucket_of(code, offset);
  for (const CodeSlot& slot : bucket.slots) {
    if (slot.code.load(std::memory_order_acquire) != code) continue;
    const uint64_t rest = slot.rest.load(std::memory_order_acquire);
    // Read again: a writer vacates a slot before it writes the rest.
    if (rest >> 32 == static_cast<uint32_t>(offset) &&
        slot.code.load(std::memory_order_relaxed) == code)
      return static_cast<uint32_t>(rest);
  }
  return 0;
}

void remember(const void* code, int32_t offset, uint32_t location) {
  std::lock_guard lock(mutex);
  Bucket& bucket = bucket_of(code, offset);
  CodeSlot* chosen = &bucket.slots[next_victim++ % 4];
  for (CodeSlot& slot : bucket.slots)
    if (slot.code.load(std::memory_order_relaxed) == kVacant) {
      chosen = &slot;
      break;
    }
  chosen->code.store(kVacant, std::memory_order_relaxed);
  chosen->rest.store(pack(offset, location), std::memory_order_release);
  chosen->code.store(code, std::memory_order_release);
}

// In front of it, where the address of an instruction says all: one number for each, read and
// written as a whole. The low bits of the address choose the place; the rest stands in the entry,
// in front of the location.
constexpr int kSiteBits = 12, kLocationBits = 24;
constexpr uint32_t kSitePassBy = (1u << kLocationBits) - 1;
static_assert(kMostLocations <= kSitePassBy);
std::atomic<uint64_t> sites[1 << kSiteBits];

// Instructions lie at even addresses.
inline uint64_t site_tag(uint64_t instruction) { return instruction >> (1 + kSiteBits); }
inline std::atomic<uint64_t>& site_of(uint64_t instruction) {
  const uint64_t low = (instruction >> 1) ^ site_tag(instruction);
  return sites[low & ((1 << kSiteBits) - 1)];
}

void remember_site(uint64_t instruction, uint32_t location) {
  const uint64_t tag = site_tag(instruction);
  if (instruction & 1 || tag >> (64 - kLocationBits)) return;
  const uint64_t entry = location == kPassBy ? kSitePassBy : location;
  site_of(instruction).store(tag << kLocationBits | entry, std::memory_order_relaxed);
}

[[gnu::noinline]] uint32_t ask(const void* code, int32_t offset) {
  if (load<const void*>(static_cast<const char*>(code) + python.layout.type) != python.code_type)
    return kPassBy;
  asking.fetch_add(1);
  const CodeResolver ask_python = resolver.load();
  const int32_t answer = ask_python ? ask_python(code, offset) : 0;
  asking.fetch_sub(1);
  if (!ask_python) return kNowhere;
  const uint32_t location = answer < 0    ? kPassBy
                            : answer == 0 ? kNowhere
                                          : static_cast<uint32_t>(answer);
  remember(code, offset, location);
  return location;
}

/// *asked: the interpreter was, which may have run any code.
[[gnu::noinline]] uint32_t find(const Layout& at, const char* frame, bool* asked) {
  const char* code = load<const char*>(frame + at.code);
  const int32_t offset = offset_in(at, frame, code);
  const uint32_t found = look_up(code, offset);
  if (!found) {
    *asked = true;
    return ask(code, offset);
  }
  if (!at.index_scale) remember_site(load<uint64_t>(frame + at.instruction), found);
  return found;
}

// ---- ways from an op to the user's frame: where one was gone before, a step is two comparisons

/// Where a frame is in the program, as one number: the address of its instruction, or that of its
/// code and the instruction's index in it. 0: no number says it.
inline uint64_t place_in(const Layout& at, const char* frame) {
  if (!at.index_scale) return load<uint64_t>(frame + at.instruction);
  const uint32_t index = load<uint32_t>(frame + at.instruction);
  return index >> 16 ? 0 : load<uint64_t>(frame + at.code) ^ uint64_t { index } << 48;
}

/// Two neighbours in a frame, which say together that its caller is wanted, and which frame that
/// is: `previous`, and the code, or the instruction where the code lies elsewhere.
struct Link {
  uint64_t first, second;
};

/// From the innermost frame outwards through frames of the package.
struct alignas(64) Way {
  static constexpr int kMostLinks = 30;
  static constexpr uint64_t kNoPlace = ~uint64_t{0};
  const char* first = nullptr;  ///< the innermost frame
  uint64_t place = kNoPlace;    ///< where the frame that the way leads to was last
  uint32_t found = 0;           ///< and the location of that
  const Link* end = links;
  Link links[kMostLinks];
};

/// Of one thread.
struct Ways {
  static constexpr int kBits = 5;
  Way ways[1 << kBits];
  /// Few bytes of code: half of the bits say enough.
  Way& from(const char* frame, uint64_t place) {
    const uint32_t key = static_cast<uint32_t>(place ^ reinterpret_cast<uintptr_t>(frame));
    return ways[key * 0x9E3779B1u >> (32 - kBits)];
  }
};

struct ThreadFrames {
  uint64_t epoch = 0;        ///< what is known here belongs to it
  uint64_t state_epoch = 0;  ///< the same, if there is a state and ways
  /// The thread that started to follow the interpreter keeps its thread state until it stops: one
  /// load instead of three calls for most programs' only thread. Only if there are ways.
  const char* state = nullptr;
  Ways* ways = nullptr;
  uint64_t start = 0;   ///< the state's
  bool closed = false;  ///< the thread is ending: no ways are kept
};
constinit thread_local ThreadFrames thread_frames
#if defined(__ELF__)
    __attribute__((tls_model("initial-exec")))
#endif
    ;

void make_ways() {
  if (thread_frames.closed) return;
  struct Owner {
    std::unique_ptr<Ways> ways{new (std::nothrow) Ways};
    ~Owner() {
      thread_frames = {};
      thread_frames.closed = true;
    }
  };
  static thread_local Owner owner;
  thread_frames.ways = owner.ways.get();
}

std::atomic<uint64_t> last_start{0};

/// What is known of places holds until a code object is freed; then another epoch begins.
void begin_epoch(uint64_t epoch) {
  ThreadFrames& mine = thread_frames;
  if (!mine.ways) make_ways();
  if (mine.ways)
    for (Way& way : mine.ways->ways) way.first = nullptr;
  if (!mine.ways || mine.start != last_start.load()) mine.state = nullptr;
  mine.epoch = epoch;
  mine.state_epoch = mine.state ? epoch : 0;
}

/// What is known of the frame's place.
uint32_t look_at(const Layout& at, const char* frame, bool* asked) {
  if (at.owner >= 0 && frame[at.owner] == kFrameOfTheInterpreter) return kPassBy;
  if (!at.index_scale) {
    const uint64_t instruction = load<uint64_t>(frame + at.instruction);
    const uint64_t site = site_of(instruction).load(std::memory_order_relaxed);
    const uint32_t found = site & kSitePassBy;
    if (found && site >> kLocationBits == site_tag(instruction))
      return found == kSitePassBy ? kPassBy : found;
  }
  return find(at, frame, asked);
}

/// Within a call from Python the line is found once.
inline Location answer(uint32_t found) {
  if (found && call_location == NativeCall::kUnread) call_location = found;
  return found;
}

/// Looks at every frame from this one outwards, and keeps the way if it begins here.
[[gnu::noinline]] Location go(const char* frame, Way* way) noexcept {
  const Layout& at = python.layout;
  Link links[Way::kMostLinks];
  const char* const first = frame;
  const char* end = nullptr;  // where the links lead to
  uint32_t found = 0;
  int n = 0;
  bool asked = false;
  for (int depth = 0; frame && depth < kMostFrames; ++depth) {
    found = look_at(at, frame, &asked);
    end = n == depth ? frame : end;
    if (found != kPassBy) break;
    if (n < Way::kMostLinks) links[n++] = load<Link>(frame + at.link);
    frame = load<const char*>(frame + at.previous);
  }
  if (found == kPassBy) found = 0;  // no frame is the user's
  // What the interpreter has run in between may have taken the way.
  if (!found || asked || !way) return answer(found);
  const uint64_t place = end == frame ? place_in(at, frame) : 0;
  way->first = first;
  way->place = place ? place : Way::kNoPlace;
  way->found = found;
  way->end = std::copy(links, links + n, way->links);
  return answer(found);
}

/// The way leads to a frame of another place than last time.
[[gnu::noinline]] Location look_again(const char* frame, uint64_t place, Way& way) noexcept {
  bool asked = false;
  const uint32_t found = look_at(python.layout, frame, &asked);
  if (found == kPassBy) return go(frame, nullptr);
  if (found && !asked && place) way.place = place, way.found = found;
  return answer(found);
}

/// The layout, as constants if it is one of the known ones.
template <const Layout* known>
inline const Layout& layout() {
  return *known;
}
template <>
inline const Layout& layout<nullptr>() {
  return python.layout;
}

template <const Layout* known>
inline const char* innermost(const char* state) {
  const Layout& at = layout<known>();
  const char* frame = load<const char*>(state + at.frame);
  return at.inner >= 0 ? load<const char*>(frame + at.inner) : frame;
}

/// From the innermost frame. A way is told by where it begins, and every link is compared: the
/// same function may have been called by another one, at the same place in memory. The next frame
/// is read where it is expected to be, so that the processor need not wait for the comparison.
template <const Layout* known>
[[gnu::always_inline]] inline Location follow_way(Ways& ways, const char* frame) noexcept {
  const Layout& at = layout<known>();
  const char* const first = frame;
  Way& way = ways.from(frame, place_in(at, frame));
  if (way.first != first) [[unlikely]]
    return go(first, &way);
  const Link* links = way.links;
  for (const Link* const end = way.end; links != end; ++links) {
    const Link link = load<Link>(frame + at.link);
    if (link.first != links->first || link.second != links->second) [[unlikely]]
      return go(first, &way);
    frame = load<const char*>(reinterpret_cast<const char*>(links) + at.outward);
  }
  const uint64_t place = place_in(at, frame);
  if (place != way.place) [[unlikely]]
    return look_again(frame, place, way);
  const uint32_t found = way.found;  // not 0
  if (call_location) call_location = found;
  return found;
}

/// Of a thread that is new to the epoch, or has to ask for its state.
template <const Layout* known>
[[gnu::noinline]] Location locate_anew(uint64_t epoch) noexcept {
  const ThreadFrames& mine = thread_frames;
  if (mine.epoch != epoch) begin_epoch(epoch);
  const char* const state =
      mine.state ? mine.state : static_cast<const char*>(python.thread_state());
  const char* const frame = state ? innermost<known>(state) : nullptr;
  if (!frame) return 0;
  return mine.ways ? follow_way<known>(*mine.ways, frame) : go(frame, nullptr);
}

/// Few instructions, for they lie in nobody's cache when an op of a large program needs them.
template <const Layout* known>
[[gnu::always_inline]] inline Location locate(uint64_t epoch) noexcept {
  const uint32_t before = call_location;
  if (before != NativeCall::kOutside && before != NativeCall::kUnread) return before;
  const ThreadFrames& mine = thread_frames;
  if (mine.state_epoch != epoch) [[unlikely]]
    return locate_anew<known>(epoch);
  const char* const frame = innermost<known>(mine.state);
  return frame ? follow_way<known>(*mine.ways, frame) : 0;
}

/// The same, of an interpreter of that layout: each lies in cache lines of its own.
template <const Layout* known>
[[gnu::noinline, gnu::aligned(64)]] Location locate_in(uint64_t epoch) noexcept {
  return locate<known>(epoch);
}

}  // namespace

// Called at once, and not by an address that is read first: a processor that has forgotten where
// that led to goes astray, which costs as much as all the rest.
[[gnu::aligned(64)]] Location locate_in_python(uint64_t epoch) noexcept {
  const Layout* const used = layout_in_use.load(std::memory_order_acquire);
  if (used == &kPython311) [[likely]]
    return locate<&kPython311>(epoch);
  if (used == &kPython312) return locate_in<&kPython312>(epoch);
  return locate_in<nullptr>(epoch);
}

}  // namespace detail

bool follow_python(CodeResolver resolver) {
  using namespace detail;
  static std::mutex installing;
  std::lock_guard lock(installing);
  if (!resolver) {
    {
      std::lock_guard lock(mutex);
      python_epoch.store(0);
    }
    detail::resolver.store(nullptr);
    last_start.fetch_add(1);
    // The caller is about to take the resolver away. A thread that can't go on is not waited for.
    for (int i = 0; i < 1000 && asking.load() > 0; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return true;
  }
  if (detail::resolver.load()) return false;
  static const bool possible = find_interpreter(python);
  if (!possible) return false;
  static const int registered = pthread_atfork([] { mutex.lock(); }, [] { mutex.unlock(); },
                                               [] {
                                                 mutex.unlock();
                                                 asking.store(0);
                                               });
  (void)registered;
  detail::resolver.store(resolver);
  layout_in_use.store(python.known ? python.known : &python.layout);
  thread_frames.state = static_cast<const char*>(python.thread_state());
  thread_frames.start = last_start.fetch_add(1) + 1;
  std::lock_guard epoch_lock(mutex);
  python_epoch.store(++epochs);
  return true;
}

void forget_code(const void* code) {
  using namespace detail;
  if (!code) return;
  std::lock_guard lock(mutex);
  if (python_epoch.load()) python_epoch.store(++epochs);
  for (std::atomic<uint64_t>& site : sites) site.store(0, std::memory_order_relaxed);
  for (Bucket& bucket : buckets)
    for (CodeSlot& slot : bucket.slots)
      if (slot.code.load(std::memory_order_relaxed) == code)
        slot.code.store(kVacant, std::memory_order_release);
}

}  // namespace autograd
