#include "kernels/cpu/pause.hpp"

namespace autograd::cpu {

void (*in_pause)() = nullptr;

}  // namespace autograd::cpu
