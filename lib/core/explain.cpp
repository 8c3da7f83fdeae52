// Follows a gradient from the loss to a tensor and says where it ends.
#include "autograd/explain.hpp"

#include <algorithm>
#include <bit>
#include <unordered_map>
#include <unordered_set>

#include "autograd/grad.hpp"
#include "core/backward_watch.hpp"
#include "core/node.hpp"
#include "core/record.hpp"

namespace autograd {
namespace {

using detail::at_line;
using detail::body;
using detail::Cut;
using detail::Node;
using detail::NodeInput;
using detail::TensorBody;

constexpr size_t kNone = static_cast<size_t>(-1);

bool is_zero(const Tensor& t) {
  const std::vector<double> values = t.to_vector();
  return std::all_of(values.begin(), values.end(), [](double v) { return v == 0; });
}

/// The recorded ops behind a loss, inputs before their users, and which of them lead to the tensor.
struct History {
  std::vector<const Node*> nodes;
  std::unordered_map<const Node*, size_t> number;
  std::vector<char> leads;      // to the tensor
  std::vector<size_t> towards;  // the user through which it was found; kNone for the loss's own

  History(const TensorBody* loss, const TensorBody* t) : target_(t) {
    if (!loss->node) return;
    add(loss->node, nullptr);
    for (size_t i = 0; i < nodes.size(); ++i)
      for (const NodeInput& input : nodes[i]->inputs)
        if (input.node) add(input.node, nodes[i]);
    std::stable_sort(nodes.begin(), nodes.end(),
                     [](const Node* a, const Node* b) { return a->depth < b->depth; });
    for (size_t i = 0; i < nodes.size(); ++i) number[nodes[i]] = i;
    leads.assign(nodes.size(), 0);
    towards.assign(nodes.size(), kNone);
    for (size_t i = 0; i < nodes.size(); ++i) {
      for (const NodeInput& input : nodes[i]->inputs) leads[i] |= leads_on(input);
      if (users_.at(nodes[i])) towards[i] = number.at(users_.at(nodes[i]));
    }
  }

  bool is_target(const NodeInput& input) const {
    if (target_->node) return input.node == target_->node && input.index == target_->output_index;
    return input.leaf == target_;
  }
  bool leads_on(const NodeInput& input) const {
    if (is_target(input)) return true;
    return input.node && leads[number.at(input.node)];
  }
  bool reached() const { return !leads.empty() && leads.back(); }

  std::vector<PathStep> path_to(const Node* node) const {
    std::vector<PathStep> path;
    for (size_t i = number.at(node); i != kNone; i = towards[i])
      path.push_back({nodes[i]->op->name, nodes[i]->location});
    std::reverse(path.begin(), path.end());
    return path;
  }
  /// A way from the loss all the way to the tensor.
  std::vector<PathStep> path_to_target() const {
    std::vector<PathStep> path;
    for (const Node* node = nodes.back(); node;) {
      path.push_back({node->op->name, node->location});
      const Node* next = nullptr;
      for (const NodeInput& input : node->inputs) {
        if (is_target(input)) return path;
        if (!next && leads_on(input)) next = input.node;
      }
      node = next;
    }
    return path;
  }

 private:
  void add(const Node* node, const Node* user) {
    if (users_.try_emplace(node, user).second) nodes.push_back(node);
  }
  const TensorBody* target_;
  std::unordered_map<const Node*, const Node*> users_;
};

bool has_hooks(const Node& node) {
  bool found = node.extra && !node.extra->prehooks.empty();
  for (const detail::NodeOutput& output : node.outputs)
    found |= output.hooks && !output.hooks->list.empty();
  return found;
}

/// Where the gradient that runs towards the tensor becomes zero.
class Follower : public detail::BackwardWatch {
 public:
  explicit Follower(const History& history) : history_(history) {}
  void on_node(const Node& node, const Tensor* grads, const Tensor* results) override {
    const auto known = history_.number.find(&node);
    if (blocker || known == history_.number.end() || !history_.leads[known->second]) return;
    visited_.insert(&node);
    bool arrives = false, goes_on = false;
    for (int i = 0; i < node.outputs.size(); ++i) arrives |= grads[i] && !is_zero(grads[i]);
    for (int i = 0; i < node.inputs.size(); ++i) {
      const NodeInput& input = node.inputs[i];
      if (!history_.leads_on(input) || !results[i] || is_zero(results[i])) continue;
      goes_on = true;
      if (input.node) sent_to_.insert(input.node);
      is_sent |= history_.is_target(input);
      if (node.extra && !node.extra->hooks.empty()) hooked = &node;
    }
    if (!arrives && sent_to_.count(&node) && has_hooks(node)) hooked = &node;
    if (arrives && !goes_on) {
      blocker = &node;
      for (int i = 0; i < node.inputs.size(); ++i) {
        if (!history_.leads_on(node.inputs[i])) continue;
        gave_none = !results[i];
        blocked_input = i;
      }
    }
  }
  /// The node whose rule was to run next.
  const Node* next() const {
    for (size_t i = history_.nodes.size(); i-- > 0;)
      if (history_.leads[i] && !visited_.count(history_.nodes[i])) return history_.nodes[i];
    return nullptr;
  }

