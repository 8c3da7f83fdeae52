// Several pointwise ops as one loop: every step runs over a tile that stays in the nearest cache
// before the next tile begins, so that what lies between the steps never reaches memory.
#pragma once
#include <cstdint>

#include "kernels/cpu/pointwise.hpp"
#include "kernels/cpu/reduce.hpp"

namespace autograd::cpu {

inline constexpr int kMaxFusedRegisters = 48;
inline constexpr int kMaxFusedSteps = 40;
inline constexpr int kMaxFusedDims = 12;
/// Elements of a tile, if nothing else asks for more; and the most that a row may ask for.
inline constexpr int64_t kFusedTile = 1024;
inline constexpr int64_t kMaxFusedTile = 8192;

/// Where the elements of a register are while a tile is worked on.
enum class FusedPlace : uint8_t {
  kMemory,    ///< in an argument that lies as the tiles do: row-major, of the register's dtype
  kRow,       ///< in an argument that repeats itself every `period` elements; no tile crosses a
              ///< repeat
  kConstant,  ///< in the program: a tile full of one number
  kFilled,    ///< in scratch, written before the first tile: an argument that repeats within a tile
  kGathered,  ///< in scratch, written for each tile from an argument of any layout
  kScratch    ///< in scratch, written by a step
};

struct FusedRegister {
  FusedPlace place = FusedPlace::kScratch;
  DType dtype = DType::kFloat32;   ///< of the elements the steps see
  DType stored = DType::kFloat32;  ///< of the argument in memory
  int16_t argument = -1;           ///< index into the array of argument pointers
  int16_t slot = -1;               ///< of scratch
  bool dense = false;              ///< kFilled: a period of the argument is one contiguous run
  int64_t period = 0;              ///< kRow, kFilled: elements after which the argument repeats
  const void* constant = nullptr;  ///< kConstant: at least `tile` elements
};

/// registers[out] = kernel(registers[in...]); in -1 is an absent input.
struct FusedStep {
  PointwiseKernel kernel;
  int16_t in[3] = {-1, -1, -1};
  int16_t out = -1;
  double params[3] = {0, 0, 0};
};

/// The end of a program: the sums of a register's rows of `n` elements (or of its columns), each
/// divided by `divisor` if that is not 1. Whole groups lie in each tile, so that the sums are those
/// of `reduce`, bit for bit.
struct FusedSum {
  int16_t in = -1;
  int16_t argument = -1;  ///< the output, contiguous
  DType dtype = DType::kFloat32;
  bool columns = false;  ///< the sums of the columns of [rows, n]; then one tile holds everything
  int64_t n = 1;
  double divisor = 1;
};

/// A program over the index space `sizes`. Arguments are numbered by the caller; those that are
/// outputs are registers of place kMemory or sums. No output overlaps another argument.
struct FusedProgram {
  int registers = 0, steps = 0, sums = 0, dims = 0, slots = 0;
  int64_t sizes[kMaxFusedDims] = {};
  int64_t numel = 0;
  int64_t tile = kFusedTile;  ///< elements; a multiple of every kFilled period and summed row
  int64_t row = 0;            ///< the period of the kRow registers, which tiles do not cross; or 0
  int64_t unit = 1;           ///< a run begins and ends at a multiple of this, or at the end
  FusedRegister reg[kMaxFusedRegisters];
  FusedStep step[kMaxFusedSteps];
  FusedSum sum[4];
  /// Of the arguments of kFilled and kGathered registers, in elements; apart, because few runs look
  /// at them.
  int64_t strides[kMaxFusedRegisters][kMaxFusedDims] = {};
};

/// How `reduce` sees a sum over a run of n elements.
inline ReduceShape shape_of(const FusedSum& sum, int64_t n) {
  const int64_t rows = n / sum.n;
  return sum.columns ? ReduceShape{1, rows, sum.n, n, sum.n}
                     : ReduceShape{rows, sum.n, 1, sum.n, 1};
}

/// Bytes of scratch memory, 64-byte aligned, that a run needs.
int64_t fused_workspace(const FusedProgram& program);

/// Runs the elements [begin, end) of the index space; both are multiples of program.unit, or end is
/// numel.
void run_fused(const FusedProgram& program, void* const* arguments, void* workspace, int64_t begin,
               int64_t end);

}  // namespace autograd::cpu
