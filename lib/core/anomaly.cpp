// Gradients watched for values that are not numbers.
#include "core/anomaly.hpp"

#include "autograd/ops.hpp"

namespace autograd {
namespace detail {
namespace {
std::atomic<AnomalyMode> mode_of_all{AnomalyMode::kOff};

bool holds_nan(const Tensor& t) {
  NoGrad off;
  return is_floating(t.dtype()) && any(isnan(t)).item() != 0;
}

}  // namespace

AnomalyMode anomaly_mode() { return mode_of_all.load(std::memory_order_relaxed); }

void run_watched(Node& node, Backward& rule, const Vector<Tensor>& results, AnomalyMode mode) {
  try {
    node.op->backward(rule);
  } catch (const Error& error) {
    throw Error(error.code(), concat(error.what(), " (in the gradient of '", node.op->name, "'",
                                     at_line(node.location), ")"));
  }
  if (mode != AnomalyMode::kCheckNan) return;
  for (int i = 0; i < rule.n_inputs(); ++i)
    if (results[static_cast<size_t>(i)] && rule.needs(i) &&
        holds_nan(results[static_cast<size_t>(i)]))
      fail(ErrorCode::kRuntime, "Function '", backward_name(*node.op),
           "' returned nan values in its ", i, "th output. It is the gradient of '", node.op->name,
           "'", at_line(node.location),
           ". explain_nonfinite(loss) names the first bad value and its inputs");
}

}  // namespace detail

void set_anomaly_detection(bool enabled, bool check_nan) {
  using detail::AnomalyMode;
  detail::mode_of_all.store(!enabled    ? AnomalyMode::kOff
                            : check_nan ? AnomalyMode::kCheckNan
                                        : AnomalyMode::kWatch);
}

bool anomaly_detection() { return detail::anomaly_mode() != detail::AnomalyMode::kOff; }
bool anomaly_checks_nan() { return detail::anomaly_mode() == detail::AnomalyMode::kCheckNan; }

}  // namespace autograd
