// The loop over tiles. It is the same for every instruction set: the steps are kernels that were
// chosen when the program was made.
#include "kernels/cpu/fused.hpp"

#include <algorithm>
#include <cstring>

namespace autograd::cpu {
namespace {

/// Bytes of a register in scratch: a tile of the widest elements.
int64_t slot_bytes(const FusedProgram& program) {
  return (program.tile * static_cast<int64_t>(sizeof(double)) + 63) / 64 * 64;
}

int64_t item(DType dtype) { return static_cast<int64_t>(size_of(dtype)); }

/// Copies the elements [begin, begin + n) of an argument of any layout to `to`.
void gather(const FusedProgram& program, int k, void* argument, void* to, int64_t begin,
            int64_t n) {
  const FusedRegister& r = program.reg[k];
  int64_t strides[kMaxFusedDims];
  int64_t dense = 1;
  for (int d = program.dims - 1; d >= 0; --d) {
    strides[d] = dense;
    dense *= program.sizes[d];
  }
  // The loop numbers the elements from the start of the space, `to` is where number `begin` goes.
  char* const origin = static_cast<char*>(to) - begin * item(r.dtype);
  const Operand operands[2] = {{origin, r.dtype, r.dtype, strides},
                               {argument, r.stored, r.dtype, program.strides[k]}};
  pointwise_loop(pointwise_kernel(PointwiseOp::k_copy, r.dtype), nullptr, operands, 1,
                 program.sizes, program.dims, begin, begin + n);
}

/// Fills n elements with the one at `from`.
void fill(const FusedRegister& r, const void* from, void* to, int64_t n) {
  if (r.stored == r.dtype && r.dtype == DType::kFloat32)
    std::fill_n(static_cast<float*>(to), n, *static_cast<const float*>(from));
  else
    convert(from, r.stored, 0, to, r.dtype, 1, n);
}

/// Repeats the r.period contiguous elements at `from` until there are n.
void repeat(const FusedRegister& r, const void* from, void* to, int64_t n) {
  char* const out = static_cast<char*>(to);
  const int64_t first = std::min(r.period, n);
  convert(from, r.stored, 1, to, r.dtype, 1, first);
  for (int64_t done = first; done < n;) {
    const int64_t part = std::min(done, n - done);
    std::memcpy(out + done * item(r.dtype), out, static_cast<size_t>(part * item(r.dtype)));
    done += part;
  }
}

class Run {
 public:
  Run(const FusedProgram& program, void* const* arguments, void* workspace)
      : program_(program),
        arguments_(arguments),
        workspace_(static_cast<char*>(workspace)),
        slot_bytes_(slot_bytes(program)) {
    before_[0] = nullptr;
  }

  void operator()(int64_t begin, int64_t end) {
    prepare(begin, std::min(program_.tile, end - begin));
    for (int64_t i = begin, n; i < end; i += n) {
      n = std::min(program_.tile, end - i);
      if (program_.row) n = std::min(n, program_.row - i % program_.row);
      if (has_moving_) place(i, n);
      for (int s = 0; s < program_.steps; ++s) {
        const FusedStep& step = program_.step[s];
        const void* const in[3] = {at_[step.in[0]], at_[step.in[1]], at_[step.in[2]]};
        step.kernel(in, at_[step.out], n, step.params);
      }
      for (int s = 0; s < program_.sums; ++s) sum(program_.sum[s], i, n);
      if (i + n < end) advance(n);
    }
  }

 private:
  void* slot(const FusedRegister& r) const { return workspace_ + r.slot * slot_bytes_; }
  char* argument(const FusedRegister& r, int64_t i) const {
    return static_cast<char*>(arguments_[r.argument]) + i * item(r.stored);
  }

  void prepare(int64_t begin, int64_t n) {
    for (int k = 0; k < program_.registers; ++k) {
      const FusedRegister& r = program_.reg[k];
      if (r.place == FusedPlace::kMemory)
        at_[k] = argument(r, begin);
      else if (r.place == FusedPlace::kScratch)
        at_[k] = slot(r);
      else
        prepare_other(k, begin, n);
    }
  }

  [[gnu::noinline]] void prepare_other(int k, int64_t begin, int64_t n) {
    const FusedRegister& r = program_.reg[k];
    if (r.place == FusedPlace::kConstant) {
      at_[k] = const_cast<void*>(r.constant);
      return;
    }
    has_moving_ |= r.place != FusedPlace::kFilled;
    if (r.place == FusedPlace::kRow) return;
    at_[k] = slot(r);
    if (r.place == FusedPlace::kGathered) return;
    if (r.period == 1)
      fill(r, arguments_[r.argument], at_[k], n);
    else if (r.dense)
      repeat(r, arguments_[r.argument], at_[k], n);
    else
      gather(program_, k, arguments_[r.argument], at_[k], begin, n);
  }

  void place(int64_t i, int64_t n) {
    for (int k = 0; k < program_.registers; ++k) {
      const FusedRegister& r = program_.reg[k];
      if (r.place == FusedPlace::kRow) at_[k] = argument(r, i % r.period);
      if (r.place == FusedPlace::kGathered)
        gather(program_, k, arguments_[r.argument], at_[k], i, n);
    }
  }

  void advance(int64_t n) {
    for (int k = 0; k < program_.registers; ++k) {
      const FusedRegister& r = program_.reg[k];
      if (r.place == FusedPlace::kMemory) at_[k] = static_cast<char*>(at_[k]) + n * item(r.dtype);
    }
  }

  void sum(const FusedSum& s, int64_t i, int64_t n) const {
    const int64_t rows = n / s.n;
    const int64_t count = s.columns ? s.n : rows;
    char* const out =
        static_cast<char*>(arguments_[s.argument]) + (s.columns ? 0 : i / s.n * item(s.dtype));
    reduce(ReduceOp::kSum, s.dtype, at_[s.in], out, shape_of(s, n), nullptr);
    if (s.divisor == 1) return;
    for (int64_t k = 0; k < count; ++k) {
      if (s.dtype == DType::kFloat32)
        reinterpret_cast<float*>(out)[k] /= static_cast<float>(s.divisor);
      else
        reinterpret_cast<double*>(out)[k] /= s.divisor;
    }
  }

  const FusedProgram& program_;
  void* const* arguments_;
  char* workspace_;
  int64_t slot_bytes_;
  bool has_moving_ = false;
  // One entry before the first: an absent input, number -1, is at nullptr.
  void* before_[1 + kMaxFusedRegisters];
  void** const at_ = before_ + 1;
};

}  // namespace

int64_t fused_workspace(const FusedProgram& program) { return program.slots * slot_bytes(program); }

void run_fused(const FusedProgram& program, void* const* arguments, void* workspace, int64_t begin,
               int64_t end) {
  if (end > begin) Run(program, arguments, workspace)(begin, end);
}

}  // namespace autograd::cpu
