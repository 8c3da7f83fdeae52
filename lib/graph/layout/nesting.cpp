#include "graph/layout/nesting.hpp"

#include <algorithm>
#include <string>

#include "autograd/error.hpp"

namespace autograd::detail::layout {
namespace {

void check(const Diagram& d) {
  const auto require = [](bool holds, const char* what) {
    if (!holds) throw Error(ErrorCode::kIndex, std::string("layout: ") + what);
  };
  const int boxes = static_cast<int>(d.boxes.size());
  const int clusters = static_cast<int>(d.clusters.size());
  for (int c = 0; c < clusters; ++c) {
    const int parent = d.clusters[static_cast<size_t>(c)].parent;
    require(parent >= -1 && parent < c, "a cluster must come after its parent");
  }
  for (const Box& box : d.boxes)
    require(box.cluster >= -1 && box.cluster < clusters, "a box is in a cluster that is none");
  for (const Edge& e : d.edges)
    require(e.from >= 0 && e.from < boxes && e.to >= 0 && e.to < boxes && e.output >= 0,
            "an edge ends on no box");
}

// The clusters around a box from the inside to the outside, then -1.
std::vector<int> clusters_around(const Diagram& d, int box) {
  std::vector<int> around;
  for (int c = d.boxes[static_cast<size_t>(box)].cluster; c >= 0;
       c = d.clusters[static_cast<size_t>(c)].parent)
    around.push_back(c);
  around.push_back(-1);
  return around;
}

}  // namespace

Nesting::Nesting(const Diagram& diagram) : d_(diagram) {
  check(d_);
  levels.resize(d_.clusters.size() + 1);
  ends.resize(levels.size());
  legs.resize(d_.edges.size());
  backward.resize(d_.edges.size());
  for (const Box& box : d_.boxes) used.emplace_back(box.outputs.size());
  make_items();
  find_meetings();
  for (size_t level = 0; level < levels.size(); ++level) find_backward_edges(level);
  for (size_t e = 0; e < d_.edges.size(); ++e) add_legs(e);
}

int Nesting::add_item(int cluster, int border) {
  auto& items = levels[level_of(cluster)].items;
  items.emplace_back().border = border;
  return static_cast<int>(items.size()) - 1;
}

void Nesting::make_items() {
  item_of_cluster.assign(d_.clusters.size(), -1);
  for (size_t b = 0; b < d_.boxes.size(); ++b) {
    // A cluster becomes an item where its first box is met: so items are in the order of boxes.
    for (int c = d_.boxes[b].cluster; c >= 0; c = d_.clusters[static_cast<size_t>(c)].parent) {
      int& item = item_of_cluster[static_cast<size_t>(c)];
      if (item >= 0) break;
      item = add_item(d_.clusters[static_cast<size_t>(c)].parent, 0);
    }
    item_of_box.push_back(add_item(d_.boxes[b].cluster, 0));
  }
}

void Nesting::find_meetings() {
  edges_meeting_.resize(levels.size());
  for (size_t e = 0; e < d_.edges.size(); ++e) {
    const Edge& edge = d_.edges[e];
    std::vector<int> out = clusters_around(d_, edge.from), in = clusters_around(d_, edge.to);
    while (out.size() > 1 && in.size() > 1 && out[out.size() - 2] == in[in.size() - 2]) {
      out.pop_back();
      in.pop_back();
    }
    const auto item = [&](const std::vector<int>& around, int box) {
      return around.size() > 1 ? item_of_cluster[static_cast<size_t>(around[around.size() - 2])]
                               : item_of_box[static_cast<size_t>(box)];
    };
    meetings_.push_back({level_of(out.back()), item(out, edge.from), item(in, edge.to)});
    if (edge.from != edge.to) edges_meeting_[level_of(out.back())].push_back(e);
  }
}

// Even where boxes have no cycles their clusters may: an edge that closes one runs backward.
void Nesting::find_backward_edges(size_t level) {
  struct Visit {
    int item;
    size_t next;
  };
  const size_t n = levels[level].items.size();
  std::vector<std::vector<size_t>> out(n);
  for (size_t e : edges_meeting_[level]) out[static_cast<size_t>(meetings_[e].from)].push_back(e);
  std::vector<char> state(n);  // 1: on the stack, 2: done
  std::vector<Visit> stack;
  for (size_t start = 0; start < n; ++start) {
    if (state[start]) continue;
    stack.push_back({static_cast<int>(start), 0});
    state[start] = 1;
    while (!stack.empty()) {
      Visit& visit = stack.back();
      const auto& edges = out[static_cast<size_t>(visit.item)];
      if (visit.next == edges.size()) {
        state[static_cast<size_t>(visit.item)] = 2;
        stack.pop_back();
        continue;
      }
      const size_t e = edges[visit.next++];
      const int to = meetings_[e].to;
      backward[e] = state[static_cast<size_t>(to)] == 1;
      if (state[static_cast<size_t>(to)]) continue;
      state[static_cast<size_t>(to)] = 1;
      stack.push_back({to, 0});
    }
  }
}

int Nesting::port(int cluster, const Edge& edge, bool upper) {
  const auto [entry, added] = ports_.try_emplace({cluster, edge.from, edge.output, upper}, 0);
  if (added) entry->second = add_item(cluster, upper ? -1 : 1);
  return entry->second;
}

// What an edge is attached to from the box at one end to the level of the meeting: the box, then
// the clusters around it.
std::vector<Attachment> Nesting::borders(size_t e, int box, bool leaves) {
  const Edge& edge = d_.edges[e];
  const bool upper = leaves == (backward[e] != 0);
  const int output = upper ? Attachment::kAnywhere : leaves ? edge.output : Attachment::kBottom;
  std::vector<Attachment> found{{item_of_box[static_cast<size_t>(box)], box, -1, -1, output}};
  for (int c = d_.boxes[static_cast<size_t>(box)].cluster; level_of(c) != meetings_[e].level;
       c = d_.clusters[static_cast<size_t>(c)].parent)
    found.push_back({item_of_cluster[static_cast<size_t>(c)], -1, c, port(c, edge, upper), 0});
  return found;
}

void Nesting::add_leg(size_t e, size_t level, const Attachment& from, const Attachment& to) {
  const Attachment& upper = backward[e] ? to : from;
  const Attachment& lower = backward[e] ? from : to;
  // Edges stay apart where they end on a box; elsewhere a value runs once.
  const bool at_box = lower.box >= 0;
  const auto [entry, added] =
      links_.try_emplace({level, upper.item, upper.cluster >= 0 ? upper.port : upper.output,
                          lower.item, lower.port, at_box ? static_cast<int>(e) : -1},
                         ends[level].size());
  if (added) {
    ends[level].emplace_back(upper, lower);
    Link& link = levels[level].links.emplace_back();
    link.from = upper.item;
    link.to = lower.item;
    link.free_end = at_box;
  }
  int& weight = levels[level].links[entry->second].weight;
  weight = std::max(weight, d_.edges[e].weight);
  legs[e].push_back({level, entry->second});
}

void Nesting::add_legs(size_t e) {
  const Edge& edge = d_.edges[e];
  if (edge.from == edge.to) return;
  const size_t from = static_cast<size_t>(edge.from);
  if (static_cast<size_t>(edge.output) < used[from].size())
    used[from][static_cast<size_t>(edge.output)] = 1;
  const auto out = borders(e, edge.from, true), in = borders(e, edge.to, false);
  const auto inside = [](const Attachment& border) {
    return Attachment{border.port, -1, -1, -1, 0};
  };
  int cluster = d_.boxes[from].cluster;
  for (size_t i = 0; i + 1 < out.size(); ++i) {
    add_leg(e, level_of(cluster), out[i], inside(out[i + 1]));
    cluster = d_.clusters[static_cast<size_t>(cluster)].parent;
  }
  add_leg(e, meetings_[e].level, out.back(), in.back());
  for (size_t i = in.size() - 1; i-- > 0;)
    add_leg(e, level_of(in[i + 1].cluster), inside(in[i + 1]), in[i]);
}

}  // namespace autograd::detail::layout
