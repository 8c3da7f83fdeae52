// einsum: operands are contracted in pairs from left to right; each pair is one (batched) matrix
// product.
#include <algorithm>
#include <string>
#include <vector>

#include "autograd/ops.hpp"
#include "core/text.hpp"

namespace autograd {
namespace detail {
namespace {

// A label is a letter's place in [A-Za-z], or kDot + i for the i-th dim from the right under an
// ellipsis.
constexpr int kDot = 52;
constexpr int kLabels = kDot + kMaxDims;

struct Term {
  std::vector<int> letters;  // of the subscripts; kDot stands for the whole ellipsis
  bool has_dots = false;
};

struct Equation {
  std::vector<Term> inputs;
  Term output;
  bool has_output = false;
};

/// A tensor and the label of each of its dims.
struct Labelled {
  Tensor t;
  std::vector<int> labels;

  int find(int label) const {
    const auto at = std::find(labels.begin(), labels.end(), label);
    return at == labels.end() ? -1 : static_cast<int>(at - labels.begin());
  }
  int64_t size(int label) const { return t.sizes()[find(label)]; }
};

char letter_of(int label) { return static_cast<char>(label < 26 ? 'A' + label : 'a' + label - 26); }

// Reads "..." at `at` or fails.
void read_dots(const std::string& text, size_t& at, Term& term, const std::string& where,
               bool is_output) {
  if (term.has_dots)
    fail(ErrorCode::kRuntime, "einsum(): found '.' for ", where,
         is_output ? " but an ellipsis (...) was already found"
                   : " for which an ellipsis was already found");
  if (text.compare(at, 3, "...") != 0)
    fail(ErrorCode::kRuntime, "einsum(): found '.' for ", where,
         is_output ? " that is not part of any ellipsis (...)"
                   : " that is not part of any ellipsis");
  at += 2;
  term.has_dots = true;
  term.letters.push_back(kDot);
}

Equation parse(const std::string& text) {
  Equation e;
  e.inputs.emplace_back();
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    Term& term = e.has_output ? e.output : e.inputs.back();
    if (c == ' ') continue;
    if (c == '.') {
      read_dots(text, at, term,
                e.has_output ? "output" : "operand " + std::to_string(e.inputs.size() - 1),
                e.has_output);
    } else if (c == ',' && !e.has_output) {
      e.inputs.emplace_back();
    } else if (c == '-' && !e.has_output && text.compare(at, 2, "->") == 0) {
      e.has_output = true;
      ++at;
    } else if (c >= 'A' && c <= 'Z') {
      term.letters.push_back(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      term.letters.push_back(c - 'a' + 26);
    } else {
      fail(ErrorCode::kRuntime, "einsum(): invalid subscript given at index ", at,
           " in the equation string, subscripts must be in [a-zA-Z]");
    }
  }
  return e;
}

// The diagonal of dims i < j, in place of dim i.
Tensor take_diagonal(const Tensor& t, int i, int j) {
  const Tensor at_end = diagonal(t, 0, i, j);
  Shape order;
  const int last = at_end.dim() - 1;
  for (int d = 0, next = 0; d <= last; ++d) order.push_back(d == i ? last : next++);
  return permute(at_end, order);
}

/// The operand with a label per dim, repeated ones taken as diagonals.
Labelled label(const Term& term, const Tensor& operand, size_t index) {
  const int letters = static_cast<int>(term.letters.size()) - (term.has_dots ? 1 : 0);
  const int rank = operand.dim(), dots = rank - letters;
  if (term.has_dots ? dots < 0 : dots != 0)
    fail(ErrorCode::kRuntime, "einsum(): the number of subscripts in the equation (", letters, ")",
         term.has_dots ? " is more than the number of dimensions ("
                       : " does not match the number of dimensions (",
         rank, ") for operand ", index, term.has_dots ? "" : " and no ellipsis was given",
         "; got sizes ", operand.sizes());
  std::vector<int> labels;
  for (int letter : term.letters) {
    if (letter != kDot) labels.push_back(letter);
    for (int i = 0; letter == kDot && i < dots; ++i) labels.push_back(kDot + dots - 1 - i);
  }
  Labelled x{operand, {}};
  for (int l : labels) {
    const int at = static_cast<int>(x.labels.size()), first = x.find(l);
    if (first < 0) {
      x.labels.push_back(l);
      continue;
    }
    if (x.t.sizes()[first] != x.t.sizes()[at])
      fail(ErrorCode::kRuntime, "einsum(): subscript ", letter_of(l), " is repeated for operand ",
           index, " but the sizes don't match, ", x.t.sizes()[at], " != ", x.t.sizes()[first],
           "; got sizes ", operand.sizes());
    x.t = take_diagonal(x.t, first, at);
  }
  return x;
}

void check_sizes(const std::vector<Labelled>& operands) {
  int64_t sizes[kLabels];
  std::fill(sizes, sizes + kLabels, 1);
  for (size_t i = 0; i < operands.size(); ++i)
    for (size_t d = 0; d < operands[i].labels.size(); ++d) {
      const int l = operands[i].labels[d];
      const int64_t size = operands[i].t.sizes()[static_cast<int>(d)];
      if (size != 1 && sizes[l] != 1 && size != sizes[l]) {
        if (l >= kDot)
          fail(ErrorCode::kRuntime, "einsum(): dimension ", d, " covered by ellipsis in operand ",
               i, " has size ", size,
               " which does not broadcast with previously seen ellipsis with size ", sizes[l],
               " for the respective dimension");
        fail(ErrorCode::kRuntime, "einsum(): subscript ", letter_of(l), " has size ", size,
             " for operand ", i, " which does not broadcast with previously seen size ", sizes[l]);
      }
      if (size != 1) sizes[l] = size;
    }
}

/// The labels of the output's dims.
std::vector<int> output_labels(const Equation& e, const std::vector<Labelled>& operands) {
  int count[kLabels] = {}, in_terms[kDot] = {}, dots = 0;
  for (const Term& term : e.inputs)
    for (int letter : term.letters)
      if (letter < kDot) ++in_terms[letter];
  for (const Labelled& x : operands)
    for (int l : x.labels)
      if (l >= kDot) dots = std::max(dots, l - kDot + 1);
  std::vector<int> out;
  const auto push_dots = [&] {
    for (int i = dots - 1; i >= 0; --i) out.push_back(kDot + i);
  };
  if (!e.has_output) {
    push_dots();
    for (int l = 0; l < kDot; ++l)
      if (in_terms[l] == 1) out.push_back(l);
    return out;
  }
  for (int l : e.output.letters) {
    if (l == kDot) {
      push_dots();
      continue;
    }
    if (count[l]++)
      fail(ErrorCode::kRuntime, "einsum(): output subscript ", letter_of(l),
           " appears more than once in the output");
    if (!in_terms[l])
      fail(ErrorCode::kRuntime, "einsum(): output subscript ", letter_of(l),
           " does not appear in the equation for any input operand");
    out.push_back(l);
  }
  return out;
}

/// Sums x over those of its labels for which `keep` is false.
template <class Keep>
void sum_out(Labelled& x, const Keep& keep) {
  Shape dims;
  std::vector<int> left;
  for (size_t d = 0; d < x.labels.size(); ++d) {
    if (keep(x.labels[d]))
      left.push_back(x.labels[d]);
    else
      dims.push_back(static_cast<int64_t>(d));
  }
  if (dims.empty()) return;
  x.t = sum(x.t, dims);
  x.labels = std::move(left);
}

// x with its dims in the order of `labels`; those it lacks become dims of size 1.
Tensor arranged(const Labelled& x, const std::vector<int>& labels) {
  Shape order, sizes;
  bool in_order = true, complete = true;
  for (int l : labels) {
    const int at = x.find(l);
    sizes.push_back(at < 0 ? 1 : x.t.sizes()[at]);
    complete &= at >= 0;
    if (at < 0) continue;
    in_order &= at == order.size();
    order.push_back(at);
  }
  const Tensor t = in_order ? x.t : permute(x.t, order);
  return complete ? t : reshape(t, sizes);
}

int64_t product_of(const Labelled& x, const std::vector<int>& labels) {
  int64_t count = 1;
  for (int l : labels) count *= x.size(l);
  return count;
}

std::vector<int> joined(std::initializer_list<const std::vector<int>*> lists) {
  std::vector<int> all;
  for (const auto* list : lists) all.insert(all.end(), list->begin(), list->end());
  return all;
}

// The product of two operands, summed over the labels both have and `keep` is false for.
template <class Keep>
Labelled contract(Labelled a, Labelled b, const Keep& keep) {
  sum_out(a, [&](int l) { return keep(l) || b.find(l) >= 0; });
  sum_out(b, [&](int l) { return keep(l) || a.find(l) >= 0; });
  std::vector<int> batch, inner, rows, cols;
  // A size of 1 that stands against a larger one is no common dim: it drops out here and the
  // larger one is summed or kept by itself.
  for (Labelled* x : {&a, &b}) {
    Labelled& other = x == &a ? b : a;
    Shape drop;
    std::vector<int> left, alone;
    for (size_t d = 0; d < x->labels.size(); ++d) {
      const int l = x->labels[d];
      if (other.find(l) >= 0 && x->t.sizes()[static_cast<int>(d)] == 1 && other.size(l) != 1) {
        drop.push_back(static_cast<int64_t>(d));
        alone.push_back(l);
      } else {
        left.push_back(l);
      }
    }
    if (drop.empty()) continue;
    x->t = squeeze(x->t, drop);
    x->labels = std::move(left);
    sum_out(other, [&](int l) {
      return keep(l) || std::find(alone.begin(), alone.end(), l) == alone.end();
    });
  }
  for (int l : a.labels) (b.find(l) < 0 ? rows : keep(l) ? batch : inner).push_back(l);
  for (int l : b.labels)
    if (a.find(l) < 0) cols.push_back(l);
  Labelled out{Tensor(), joined({&batch, &rows, &cols})};
  if (inner.empty()) {
    out.t = mul(arranged(a, out.labels), arranged(b, out.labels));
    return out;
  }
  Shape sizes;
  for (int l : out.labels) sizes.push_back(a.find(l) >= 0 ? a.size(l) : b.size(l));
  const int64_t count = product_of(a, batch), m = product_of(a, rows), k = product_of(a, inner),
                n = product_of(b, cols);
  const Tensor left = arranged(a, joined({&batch, &rows, &inner}));
  const Tensor right = arranged(b, joined({&batch, &inner, &cols}));
  out.t = batch.empty() ? mm(reshape(left, {m, k}), reshape(right, {k, n}))
                        : bmm(reshape(left, {count, m, k}), reshape(right, {count, k, n}));
  if (out.t.sizes() != sizes) out.t = reshape(out.t, sizes);
  return out;
}

}  // namespace
}  // namespace detail

Tensor einsum(const std::string& equation, const std::vector<Tensor>& operands) {
  using namespace detail;
  if (operands.empty()) fail(ErrorCode::kRuntime, "einsum(): must provide at least one operand");
  const Equation e = parse(equation);
  if (e.inputs.size() != operands.size())
    fail(ErrorCode::kRuntime, "einsum(): ",
         operands.size() < e.inputs.size() ? "fewer operands were provided than specified in the "
                                             "equation"
                                           : "more operands were provided than specified in the "
                                             "equation",
         ", ", e.inputs.size(), " terms and ", operands.size(), " operands");
  std::vector<Labelled> parts;
  for (size_t i = 0; i < operands.size(); ++i) parts.push_back(label(e.inputs[i], operands[i], i));
  const std::vector<int> out = output_labels(e, parts);
  check_sizes(parts);
  Labelled result = parts[0];
  for (size_t i = 1; i < parts.size(); ++i) {
    result = contract(std::move(result), parts[i], [&](int l) {
      if (std::find(out.begin(), out.end(), l) != out.end()) return true;
      for (size_t j = i + 1; j < parts.size(); ++j)
        if (parts[j].find(l) >= 0) return true;
      return false;
    });
  }
  sum_out(result, [&](int l) { return std::find(out.begin(), out.end(), l) != out.end(); });
  return arranged(result, out);
}

}  // namespace autograd
