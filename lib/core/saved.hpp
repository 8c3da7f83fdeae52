// The user's hooks on the values that gradients will read.
#pragma once
#include "core/node.hpp"

namespace autograd::detail {

/// One entry of the thread's stack of hooks.
struct SavedHooksScope {
  std::shared_ptr<const SavedTensorHooks> hooks;
  SavedHooksScope* outer;
};

/// Replaces all values that a node has saved by what the thread's hooks make of them.
void pack_saved(Node* node);
/// The value again, with its history; undefined if it is not packed.
Tensor unpack_saved(Node& node, PackedValue::Kind kind, int index);

}  // namespace autograd::detail
