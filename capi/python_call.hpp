// Calls of Python's modules, marked in a recording.
#pragma once
#include <memory>

#include "autograd/graph.hpp"

namespace autograd::capi {

struct ModuleWatch;
/// Marks the module calls of this thread from now on, and appends each module to the list.
ModuleWatch* watch_modules(std::shared_ptr<detail::ScopeMarks> marks, void* list);
/// No longer; in any thread. nullptr: nothing happens.
void end_watch_of_modules(ModuleWatch* ended);

}  // namespace autograd::capi
