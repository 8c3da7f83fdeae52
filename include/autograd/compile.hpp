// Compiled functions: a whole training step is captured as it runs, and then repeated natively.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "autograd/graph.hpp"
#include "autograd/tensor.hpp"

namespace autograd {

struct CompileOptions {
  int max_plans = 8;     ///< of one function: shapes of inputs, gradients there before or not
  int max_captures = 8;  ///< in a row that gave no plan, because each did something else
  bool passes = true;    ///< make the captured graph smaller and fuse its operations
  /// Throw where the function reads an element of a tensor; if not, end() throws.
  bool refuse_reads = true;
};

/// A function of tensors whose calls are captured until two are alike; from then on the calls of
/// its operations are repeated without it.
///
/// Everything the function does to tensors is captured: forward, backward, gradients, clipping,
/// steps of optimizers, random numbers. Parameters, buffers, gradients and states of optimizers
/// stay the tensors that they are. What the function does otherwise happens in captured calls only.
/// Each captured call is an ordinary one: it counts.
///
///     Compiled step;
///     std::vector<Tensor> results;
///     if (!step.run({x, y}, &results)) {
///       step.begin({x, y});
///       results = {train(x, y)};
///       step.end(results);
///     }
///
/// `Compiled(f)` does this for a function f. One thread at a time.
class Compiled {
 public:
  using Function = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;

  explicit Compiled(const CompileOptions& options = {});
  explicit Compiled(Function f, const CompileOptions& options = {});
  ~Compiled();
  Compiled(Compiled&&) noexcept;
  Compiled& operator=(Compiled&&) noexcept;

  /// The function's results, by a plan or by the function itself.
  std::vector<Tensor> operator()(const std::vector<Tensor>& inputs);

  /// Runs the plan that fits the inputs. False if there is none yet, or if this thread's calls are
  /// being captured: the function itself has to be called.
  bool run(const std::vector<Tensor>& inputs, std::vector<Tensor>* outputs);
  /// The same into an array: returns the number of results, -1 if there is no plan. Throws Error
  /// (value) if there is no room for them.
  int64_t run(const Tensor* inputs, int64_t n, Tensor* outputs, int64_t capacity);
  /// Starts to capture this thread's calls. False if another capture is going on already, of which
  /// the calls become a part. Throws Error (runtime) if there are too many plans or captures.
  bool begin(const std::vector<Tensor>& inputs);
  /// Ends the capture; outputs are the results. Throws Error (runtime) if the calls cannot be
  /// repeated, or differed from the last time until the limit of captures was reached.
  void end(const std::vector<Tensor>& outputs);
  /// Ends the capture without a result, after an exception.
  void cancel();
  /// True between begin() and end().
  bool capturing() const;

  /// Runs the plans over batches of rows (slices along dim 0) of the inputs: rows start to
  /// start + batch_size and so on, or those that `index` (int64, 1-d) names. The first result of
  /// each batch, of one element, goes to losses, if there are any. Returns the number of batches
  /// done: fewer than there are if no plan fits the next.
  int64_t run_batches(const std::vector<Tensor>& inputs, const Tensor& index, int64_t start,
                      int64_t rows, int64_t batch_size, bool drop_last, double* losses);

  /// The options of the optimizers' steps, in order of the calls of step(), as the numbers that
  /// their struct of options holds. They are those of the last captured call until they are set.
  void set_options(int64_t step, const double* numbers, int64_t n);
  int64_t num_options() const;

  /// Something has changed that the function may depend on besides its inputs: from now on a plan
  /// is used only after a captured call has done again what it does. Captured calls that have not
  /// led to a plan yet are forgotten, unless they are kept: where what has changed may change back,
  /// such as the mode of a module.
  void doubt(bool keep_captures = false);

  int64_t num_plans() const;
  int64_t num_captures() const;
  /// Forgets all plans and captures.
  void clear();
  /// Why no plan fits; "" if one does or if there is none.
  std::string misfit(const std::vector<Tensor>& inputs) const;
  /// Why the last captured call gave no plan: "" if it did or if it was the first.
  const std::string& difference() const;
  /// The graph of a plan: as it was captured, or as it runs. Parameters and buffers have the names
  /// that are given for them, states and gradients such as come from these, inputs those at their
  /// number in `inputs`, "" for none. Throws Error (index).
  Graph graph(int64_t plan, bool as_captured = false, const GraphNames& names = {},
              const std::vector<std::string>& inputs = {}) const;
  /// What was done to the graph of a plan, and how much memory it needs.
  std::string explain(int64_t plan) const;

  using Names = std::vector<std::pair<std::string, Tensor>>;
  /// Writes all plans to a file, with the tensors from outside as they are now: parameters,
  /// buffers, states of optimizers. Those in `names` are found again under their names. Throws
  /// Error (runtime) if there is no plan, or it has operations that are no part of the library.
  void save(const std::string& path, const Names& names = {}) const;
  /// Plans from a file, over new tensors, for predictions and for further training. Nothing in the
  /// file is trusted: throws Error (runtime) if it cannot be read, Error (value) if it is no file
  /// of plans, a damaged one, one that no captured calls could have given, or if the results of its
  /// operations take more than max_bytes.
  static Compiled load(const std::string& path, int64_t max_bytes = int64_t{1} << 32);
  using Labelled = std::pair<std::string, const Compiled*>;
  /// The same of several functions in one file, each under a label. Tensors that they share are
  /// shared when they are loaded. Throws Error (value) for none or for more than 1024.
  static void save_all(const std::string& path, const std::vector<Labelled>& functions,
                       const Names& names = {});
  /// All functions of a file; load() wants one that holds a single one.
  static std::vector<Compiled> load_all(const std::string& path,
                                        int64_t max_bytes = int64_t{1} << 32);
  /// What the function was saved under.
  const std::string& label() const;
  /// The tensors from outside that load() has made; "" for those without a name.
  const Names& tensors() const;
  /// The options of a step, as set_options takes them.
  const std::vector<double>& options(int64_t step) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// True while this thread's calls are captured: code that would only check its arguments by reading
/// elements can leave that out.
bool is_capturing();

/// For code that reads elements or gives an address away by ways of its own: a capture refuses it,
/// because it cannot be repeated. `what` names it.
void note_read(const Tensor& t, const char* what);

}  // namespace autograd
