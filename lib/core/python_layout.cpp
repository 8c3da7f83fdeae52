// The layout of frames, from what is known or published, and the one walk that trusts neither.
#include "core/python_layout.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <initializer_list>

namespace autograd::detail {

namespace {

bool published_layout(PythonLayout& at) {
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

const PythonLayout* known_layout(int minor) {
  switch (minor) {
    case 9:
      return &kPython39;
    case 10:
      return &kPython310;
    case 11:
      return &kPython311;
    case 12:
      return &kPython312;
    default:
      return nullptr;
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
    return ends_[0] >= 0 && ::write(ends_[1], address, sizeof(T)) == ssize_t{sizeof(T)} &&
           ::read(ends_[0], value, sizeof(T)) == ssize_t{sizeof(T)};
  }

 private:
  int ends_[2];
};

/// Walks this thread's frames as locate_in_python does, trusting nothing.
bool frames_are_as_expected(const PythonInterpreter& p) {
  const PythonLayout& at = p.layout;
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

}  // namespace

bool find_interpreter(PythonInterpreter& p) {
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
  p.known = known_layout(minor);
  if (p.known)
    p.layout = *p.known;
  else if (minor == 13 && published_layout(p.layout))
    p.layout = with_link(p.layout);
  return p.layout.link >= 0 && frames_are_as_expected(p);
}

}  // namespace autograd::detail
