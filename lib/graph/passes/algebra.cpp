// Algebra: the equations of algebra.def as patterns over the graph.
#include <cctype>
#include <charconv>
#include <cstring>
#include <memory>
#include <string_view>

#include "graph/passes/passes.hpp"
#include "ops/registry.hpp"

namespace autograd::detail {

namespace {

/// A side of an equation: a value ('x'), a number, or an op on terms.
struct AlgebraTerm {
  char letter = 0;
  double number = 0;
  const Op* op = nullptr;
  std::vector<AlgebraTerm> inputs;
};

/// Reads "mul(neg(x), 2)".
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  AlgebraTerm term() {
    skip_spaces();
    AlgebraTerm term;
    if (std::isalpha(rest_.front())) {
      size_t n = 0;
      while (n < rest_.size() && (std::isalnum(rest_[n]) || rest_[n] == '_')) ++n;
      const std::string_view name = take(n);
      if (name.size() == 1) {
        term.letter = name[0];
        return term;
      }
      term.op = find_op(name);
      if (!term.op) fail(ErrorCode::kRuntime, "algebra.def: there is no op ", std::string(name));
      for (char end = take(1)[0]; end != ')'; end = take(1)[0]) {
        term.inputs.push_back(this->term());
        skip_spaces();
      }
      return term;
    }
    const char* end = rest_.data() + rest_.size();
    take(static_cast<size_t>(std::from_chars(rest_.data(), end, term.number).ptr - rest_.data()));
    return term;
  }

 private:
  std::string_view take(size_t n) {
    const std::string_view head = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return head;
  }
  void skip_spaces() {
    while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
  }
  std::string_view rest_;
};

struct AlgebraEquation {
  const char *left_text, *right_text;
  AlgebraTerm left, right;
};

const std::vector<AlgebraEquation>& equations() {
  static const std::vector<AlgebraEquation> all = [] {
    constexpr const char* texts[][2] = {
#define EQUATION(left, right) {#left, #right},
#include "graph/passes/algebra.def"
    };
    std::vector<AlgebraEquation> list;
    for (const auto& [left, right] : texts)
      list.push_back({left, right, Reader(left).term(), Reader(right).term()});
    return list;
  }();
  return all;
}

/// One equation held against one place of the graph.
class Match {
 public:
  Match(Rewrite& rewrite, const AlgebraEquation& equation)
      : rewrite_(rewrite), equation_(equation) {}

  /// Rewrites op i if it is the left side of the equation.
  bool apply(int i) {
    const GraphOp& op = rewrite_.op(i);
    if (op.outputs.size() != 1 || op.in_place || !fits_op(equation_.left, i)) return false;
    const int result = op.outputs[0];
    const Memory& memory = rewrite_.memory;
    if (memory.is_written(result)) return false;
    for (int v : letters_)
      if (v >= 0 && memory.is_written(v)) return false;
    return equation_.right.letter ? becomes_value(i, result) : becomes_op(i, result);
  }

 private:
  int& letter(char name) { return letters_[name - 'a']; }

  bool fits(const AlgebraTerm& term, int v) {
    v = rewrite_.current(v);
    if (v < 0) return false;
    if (term.op) return rewrite_.maker(v) >= 0 && fits_op(term, rewrite_.maker(v));
    if (!term.letter) return rewrite_.is_number(v) && rewrite_.value(v).number == term.number;
    int& known = letter(term.letter);
    if (known >= 0) return known == v;
    known = v;
    return true;
  }

  bool fits_op(const AlgebraTerm& term, int i) {
    const GraphOp& op = rewrite_.op(i);
    if (op.op != term.op || op.inputs.size() != term.inputs.size() || rewrite_.memory.writes(i))
      return false;
    for (size_t k = 0; k < term.inputs.size(); ++k)
      if (!fits(term.inputs[k], op.inputs[k])) return false;
    return true;
  }

  bool becomes_value(int i, int result) {
    const int v = letter(equation_.right.letter);
    const GraphValue &from = rewrite_.value(v), &to = rewrite_.value(result);
    // An output of the graph is a tensor of its own; so is each leaf.
    if (rewrite_.memory.is_output(result) || from.sizes != to.sizes || from.dtype != to.dtype ||
        from.strides != to.strides || from.strides.size() != from.sizes.size())
      return false;
    rewrite_.replace(result, v);
    rewrite_.drop(i);
    return true;
  }

  bool becomes_op(int i, int result) {
    const AlgebraTerm& right = equation_.right;
    const GraphValue& to = rewrite_.value(result);
    // Numbers weigh less than tensors in the choice of a dtype: only where all are of one.
    for (int v : letters_)
      if (v >= 0 && to.dtype != DType::kBool && rewrite_.value(v).dtype != to.dtype) return false;
    std::vector<int> inputs;
    for (const AlgebraTerm& term : right.inputs)
      inputs.push_back(term.letter ? letter(term.letter)
                                   : rewrite_.add_number(to.dtype, term.number));
    GraphOp& op = rewrite_.op(i);
    if (op.op != right.op) op.attrs = Attrs();
    op.op = right.op;
    op.inputs = inputs;
    return true;
  }

  Rewrite& rewrite_;
  const AlgebraEquation& equation_;
  int letters_[26] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                      -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
};

}  // namespace

GraphData with_simpler_algebra(const GraphData& graph, PassReport& report) {
  Rewrite rewrite(graph);
  for (int i = 0; i < rewrite.n_ops(); ++i) {
    bool changed = true;
    for (int rounds = 0; changed && rounds < 8 && !rewrite.is_dropped(i); ++rounds) {
      changed = false;
      for (const AlgebraEquation& equation : equations()) {
        if (rewrite.op(i).op != equation.left.op || !Match(rewrite, equation).apply(i)) continue;
        report.note("algebra", std::string(equation.left_text) + " = " + equation.right_text,
                    &rewrite.op(i));
        changed = true;
        break;
      }
    }
  }
  return rewrite.finish();
}

}  // namespace autograd::detail
