// Gradients watched for values that are not numbers.
#pragma once
#include "core/node.hpp"

namespace autograd::detail {

enum class AnomalyMode : uint8_t { kOff, kWatch, kCheckNan };

AnomalyMode anomaly_mode();

/// Runs the gradient rule of a node. Throws Error (runtime) that names the node if a result holds
/// NaN.
void run_watched(Node& node, Backward& rule, const Vector<Tensor>& results, AnomalyMode mode);

}  // namespace autograd::detail
