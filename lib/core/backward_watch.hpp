// Sees every step of the backward passes of its thread.
#pragma once
#include <utility>

#include "core/node.hpp"
#include "core/thread_state.hpp"

namespace autograd::detail {

class BackwardWatch {
 public:
  virtual ~BackwardWatch() = default;
  /// The rule of `node` has run: `grads` of its outputs, `results` for its inputs, both undefined
  /// where there is none.
  virtual void on_node(const Node& node, const Tensor* grads, const Tensor* results) = 0;
};

/// Installs a watch for this thread and a scope.
class WatchBackward {
 public:
  explicit WatchBackward(BackwardWatch* watch)
      : previous_(std::exchange(thread_state.backward_watch, watch)) {}
  ~WatchBackward() { thread_state.backward_watch = previous_; }
  WatchBackward(const WatchBackward&) = delete;
  WatchBackward& operator=(const WatchBackward&) = delete;

 private:
  BackwardWatch* previous_;
};

}  // namespace autograd::detail
