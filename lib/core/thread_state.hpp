// What each thread knows: grad mode, who watches the door, its memory cache, its random stream.
#pragma once
#include <cstdint>

namespace autograd {

class Observer;

namespace detail {

class BackwardWatch;

struct Node;
struct ThreadCache;
struct VmapLevel;
struct SavedHooksScope;

/// Plain data, so that reading it is one address computation and no guard.
struct ThreadState {
  bool grad_enabled = true;   ///< ops are recorded: grad mode is on and inference mode is off
  bool grad_mode = true;      ///< as asked for by the user
  bool inference = false;     ///< what is made now can never take part in a gradient
  bool cache_closed = false;  ///< the thread is ending: free straight to the shared cache
  bool dropping = false;      ///< a graph is being dropped: queue, do not recurse
  bool in_backward = false;   ///< the engine is at work
  uint32_t location = 0;      ///< where the thread is; 0: look at the interpreter's frames
  Observer* observer = nullptr;
  const Node* visiting =
      nullptr;  ///< the recorded op whose gradient rule runs; nullptr between them
  BackwardWatch* backward_watch = nullptr;
  ThreadCache* cache = nullptr;
  VmapLevel* vmap = nullptr;  ///< innermost of the functions being mapped over examples
  int64_t work = 0;           ///< since it was last looked whether a signal has come
  uint64_t next_id = 0;
  uint64_t last_id = 0;
  bool has_stream = false;  ///< random numbers come from the stream below, not from the process's
  uint64_t stream_seed = 0;
  uint64_t stream_offset = 0;
  SavedHooksScope* saved_hooks = nullptr;  ///< who packs values that gradients will read
  uint64_t backward = 0;                   ///< number of the innermost backward of the thread
};

#if defined(__ELF__)
extern thread_local constinit ThreadState thread_state __attribute__((tls_model("initial-exec")));
#else
extern thread_local constinit ThreadState thread_state;
#endif

/// A process-wide unique number, taken from a block that the thread owns.
uint64_t next_tensor_id();

}  // namespace detail
}  // namespace autograd
