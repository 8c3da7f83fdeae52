// Calls of Python's modules, marked in a recording.
#pragma once
#include <memory>

#include "autograd/graph.hpp"

namespace autograd::capi {

/// Marks the module calls of this thread from now on, and appends each module to the list;
/// nullptr: no longer.
void watch_python_modules(std::shared_ptr<detail::ScopeMarks> marks, void* list);

}  // namespace autograd::capi
