// C functions of source locations.
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

int32_t ag_location_make(const char* file, int64_t line, const char* function) {
  return read<int32_t>(__func__, -1, [&](Arguments in) {
    return make_location(in.pointer(file, "file"), line, function ? function : "");
  });
}

int64_t ag_location_file(int32_t location, char* buffer, int64_t capacity) {
  return text(__func__, buffer, capacity,
              [&](Arguments) { return find_location(static_cast<uint32_t>(location)).file; });
}

int64_t ag_location_function(int32_t location, char* buffer, int64_t capacity) {
  return text(__func__, buffer, capacity,
              [&](Arguments) { return find_location(static_cast<uint32_t>(location)).function; });
}

int64_t ag_location_line(int32_t location) {
  return read<int64_t>(
      __func__, 0, [&](Arguments) { return find_location(static_cast<uint32_t>(location)).line; });
}

int32_t ag_location_here() {
  return read<int32_t>(__func__, 0, [](Arguments) { return current_location(); });
}

int32_t ag_location_set(int32_t location) {
  return static_cast<int32_t>(set_location(static_cast<uint32_t>(location)));
}

int32_t ag_location_follow_python(ag_code_resolver resolver) {
  return read<int32_t>(__func__, 0, [&](Arguments) { return follow_python(resolver); });
}

void ag_location_forget_code(const void* code) { forget_code(code); }

int32_t ag_tensor_made_at(const ag_tensor* t) {
  return read<int32_t>(__func__, -1,
                       [&](Arguments in) { return made_at_number(in.tensor(t, "t")); });
}

int32_t ag_tensor_changed_at(const ag_tensor* t) {
  return read<int32_t>(__func__, -1,
                       [&](Arguments in) { return changed_at_number(in.tensor(t, "t")); });
}

int64_t ag_tensor_changed_by(const ag_tensor* t, char* buffer, int64_t capacity) {
  return text(__func__, buffer, capacity,
              [&](Arguments in) { return changed_by(in.tensor(t, "t")); });
}
