// Capture: the calls of a stretch of a program as a graph, while it runs as usual.
#pragma once
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/dispatch.hpp"
#include "graph/ir.hpp"

namespace autograd::detail {

/// Where a leaf of a captured graph comes from.
enum class Origin {
  kOutside,   ///< a tensor that was there before: parameters, buffers, states of an optimizer
  kInput,     ///< one of the tensors that the recorder was told of
  kOptions,   ///< numbers of an optimizer, which may be others in each step
  kGradient,  ///< the gradient that a tensor has before; its CapturedGrad says of which
  kInside     ///< made during the capture by no op: numbers in the code, zeros
};

struct CapturedLeaf {
  Origin origin = Origin::kOutside;
  int number = -1;  ///< of the input, of the optimizer's step, or in Capture::grads
  Tensor tensor;
  Tensor initial;               ///< a copy from before the first change, if the graph changes it
  bool is_overwritten = false;  ///< before anything reads it: what it holds does not matter
};

/// An input as it was when the capture began.
struct CapturedInput {
  Tensor tensor;
  bool requires_grad = false;
  bool is_leaf = true;
};

/// The gradient that a tensor from outside holds before and after.
struct CapturedGrad {
  enum class Start {
    kAny,   ///< replaced or removed before anything looks at it
    kNone,  ///< there must be none
    kSome   ///< it is read: value start_value
  };
  Tensor of;
  int input = -1;  ///< the number of the input, if it is one
  Start start = Start::kAny;
  int start_value = -1;
  bool is_set = false;  ///< whether it was set or removed at all
  int end_value = -1;   ///< -1: none
};

/// Why an output has no history, and from which leaves it comes.
struct CapturedCut {
  Cut kind = Cut::kNone;
  uint32_t at = 0;
  uint64_t leaves = 0;
};

/// A captured graph with the tensors behind its leaves: leaves[i] is that of values[i].
struct Capture {
  GraphData graph;
  std::vector<CapturedCut> cuts;  ///< by output
  std::vector<CapturedInput> inputs;
  std::vector<CapturedLeaf> leaves;
  std::vector<CapturedGrad> grads;
};

struct RecorderOptions {
  /// Throw where the program reads an element of a tensor that the graph depends on.
  bool refuses_reads = false;
};

/// Watches the door of this thread from start() to finish() and writes down what passes.
///
/// Tensors and storages are known by their ids, so that watching keeps no intermediate result
/// alive. A tensor is a place in a storage; a change in place gives its place a new value, and what
/// else shows that memory is taken anew at its next use. Values of one storage have the same number
/// in GraphValue::storage, and an op that changes a value in place comes behind all readers of the
/// old one.
class Recorder : public Observer {
 public:
  explicit Recorder(const std::vector<Tensor>& inputs, const RecorderOptions& options = {});
  ~Recorder() override;
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  /// Starts, or goes on, to watch this thread.
  void start();
  /// Stops watching; what was seen stays.
  void stop();
  bool is_watching() const { return watching_; }
  /// The graph, which computes `outputs`; the recorder is empty afterwards. Stops watching.
  Capture finish(const std::vector<Tensor>& outputs);

  /// Why the calls so far cannot be repeated from the graph alone; "" if they can.
  const std::string& obstacle() const { return obstacle_; }
  /// True if a backward pass within the capture ran the node's gradient rule.
  bool visited(const Node* node) const { return visited_.count(node) != 0; }

  void on_call(const Call& call) override;
  void before_in_place(const Call& call) override;
  void on_grad_read(TensorBody& of) override;
  void on_grad_set(TensorBody& of) override;
  void on_read(const TensorBody& t, const char* what) override;
  void on_options(const TensorBody& numbers) override;

 protected:
  /// For subclasses that know more of an op: its module, its line, the values it saves.
  virtual void describe(const Call& /*call*/, GraphOp& /*op*/) {}

 private:
  /// A tensor seen as a part of a storage.
  struct Place {
    int storage = -1;
    const char* data = nullptr;  ///< of the first element
    int value = -1;              ///< the one it holds now
    int source = -1;             ///< the place it is a view of
    int view_op = -1;            ///< the op that took the view
    bool stale = false;          ///< its memory was changed through another place
  };

  int known_place(const TensorBody& b);
  int place_of(TensorBody& b);
  int add_leaf(TensorBody& b);
  int value_of(TensorBody& b);
  int refreshed(int place);
  int add_value(const TensorBody& b, int op, int storage);
  int add_storage();
  void make_stale(int storage, int except);
  int retake(int place);
  CapturedGrad& grad_of(TensorBody& b, bool reads);
  void number_leaves_first(GraphData& graph, Capture& capture) const;
  Phase phase_of(const Op& op) const;

  RecorderOptions options_;
  std::vector<CapturedInput> inputs_;
  std::string obstacle_;
  bool watching_ = false;
  uint64_t first_id_ = 0;  ///< tensors made since have this id or a higher one
  int n_options_ = 0;

  GraphData graph_;                               ///< values in order of discovery
  std::unordered_map<int, CapturedLeaf> leaves_;  ///< by value
  std::unordered_map<uint64_t, int> place_by_id_;
  std::vector<Place> places_;
  std::vector<std::vector<int>> places_in_;     ///< by storage
  std::vector<char> changed_;                   ///< by storage: something was changed in place
  std::vector<char> made_;                      ///< by storage: an op made it
  std::unordered_map<uint64_t, int> storages_;  ///< by id
  std::unordered_map<const Node*, int> op_by_node_;
  std::unordered_set<const Node*> visited_;
  std::vector<CapturedGrad> grads_;
  std::vector<uint64_t> grad_ids_;  ///< of the tensors in grads_
};

/// The part of a value that another one of the same storage has changed: an op of captured graphs
/// only. Input 0 is the old value, input 1 what changed it.
extern const Op kChangedOp;

/// In what two captures of one function differ.
struct Difference {
  std::string text;  ///< "": they do the same with the same tensors
  /// Only a number, an argument of an op or the elements of a constant: what a later call would
  /// have again if the function depended on its inputs alone.
  bool in_numbers = false;
};
Difference difference(const Capture& a, const Capture& b);
/// True if both were given inputs of the same kind.
bool same_inputs(const Capture& a, const Capture& b);

}  // namespace autograd::detail
