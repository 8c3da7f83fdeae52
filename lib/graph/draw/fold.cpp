// Sketches with less in them: repeated modules once, deep modules closed.
#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "graph/draw/repeats.hpp"

namespace autograd::detail {

void Repeats::fold(bool roll_up, bool once) {
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
  if (!in_turn_.empty()) box_turns();
  keep_only(sketch_, node_kept_, cluster_kept_);
  if (roll_up) settle_leaves(sketch_);  // what all calls of a module read is now read by one
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
    if (node.op < 0 || node.phase != Phase::kOptimizer) continue;
    if (!edges_of_phase(edges_out_[n]).empty()) continue;
    std::string key = std::to_string(node.round) + "\t" + node.title + "\t" + node.detail;
    for (int leaf : own_leaves(static_cast<int>(n)))
      key += style_of(sketch_.nodes[static_cast<size_t>(leaf)].look).name;
    alike[key].push_back(static_cast<int>(n));
  }
  for (const auto& [key, ops] : alike) {
    if (ops.size() >= kFewestRepeats)
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
    if (leaves.size() < kFewestRepeats) continue;
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
  for (std::string& output : first.outputs) output.clear();  // each has its own shape
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

namespace {

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
  using Source = std::pair<int, int>;  // a node and the number of its output
  std::map<Source, int> output_of;     // what a module hands out, by what makes it inside
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
