// Calls of small ops over memory that stays where it is: what is left of a call once its shapes,
// layouts and dtypes have been looked at and kernels been chosen.
#pragma once
#include <memory>
#include <variant>
#include <vector>

#include "core/op.hpp"
#include "kernels/cpu/gemm.hpp"
#include "kernels/cpu/pointwise.hpp"
#include "kernels/cpu/reduce.hpp"

namespace autograd::detail {

struct FusedOp;

/// A list of kernel calls. Tensors are borrowed: they have to live as long as the list.
class DirectCalls {
 public:
  /// Appends what a call comes down to: products, pointwise ops and fused ops of floats, small
  /// enough for one tile and one thread, on contiguous memory. False, and nothing is appended, for
  /// all others. Whatever it is, it computes the same bits as the op's own forward.
  bool add(const Call& call);
  int size() const { return static_cast<int>(calls_.size()); }
  /// Reads where the tensors are; after the last add(), and again when one may have moved.
  void bind();
  /// Makes the calls [begin, end).
  void run(int begin, int end) const;

 private:
  /// in[k] may be nullptr.
  struct Pointwise {
    cpu::PointwiseKernel kernel;
    const void* in[3];
    void* out;
    int64_t n;
    double params[3];
  };
  struct Sum {
    DType dtype;
    const void* in;
    void* out;
    cpu::ReduceShape shape;
  };
  using One = std::variant<Pointwise, cpu::GemmCall, Sum>;

  /// Where an argument is: in a tensor, in scratch memory, or in the op for ever.
  struct Place {
    const TensorBody* body = nullptr;
    int64_t scratch = -1;  ///< an offset
    const void* constant = nullptr;
  };
  /// The argument `number` of a call.
  struct Use {
    int call, number;
    Place place;
  };

  bool add_fused(const FusedOp& op, const Call& call);
  std::shared_ptr<const Op> as_fused(const Call& call) const;
  void use(int number, const Place& place) { uses_.push_back({size() - 1, number, place}); }
  const void** argument(const Use& use);
  void settle();

  std::vector<One> calls_;
  std::vector<Use> uses_;  ///< until the first bind()
  struct Bound {
    const void** argument;
    const TensorBody* body;
  };
  std::vector<Bound> bound_;
  std::vector<std::shared_ptr<const Op>> ops_;  ///< made for calls that are not fused
  int64_t scratch_bytes_ = 0;
  Tensor scratch_;
};

}  // namespace autograd::detail
