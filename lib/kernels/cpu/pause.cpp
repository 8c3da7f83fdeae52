#include "kernels/cpu/pause.hpp"

namespace autograd::cpu {

void (*in_pause)() = nullptr;

#if defined(__ELF__)
thread_local constinit int64_t work_to_pause __attribute__((tls_model("initial-exec"))) = kPart;
#else
thread_local constinit int64_t work_to_pause = kPart;
#endif

}  // namespace autograd::cpu
