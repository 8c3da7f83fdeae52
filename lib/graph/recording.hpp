// What a thread does, noted call by call in a compact log, and turned into a graph afterwards.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "autograd/graph.hpp"
#include "core/dispatch.hpp"
#include "graph/ir.hpp"

namespace autograd::detail {

/// A tensor as it was at one moment.
struct LoggedTensor {
  uint64_t id = 0, storage = 0, data = 0, number = 0;
  DType dtype = DType::kFloat32;
  bool needs_grad = false, is_number = false, is_absent = false;
  Shape sizes, strides;
};
/// A tensor and its gradient, which is absent if there is none.
struct LoggedNote {
  LoggedTensor tensor, grad;
};

/// Calls, and what tensors are in between, as words, one after the other, in blocks that never
/// move. No tensor is kept. A training step of a small network takes a few kilobytes.
class CallLog {
 public:
  /// Keeps blocks of the usual size for the recordings to come.
  struct Release {
    bool is_usual = false;
    void operator()(uint64_t* words) const;
  };
  struct Block {
    std::unique_ptr<uint64_t[], Release> words;
    size_t used = 0, capacity = 0;
  };
  using Blocks = std::vector<std::shared_ptr<const Block>>;

  CallLog();
  CallLog(const CallLog&) = delete;
  CallLog& operator=(const CallLog&) = delete;
  /// Appends a call.
  void add(const Call& call, uint64_t time, int32_t scope);
  /// Appends what a tensor and its gradient are now. Throws Error (value) for none.
  void note(const Tensor& t);
  int64_t n_notes() const { return n_notes_; }
  /// All that was written; what follows is written elsewhere.
  Blocks written();
  bool is_empty() const { return blocks_.empty(); }

 private:
  void end_block();
  void make_room(size_t n);
  uint64_t* write_tensor(uint64_t* at, TensorBody* b);
  uint64_t* write_options(uint64_t* at, const TensorBody& b);

  std::vector<std::shared_ptr<Block>> blocks_;
  uint64_t *at_ = nullptr, *end_ = nullptr;  ///< of the last block
  uint64_t* near_end_ = nullptr;             ///< before this there is room for a usual call
  uint64_t options_ = 0;  ///< the tensor that the last step of an optimizer had its options from
  int64_t n_notes_ = 0;
  const uint32_t number_;  ///< what tensors are marked with that were described
};

/// What calls are timed by: the processor's own counter where there is one, a third of the price of
/// the clock.
inline uint64_t ticks() {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#else
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
#endif
}

/// What was recorded and has ended. Graphs that nobody has looked at yet are made of it.
struct CallRecord {
  CallLog::Blocks calls;
  std::vector<uint64_t> read;  ///< tensors whose elements the program looked at
  uint64_t began_ticks = 0;
  double seconds_per_tick = 0;
  bool timed = false;  ///< the graph shows the time of each call at once
};

/// Notes every call of its thread while it is open. It keeps no tensor: what runs is the same, in
/// the same memory, whether it watches or not.
class CallRecorder : public Observer {
 public:
  /// Starts to watch the calling thread; `timed`: the graph shows the time of each call at once.
  explicit CallRecorder(bool timed);
  /// Stops to watch. Recorders may end in any order, each in its own thread.
  void close();
  bool is_open() const { return open_; }
  bool is_own_thread() const;

  /// The time until now does not count if there was no call yet.
  void begin_anew();
  void on_call(const Call& call) override;
  void on_read(const TensorBody& t, const char* what) override;
  /// Set from another thread that gives the recorder up: it ends and deletes itself at its next
  /// call.
  std::atomic<bool> abandoned{false};
  /// Where the module that calls belong to is marked.
  const std::shared_ptr<ScopeMarks> marks = std::make_shared<ScopeMarks>();
  /// Name and type of those modules, as far as they are known.
  std::vector<std::pair<std::string, std::string>> names;

  /// Notes a tensor that a name may be given to later; also when it is closed.
  void note(const Tensor& t) { log_.note(t); }
  int64_t n_notes() const { return log_.n_notes(); }
  /// Once it is closed: what makes a graph of what was recorded. The noted tensors are looked for
  /// as inputs, outputs and gradients.
  std::function<GraphData()> graph(std::vector<NotedName> given);

 private:
  const bool timed_;
  bool open_ = true;
  const void* thread_;
  int64_t began_ = 0;            ///< nanoseconds
  uint64_t began_ticks_ = 0;     ///< the same of the clock that calls are timed by
  double seconds_per_tick_ = 0;  ///< when it is closed
  CallLog log_;
  std::vector<uint64_t> read_;
};

/// One call, read back from a log.
struct LoggedCall {
  const Op* op = nullptr;
  const void* node = nullptr;      ///< that recorded it for the gradient, or nullptr
  const void* visiting = nullptr;  ///< whose gradient rule made it, or nullptr
  const Op* visiting_op = nullptr;
  uint64_t saved = 0;  ///< bits: inputs, then outputs that the node keeps
  uint64_t time = 0;   ///< in ticks
  int32_t scope = 0;
  uint32_t location = 0;
  bool in_backward = false, in_place = false;
  Attrs attrs;
  uint64_t options = 0;  ///< of an optimizer's step: the tensor that holds its options, else 0
  std::vector<double> option_numbers;  ///< what it holds, for the first of its steps
  std::vector<LoggedTensor> inputs, outputs;
};

struct Words;
/// Reads the calls of a log in order.
class CallReader {
 public:
  explicit CallReader(const CallLog::Blocks& blocks) : blocks_(blocks) {}
  /// False at the end.
  bool next(LoggedCall& call);
  /// Those before and between the calls that were read.
  const std::vector<LoggedNote>& notes() const { return notes_; }

 private:
  LoggedTensor read_tensor(Words& from);
  void read_options(Words& from, LoggedCall& call);

  const CallLog::Blocks& blocks_;
  size_t block_ = 0, at_ = 0;
  uint64_t options_ = 0;
  std::vector<LoggedNote> notes_;
  std::unordered_map<uint64_t, LoggedTensor> known_;  ///< by id
};

}  // namespace autograd::detail
