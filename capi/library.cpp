// C functions about the library as a whole: version, threads, grad mode, memory, the op registry.
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

int32_t ag_abi_version() { return AG_ABI_VERSION; }

const char* ag_version() { return AUTOGRAD_VERSION; }

void ag_set_interpreter_lock(ag_lock_release release, ag_lock_take take, ag_lock_thread holder,
                             ag_lock_thread self) {
  set_interpreter_lock({release, take, holder, self});
}

int32_t ag_follow_python_signals(ag_exception_keeper keep) { return follow_signals(keep); }

void ag_manual_seed(int64_t seed) {
  run(__func__, [&](Arguments) { manual_seed(seed); });
}

ag_status ag_random_state(int64_t* seed, int64_t* offset) {
  return run(__func__, [&](Arguments in) {
    in.pointer(seed, "seed");
    in.pointer(offset, "offset");
    const RandomState state = random_state();
    *seed = static_cast<int64_t>(state.seed);
    *offset = static_cast<int64_t>(state.offset);
  });
}

void ag_set_random_state(int64_t seed, int64_t offset) {
  run(__func__, [&](Arguments) {
    set_random_state({static_cast<uint64_t>(seed), static_cast<uint64_t>(offset)});
  });
}

void ag_begin_random_stream(int64_t seed, int64_t offset) {
  begin_random_stream({static_cast<uint64_t>(seed), static_cast<uint64_t>(offset)});
}

ag_status ag_end_random_stream(int64_t* offset) {
  return run(__func__, [&](Arguments in) {
    in.pointer(offset, "offset");
    *offset = static_cast<int64_t>(end_random_stream().offset);
  });
}

int32_t ag_num_threads() {
  return read<int32_t>(__func__, 1, [](Arguments) { return num_threads(); });
}

ag_status ag_set_num_threads(int32_t n) {
  return run(__func__, [&](Arguments) { set_num_threads(n); });
}

ag_status ag_set_default_dtype(ag_dtype dtype) {
  return run(__func__, [&](Arguments in) { set_default_dtype(in.dtype(dtype)); });
}

int32_t ag_promote_types(ag_dtype a, ag_dtype b) {
  return read<int32_t>(__func__, -1,
                       [&](Arguments in) { return promote(in.dtype(a), in.dtype(b)); });
}

int32_t ag_result_type(const ag_tensor* a, const ag_tensor* b) {
  return read<int32_t>(__func__, -1, [&](Arguments in) {
    return result_type(*in.tensor(a, "a"), *in.tensor(b, "b"));
  });
}

int32_t ag_grad_enabled() { return grad_enabled(); }

int32_t ag_set_grad_enabled(int32_t enabled) { return set_grad_enabled(enabled != 0); }

int64_t ag_memory_reserved() { return memory_reserved(); }

int64_t ag_memory_allocated() { return memory_allocated(); }

void ag_memory_release() {
  run(__func__, [](Arguments) { memory_release(); });
}

int64_t ag_op_names(char* buffer, int64_t capacity) {
  return text(__func__, buffer, capacity, [](Arguments) {
    std::string names;
    for (const std::string& name : op_names()) names += names.empty() ? name : "\n" + name;
    return names;
  });
}

int64_t ag_op_doc(const char* name, char* buffer, int64_t capacity) {
  return text(__func__, buffer, capacity,
              [&](Arguments in) { return op_doc(in.pointer(name, "name")); });
}
