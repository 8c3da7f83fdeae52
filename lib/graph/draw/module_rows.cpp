// Rows of equal modules, found and drawn once.
#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "graph/draw/repeats.hpp"

namespace autograd::detail {
namespace {

constexpr size_t kLongestPeriod = 8;  // modules that take turns
constexpr int kMostSteps = 4;         // ops between what all read, or what reads all, and a unit

}  // namespace

void Repeats::gather() {
  children_.resize(sketch_.clusters.size() + 1);
  own_nodes_.resize(sketch_.clusters.size());
  for (size_t c = 0; c < sketch_.clusters.size(); ++c)
    if (!sketch_.clusters[c].is_phase || sketch_.clusters[c].parent < 0)
      children_[static_cast<size_t>(sketch_.clusters[c].parent + 1)].push_back(static_cast<int>(c));
  for (size_t n = 0; n < sketch_.nodes.size(); ++n)
    if (sketch_.nodes[n].cluster >= 0)
      own_nodes_[static_cast<size_t>(sketch_.nodes[n].cluster)].push_back(static_cast<int>(n));
  edges_in_.resize(sketch_.nodes.size());
  edges_out_.resize(sketch_.nodes.size());
  for (size_t e = 0; e < sketch_.edges.size(); ++e) {
    edges_in_[static_cast<size_t>(sketch_.edges[e].to)].push_back(e);
    edges_out_[static_cast<size_t>(sketch_.edges[e].from)].push_back(e);
  }
}

std::vector<int> Repeats::nodes_inside(int cluster) const {
  std::vector<int> found, waiting{cluster};
  while (!waiting.empty()) {
    const size_t c = static_cast<size_t>(waiting.back());
    waiting.pop_back();
    found.insert(found.end(), own_nodes_[c].begin(), own_nodes_[c].end());
    waiting.insert(waiting.end(), children_[c + 1].begin(), children_[c + 1].end());
  }
  // Leaves in the order in which they are read, then the ops: the same for modules that do the
  // same.
  const auto place = [&](int n) {
    const bool is_op = sketch_.nodes[static_cast<size_t>(n)].op >= 0;
    const auto& out = edges_out_[static_cast<size_t>(n)];
    return std::tuple(is_op, is_op || out.empty() ? 0 : out[0], n);
  };
  std::sort(found.begin(), found.end(), [&](int a, int b) { return place(a) < place(b); });
  return found;
}

bool Repeats::is_inside(int cluster, int of) const {
  while (cluster >= 0 && cluster != of)
    cluster = sketch_.clusters[static_cast<size_t>(cluster)].parent;
  return cluster == of;
}

std::vector<int> Repeats::nodes_inside(const Unit& unit) const {
  std::vector<int> found;
  for (int cluster : unit) {
    const std::vector<int> nodes = nodes_inside(cluster);
    found.insert(found.end(), nodes.begin(), nodes.end());
  }
  return found;
}

// All that can be seen of modules but their own names.
std::string Repeats::signature(const Unit& unit) const {
  std::ostringstream text;
  for (int cluster : unit) {
    const std::string& title = sketch_.clusters[static_cast<size_t>(cluster)].title;
    const size_t colon = title.rfind(": ");
    text << (colon != std::string::npos ? title.substr(colon) : "") << '|';
  }
  const std::vector<int> nodes = nodes_inside(unit);
  std::map<int, size_t> number;
  for (size_t i = 0; i < nodes.size(); ++i) number[nodes[i]] = i;
  for (int n : nodes) {
    const SketchNode& node = sketch_.nodes[static_cast<size_t>(n)];
    text << '\n' << static_cast<int>(node.look) << node.title << '\t' << node.detail;
    int c = node.cluster;
    for (; std::find(unit.begin(), unit.end(), c) == unit.end();
         c = sketch_.clusters[static_cast<size_t>(c)].parent)
      text << '/' << sketch_.clusters[static_cast<size_t>(c)].title;
    text << '/' << std::find(unit.begin(), unit.end(), c) - unit.begin();
    for (const std::string& output : node.outputs) text << '\t' << output;
    for (size_t e : edges_in_[static_cast<size_t>(n)]) {
      const SketchEdge& edge = sketch_.edges[e];
      const auto inside = number.find(edge.from);
      if (inside == number.end())
        text << " .";
      else
        text << ' ' << inside->second << ':' << edge.output;
    }
  }
  return text.str();
}

void Repeats::roll_up_inside(std::vector<int>& siblings) {
  std::map<int, int> first_op;
  for (int c : siblings) {
    first_op[c] = 1 << 30;
    for (int n : nodes_inside(c))
      if (sketch_.nodes[static_cast<size_t>(n)].op >= 0)
        first_op[c] = std::min(first_op[c], sketch_.nodes[static_cast<size_t>(n)].op);
  }
  std::stable_sort(siblings.begin(), siblings.end(),
                   [&](int a, int b) { return first_op[a] < first_op[b]; });
  std::vector<std::string> alone;
  for (int c : siblings) alone.push_back(signature(Unit{c}));
  for (size_t begin = 0; begin < siblings.size();) {
    size_t length = 0;
    for (size_t period = 1; length == 0 && period <= kLongestPeriod; ++period)
      length = roll_up_row(siblings, alone, begin, period);
    begin += std::max<size_t>(length, 1);
  }
}

// Rolls up the units of `period` modules that begin there; returns how many modules they are.
size_t Repeats::roll_up_row(const std::vector<int>& siblings, const std::vector<std::string>& alone,
                            size_t begin, size_t period) {
  size_t end = begin + period;
  while (end < siblings.size() && alone[end] == alone[end - period]) ++end;
  const size_t most = (end - begin) / period;
  if (most < kFewestRepeats) return 0;
  std::vector<Unit> units;
  std::string first;
  for (size_t k = 0; k < most; ++k) {
    const auto at = siblings.begin() + static_cast<ptrdiff_t>(begin + k * period);
    Unit unit(at, at + static_cast<ptrdiff_t>(period));
    for (int c : unit) {
      const SketchCluster& cluster = sketch_.clusters[static_cast<size_t>(c)];
      if (cluster.is_phase || cluster.fused >= 0) return 0;
    }
    const std::string now = period == 1 ? alone[begin + k] : signature(unit);
    if (k == 0) first = now;
    if (now != first) break;
    units.push_back(std::move(unit));
  }
  Row row;
  if (units.size() < kFewestRepeats || !fit_together(units, row)) return 0;
  merge(units, row);
  merge_twins(units[0][0], row.twins);
  return units.size() * period;
}

// What the way back keeps of a module, and what it does to its parameters, do not tell modules
// apart.
std::vector<size_t> Repeats::edges_of_phase(const std::vector<size_t>& edges) const {
  std::vector<size_t> found;
  for (size_t e : edges)
    if (!crosses_phases(sketch_, sketch_.edges[e])) found.push_back(e);
  return found;
}

// A row can be drawn as its first unit if all are fed by each other, by what feeds the first, or by
// what looks like that, as the steps of a sequence are, and if what they make is read by each
// other, by the same readers or by such as look alike. What runs along the row may enter it and
// leave it at its ends: the sum of gradients of a weight, one of a bias the other way.
bool Repeats::fit_together(const std::vector<Unit>& units, Row& row) const {
  row.unit_of.assign(sketch_.nodes.size(), 0);
  row.like.assign(sketch_.nodes.size(), -1);
  for (size_t k = 0; k < units.size(); ++k) {
    row.nodes.push_back(nodes_inside(units[k]));
    for (size_t i = 0; i < row.nodes[k].size(); ++i)
      put_in(row, row.nodes[k][i], row.nodes[0][i], k);
  }
  for (int n : row.nodes[0]) {
    for (size_t e : edges_of_phase(edges_in_[static_cast<size_t>(n)]))
      if (is_outside(row, sketch_.edges[e].from))
        row.feeds_first.insert({sketch_.edges[e].from, sketch_.edges[e].output});
    for (size_t e : edges_of_phase(edges_out_[static_cast<size_t>(n)]))
      if (is_outside(row, sketch_.edges[e].to)) row.reads_first.insert(sketch_.edges[e].to);
  }
  for (size_t k = 1; k < units.size(); ++k)
    if (!is_fed_alike(row, k)) return false;
  return are_read_alike(row) && is_acyclic(row);
}

bool Repeats::is_outside(const Row& row, int node) {
  return row.unit_of[static_cast<size_t>(node)] == 0;
}

bool Repeats::is_fed_alike(Row& row, size_t k) const {
  const auto is_known = [&](const Source& source) {
    if (!is_outside(row, source.first) || row.feeds_first.count(source)) return true;
    return std::any_of(row.feeds_first.begin(), row.feeds_first.end(), [&](const Source& first) {
      return first.second == source.second &&
             with_twin(row, source.first, first.first, k, kMostSteps, Side::kBefore);
    });
  };
  for (size_t i = 0; i < row.nodes[k].size(); ++i) {
    const std::vector<size_t>& in = edges_in_[static_cast<size_t>(row.nodes[k][i])];
    for (size_t j = 0; j < in.size(); ++j) {
      const SketchEdge& edge = sketch_.edges[in[j]];
      if (crosses_phases(sketch_, edge) || is_known({edge.from, edge.output})) continue;
      // At the end it may come from outside if it comes from the next one elsewhere.
      const size_t middle = edges_in_[static_cast<size_t>(row.nodes[1][i])][j];
      if (k + 1 < row.nodes.size() || !runs_along(row, middle)) return false;
    }
  }
  return true;
}

// An edge from one unit to another.
bool Repeats::runs_along(const Row& row, size_t e) const {
  const size_t from = row.unit_of[static_cast<size_t>(sketch_.edges[e].from)],
               to = row.unit_of[static_cast<size_t>(sketch_.edges[e].to)];
  return from != 0 && to != 0 && from != to;
}

std::set<int> Repeats::readers_of(Row& row, size_t k) const {
  std::set<int> readers;
  for (int n : row.nodes[k])
    for (size_t e : edges_of_phase(edges_out_[static_cast<size_t>(n)])) {
      const int to = sketch_.edges[e].to;
      if (!is_outside(row, to)) continue;
      const auto like = std::find_if(row.reads_first.begin(), row.reads_first.end(), [&](int of) {
        return of == to || with_twin(row, to, of, k, kMostSteps, Side::kBehind);
      });
      if (like == row.reads_first.end() || *like == to) readers.insert(to);
    }
  return readers;
}

bool Repeats::are_read_alike(Row& row) const {
  const size_t last = row.nodes.size() - 1;
  std::vector<std::set<int>> readers(last + 1);
  for (size_t k = 1; k <= last; ++k) readers[k] = readers_of(row, k);
  readers[0] = readers_of(row, 0);
  for (size_t k = 2; k < last; ++k)
    if (readers[k] != readers[1]) return false;
  const auto holds_common = [&](const std::set<int>& of) {
    return std::includes(of.begin(), of.end(), readers[1].begin(), readers[1].end());
  };
  if (!holds_common(readers[0]) || !holds_common(readers[last])) return false;
  // Elsewhere what leaves the first leads to the next one, as it does not there.
  const auto leads_on = [&](int node) {
    const std::vector<size_t>& out = edges_out_[static_cast<size_t>(node)];
    return std::any_of(out.begin(), out.end(), [&](size_t e) { return runs_along(row, e); });
  };
  for (size_t i = 0; i < row.nodes[0].size(); ++i)
    for (size_t e : edges_of_phase(edges_out_[static_cast<size_t>(row.nodes[0][i])])) {
      const int to = sketch_.edges[e].to;
      if (!is_outside(row, to) || readers[1].count(to)) continue;
      if (leads_on(row.nodes[0][i]) || !leads_on(row.nodes[1][i])) return false;
    }
  return true;
}

// Whether no line of the drawing would lead back.
bool Repeats::is_acyclic(const Row& row) const {
  const size_t n = sketch_.nodes.size();
  const auto drawn = [&](int node) {
    while (stands_for_[static_cast<size_t>(node)] != node)
      node = stands_for_[static_cast<size_t>(node)];
    return static_cast<size_t>(is_outside(row, node) ? node : row.like[static_cast<size_t>(node)]);
  };
  std::vector<std::vector<size_t>> next(n);
  std::vector<size_t> waits(n, 0), ready;
  for (const SketchEdge& edge : sketch_.edges) {
    const size_t a = row.unit_of[static_cast<size_t>(edge.from)],
                 b = row.unit_of[static_cast<size_t>(edge.to)];
    const auto &x = member_of_[static_cast<size_t>(edge.from)],
               &y = member_of_[static_cast<size_t>(edge.to)];
    if ((a != 0 && b != 0 && a != b) || (x.first >= 0 && x.first == y.first && x != y)) continue;
    next[drawn(edge.from)].push_back(drawn(edge.to));
    ++waits[drawn(edge.to)];
  }
  for (size_t i = 0; i < n; ++i)
    if (waits[i] == 0) ready.push_back(i);
  size_t done = 0;
  for (; done < ready.size(); ++done)
    for (size_t to : next[ready[done]])
      if (--waits[to] == 0) ready.push_back(to);
  return done == n;
}

// True if `node` is to unit k what `of_first` is to the first; both are then part of theirs.
bool Repeats::with_twin(Row& row, int node, int of_first, size_t k, int steps, Side side) const {
  const size_t a = static_cast<size_t>(of_first), b = static_cast<size_t>(node);
  if (row.unit_of[b] != 0) return row.unit_of[b] == k + 1 && row.like[b] == row.like[a];
  if (steps == 0 || row.unit_of[a] > 1 || !are_alike(of_first, node)) return false;
  const size_t twins = row.twins.size();
  const bool was_outside = is_outside(row, of_first);
  put_in(row, of_first, of_first, 0);
  put_in(row, node, of_first, k);
  row.twins.push_back({node, of_first, k});
  if (is_fed_as(row, node, of_first, k, steps, side) &&
      is_read_as(row, node, of_first, k, steps, side))
    return true;
  for (size_t i = twins; i < row.twins.size(); ++i) take_out(row, row.twins[i].node);
  row.twins.resize(twins);
  if (was_outside) take_out(row, of_first);
  return false;
}

void Repeats::put_in(Row& row, int node, int like, size_t k) {
  row.unit_of[static_cast<size_t>(node)] = k + 1;
  row.like[static_cast<size_t>(node)] = like;
}

void Repeats::take_out(Row& row, int node) {
  row.unit_of[static_cast<size_t>(node)] = 0;
  row.like[static_cast<size_t>(node)] = -1;
}

bool Repeats::is_fed_as(Row& row, int node, int of_first, size_t k, int steps, Side side) const {
  const std::vector<size_t> in_a = edges_of_phase(edges_in_[static_cast<size_t>(of_first)]),
                            in_b = edges_of_phase(edges_in_[static_cast<size_t>(node)]);
  if (in_a.size() != in_b.size()) return false;
  for (size_t i = 0; i < in_a.size(); ++i) {
    const SketchEdge &e = sketch_.edges[in_a[i]], &f = sketch_.edges[in_b[i]];
    if (e.output != f.output) return false;
    // What is read beside the unit's own may be another twin, as a target of each step.
    if (e.from != f.from &&
        !with_twin(row, f.from, e.from, k, steps - 1, side == Side::kBehind ? Side::kBefore : side))
      return false;
  }
  return true;
}

bool Repeats::is_read_as(Row& row, int node, int of_first, size_t k, int steps, Side side) const {
  const std::vector<size_t> out_a = edges_of_phase(edges_out_[static_cast<size_t>(of_first)]),
                            out_b = edges_of_phase(edges_out_[static_cast<size_t>(node)]);
  const auto is_in = [&](size_t e, size_t unit) {
    return row.unit_of[static_cast<size_t>(sketch_.edges[e].to)] == unit + 1;
  };
  if (side == Side::kBefore)
    return std::all_of(out_a.begin(), out_a.end(), [&](size_t e) { return is_in(e, 0); }) &&
           std::all_of(out_b.begin(), out_b.end(), [&](size_t e) { return is_in(e, k); });
  // The last one's may be read by others as well: it is what comes out in the end.
  if (k + 1 < row.nodes.size() && out_a.size() != out_b.size()) return false;
  return std::all_of(out_a.begin(), out_a.end(), [&](size_t e) {
    return std::any_of(out_b.begin(), out_b.end(), [&](size_t f) {
      const int to = sketch_.edges[e].to, other = sketch_.edges[f].to;
      return sketch_.edges[e].output == sketch_.edges[f].output &&
             (to == other || with_twin(row, other, to, k, steps - 1, side));
    });
  });
}

// They do the same, each for a unit of its own: x[0] and x[1].
bool Repeats::are_alike(int a, int b) const {
  const SketchNode &x = sketch_.nodes[static_cast<size_t>(a)],
                   &y = sketch_.nodes[static_cast<size_t>(b)];
  const bool are_inputs = x.op < 0 && x.look == Look::kInput && x.detail == y.detail;
  return x.look == y.look && x.outputs == y.outputs && (x.op < 0) == (y.op < 0) &&
         x.cluster == y.cluster && (are_inputs || (x.op >= 0 && x.title == y.title));
}

void Repeats::merge_twins(int first_module, const std::vector<Twin>& twins) {
  std::map<int, std::set<int>> all;
  for (const Twin& twin : twins) {
    all[twin.of_first].insert(twin.node);
    stands_for_[static_cast<size_t>(twin.node)] = twin.of_first;
    node_kept_[static_cast<size_t>(twin.node)] = 0;
    member_of_[static_cast<size_t>(twin.node)] = {first_module, twin.place};
    member_of_[static_cast<size_t>(twin.of_first)] = {first_module, 0};
  }
  for (const auto& [of_first, others] : all) {
    SketchNode& node = sketch_.nodes[static_cast<size_t>(of_first)];
    node.times = static_cast<int>(others.size()) + 1;
    node.facts.emplace_back("stands for", std::to_string(node.times) + ", each of another part");
    if (node.op < 0) node.title = std::to_string(node.times) + " inputs";
    if (node.op >= 0) node.title += " \xC3\x97 " + std::to_string(node.times);
    const bool differ = std::any_of(others.begin(), others.end(), [&](int other) {
      return sketch_.nodes[static_cast<size_t>(other)].detail != node.detail;
    });
    if (node.op >= 0 && differ) node.detail.clear();
  }
}

void Repeats::merge(const std::vector<Unit>& units, const Row& row) {
  for (size_t i = 0; i < units[0].size(); ++i) {
    SketchCluster& first = sketch_.clusters[static_cast<size_t>(units[0][i])];
    first.times = static_cast<int>(units.size());
    for (size_t k = 1; k < units.size() && i < units[k].size(); ++k)
      first.also.push_back(sketch_.clusters[static_cast<size_t>(units[k][i])].path);
  }
  for (size_t k = 0; k < units.size(); ++k) {
    for (size_t i = 0; i < row.nodes[k].size(); ++i) {
      const size_t n = static_cast<size_t>(row.nodes[k][i]);
      stands_for_[n] = row.nodes[0][i];
      node_kept_[n] = k == 0;
      member_of_[n] = {units[0][0], k};
    }
    for (size_t c = 0; k > 0 && c < cluster_kept_.size(); ++c)
      for (int gone : units[k])
        if (is_inside(static_cast<int>(c), gone)) cluster_kept_[c] = 0;
  }
  if (units[0].size() > 1) in_turn_.push_back(units[0]);
}

// Modules that take turns get a box around them that says how often.
void Repeats::box_turns() {
  const size_t n = sketch_.clusters.size();
  std::vector<SketchCluster> clusters;
  std::vector<int> place(n);
  std::vector<char> kept;
  for (size_t c = 0; c < n; ++c) {
    for (const Unit& unit : in_turn_) {
      if (*std::min_element(unit.begin(), unit.end()) != static_cast<int>(c)) continue;
      SketchCluster box;
      box.id = "turns_" + sketch_.clusters[c].id;
      box.title = std::to_string(unit.size()) + " modules in turn";
      box.parent = sketch_.clusters[c].parent;  // of the old ones, until all have their places
      box.phase = sketch_.clusters[c].phase;
      box.times = sketch_.clusters[c].times;
      for (int each : unit) {
        sketch_.clusters[static_cast<size_t>(each)].parent = -2 - static_cast<int>(clusters.size());
        sketch_.clusters[static_cast<size_t>(each)].times = 1;
      }
      clusters.push_back(std::move(box));
      kept.push_back(1);
    }
    place[c] = static_cast<int>(clusters.size());
    clusters.push_back(sketch_.clusters[c]);
    kept.push_back(cluster_kept_[c]);
  }
  for (SketchCluster& cluster : clusters) {
    if (cluster.parent >= 0)
      cluster.parent = place[static_cast<size_t>(cluster.parent)];
    else if (cluster.parent < -1)
      cluster.parent = -2 - cluster.parent;
  }
  for (SketchNode& node : sketch_.nodes)
    if (node.cluster >= 0) node.cluster = place[static_cast<size_t>(node.cluster)];
  sketch_.clusters = std::move(clusters);
  cluster_kept_ = std::move(kept);
}

}  // namespace autograd::detail
