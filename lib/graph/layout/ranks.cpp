// Rows of the items of a level: longest paths, then shorter links by moving items along their
// slack.
#include <algorithm>
#include <cstddef>
#include <limits>

#include "graph/layout/level.hpp"

namespace autograd::detail::layout {
namespace {

constexpr int kPasses = 12;

class Ranks {
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
    place_ports();
  }

 private:
  void sort_topologically();
  void longest_paths();
  bool shift(bool down);
  void place_ports();
  bool is_port(int item) const { return level_.items[static_cast<size_t>(item)].border != 0; }

  Level& level_;
  std::vector<int>& rank_;
  std::vector<std::vector<int>> above_, below_;  // neighbours of an item, once per link
  std::vector<int> order_;
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
