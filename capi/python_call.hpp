// Calls of Python's modules, marked in a recording.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "autograd/graph.hpp"

namespace autograd::capi {

struct ModuleWatch;
/// Marks the module calls of this thread from now on, and appends each module to the list; nullptr:
/// until take_called().
ModuleWatch* watch_modules(std::shared_ptr<detail::ScopeMarks> marks, void* list);
/// The modules that were called without a list, each a reference.
std::vector<void*> take_called(ModuleWatch& watch);
/// No longer; in any thread. nullptr: nothing happens.
void end_watch_of_modules(ModuleWatch* ended);
/// Gives the names in what was seen at the end of a recording back to the interpreter.
void forget_seen(const std::vector<uintptr_t>& seen);

}  // namespace autograd::capi
