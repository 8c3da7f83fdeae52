// Sketches with less in them: repeated modules once, deep modules closed.
#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <tuple>

#include "graph/draw/sketch.hpp"

namespace autograd::detail {
namespace {

// Fewer stand beside each other well enough.
constexpr size_t kFewest = 3;

struct Source {
  int node, output;
  bool operator==(const Source& other) const {
    return node == other.node && output == other.output;
  }
  bool operator<(const Source& other) const {
    return std::tie(node, output) < std::tie(other.node, other.output);
  }
};

class Repeats {
 public:
  explicit Repeats(Sketch& sketch) : sketch_(sketch) {}

  void fold(bool roll_up, bool once) {
    const size_t clusters = sketch_.clusters.size();
    node_kept_.assign(sketch_.nodes.size(), 1);
    cluster_kept_.assign(clusters, 1);
    stands_for_.resize(sketch_.nodes.size());
    member_of_.assign(sketch_.nodes.size(), {-1, 0});
    for (size_t i = 0; i < stands_for_.size(); ++i) stands_for_[i] = static_cast<int>(i);
    if (roll_up) {
      gather();
      // From the outside to the inside: what is inside of a repeated module is looked at once.
      for (size_t parent = 0; parent <= clusters; ++parent)
        if (parent == 0 || cluster_kept_[parent - 1]) roll_up_inside(children_[parent]);
      roll_up_updates();
    }
    if (once) unite_leaves();
    redirect_edges();
    keep_only(sketch_, node_kept_, cluster_kept_);
    if (roll_up) settle_leaves(sketch_);  // what all calls of a module read is now read by one
  }

 private:
  void gather();
  std::vector<int> nodes_inside(int cluster) const;
  std::string signature(int cluster) const;
  bool is_inside(int cluster, int of) const;
  void roll_up_inside(std::vector<int>& siblings);
  /// What feeds a module of a row alone, as another node feeds the first module of it.
  struct Twin {
    int node, of_first;
    size_t place;  ///< of the module in the row
  };
  bool fit_together(const std::vector<int>& row, std::vector<Twin>& twins) const;
  bool are_alike(int a, const std::vector<int>& readers_of_a, int b,
                 const std::vector<int>& readers_of_b) const;
  bool is_read_within(int node, const std::vector<int>& readers) const;
  void merge(const std::vector<int>& row);
  void merge_twins(int first_module, const std::vector<Twin>& twins);
  void roll_up_updates();
  void merge_updates(const std::vector<int>& ops);
  void merge_leaves(int op);
  void describe_all(const std::vector<int>& leaves);
  std::string title_of_all(const std::vector<int>& leaves) const;
  std::vector<int> own_leaves(int op) const;
  void unite_leaves();
  void redirect_edges();

