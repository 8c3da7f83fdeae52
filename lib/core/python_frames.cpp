// Reads the frames of a running CPython without calling into it, so that an op learns its line in a
// few nanoseconds, with or without the interpreter's lock: a thread that is inside the library does
// not move its own frames.
//
// Where things lie in memory is fixed within a minor version of CPython. The layout is taken from
// what the interpreter publishes about itself (3.13 and later) or from the table below, and every
// pointer on the way is checked once, in a way that cannot crash, before any is followed. Wherever
// that check fails, and for any other interpreter, lines are unknown.
#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <thread>

#include "autograd/location.hpp"
#include "core/location.hpp"

namespace autograd {
namespace detail {

std::atomic<bool> follows_python{false};

namespace {

/// Offsets in bytes; -1 where a version has no such thing.
struct Layout {
  int frame = -1;        ///< in a thread state: its innermost frame,
  int inner = -1;        ///< or a structure in which that lies here
  int code = -1;         ///< in a frame
  int previous = -1;     ///< in a frame
  int instruction = -1;  ///< in a frame: a pointer into the bytecode, or its index
  int index_scale = 0;   ///< bytes per index; 0: it is a pointer
  int owner = -1;        ///< in a frame: a byte that says what kind it is
  int bytecode = 0;      ///< in a code object: its first instruction
  int type = 8;          ///< in an object: its class
};

constexpr char kFrameOfTheInterpreter = 3;  // value of `owner`: entered from C, holds no user code
constexpr int kMostFrames = 128;            // passed by on the way to one of the user's

struct Interpreter {
  Layout layout;
  void* (*thread_state)() = nullptr;
  const void* code_type = nullptr;
};
Interpreter python;  // written once, before follows_python

std::atomic<int> starts{0};

std::atomic<CodeResolver> resolver{nullptr};
std::atomic<int> asking{0};

template <class T>
T load(const char* address) {
  T value;
  std::memcpy(&value, address, sizeof(T));
  return value;
}

// ---- what is known of places in bytecode: a cache of fixed size, read without locks

constexpr uint32_t kPassBy = 0xFFFFFFFF;  // a frame of the binding: its caller is wanted
const void* const kVacant = nullptr;

struct Slot {
  std::atomic<const void*> code{kVacant};
  std::atomic<uint64_t> rest{0};  ///< offset and location
};
struct alignas(64) Bucket {
  Slot slots[4];
};
constexpr int kBucketBits = 12;
Bucket buckets[1 << kBucketBits];
std::mutex mutex;  // for writers
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
  for (const Slot& slot : bucket.slots) {
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
  Slot* chosen = &bucket.slots[next_victim++ % 4];
  for (Slot& slot : bucket.slots)
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

int32_t offset_in(const Layout& at, const char* frame, const char* code) {
  if (at.index_scale) return load<int32_t>(frame + at.instruction) * at.index_scale;
  return static_cast<int32_t>(load<const char*>(frame + at.instruction) - (code + at.bytecode));
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
template <bool indexed>
uint64_t place_in(const char* frame, int instruction, int code) {
  if (!indexed) return load<uint64_t>(frame + instruction);
  const uint32_t index = load<uint32_t>(frame + instruction);
  return index >> 16 ? 0 : load<uint64_t>(frame + code) ^ uint64_t { index } << 48;
}

uint64_t place_in(const Layout& at, const char* frame) {
  return at.index_scale ? place_in<true>(frame, at.instruction, at.code)
                        : place_in<false>(frame, at.instruction, at.code);
}

struct Step {
  const char* frame;
  uint64_t place;
};

/// Frames from the innermost one outwards, all of the package but the last. What is known of a
/// place stays so until a code object is freed, and then another generation begins.
struct Way {
  static constexpr int kMostSteps = 15;
  uint64_t generation = 0;
  int32_t n = 0;
  uint32_t found = 0;  ///< kPassBy: it leads on
  Step steps[kMostSteps];
};
std::atomic<uint64_t> generation{1};

/// Of one thread.
struct Ways {
  static constexpr int kBits = 5;
  Way ways[1 << kBits];
  Way& from(const char* frame, uint64_t place) {
    const uint64_t key = place ^ reinterpret_cast<uintptr_t>(frame);
    return ways[key * 0x9E3779B97F4A7C15u >> (64 - kBits)];
  }
};
struct ThreadFrames {
  /// The thread that started to follow the interpreter keeps its thread state until it stops: one
  /// load instead of three calls for most programs' only thread.
  const void* state = nullptr;
  int start = 0;        ///< which of the starts it belongs to
  bool closed = false;  ///< the thread is ending: no ways are kept
  Ways* ways = nullptr;
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
      thread_frames.ways = nullptr;
      thread_frames.closed = true;
    }
  };
  static thread_local Owner owner;
  thread_frames.ways = owner.ways.get();
}

// ---- finding the layout

bool published_layout(Layout& at) {
  // The start of what CPython 3.13 publishes: a text, its version, and lists of offsets.
  const char* runtime = static_cast<const char*>(dlsym(RTLD_DEFAULT, "_PyRuntime"));
  if (!runtime || std::memcmp(runtime, "xdebugpy", 8) != 0) return false;
  if (load<uint64_t>(runtime + 8) >> 16 != 0x030d) return false;
  const auto entry = [&](int i) { return static_cast<int>(load<uint64_t>(runtime + 8 * i)); };
  constexpr int kThread = 19, kFrame = 28, kCode = 34, kObject = 44;
  at.frame = entry(kThread + 4);
  at.previous = entry(kFrame + 1);
  at.code = entry(kFrame + 2);
  at.instruction = entry(kFrame + 3);
  at.owner = entry(kFrame + 5);
  at.bytecode = entry(kCode + 9);
  at.type = entry(kObject + 1);
  for (int offset :
       {at.frame, at.previous, at.code, at.instruction, at.owner, at.bytecode, at.type})
    if (offset < 0 || offset > 4096) return false;
  return true;
}

bool known_layout(int minor, Layout& at) {
  switch (minor) {
    case 9:
      at = {.frame = 24, .code = 32, .previous = 24, .instruction = 104, .index_scale = 1};
      return true;
    case 10:
      at = {.frame = 24, .code = 32, .previous = 24, .instruction = 96, .index_scale = 2};
      return true;
    case 11:
      at = {
          .frame = 56, .inner = 8, .code = 32, .previous = 48, .instruction = 56, .bytecode = 184};
      return true;
    case 12:
      at = {.frame = 56,
            .inner = 0,
            .code = 0,
            .previous = 8,
            .instruction = 56,
            .owner = 70,
            .bytecode = 192};
      return true;
    case 13:
      return published_layout(at);
    default:
      return false;
  }
}

/// Reads memory that may not exist: the system refuses to copy from there, the process lives on.
class CarefulReader {
 public:
  CarefulReader() {
    if (pipe(ends_) != 0) ends_[0] = ends_[1] = -1;
  }
  ~CarefulReader() {
    for (int end : ends_)
      if (end >= 0) close(end);
  }
  CarefulReader(const CarefulReader&) = delete;
  CarefulReader& operator=(const CarefulReader&) = delete;