  const Node* blocker = nullptr;
  const Node* hooked = nullptr;  ///< has hooks that may have made a zero of its gradient
  bool is_sent = false;          ///< something that is not zero was sent to the tensor itself
  bool gave_none = false;
  int blocked_input = 0;

 private:
  const History& history_;
  std::unordered_set<const Node*> visited_, sent_to_;
};

const char* ordinal(int i) {
  return i == 0 ? "first" : i == 1 ? "second" : i == 2 ? "third" : "further";
}

/// Puts an explanation together.
class Report {
 public:
  Report(const TensorBody* t, const TensorBody* loss) : t_(t), loss_(loss) {}

  template <class... Parts>
  GradExplanation say(GradReason reason, uint32_t location, std::vector<PathStep> path,
                      const Parts&... parts) const {
    return {reason, concat(parts...), location, std::move(path)};
  }

  std::string tensor() const {
    return concat("the tensor of sizes ", t_->sizes, " made", at_line(t_->made_at));
  }

  GradExplanation cut(Cut kind, uint32_t at, std::vector<PathStep> path) const {
    switch (kind) {
      case Cut::kDetach:
        return say(GradReason::kDetached, at, std::move(path), "The gradient of ", tensor(),
                   " is cut off by detach() or .data", at_line(at),
                   ". Use the tensor itself there");
      case Cut::kNoGrad:
        return say(GradReason::kNoGrad, at, std::move(path), "The gradient of ", tensor(),
                   " is cut off where a value was computed in no_grad mode", at_line(at),
                   ". Compute it outside of that mode");
      case Cut::kNoValue:
        return say(GradReason::kInteger, at, std::move(path), "The gradient of ", tensor(),
                   " is cut off where the values became integers or bools", at_line(at),
                   ", which have no gradients. Keep them in floating point");
      default:
        return say(GradReason::kNoRule, at, std::move(path), "The gradient of ", tensor(),
                   " is cut off by an operation that has no gradient", at_line(at));
    }
  }

  GradExplanation not_reached() const {
    return say(GradReason::kNotReached, t_->made_at, {}, "The loss made", at_line(loss_->made_at),
               " was not computed from ", tensor(),
               ". Check that this tensor, and not a copy or an older one, is used");
  }

  GradExplanation blocked(const Follower& found, std::vector<PathStep> path) const;

