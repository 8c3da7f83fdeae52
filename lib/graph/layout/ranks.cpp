// Rows of the items of a level: longest paths, then shorter links by moving items along their
// slack, then the shortest links that there are by moving whole parts (the network simplex method).
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "graph/layout/level.hpp"

namespace autograd::detail::layout {
namespace {

constexpr int kPasses = 12;
constexpr size_t kColumns = 8, kLoose = 8;  // in a row; items of a part that is small
constexpr size_t kPivots = 3000000;         // times items and links

class Ranks {
  /// A link between two items that are no ports.
  struct Tie {
    int upper, lower, weight;
    bool in_tree = false;
  };

 public:
  explicit Ranks(Level& level) : level_(level), rank_(level.rank) {
    const size_t n = level.items.size();
    above_.resize(n);
    below_.resize(n);
    for (const Link& link : level.links) {
      above_[static_cast<size_t>(link.to)].push_back(link.from);
      below_[static_cast<size_t>(link.from)].push_back(link.to);
    }
    sort_topologically();
    longest_paths();
    for (int pass = 0; pass < kPasses; ++pass) {
      const bool sank = shift(true), rose = shift(false);
      if (!sank && !rose) break;
    }
    shorten();
    wrap_loose();
    place_ports();
  }

 private:
  void sort_topologically();
  void longest_paths();
  bool shift(bool down);
  void shorten();
  void wrap_loose();
  bool grow_tree();
  void walk_tree();
  bool improve_tree();
  void place_ports();
  int slack(const Tie& tie) const {
    return rank_[static_cast<size_t>(tie.lower)] - rank_[static_cast<size_t>(tie.upper)] - 1;
  }
  /// Whether an item is in the part that hangs on `root`.
  bool hangs_on(int item, int root) const {
    const int at = visit_[static_cast<size_t>(item)];
    return at >= visit_[static_cast<size_t>(root)] && at <= last_visit_[static_cast<size_t>(root)];
  }
  bool is_port(int item) const { return level_.items[static_cast<size_t>(item)].border != 0; }