  template <class T>
  bool read_at(const char* address, T* value) {
    return ends_[0] >= 0 && write(ends_[1], address, sizeof(T)) == ssize_t{sizeof(T)} &&
           read(ends_[0], value, sizeof(T)) == ssize_t{sizeof(T)};
  }

 private:
  int ends_[2];
};

/// Walks this thread's frames as python_location does, trusting nothing.
bool frames_are_as_expected(const Interpreter& p) {
  const Layout& at = p.layout;
  CarefulReader memory;
  const char* thread = static_cast<const char*>(p.thread_state());
  const char* frame = nullptr;
  if (!thread || !memory.read_at(thread + at.frame, &frame)) return false;
  if (at.inner >= 0 && !memory.read_at(frame + at.inner, &frame)) return false;
  int found = 0;
  for (int depth = 0; frame; ++depth) {
    if (depth > 100000) return false;
    char owner = 0;
    if (at.owner >= 0 && !memory.read_at(frame + at.owner, &owner)) return false;
    if (owner != kFrameOfTheInterpreter) {
      const char *code = nullptr, *type = nullptr;
      int64_t instruction = 0;
      if (!memory.read_at(frame + at.code, &code)) return false;
      if (!memory.read_at(code + at.type, &type) || type != p.code_type) return false;
      if (!memory.read_at(frame + at.instruction, &instruction)) return false;
      const int32_t offset = offset_in(at, frame, code);
      if (offset < -16 || offset > (1 << 28)) return false;
      ++found;
    }
    if (!memory.read_at(frame + at.previous, &frame)) return false;
  }
  return found > 0;
}

bool find_interpreter(Interpreter& p) {
  if (sizeof(void*) != 8) return false;
  const auto version = reinterpret_cast<const char* (*)()>(dlsym(RTLD_DEFAULT, "Py_GetVersion"));
  p.thread_state =
      reinterpret_cast<void* (*)()>(dlsym(RTLD_DEFAULT, "PyGILState_GetThisThreadState"));
  p.code_type = dlsym(RTLD_DEFAULT, "PyCode_Type");
  if (!version || !p.thread_state || !p.code_type) return false;
  int minor = 0;
  if (std::sscanf(version(), "3.%d.", &minor) != 1) return false;
  for (const char* other : {"PyPy", "GraalVM", "free-threading"})
    if (std::strstr(version(), other) && minor != 13) return false;
  return known_layout(minor, p.layout) && frames_are_as_expected(p);
}

}  // namespace

namespace {

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

/// Goes on from a frame, `n` steps from where the way begins, and keeps the rest of the way.
[[gnu::noinline]] Location go_on(const char* frame, Way* way, int n) noexcept {
  const Layout& at = python.layout;
  const uint64_t now = generation.load(std::memory_order_relaxed);
  Step steps[Way::kMostSteps];
  const int first = n;
  uint32_t found = 0;
  bool asked = false, leads_on = false;
  for (int depth = n; frame && depth < kMostFrames; ++depth) {
    leads_on = n == Way::kMostSteps;
    if (!leads_on) steps[n++] = {frame, place_in(at, frame)};
    found = look_at(at, frame, &asked);
    if (found != kPassBy) break;
    frame = load<const char*>(frame + at.previous);
  }
  if (found == kPassBy) found = 0;  // no frame is the user's
  uint32_t& known = call_location;
  if (known == NativeCall::kUnread && found) known = found;
  // What the interpreter has run in between may have taken the way.
  if (!found || asked || !way) return found;
  for (int i = first; i < n; ++i)
    if (!steps[i].place) return found;
  std::copy(steps + first, steps + n, way->steps + first);
  way->generation = now;
  way->n = n;
  way->found = leads_on ? kPassBy : found;
  return found;
}

/// From the innermost frame. A way is told by where it begins, and every step is compared: the
/// same function may have been called by another one, at the same place in memory.
template <bool indexed>
inline Location follow_way(const char* frame) noexcept {
  const Layout& at = python.layout;
  Ways* const ways = thread_frames.ways;
  if (!ways) [[unlikely]] {
    make_ways();
    return go_on(frame, nullptr, 0);
  }
  uint64_t place = place_in<indexed>(frame, at.instruction, at.code);
  Way& way = ways->from(frame, place);
  int i = 0;
  if (way.generation == generation.load(std::memory_order_relaxed)) [[likely]] {
    while (way.steps[i].frame == frame && way.steps[i].place == place) {
      if (++i == way.n) {
        if (way.found == kPassBy) [[unlikely]]
          return go_on(load<const char*>(frame + at.previous), nullptr, i);
        if (call_location == NativeCall::kUnread) call_location = way.found;
        return way.found;
      }
      frame = load<const char*>(frame + at.previous);
      if (!frame) [[unlikely]]
        break;
      place = place_in<indexed>(frame, at.instruction, at.code);
    }
  }
  return go_on(frame, &way, i);
}

[[gnu::noinline]] Location follow_indexed_way(const char* frame) noexcept {
  return follow_way<true>(frame);
}

}  // namespace

Location python_location() noexcept {
  const uint32_t known = call_location;
  if (known != NativeCall::kOutside && known != NativeCall::kUnread) return known;
  const Layout& at = python.layout;
  const ThreadFrames& mine = thread_frames;
  const char* thread = static_cast<const char*>(
      mine.start == starts.load(std::memory_order_relaxed) ? mine.state : python.thread_state());
  if (!thread) return 0;
  const char* frame = load<const char*>(thread + at.frame);
  if (at.inner >= 0) frame = load<const char*>(frame + at.inner);
  if (!frame) return 0;
  return at.index_scale ? follow_indexed_way(frame) : follow_way<false>(frame);
}

}  // namespace detail

bool follow_python(CodeResolver resolver) {
  using namespace detail;
  static std::mutex installing;
  std::lock_guard lock(installing);
  if (!resolver) {
    follows_python.store(false);
    detail::resolver.store(nullptr);
    starts.fetch_add(1);
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
  thread_frames.state = python.thread_state();
  thread_frames.start = starts.fetch_add(1) + 1;
  follows_python.store(true);
  return true;
}

void forget_code(const void* code) {
  using namespace detail;
  if (!code) return;
  std::lock_guard lock(mutex);
  generation.fetch_add(1, std::memory_order_release);
  for (std::atomic<uint64_t>& site : sites) site.store(0, std::memory_order_relaxed);
  for (Bucket& bucket : buckets)
    for (Slot& slot : bucket.slots)
      if (slot.code.load(std::memory_order_relaxed) == code)
        slot.code.store(kVacant, std::memory_order_release);
}

}  // namespace autograd