 private:
  const TensorBody* t_;
  const TensorBody* loss_;
};

// What the gradient rule read decides: another input that is zero, or the values of the input
// itself.
GradExplanation Report::blocked(const Follower& found, std::vector<PathStep> path) const {
  const Node& node = *found.blocker;
  const std::string op = concat("'", node.op->name, "'", at_line(node.location));
  const uint32_t at = node.location;
  if (node.op->traits & detail::kFunction)
    return say(GradReason::kCustomFunction, at, std::move(path), "The gradient of ", tensor(),
               " ends in the function", at_line(at), ": its backward returned ",
               found.gave_none ? "no gradient" : "zeros", " for its ", ordinal(found.blocked_input),
               " input");
  if (node.op->traits & detail::kInPlace && found.blocked_input > 0)
    return say(GradReason::kNotUsed, at, std::move(path), "The gradient of ", tensor(), " ends in ",
               op, ": what was written there is not used afterwards");
  if (node.op->traits & detail::kInPlace)
    return say(GradReason::kOverwritten, at, std::move(path), "What was computed from ", tensor(),
               " was overwritten in place by ", op, " before it was used");
  bool chooses = false;
  for (int i = 0; i < node.inputs.size(); ++i) {
    const NodeInput& other = node.inputs[i];
    if (i == found.blocked_input || !other.saved) continue;
    const bool zero = is_zero(other.saved);
    // Conditions and positions choose; only a mask of zeros can be a factor.
    if (!is_floating(other.dtype) && !(zero && node.op->traits & detail::kPointwise)) {
      chooses |= !other.is_number;
      continue;
    }
    if (!zero) continue;
    return say(GradReason::kZeroFactor, at, std::move(path), "The gradient of ", tensor(),
               " is multiplied by exact zeros in ", op, ": its ", ordinal(i), " input, ",
               other.is_number ? std::string("a number")
                               : concat("made", at_line(body(other.saved)->made_at)),
               ", is zero", other.is_number ? "" : " everywhere");
  }
  uint32_t reads = 0;
  for (uint32_t each : node.op->reads) reads |= each;
  if (node.op->traits & detail::kPointwise && !reads)
    return say(GradReason::kFlat, at, std::move(path), "The gradient of ", tensor(), " ends in ",
               op, ", whose derivative is zero everywhere");
  if (node.op->traits & detail::kPointwise && !chooses)
    return say(GradReason::kDead, at, std::move(path), "The gradient of ", tensor(), " ends in ",
               op, ": all elements lie where its derivative is zero (a dead relu, or saturated)");
  return say(GradReason::kNotUsed, at, std::move(path), "The gradient of ", tensor(), " ends in ",
             op,
             ": its result does not change with any of the elements that come from this tensor, or "
             "its rule "
             "leaves them out");
}

/// The cut nearest to the loss behind which the tensor may be.
struct NearestCut {
  Cut kind = Cut::kNone;
  uint32_t at = 0;
  const Node* user = nullptr;
  int leaves = 65;