  Sketch& sketch_;
  std::vector<char> node_kept_, cluster_kept_;
  std::vector<std::pair<int, size_t>>
      member_of_;                // of each node: the row's first module, its place
  std::vector<int> stands_for_;  // the node that is drawn instead of a node
  std::vector<std::vector<int>>
      children_;  // clusters in order of their first op; [0] the outermost
  std::vector<std::vector<int>> own_nodes_;
  std::vector<std::vector<size_t>> edges_in_;  // of each node
  std::vector<std::vector<size_t>> edges_out_;
};

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

// All that can be seen of a cluster but its own name.
std::string Repeats::signature(int cluster) const {
  const std::string& title = sketch_.clusters[static_cast<size_t>(cluster)].title;
  const size_t colon = title.rfind(": ");
  std::ostringstream text;
  if (colon != std::string::npos) text << title.substr(colon);
  const std::vector<int> nodes = nodes_inside(cluster);
  std::map<int, size_t> number;
  for (size_t i = 0; i < nodes.size(); ++i) number[nodes[i]] = i;
  for (int n : nodes) {
    const SketchNode& node = sketch_.nodes[static_cast<size_t>(n)];
    text << '\n' << static_cast<int>(node.look) << node.title << '\t' << node.detail;
    for (int c = node.cluster; c != cluster; c = sketch_.clusters[static_cast<size_t>(c)].parent)
      text << '/' << sketch_.clusters[static_cast<size_t>(c)].title;
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
  std::vector<std::string> signatures;
  for (int c : siblings) signatures.push_back(signature(c));
  for (size_t begin = 0, end; begin < siblings.size(); begin = end) {
    for (end = begin + 1; end < siblings.size() && signatures[end] == signatures[begin];) ++end;
    const SketchCluster& first = sketch_.clusters[static_cast<size_t>(siblings[begin])];
    if (end - begin < kFewest || first.is_phase || first.fused >= 0) continue;
    const std::vector<int> row(siblings.begin() + static_cast<ptrdiff_t>(begin),
                               siblings.begin() + static_cast<ptrdiff_t>(end));
    std::vector<Twin> twins;
    if (!fit_together(row, twins)) continue;
    merge(row);
    merge_twins(row[0], twins);
  }
}

// What the way back keeps of a module, and what it does to its parameters, do not tell modules
// apart. Else a row can be drawn as its first module if the others are fed by each other or by what
// feeds the first or looks like it, as the steps of a sequence do, and if what is made is read by
// each other, by the same reader, or by readers of the last.
bool Repeats::fit_together(const std::vector<int>& row, std::vector<Twin>& twins) const {
  std::set<int> members;
  std::vector<std::vector<int>> nodes;
  for (int c : row) {
    nodes.push_back(nodes_inside(c));
    members.insert(nodes.back().begin(), nodes.back().end());
  }
  std::set<Source> feeds_first;
  std::set<int> readers_of_first;
  for (size_t k = 0; k < row.size(); ++k) {
    std::set<int> readers;
    for (int n : nodes[k]) {
      for (size_t e : edges_in_[static_cast<size_t>(n)]) {
        const SketchEdge& edge = sketch_.edges[e];
        if (members.count(edge.from) || crosses_phases(sketch_, edge)) continue;
        const Source source{edge.from, edge.output};
        if (k == 0) {
          feeds_first.insert(source);
          continue;
        }
        if (feeds_first.count(source)) continue;
        const auto of_first =
            std::find_if(feeds_first.begin(), feeds_first.end(), [&](const Source& first) {
              return first.output == source.output &&
                     are_alike(first.node, nodes[0], source.node, nodes[k]);
            });
        if (of_first == feeds_first.end()) return false;
        twins.push_back({source.node, of_first->node, k});
      }
      for (size_t e : edges_out_[static_cast<size_t>(n)])
        if (!members.count(sketch_.edges[e].to) && !crosses_phases(sketch_, sketch_.edges[e]))
          readers.insert(sketch_.edges[e].to);
    }
    if (k == 0) readers_of_first = readers;
    if (k + 1 < row.size() && !readers.empty() && readers != readers_of_first) return false;
    if (k + 1 == row.size() && !readers_of_first.empty() && readers != readers_of_first)
      return false;
  }
  return true;
}

bool Repeats::is_read_within(int node, const std::vector<int>& readers) const {
  for (size_t e : edges_out_[static_cast<size_t>(node)])
    if (!crosses_phases(sketch_, sketch_.edges[e]) &&
        std::find(readers.begin(), readers.end(), sketch_.edges[e].to) == readers.end())
      return false;
  return true;
}

// Each is read by one module alone, and they do the same with the same: x[0] and x[1].
bool Repeats::are_alike(int a, const std::vector<int>& readers_of_a, int b,
                        const std::vector<int>& readers_of_b) const {
  const SketchNode &x = sketch_.nodes[static_cast<size_t>(a)],
                   &y = sketch_.nodes[static_cast<size_t>(b)];
  const bool are_inputs = x.op < 0 && x.look == Look::kInput && x.detail == y.detail;
  if (x.look != y.look || x.outputs != y.outputs || (x.op < 0) != (y.op < 0) ||
      x.cluster != y.cluster || !(are_inputs || (x.op >= 0 && x.title == y.title)))
    return false;
  const auto &in_a = edges_in_[static_cast<size_t>(a)], &in_b = edges_in_[static_cast<size_t>(b)];
  if (in_a.size() != in_b.size()) return false;
  for (size_t i = 0; i < in_a.size(); ++i) {
    const SketchEdge &e = sketch_.edges[in_a[i]], &f = sketch_.edges[in_b[i]];
    if (e.from != f.from || e.output != f.output) return false;
  }
  return is_read_within(a, readers_of_a) && is_read_within(b, readers_of_b);
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
    if (node.op >= 0) node.detail.clear();
    if (node.op >= 0) node.title += " \xC3\x97 " + std::to_string(node.times);
  }
}

void Repeats::merge(const std::vector<int>& row) {
  SketchCluster& first = sketch_.clusters[static_cast<size_t>(row[0])];
  first.times = static_cast<int>(row.size());
  const std::vector<int> nodes = nodes_inside(row[0]);
  for (int n : nodes) member_of_[static_cast<size_t>(n)] = {row[0], 0};
  for (size_t k = 1; k < row.size(); ++k) {
    const std::vector<int> others = nodes_inside(row[k]);
    for (size_t i = 0; i < others.size(); ++i) {
      stands_for_[static_cast<size_t>(others[i])] = nodes[i];
      node_kept_[static_cast<size_t>(others[i])] = 0;
      member_of_[static_cast<size_t>(others[i])] = {row[0], k};
    }
    for (size_t c = 0; c < cluster_kept_.size(); ++c)
      if (is_inside(static_cast<int>(c), row[k])) cluster_kept_[c] = 0;
  }
}

// Leaves that no other op reads.
std::vector<int> Repeats::own_leaves(int op) const {
  std::vector<int> leaves;
  for (size_t e : edges_in_[static_cast<size_t>(op)]) {
    const int from = sketch_.edges[e].from;
    if (sketch_.nodes[static_cast<size_t>(from)].op < 0 &&
        edges_out_[static_cast<size_t>(from)].size() == 1)
      leaves.push_back(from);
  }
  return leaves;
}

// The optimizer does the same to every parameter: that is drawn once, too.
void Repeats::roll_up_updates() {
  std::map<std::string, std::vector<int>> alike;
  for (size_t n = 0; n < sketch_.nodes.size(); ++n) {
    const SketchNode& node = sketch_.nodes[n];
    if (node.op < 0 || node.phase != Phase::kOptimizer || !edges_out_[n].empty()) continue;
    std::string key = node.title + "\t" + node.detail;
    for (int leaf : own_leaves(static_cast<int>(n)))
      key += style_of(sketch_.nodes[static_cast<size_t>(leaf)].look).name;
    alike[key].push_back(static_cast<int>(n));
  }
  for (const auto& [key, ops] : alike) {
    if (ops.size() >= kFewest)
      merge_updates(ops);
    else
      for (int op : ops) merge_leaves(op);
  }
}

// "6 × exp_avg", or "6 parameters" where that is all they have in common.
std::string Repeats::title_of_all(const std::vector<int>& leaves) const {
  const std::string times = std::to_string(leaves.size());
  const SketchNode& first = sketch_.nodes[static_cast<size_t>(leaves[0])];
  const auto last_part = [&](int leaf) {
    const std::string& name = sketch_.nodes[static_cast<size_t>(leaf)].name;
    return name.substr(name.rfind('.') + 1);
  };
  const bool same = first.look == Look::kBuffer && first.name.find('.') != std::string::npos &&
                    std::all_of(leaves.begin(), leaves.end(),
                                [&](int leaf) { return last_part(leaf) == last_part(leaves[0]); });
  return same ? times + " \xC3\x97 " + last_part(leaves[0])
              : times + " " + style_of(first.look).name + "s";
}

void Repeats::describe_all(const std::vector<int>& leaves) {
  const std::string title = title_of_all(leaves);
  SketchNode& node = sketch_.nodes[static_cast<size_t>(leaves[0])];
  node.facts.clear();
  for (int leaf : leaves) {
    const SketchNode& each = sketch_.nodes[static_cast<size_t>(leaf)];
    node.facts.emplace_back("stands for",
                            (each.name.empty() ? each.title : each.name) + " " + each.detail);
  }
  node.title = title;
  node.detail.clear();
  node.name.clear();
  node.times = static_cast<int>(leaves.size());
}

// One update of all parameters reads their states and gradients: those of a kind are drawn once.
void Repeats::merge_leaves(int op) {
  std::map<std::string, std::vector<int>> alike;
  std::vector<std::string> order;
  for (int leaf : own_leaves(op)) {
    const SketchNode& node = sketch_.nodes[static_cast<size_t>(leaf)];
    const size_t dot = node.look == Look::kBuffer ? node.name.rfind('.') : std::string::npos;
    const std::string key = std::string(style_of(node.look).name) +
                            (dot == std::string::npos ? "" : node.name.substr(dot));
    if (alike[key].empty()) order.push_back(key);
    alike[key].push_back(leaf);
  }
  for (const std::string& key : order) {
    const std::vector<int>& leaves = alike[key];
    if (leaves.size() < kFewest) continue;
    describe_all(leaves);
    for (size_t k = 1; k < leaves.size(); ++k) {
      stands_for_[static_cast<size_t>(leaves[k])] = leaves[0];
      node_kept_[static_cast<size_t>(leaves[k])] = 0;
    }
  }
}

void Repeats::merge_updates(const std::vector<int>& ops) {
  const std::string times = std::to_string(ops.size());
  SketchNode& first = sketch_.nodes[static_cast<size_t>(ops[0])];
  const std::vector<int> leaves = own_leaves(ops[0]);
  for (size_t i = 0; i < leaves.size(); ++i) {
    std::vector<int> all;
    for (int op : ops)
      if (i < own_leaves(op).size()) all.push_back(own_leaves(op)[i]);
    describe_all(all);
  }
  first.title += " \xC3\x97 " + times;
  first.times = static_cast<int>(ops.size());
  first.facts.clear();
  for (size_t k = 1; k < ops.size(); ++k) {
    const SketchNode& other = sketch_.nodes[static_cast<size_t>(ops[k])];
    if (other.seconds >= 0) first.seconds += other.seconds;
    first.flops += other.flops;
    first.bytes += other.bytes;
    const std::vector<int> others = own_leaves(ops[k]);
    for (size_t i = 0; i < others.size(); ++i) {
      stands_for_[static_cast<size_t>(others[i])] = leaves[i];
      node_kept_[static_cast<size_t>(others[i])] = 0;
    }
    stands_for_[static_cast<size_t>(ops[k])] = ops[0];
    node_kept_[static_cast<size_t>(ops[k])] = 0;
  }
}

// Each leaf has one box. Those that an optimizer changes all alike are named once more, together.
void Repeats::unite_leaves() {
  for (size_t n = 0; n < sketch_.nodes.size(); ++n) {
    const SketchNode& node = sketch_.nodes[n];
    if (node.again_of < 0 || !node_kept_[n] || node.times > 1) continue;
    stands_for_[n] = node.again_of;
    node_kept_[n] = 0;
  }
}

void Repeats::redirect_edges() {
  const auto drawn = [&](int node) {
    while (stands_for_[static_cast<size_t>(node)] != node)
      node = stands_for_[static_cast<size_t>(node)];
    return node;
  };
  std::set<std::tuple<int, int, int>> seen;
  std::vector<SketchEdge> edges;
  for (const SketchEdge& edge : sketch_.edges) {
    const int from = drawn(edge.from), to = drawn(edge.to);
    const auto &a = member_of_[static_cast<size_t>(edge.from)],
               &b = member_of_[static_cast<size_t>(edge.to)];
    if (a.first >= 0 && a.first == b.first && a.second != b.second) continue;  // on to the next
    const bool moved = from != edge.from || to != edge.to;
    if (moved && !seen.insert({from, edge.output, to}).second) continue;  // as for the first
    if (!moved) seen.insert({from, edge.output, to});
    SketchEdge kept = edge;
    kept.from = from;
    kept.to = to;
    edges.push_back(kept);
  }
  sketch_.edges = std::move(edges);
}

int depth_of(const Sketch& sketch, int cluster) {
  int depth = 0;
  for (; cluster >= 0; cluster = sketch.clusters[static_cast<size_t>(cluster)].parent)
    depth += sketch.clusters[static_cast<size_t>(cluster)].is_phase ? 0 : 1;
  return depth;
}

// The cluster around a node that is to be closed, the outermost; -1 for none.
int closed_around(const Sketch& sketch, int cluster, int64_t depth) {
  int found = -1;
  for (int c = cluster; c >= 0; c = sketch.clusters[static_cast<size_t>(c)].parent)
    if (!sketch.clusters[static_cast<size_t>(c)].is_phase && depth_of(sketch, c) > depth) found = c;
  return found;
}

// How many ops a node stands for within a cluster that holds it.
int count_within(const Sketch& sketch, const SketchNode& node, int cluster) {
  if (node.op < 0) return 0;
  int count = node.times;
  for (int c = node.cluster; c != cluster; c = sketch.clusters[static_cast<size_t>(c)].parent)
    count *= sketch.clusters[static_cast<size_t>(c)].times;
  return count;
}

std::string count_text(int n) { return std::to_string(n) + (n == 1 ? " op" : " ops"); }

// Edges of what is inside of closed modules are those of the modules. What a module makes for other
// parts of the step leaves it as one line.
void redirect_to_modules(Sketch& sketch, const std::vector<int>& drawn) {
  constexpr int kAll = -1;
  std::map<Source, int> output_of;  // what a module hands out, by what makes it inside
  std::map<int, std::set<Source>> bundles;
  std::set<std::tuple<int, int, int>> seen;
  std::vector<SketchEdge> edges;
  for (SketchEdge edge : sketch.edges) {
    const int from = drawn[static_cast<size_t>(edge.from)],
              to = drawn[static_cast<size_t>(edge.to)];
    if (from == to && from != edge.from) continue;
    const bool is_bundled = from != edge.from && crosses_phases(sketch, edge);
    if (from != edge.from) {
      const Source source{edge.from, edge.output};
      std::vector<std::string>& outputs = sketch.nodes[static_cast<size_t>(from)].outputs;
      const auto [entry, added] = output_of.try_emplace(is_bundled ? Source{from, kAll} : source,
                                                        static_cast<int>(outputs.size()));
      if (added)
        outputs.push_back(
            sketch.nodes[static_cast<size_t>(edge.from)].outputs[static_cast<size_t>(edge.output)]);
      edge.output = entry->second;
      if (is_bundled && bundles[from].insert(source).second && bundles[from].size() > 1)
        outputs[static_cast<size_t>(edge.output)] =
            std::to_string(bundles[from].size()) + " tensors";
    }
    const bool may_be_known = to != edge.to || is_bundled;
    if (may_be_known && !seen.insert({from, edge.output, to}).second) continue;
    edge.from = from;
    edge.to = to;
    edges.push_back(edge);
  }
  sketch.edges = std::move(edges);
}

}  // namespace

void fold(Sketch& sketch, bool roll_up, bool once) { Repeats(sketch).fold(roll_up, once); }

void close_modules(Sketch& sketch, int64_t depth) {
  const size_t n = sketch.nodes.size();
  std::vector<char> kept(n, 1), clusters(sketch.clusters.size(), 1);
  std::vector<int> drawn(n);
  std::map<int, int> node_of_cluster;
  for (size_t i = 0; i < n; ++i) {
    drawn[i] = static_cast<int>(i);
    const int c = closed_around(sketch, sketch.nodes[i].cluster, depth);
    if (c < 0) continue;
    const auto [entry, added] =
        node_of_cluster.try_emplace(c, static_cast<int>(sketch.nodes.size()));
    if (added) {
      const SketchCluster& cluster = sketch.clusters[static_cast<size_t>(c)];
      SketchNode node;
      node.id = "module" + cluster.id.substr(5);
      node.look = Look::kModule;
      node.phase = cluster.phase;
      node.title = cluster.title;
      node.name = cluster.path;
      node.cluster = cluster.parent;
      if (cluster.times > 1) node.title += " \xC3\x97 " + std::to_string(cluster.times);
      sketch.nodes.push_back(std::move(node));
      kept.push_back(1);
    }
    drawn[i] = entry->second;
    kept[i] = 0;
    sketch.nodes[static_cast<size_t>(drawn[i])].inside += count_within(sketch, sketch.nodes[i], c);
  }
  for (size_t c = 0; c < clusters.size(); ++c)
    clusters[c] = closed_around(sketch, static_cast<int>(c), depth) < 0;
  for (const auto& [cluster, node] : node_of_cluster) {
    SketchNode& module = sketch.nodes[static_cast<size_t>(node)];
    module.detail = count_text(module.inside);
  }
  redirect_to_modules(sketch, drawn);
  keep_only(sketch, kept, clusters);
}

}  // namespace autograd::detail
