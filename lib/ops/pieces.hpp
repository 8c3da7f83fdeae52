// Ops that work piece by piece, and ops made of such a one with pointwise steps before and behind
// it, which meet each piece while it is in the cache.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/op.hpp"
#include "ops/fused.hpp"

namespace autograd::detail {

/// What is done around the pieces of a call. Pieces are runs of elements in row-major order; each
/// element belongs to one, and several threads may work on different ones. Either may be absent.
struct Pieces {
  /// Writes the elements of input 0 that are to be read next.
  void (*before)(void* context, int64_t begin, int64_t end) = nullptr;
  /// Reads elements of output 0, which the op does not touch any more.
  void (*after)(void* context, int64_t begin, int64_t end) = nullptr;
  void* context = nullptr;

  void begin_piece(int64_t begin, int64_t end) const {
    if (before) before(context, begin, end);
  }
  void end_piece(int64_t begin, int64_t end) const {
    if (after) after(context, begin, end);
  }
};

/// An op whose kernel can also run with something around its pieces.
struct PiecewiseOp {
  const Op* op;
  void (*forward)(const Call& call, const Pieces& pieces);
  /// Pieces begin and end at multiples of this; `sizes` are those of what is cut up: output 0, and
  /// input 0 if that can be written piece by piece.
  int64_t (*unit)(const Attrs& attrs, const Shape& sizes);
  bool takes_before = false;
};

// Beside the records.
std::span<const PiecewiseOp> conv_pieces();
std::span<const PiecewiseOp> normalize_pieces();
std::span<const PiecewiseOp> channel_norm_pieces();
std::span<const PiecewiseOp> group_norm_pieces();

/// nullptr if the op does not work in pieces.
const PiecewiseOp* find_piecewise(const Op& op);

/// Elements that a piece should have about: its arguments fit in the nearest cache.
inline constexpr int64_t kPiece = 4096;

/// A fused op without a product, and which of the whole op's arguments are its own: inputs count
/// from 0, outputs behind them.
struct PieceSteps {
  std::shared_ptr<const Op> op;
  std::vector<int> arguments;
};

/// An op of steps, an op that works in pieces, and more steps.
struct PiecesParts {
  const PiecewiseOp* middle = nullptr;
  Attrs attrs;
  std::vector<int> inputs, outputs;      ///< of the middle, as whole arguments; -1: absent
  PieceSteps before, after;              ///< either may have no op
  std::vector<FusedArgument> arguments;  ///< the whole op's inputs
  std::vector<OutputMeta> results;       ///< its outputs
};

/// True for a fused op of steps, and maybe sums, without a product.
bool is_steps(const Op& op);
/// Of such an op: the index space; true if it can run piece by piece where pieces are multiples of
/// `unit`; true if output k is a sum, which is whole only at the end.
Shape space_of(const Op& fused);
bool runs_in_pieces(const Op& fused, int64_t unit);
bool is_sum_of(const Op& fused, int k);
/// An output of a fused op that may lie where its input does, -1 if there is none: whatever reads
/// the input does so before the output's element is written.
int output_over_input(const Op& fused, int input);

/// The op; it computes bit for bit what its parts compute one after the other.
std::shared_ptr<const Op> make_pieces_op(PiecesParts parts);

}  // namespace autograd::detail
