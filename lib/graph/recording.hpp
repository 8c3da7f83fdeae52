// What a thread does, noted call by call in a compact log, and turned into a graph afterwards.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "autograd/graph.hpp"
#include "core/dispatch.hpp"
#include "graph/ir.hpp"

namespace autograd::detail {

/// A name for a tensor, and what it is if that cannot be seen from the tensor.
struct GivenName {
  std::string name;
  Tensor tensor;
  bool is_buffer = false;
};

struct CallLog {
  std::vector<uint64_t> words;  ///< more than are in use
  size_t size = 0;
  /// Where n further words may be written.
  uint64_t* room(size_t n);
};

/// Notes every call of its thread while it is open. It keeps no tensor: what runs is the same, in
/// the same memory, whether it watches or not.
class CallRecorder : public Observer {
 public:
  /// Starts to watch the calling thread; `timed`: with the time of each call.
  explicit CallRecorder(bool timed);
  /// Stops to watch. Recorders may end in any order, each in its own thread.
  void close();
  bool is_open() const { return open_; }
  bool is_own_thread() const;

  void on_call(const Call& call) override;
  /// Set from another thread that gives the recorder up: it ends and deletes itself at its next
  /// call.
  std::atomic<bool> abandoned{false};
  /// Where the module that calls belong to is marked.
  const std::shared_ptr<ScopeMarks> marks = std::make_shared<ScopeMarks>();
  /// Name and type of those modules, as far as they are known.
  std::vector<std::pair<std::string, std::string>> names;

  /// What was recorded; the tensors of `given` are looked for as inputs, outputs and gradients.
  GraphData graph(const std::vector<GivenName>& given) const;

 private:
  const bool timed_;
  bool open_ = true;
  const void* thread_;
  int64_t began_ = 0, ended_ = 0;  ///< nanoseconds
  CallLog log_;
};

/// One call, read back from a log. Shapes and lists are read where they lie.
struct LoggedTensor {
  uint64_t id = 0, storage = 0, data = 0, number = 0;
  DType dtype = DType::kFloat32;
  bool needs_grad = false, is_number = false, is_absent = false;
  Shape sizes, strides;
};
struct LoggedCall {
  const Op* op = nullptr;
  const void* node = nullptr;      ///< that recorded it for the gradient, or nullptr
  const void* visiting = nullptr;  ///< whose gradient rule made it, or nullptr
  const Op* visiting_op = nullptr;
  uint64_t saved = 0;  ///< bits: inputs, then outputs that the node keeps
  int64_t time = 0;
  int32_t scope = 0;
  uint32_t location = 0;
  bool in_backward = false, in_place = false;
  Attrs attrs;
  std::vector<LoggedTensor> inputs, outputs;
};

/// Appends a call to a log.
void log_call(const Call& call, int64_t time, int32_t scope, CallLog& log);
/// Reads the call at `at`, which moves on to the next one.
void read_call(const CallLog& log, size_t& at, LoggedCall& call);

}  // namespace autograd::detail