  void consider(Cut kind_in, uint32_t at_in, uint64_t behind, uint64_t wanted, const Node* by) {
    if (kind_in == Cut::kNone || !wanted || (behind & wanted) != wanted) return;
    // The fewer leaves are behind it, the surer it is that this one is meant.
    if (std::popcount(behind) >= leaves) return;
    *this = {kind_in, at_in, by, std::popcount(behind)};
  }
};

NearestCut find_cut(const History& history, const TensorBody* t, const TensorBody* loss) {
  const uint64_t wanted = detail::leaves_behind(t);
  NearestCut nearest;
  nearest.consider(loss->cut, loss->cut_at, loss->leaves, wanted, nullptr);
  for (auto it = history.nodes.rbegin(); it != history.nodes.rend(); ++it)
    for (const NodeInput& input : (*it)->inputs) {
      if (!input.needs_grad()) nearest.consider(input.cut, input.cut_at, input.leaves, wanted, *it);
      // A leaf that was made from what was cut off.
      if (input.leaf)
        nearest.consider(input.leaf->cut, input.leaf->cut_at, input.leaf->leaves, wanted, *it);
    }
  return nearest;
}

/// The leaf nearest to a recorded tensor.
const TensorBody* leaf_behind(const TensorBody* t) {
  std::vector<const Node*> pending = {t->node};
  std::unordered_map<const Node*, bool> seen;
  for (size_t i = 0; i < pending.size(); ++i)
    for (const NodeInput& input : pending[i]->inputs) {
      if (input.leaf) return input.leaf;
      if (input.node && !std::exchange(seen[input.node], true)) pending.push_back(input.node);
    }
  return nullptr;
}

bool is_freed(const History& history) {
  for (size_t i = 0; i < history.nodes.size(); ++i)
    if (history.leads[i] && history.nodes[i]->released) return true;
  return false;
}

GradExplanation explain_reached(const Report& report, const History& history, const Tensor& t,
                                const Tensor& loss) {
  const TensorBody* b = body(t);
  if (b->node && !b->retains_grad) {
    const TensorBody* leaf = leaf_behind(b);
    return report.say(GradReason::kNonLeaf, b->made_at, history.path_to_target(),
                      "A gradient reaches ", report.tensor(), ", but this is no leaf: '",
                      b->node->op->name, "'", at_line(b->node->location), " computed it. ",
                      leaf ? concat("Read .grad of the leaf of sizes ", leaf->sizes, " made",
                                    at_line(leaf->made_at), ", or call")
                           : "Call",
                      " retain_grad() on it before backward()");
  }
  if (is_freed(history)) {
    const Tensor kept = t.grad();
    if (kept && !is_zero(kept))
      return report.say(GradReason::kHealthy, b->made_at, history.path_to_target(),
                        "The gradient is there and not zero");
    return report.say(GradReason::kFreed, loss.head()->made_at, history.path_to_target(),
                      "The graph of the loss made", at_line(loss.head()->made_at),
                      " was freed by backward(): explain the gradient before it, or call "
                      "backward(retain_graph=True)");
  }
  Follower follower(history);
  BackwardOptions options;
  options.retain_graph = options.allow_unused = true;
  Tensor g;
  try {
    const detail::WatchBackward watch(&follower);
    g = grad({loss}, {t}, {}, options)[0];
  } catch (const Error& error) {
    const Node* failed = follower.next();
    if (std::string_view(error.what()).rfind("derivative for ", 0) != 0 || !failed) throw;
    return report.say(GradReason::kNoRule, failed->location, history.path_to(failed),
                      "The gradient of ", report.tensor(), " ends in '", failed->op->name, "'",
                      at_line(failed->location), ": ", error.what());
  }
  if (g && !is_zero(g))
    return report.say(GradReason::kHealthy, b->made_at, history.path_to_target(),
                      "The gradient arrives and is not zero");
  if (follower.blocker) return report.blocked(follower, history.path_to(follower.blocker));
  if (follower.hooked)
    return report.say(GradReason::kHook, follower.hooked->location,
                      history.path_to(follower.hooked), "The gradient of ", report.tensor(),
                      " is turned into zeros by a hook on what '", follower.hooked->op->name, "'",
                      at_line(follower.hooked->location), " made");
  if (follower.is_sent && b->hooks && !b->hooks->list.empty())
    return report.say(GradReason::kHook, b->made_at, history.path_to_target(), "The gradient of ",
                      report.tensor(), " is turned into zeros by a hook on this tensor");
  return report.say(GradReason::kCancelled, b->made_at, history.path_to_target(),
                    "Several contributions to the gradient of ", report.tensor(),
                    " add up to exactly zero");
}

GradExplanation explain_without_grad(const Report& report, const TensorBody* t) {
  if (!is_floating(t->dtype))
    return report.say(GradReason::kInteger, t->made_at, {}, "The tensor of sizes ", t->sizes,
                      " made", at_line(t->made_at), " holds ", name_of(t->dtype),
                      ": only tensors of floating point have gradients");
  if (t->cut != Cut::kNone) return report.cut(t->cut, t->cut_at, {});
  return report.say(GradReason::kRequiresGradOff, t->made_at, {}, "requires_grad is False for ",
                    report.tensor(), ": call requires_grad_() before it is used");
}

}  // namespace

const char* name_of(GradReason reason) {
  constexpr const char* names[] = {
      "healthy",         "not_reached",       "detached",    "no_grad", "integer", "no_rule",
      "non_leaf",        "requires_grad_off", "zero_factor", "dead",    "flat",    "overwritten",
      "custom_function", "not_used",          "cancelled",   "freed",   "hook"};
  return names[static_cast<int>(reason)];
}

GradExplanation explain_grad(const Tensor& t, const Tensor& loss) {
  TensorBody *b = body(t), *root = body(loss);
  for (TensorBody* each : {b, root})
    if (each->source) detail::refresh_view(each);
  if (loss.numel() != 1)
    fail(ErrorCode::kRuntime, "explain_grad: the loss must have one element, got sizes ",
         loss.sizes());
  const Report report(b, root);
  if (!b->needs_grad()) return explain_without_grad(report, b);
  const History history(root, b);
  if (b == root)
    return report.say(b->node && !b->retains_grad ? GradReason::kNonLeaf : GradReason::kHealthy,
                      b->made_at, {}, "This is the loss itself");
  if (history.reached()) return explain_reached(report, history, t, loss);
  const NearestCut cut = find_cut(history, b, root);
  if (cut.kind == Cut::kNone) return report.not_reached();
  return report.cut(cut.kind, cut.at,
                    cut.user ? history.path_to(cut.user) : std::vector<PathStep>());
}

}  // namespace autograd
