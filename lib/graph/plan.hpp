// Plan: a captured graph laid out in memory, ready to be run again and again.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/interpreter_lock.hpp"
#include "graph/capture.hpp"
#include "ops/direct.hpp"

namespace autograd::detail {

/// Runs a captured graph with other inputs: no shape rule, no allocation of intermediates, no
/// recording; only the kernels that the door would have called, in the same order.
///
/// Tensors from outside are used where they are: parameters, buffers and states change in place and
/// may be changed by others between two runs. Options of optimizers are numbers of the plan.
/// Results are new tensors. Intermediates share one block of memory by their lifetimes.
class Plan {
 public:
  /// `graph` is the capture's, or what passes made of it: its leaves are the capture's in the same
  /// order, and its outputs are those of outputs_for_passes().
  Plan(Capture capture, GraphData graph);
  ~Plan();
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  /// True if the inputs, and the tensors from outside as they are now, are such as were captured.
  bool fits(const Tensor* inputs, int n) const;
  /// What does not fit, in words; "" if everything does.
  std::string misfit(const Tensor* inputs, int n) const;
  /// Runs everything; `fits` must hold. outputs[n_outputs()] get the results. Throws what kernels
  /// throw, such as an index out of range; then the results are undefined.
  void run(const Tensor* inputs, Tensor* outputs);
  /// The same where only the first result is wanted, a number; the others are not handed out.
  double run_for_number(const Tensor* inputs);
  /// True if the next run finds everything but its inputs where the last one left it, as long as
  /// nobody else does anything.
  bool is_steady() const { return is_steady_; }
  /// run_for_number when nothing has happened since the last one, after which is_steady() held, but
  /// to the values of the inputs and options.
  double repeat_for_number(const Tensor* inputs);
  /// True if the first result has one element.
  bool gives_number() const;

  int n_inputs() const { return static_cast<int>(inputs_.size()); }
  int n_outputs() const { return static_cast<int>(results_.size()); }
  /// How many steps of optimizers with options of their own there are.
  int n_options() const { return static_cast<int>(options_.size()); }
  /// Sets the options of one of them; a wrong count is an Error (value).
  void set_options(int step, const double* numbers, int n);
  const GraphData& captured() const { return capture_.graph; }
  const GraphData& graph() const { return graph_; }
  const Capture& capture() const { return capture_; }
  int64_t arena_bytes() const { return arena_bytes_; }
  /// Elements of all values: about the work of a run.
  int64_t elements() const { return elements_; }

 private:
  /// Memory of the values of one storage.
  struct Memory {
    enum Kind { kArena, kOutside, kInput, kGradient, kOwn, kResult } kind = kArena;
    int number = -1;  ///< of the input or in Capture::grads; of the grad that gets a result
    Storage* storage = nullptr;
    int64_t bytes = 0;          ///< of what an op makes
    int first = -1, last = -1;  ///< ops that write it first and read it last
    int64_t offset = 0;         ///< in the arena
    std::vector<std::pair<TensorBody*, int64_t>> bodies;  ///< with their offset in bytes
    int changes = 0;                                      ///< in-place changes in a run
    /// The last of them that the function makes, unless that is an optimizer's, which marks itself.
    const GraphOp* last_change = nullptr;
    bool is_gradient = false;  ///< kResult: somebody's gradient at the end
    Tensor held;               ///< kResult: of this run
  };
  struct Instruction {
    void (*forward)(const Call&);
    Call call;
    bool overlaps = false;    ///< an argument shows the changed memory in another way
    int first = 0, last = 0;  ///< the direct calls that it comes down to, if any
    Location at = 0;          ///< the line of the function that the op is of, if it is known
  };
  struct Expected {
    DType dtype;
    bool requires_grad;
    bool sets_requires_grad;  ///< what the captured call left behind
    Shape sizes, strides;
    bool is_used;
  };
  struct Result {
    int value = -1;
    int input = -1;  ///< the result is this input itself
    CapturedCut cut;
  };
  struct Reset {
    char* to;
    std::vector<char> bytes;
  };

  void describe_inputs();
  void find_memories();
  void keep_outside(int leaf);
  void own(int leaf);
  void own_number(int leaf);
  void find_lifetimes();
  void lay_out();
  void make_bodies();
  void find_changes();
  TensorBody* make_body(int value, char* data, int64_t offset);
  TensorBody* view_body(const GraphOp& op, int output);
  void make_instructions();
  void execute(const Tensor* inputs, Tensor* outputs);
  void run_instructions();
  double first_number(const Tensor* inputs) const;
  void bind(const Tensor* inputs, bool hands_out);
  void bind_inputs(const Tensor* inputs);
  void bind(Memory& memory, char* base);
  void bind_result(Memory& memory, bool hands_out);
  void finish(const Tensor* inputs, Tensor* outputs);
  void count_changes(const Tensor* inputs);
  bool leaves_all_in_place() const;
  Tensor result_of(const Result& result, const Tensor* inputs) const;
  Tensor made_in_run(Tensor t, const Result& result) const;
  Memory& memory_of(int value) {
    return memories_[static_cast<size_t>(graph_.values[static_cast<size_t>(value)].storage)];
  }
  const Memory& memory_of(int value) const { return const_cast<Plan*>(this)->memory_of(value); }

  Capture capture_;
  GraphData graph_;
  std::vector<int> grad_ends_;  ///< values, by number in Capture::grads
  std::vector<Expected> inputs_;
  std::vector<Result> results_;
  std::vector<Memory> memories_;          ///< by storage
  std::vector<int> dynamic_;              ///< storages whose address is another in each run
  std::vector<int> changed_;              ///< storages that are changed in place and seen outside
  std::vector<Tensor> owned_;             ///< keeps the bodies
  std::vector<TensorBody*> bodies_;       ///< by value
  std::vector<bool> outside_needs_grad_;  ///< by leaf
  std::vector<TensorBody*> options_;
  std::vector<Reset> resets_;
  std::vector<Arg> args_;
  std::vector<Tensor> outs_;
  std::vector<Instruction> instructions_;
  DirectCalls direct_;
  Tensor arena_;
  int64_t arena_bytes_ = 0;
  int64_t elements_ = 0;
  bool is_steady_ = false;
  GiveUp lock_ = GiveUp::kNever;  ///< of an interpreter, during a run
};

/// The values that a pass must keep, in the order that Plan expects as outputs of the graph: the
/// results, then the gradients that are there at the end (-1 where there is none).
std::vector<int> outputs_for_passes(const Capture& capture);

}  // namespace autograd::detail
