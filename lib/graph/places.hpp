// Lines of the user's program, looked up once each.
#pragma once
#include <unordered_map>

#include "autograd/location.hpp"
#include "core/dispatch.hpp"
#include "core/location.hpp"
#include "graph/ir.hpp"

namespace autograd::detail {

/// The line that the program was at in a call, which the tensors have noted already.
inline Location location_of(const Call& call, bool in_place) {
  if (call.op.traits & kUpdate || call.n_outputs == 0) return here();
  const TensorBody& out = call.out();
  return in_place ? out.storage->changed_at.load(std::memory_order_relaxed) : out.made_at;
}

class Places {
 public:
  /// Writes file and line of a location to an op; leaves them as they are if it is unknown.
  void set(uint32_t location, GraphOp& op) {
    const auto [place, added] = known_.try_emplace(location);
    if (added) place->second = find_location(location);
    if (!place->second.known()) return;
    op.file = place->second.file;
    op.line = static_cast<int>(place->second.line);
  }

 private:
  std::unordered_map<uint32_t, SourceLocation> known_;
};

}  // namespace autograd::detail
