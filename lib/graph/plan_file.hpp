// Captured graphs with their tensors, as bytes: how plans get into files and out of them.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/capture.hpp"

namespace autograd::detail {

struct SavedCapture {
  Capture capture;
  bool grad_enabled = true;
};

/// The captures of one compiled function, and what whoever saved it calls it.
struct SavedPart {
  std::string label;
  std::vector<SavedCapture> captures;
};

/// A file holds no more.
inline constexpr size_t kMostParts = 1024;

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// Captures with the elements of all memory from outside, each once for all parts. `names` gives
/// some of the tensors names, under which they are found again. Throws Error (runtime) for what
/// cannot be written: functions with a gradient rule of their own, operations of the user's.
std::string to_bytes(const std::vector<SavedPart>& parts, const NamedTensors& names);

/// The captures, over new tensors. `tensors` gets those from outside, "" for those without a name.
/// Nothing in the bytes is trusted. What results are, which memory they have and how it is laid
/// out is not in them: the ops' own rules say so (inference.hpp). Every count, size, place and
/// number that is in them is checked. Throws Error (value) for bytes that are cut off, changed,
/// contradict themselves, or ask for more than `most_bytes` of memory.
std::vector<SavedPart> from_bytes(std::string_view bytes, NamedTensors* tensors, double most_bytes);

/// An op by its name: those of the registry, steps of optimizers, and what only captures have.
/// nullptr if there is none.
const Op* find_captured_op(std::string_view name);

}  // namespace autograd::detail
