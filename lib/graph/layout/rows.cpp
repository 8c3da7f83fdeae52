// Rows of vertices: long links get one in every row that they pass.
#include <algorithm>
#include <map>
#include <tuple>

#include "graph/layout/level.hpp"

namespace autograd::detail::layout {
namespace {

class Rows {
 public:
  explicit Rows(Level& level) : level_(level) {
    int rows = 0;
    for (size_t i = 0; i < level.items.size(); ++i) {
      rows = std::max(rows, level.rank[i] + 1);
      Vertex& v = level.vertices.emplace_back();
      v.item = static_cast<int>(i);
      v.left = level.items[i].left;
      v.right = level.items[i].right;
      v.row = level.rank[i];
    }
    level.rows.resize(static_cast<size_t>(rows));
    for (const Link& link : level.links) ++leaving_[{link.from, link.from_dx}];
    for (const Link& link : level.links) add_chain(link);
    level.above.resize(level.vertices.size());
    level.below.resize(level.vertices.size());
    for (size_t s = 0; s < level.segments.size(); ++s) {
      level.above[static_cast<size_t>(level.segments[s].lower)].push_back(static_cast<int>(s));
      level.below[static_cast<size_t>(level.segments[s].upper)].push_back(static_cast<int>(s));
    }
    fill_rows();
  }

 private:
  void add_chain(const Link& link);
  void fill_rows();
  void walk_down(int start, std::vector<char>& seen);

  Level& level_;
  // A few links from one attachment find better ways apart; more than that share one as a bus.
  static constexpr int kBus = 16;
  std::map<std::pair<int, double>, int> leaving_;  // links from an attachment
  // The segment that ends where links from an attachment (all of them, or one) pass a row.
  std::map<std::tuple<int, double, int, int>, int> passing_;
};

void Rows::add_chain(const Link& link) {
  auto& chain = level_.chains.emplace_back();
  const int first = level_.rank[static_cast<size_t>(link.from)];
  const int last = level_.rank[static_cast<size_t>(link.to)];
  const bool on_bus = leaving_[{link.from, link.from_dx}] >= kBus;
  const int track = on_bus ? -1 : static_cast<int>(level_.chains.size());
  int upper = link.from;
  double upper_dx = link.from_dx;
  for (int row = first + 1; row <= last; ++row) {
    int segment = static_cast<int>(level_.segments.size());
    if (row < last) {
      const auto [entry, added] =
          passing_.try_emplace({link.from, link.from_dx, track, row}, segment);
      segment = entry->second;
      if (!added) {
        int& weight = level_.segments[static_cast<size_t>(segment)].weight;
        weight = std::max(weight, link.weight);
      } else {
        Vertex& v = level_.vertices.emplace_back();
        v.row = row;
        level_.segments.push_back(
            {upper, static_cast<int>(level_.vertices.size()) - 1, upper_dx, 0, link.weight});
      }
    } else {
      level_.segments.push_back({upper, link.to, upper_dx, link.to_dx, link.weight});
    }
    chain.push_back(segment);
    upper = level_.segments[static_cast<size_t>(segment)].lower;
    upper_dx = 0;
  }
}

// In the order in which a walk down from the first items comes by.
void Rows::fill_rows() {
  std::vector<char> seen(level_.vertices.size());
  for (size_t v = 0; v < level_.items.size(); ++v)
    if (level_.above[v].empty()) walk_down(static_cast<int>(v), seen);
  for (size_t v = 0; v < level_.vertices.size(); ++v)
    if (!seen[v]) walk_down(static_cast<int>(v), seen);
}

void Rows::walk_down(int start, std::vector<char>& seen) {
  std::vector<int> stack{start};
  seen[static_cast<size_t>(start)] = 1;
  while (!stack.empty()) {
    const int v = stack.back();
    stack.pop_back();
    Vertex& vertex = level_.vertices[static_cast<size_t>(v)];
    auto& row = level_.rows[static_cast<size_t>(vertex.row)];
    vertex.place = static_cast<int>(row.size());
    row.push_back(v);
    const auto& below = level_.below[static_cast<size_t>(v)];
    for (size_t i = below.size(); i-- > 0;) {
      const int w = level_.segments[static_cast<size_t>(below[i])].lower;
      if (!seen[static_cast<size_t>(w)]) stack.push_back(w);
      seen[static_cast<size_t>(w)] = 1;
    }
  }
}

}  // namespace

void make_rows(Level& level) { Rows rows(level); }

}  // namespace autograd::detail::layout
