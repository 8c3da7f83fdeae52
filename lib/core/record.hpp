// Recording of nodes, and the rules that keep autograd right when tensors and views change in
// place.
#pragma once
#include "core/node.hpp"

namespace autograd::detail {

/// Adds the node of a finished call to the graph: its outputs get it as their history.
void record(const Call& call);

/// Gives the outputs of a function's call their history, if `recorded`; see FunctionCall::finish.
/// The context in `extra` says what was changed in place, what carries no gradient and what to
/// save.
void record_function_call(const Op& op, const Tensor* inputs, int n_inputs, Tensor* outputs,
                          int n_outputs, std::unique_ptr<NodeExtra> extra, bool recorded);

/// Adds an input to a node.
void record_edge(Node* node, TensorBody* input);
/// The same, of what is behind an input of another node.
void record_edge(Node* node, const NodeInput& other);

/// Makes output 0 of `node`, which has its inputs, the history of a value that nobody else has.
void record_value(Node* node, const Tensor& value);

/// What set_in_pieces records: input 0 is the gradient itself; to input 1 no gradient flows, but it
/// counts as used, so that its gradient is 0 where there is no other.
extern const Op kInPieces;

/// As Backward::set; the gradient is constant in input i but for jumps. It becomes a part of the
/// graph behind this input if it is recorded.
void set_in_pieces(Backward& b, int i, Tensor gradient);

/// Notes in the outputs of a call that was not recorded that gradients end here, if one of its
/// inputs has, or had, a history.
void trace_cut(const Call& call);

/// Notes how a view was taken whose source has no history, for the case that a change in place
/// gives it one.
void remember_view(const Call& call);

/// Throws unless input 0 of the call may be changed in place while gradients are recorded.
void check_in_place(const Call& call);
/// Throws unless `self` can take the result of `op` in place: its sizes, a dtype that converts to
/// its own, no element twice.
void check_result_fits(const Op& op, const TensorBody& self, const OutputMeta& result);

/// True if a gradient that is wanted reads the old value of input 0, which the call is about to
/// overwrite.
bool reads_old_self(const Call& call);

/// As record, for a call that wrote to input 0; `old_self` is a copy of it from before if
/// reads_old_self. Bumps the version; if input 0 is a view, the tensors it was taken from get the
/// change into their history as well.
void record_in_place(const Call& call, const Tensor& old_self);

/// Gives a view whose source was changed in place a history that starts from the changed source.
void refresh_view(TensorBody* view);

}  // namespace autograd::detail