  Level& level_;
  std::vector<int>& rank_;
  std::vector<std::vector<int>> above_, below_;  // neighbours of an item, once per link
  std::vector<int> order_;
  // A tree of links of length 1 that holds all items.
  std::vector<Tie> ties_;
  std::vector<std::vector<int>> ties_of_;  // of an item
  std::vector<int> parent_;                // the tie towards the root, -1 for a root
  std::vector<int> visit_, last_visit_;    // of an item, and of all that hang on it
  std::vector<int> visited_;
  std::vector<int64_t> pull_;  // what an item, with all that hang on it, gains by sinking
};

void Ranks::sort_topologically() {
  std::vector<size_t> waits(level_.items.size());
  for (size_t i = 0; i < waits.size(); ++i) {
    waits[i] = above_[i].size();
    if (!waits[i]) order_.push_back(static_cast<int>(i));
  }
  for (size_t next = 0; next < order_.size(); ++next)
    for (int to : below_[static_cast<size_t>(order_[next])])
      if (--waits[static_cast<size_t>(to)] == 0) order_.push_back(to);
}

void Ranks::longest_paths() {
  rank_.assign(level_.items.size(), 0);
  for (int item : order_)
    for (int to : below_[static_cast<size_t>(item)])
      rank_[static_cast<size_t>(to)] =
          std::max(rank_[static_cast<size_t>(to)], rank_[static_cast<size_t>(item)] + 1);
}

// Moves each item as far as its neighbours let it where that shortens the links in sum; downwards
// also where it makes no difference, so that what hangs above can follow.
bool Ranks::shift(bool down) {
  bool moved = false;
  for (size_t k = 0; k < order_.size(); ++k) {
    const int item = order_[down ? order_.size() - 1 - k : k];
    const auto &above = above_[static_cast<size_t>(item)],
               &below = below_[static_cast<size_t>(item)];
    if (is_port(item) || above.size() + below.size() == 0) continue;
    int& rank = rank_[static_cast<size_t>(item)];
    int target = rank;
    if (down && !below.empty() && below.size() >= above.size()) {
      target = std::numeric_limits<int>::max();
      for (int to : below) target = std::min(target, rank_[static_cast<size_t>(to)] - 1);
    } else if (!down && above.size() > below.size()) {
      target = 0;
      for (int from : above) target = std::max(target, rank_[static_cast<size_t>(from)] + 1);
    }
    moved |= target != rank;
    rank = target;
  }
  return moved;
}

void Ranks::shorten() {
  const size_t n = level_.items.size();
  ties_of_.resize(n);
  for (const Link& link : level_.links) {
    if (is_port(link.from) || is_port(link.to)) continue;
    for (int end : {link.from, link.to})
      ties_of_[static_cast<size_t>(end)].push_back(static_cast<int>(ties_.size()));
    ties_.push_back({link.from, link.to, 1});
  }
  if (ties_.empty()) return;
  while (!grow_tree()) {
  }
  const size_t most = std::clamp<size_t>(kPivots / (n + ties_.size()), 4, 4 * n);
  for (size_t pivot = 0; pivot < most; ++pivot) {
    walk_tree();
    if (!improve_tree()) break;
  }
}

// Ties of length 1 that join all items which are joined at all. False if a part had to be moved
// first.
bool Ranks::grow_tree() {
  const size_t n = level_.items.size();
  std::vector<int> tree(n, -1), stack;
  for (Tie& tie : ties_) tie.in_tree = false;
  for (size_t root = 0; root < n; ++root) {
    if (tree[root] >= 0) continue;
    const int number = static_cast<int>(root);
    stack.assign(1, number);
    tree[root] = number;
    std::vector<int> members;
    while (!stack.empty()) {
      const int item = stack.back();
      stack.pop_back();
      members.push_back(item);
      for (int t : ties_of_[static_cast<size_t>(item)]) {
        Tie& tie = ties_[static_cast<size_t>(t)];
        const int other = tie.upper == item ? tie.lower : tie.upper;
        if (tree[static_cast<size_t>(other)] >= 0 || slack(tie) != 0) continue;
        tie.in_tree = true;
        tree[static_cast<size_t>(other)] = number;
        stack.push_back(other);
      }
    }
    // The nearest item that is not in the tree comes to it.
    int nearest = -1;
    for (int item : members)
      for (int t : ties_of_[static_cast<size_t>(item)]) {
        const Tie& tie = ties_[static_cast<size_t>(t)];
        if ((tree[static_cast<size_t>(tie.upper)] == number) ==
            (tree[static_cast<size_t>(tie.lower)] == number))
          continue;
        if (nearest < 0 || slack(tie) < slack(ties_[static_cast<size_t>(nearest)])) nearest = t;
      }
    if (nearest < 0) continue;
    const Tie& tie = ties_[static_cast<size_t>(nearest)];
    const int by = tree[static_cast<size_t>(tie.upper)] == number ? slack(tie) : -slack(tie);
    for (int item : members) rank_[static_cast<size_t>(item)] += by;
    return false;
  }
  return true;
}

// Numbers the items so that what hangs on one has numbers in a row, and sums the pulls.
void Ranks::walk_tree() {
  const size_t n = level_.items.size();
  parent_.assign(n, -1);
  visit_.assign(n, -1);
  last_visit_.assign(n, -1);
  visited_.clear();
  std::vector<int> stack;
  for (size_t root = 0; root < n; ++root) {
    if (visit_[root] >= 0) continue;
    stack.push_back(static_cast<int>(root));
    while (!stack.empty()) {
      const int item = stack.back();
      stack.pop_back();
      visit_[static_cast<size_t>(item)] = static_cast<int>(visited_.size());
      visited_.push_back(item);
      for (int t : ties_of_[static_cast<size_t>(item)]) {
        const Tie& tie = ties_[static_cast<size_t>(t)];
        const int other = tie.upper == item ? tie.lower : tie.upper;
        if (!tie.in_tree || t == parent_[static_cast<size_t>(item)]) continue;
        parent_[static_cast<size_t>(other)] = t;
        stack.push_back(other);
      }
    }
  }
  pull_.assign(n, 0);
  for (const Tie& tie : ties_) {
    pull_[static_cast<size_t>(tie.upper)] += tie.weight;
    pull_[static_cast<size_t>(tie.lower)] -= tie.weight;
  }
  for (size_t k = n; k-- > 0;) {
    const size_t item = static_cast<size_t>(visited_[k]);
    last_visit_[item] = std::max(last_visit_[item], static_cast<int>(k));
    if (parent_[item] < 0) continue;
    const Tie& tie = ties_[static_cast<size_t>(parent_[item])];
    const size_t above = static_cast<size_t>(tie.upper == visited_[k] ? tie.lower : tie.upper);
    pull_[above] += pull_[item];
    last_visit_[above] = std::max(last_visit_[above], last_visit_[item]);
  }
}

// Moves the part that gains most away from the tie that it hangs on, until another tie has
// length 1.
bool Ranks::improve_tree() {
  int best = -1;
  int64_t most = 0;
  for (size_t item = 0; item < parent_.size(); ++item) {
    if (parent_[item] < 0) continue;
    const Tie& tie = ties_[static_cast<size_t>(parent_[item])];
    // A part below its tie would sink, one above it rise.
    const int64_t gain = tie.lower == static_cast<int>(item) ? pull_[item] : -pull_[item];
    if (gain > most) {
      most = gain;
      best = static_cast<int>(item);
    }
  }
  if (best < 0) return false;
  Tie& leaving = ties_[static_cast<size_t>(parent_[static_cast<size_t>(best)])];
  const bool sinks = leaving.lower == best;
  int entering = -1;
  for (size_t t = 0; t < ties_.size(); ++t) {
    const Tie& tie = ties_[t];
    const bool upper_in = hangs_on(tie.upper, best), lower_in = hangs_on(tie.lower, best);
    if (upper_in == lower_in || upper_in != sinks) continue;
    if (entering < 0 || slack(tie) < slack(ties_[static_cast<size_t>(entering)]))
      entering = static_cast<int>(t);
  }
  if (entering < 0) return false;
  const int by = slack(ties_[static_cast<size_t>(entering)]);
  for (int k = visit_[static_cast<size_t>(best)]; k <= last_visit_[static_cast<size_t>(best)]; ++k)
    rank_[static_cast<size_t>(visited_[static_cast<size_t>(k)])] += sinks ? by : -by;
  leaving.in_tree = false;
  ties_[static_cast<size_t>(entering)].in_tree = true;
  return true;
}

// Many small parts that have nothing to do with each other stand in several rows rather than in one
// endless one.
void Ranks::wrap_loose() {
  const size_t n = rank_.size();
  std::vector<size_t> part(n);
  for (size_t i = 0; i < n; ++i) part[i] = i;
  const auto first_of = [&](size_t i) {
    while (part[i] != i) i = part[i] = part[part[i]];
    return i;
  };
  for (const Link& link : level_.links) {
    const size_t a = first_of(static_cast<size_t>(link.from)),
                 b = first_of(static_cast<size_t>(link.to));
    part[std::max(a, b)] = std::min(a, b);
  }
  struct Part {
    std::vector<size_t> items;
    int low = std::numeric_limits<int>::max(), high = 0;
    bool has_port = false;
  };
  std::vector<Part> parts(n);
  for (size_t i = 0; i < n; ++i) {
    Part& of = parts[first_of(i)];
    of.items.push_back(i);
    of.low = std::min(of.low, rank_[i]);
    of.high = std::max(of.high, rank_[i]);
    of.has_port |= is_port(static_cast<int>(i));
  }
  std::erase_if(parts, [](const Part& p) {
    return p.items.empty() || p.has_port || p.items.size() > kLoose;
  });
  size_t columns = kColumns;
  while (columns * columns < 2 * parts.size()) ++columns;
  int row = 0, next = 0;
  for (size_t k = 0; k < parts.size(); ++k) {
    if (k % columns == 0) row = next;
    next = std::max(next, row + parts[k].high - parts[k].low + 1);
    for (size_t i : parts[k].items) rank_[i] += row - parts[k].low;
  }
}

void Ranks::place_ports() {
  bool upper = false;
  int low = std::numeric_limits<int>::max(), high = 0;
  for (size_t i = 0; i < rank_.size(); ++i) {
    const int border = level_.items[i].border;
    upper |= border < 0;
    if (border) continue;
    low = std::min(low, rank_[i]);
    high = std::max(high, rank_[i]);
  }
  if (low > high) low = high;
  for (size_t i = 0; i < rank_.size(); ++i) {
    const int border = level_.items[i].border;
    rank_[i] = border < 0 ? 0 : (border > 0 ? high + 1 : rank_[i]) - low + (upper ? 1 : 0);
  }
}

}  // namespace

void assign_ranks(Level& level) { Ranks ranks(level); }

}  // namespace autograd::detail::layout
