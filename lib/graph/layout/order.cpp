// The order within rows: medians of the neighbours, and swaps of neighbours in a row, swept up and
// down.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "graph/layout/level.hpp"

namespace autograd::detail::layout {
namespace {

constexpr size_t kWork = 600000;
constexpr size_t kStarts = 40;

// Where a vertex, or a port on it, lies in its row.
double position(const Level& level, int vertex, double dx) {
  const Vertex& v = level.vertices[static_cast<size_t>(vertex)];
  const double width = v.left + v.right;
  return v.place + (width > 0 ? 0.98 * (dx + v.left) / width - 0.49 : 0);
}

double upper_position(const Level& level, const Segment& s) {
  return position(level, s.upper, s.upper_dx);
}
double lower_position(const Level& level, const Segment& s) {
  return position(level, s.lower, s.lower_dx);
}

// Counts pairs of `values` out of order by merging.
int64_t inversions(std::vector<double>& values, std::vector<double>& scratch, size_t begin,
                   size_t end) {
  if (end - begin < 2) return 0;
  const size_t middle = (begin + end) / 2;
  int64_t count =
      inversions(values, scratch, begin, middle) + inversions(values, scratch, middle, end);
  size_t a = begin, b = middle, out = begin;
  while (a < middle || b < end) {
    if (b == end || (a < middle && values[a] <= values[b])) {
      scratch[out++] = values[a++];
    } else {
      count += static_cast<int64_t>(middle - a);
      scratch[out++] = values[b++];
    }
  }
  std::copy(scratch.begin() + static_cast<ptrdiff_t>(begin),
            scratch.begin() + static_cast<ptrdiff_t>(end),
            values.begin() + static_cast<ptrdiff_t>(begin));
  return count;
}

class RowOrder {
 public:
  explicit RowOrder(Level& level) : level_(level), keys_(level.vertices.size()) {}

  void improve() {
    // As much work for large levels as for small ones.
    const size_t size = level_.vertices.size() + level_.segments.size() + 1;
    sweeps_ = static_cast<int>(std::clamp<size_t>(kWork / size, 2, 24));
    swaps_ = static_cast<int>(std::clamp<size_t>(kWork / 4 / size, 1, 8));
    run();
    if (size > kWork / 50) return;
    // Other starts sometimes lead to better ends: from below, then from the best with its rows
    // shaken.
    Best best{level_.rows, count_crossings(level_)};
    start_from_below();
    keep_better(best);
    const int starts = static_cast<int>(std::min<size_t>(kStarts, kWork / 4 / size));
    for (int start = 0; start < starts && best.crossings > 0; ++start) {
      shake(start);
      keep_better(best);
    }
  }

 private:
  struct Best {
    std::vector<std::vector<int>> rows;
    int64_t crossings;
  };
  void run();
  void keep_better(Best& best);
  void start_from_below();
  void shake(int start);
  void sort_by_medians(size_t row, bool from_above);
  void swap_neighbours(bool from_above);
  bool swap_in_row(size_t row, bool ties);
  double median(const std::vector<double>& keys) const;
  void fill_keys(int vertex, bool from_above, std::vector<double>& keys) const;
  void number(size_t row);
  void restore(const std::vector<std::vector<int>>& rows);

  Level& level_;
  int sweeps_ = 0, swaps_ = 0;
  uint64_t dice_ = 1;
  std::vector<std::vector<double>> keys_;        // of the vertices of one row: neighbours above
  std::vector<std::vector<double>> lower_keys_;  // and below
};

void RowOrder::number(size_t row) {
  int place = 0;
  for (int v : level_.rows[row]) level_.vertices[static_cast<size_t>(v)].place = place++;
}

void RowOrder::restore(const std::vector<std::vector<int>>& rows) {
  level_.rows = rows;
  for (size_t row = 0; row < rows.size(); ++row) number(row);
}

void RowOrder::fill_keys(int vertex, bool from_above, std::vector<double>& keys) const {
  keys.clear();
  const auto& segments = from_above ? level_.above : level_.below;
  for (int s : segments[static_cast<size_t>(vertex)]) {
    const Segment& segment = level_.segments[static_cast<size_t>(s)];
    keys.push_back(from_above ? upper_position(level_, segment) : lower_position(level_, segment));
  }
  std::sort(keys.begin(), keys.end());
}

// Of an even number of keys, the mean of the middle two weighted towards the side where they are
// dense.
double RowOrder::median(const std::vector<double>& keys) const {
  const size_t n = keys.size(), m = n / 2;
  if (n % 2) return keys[m];
  if (n == 2) return (keys[0] + keys[1]) / 2;
  const double left = keys[m - 1] - keys[0], right = keys[n - 1] - keys[m];
  if (left + right == 0) return (keys[m - 1] + keys[m]) / 2;
  return (keys[m - 1] * right + keys[m] * left) / (left + right);
}

void RowOrder::sort_by_medians(size_t row, bool from_above) {
  std::vector<int>& vertices = level_.rows[row];
  std::vector<std::pair<double, int>> movable;
  std::vector<size_t> slots;
  for (size_t i = 0; i < vertices.size(); ++i) {
    auto& keys = keys_[0];
    fill_keys(vertices[i], from_above, keys);
    if (keys.empty()) continue;  // keeps its slot
    movable.emplace_back(median(keys), vertices[i]);
    slots.push_back(i);
  }
  std::stable_sort(movable.begin(), movable.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t i = 0; i < slots.size(); ++i) vertices[slots[i]] = movable[i].second;
  number(row);
}

// Crossings among the links of two neighbours if a stands left of b.
int64_t crossings_between(const std::vector<double>& a, const std::vector<double>& b) {
  int64_t count = 0;
  size_t i = 0;
  for (double key : a) {
    while (i < b.size() && b[i] < key) ++i;
    count += static_cast<int64_t>(i);
  }
  return count;
}

bool RowOrder::swap_in_row(size_t row, bool ties) {
  std::vector<int>& vertices = level_.rows[row];
  keys_.resize(std::max(keys_.size(), vertices.size()));
  lower_keys_.resize(std::max(lower_keys_.size(), vertices.size()));
  for (size_t i = 0; i < vertices.size(); ++i) {
    fill_keys(vertices[i], true, keys_[i]);
    fill_keys(vertices[i], false, lower_keys_[i]);
  }
  bool improved = false;
  for (size_t i = 0; i + 1 < vertices.size(); ++i) {
    const int64_t now = crossings_between(keys_[i], keys_[i + 1]) +
                        crossings_between(lower_keys_[i], lower_keys_[i + 1]);
    if (now == 0) continue;
    const int64_t then = crossings_between(keys_[i + 1], keys_[i]) +
                         crossings_between(lower_keys_[i + 1], lower_keys_[i]);
    if (then > now || (then == now && !ties)) continue;
    improved |= then < now;
    std::swap(vertices[i], vertices[i + 1]);
    keys_[i].swap(keys_[i + 1]);
    lower_keys_[i].swap(lower_keys_[i + 1]);
  }
  number(row);
  return improved;
}

void RowOrder::swap_neighbours(bool ties) {
  for (int pass = 0; pass < swaps_; ++pass) {
    bool improved = false;
    for (size_t row = 0; row < level_.rows.size(); ++row) improved |= swap_in_row(row, ties);
    if (!improved) return;
  }
}

void RowOrder::run() {
  auto best = level_.rows;
  int64_t fewest = count_crossings(level_);
  for (int sweep = 0, idle = 0; sweep < sweeps_ && fewest > 0 && idle < 6; ++sweep) {
    const bool down = sweep % 2 == 0;
    for (size_t k = 0; k < level_.rows.size(); ++k)
      sort_by_medians(down ? k : level_.rows.size() - 1 - k, down);
    swap_neighbours(sweep % 4 < 2);
    const int64_t crossings = count_crossings(level_);
    ++idle;
    if (crossings >= fewest) continue;
    idle = 0;
    fewest = crossings;
    best = level_.rows;
  }
  restore(best);
}

void RowOrder::keep_better(Best& best) {
  run();
  const int64_t crossings = count_crossings(level_);
  if (crossings < best.crossings)
    best = {level_.rows, crossings};
  else
    restore(best.rows);
}

// Moves everything by up to a few places, the same way every time.
void RowOrder::shake(int start) {
  const double reach = 1 + start % 4 * 2;
  std::vector<std::pair<double, int>> keyed;
  for (auto& row : level_.rows) {
    keyed.clear();
    for (int v : row) {
      dice_ = dice_ * 6364136223846793005u + 1442695040888963407u;
      const double noise = static_cast<double>(dice_ >> 33) / static_cast<double>(1u << 31) - 0.5;
      keyed.emplace_back(level_.vertices[static_cast<size_t>(v)].place + reach * noise, v);
    }
    std::sort(keyed.begin(), keyed.end());
    for (size_t i = 0; i < row.size(); ++i) row[i] = keyed[i].second;
  }
  for (size_t row = 0; row < level_.rows.size(); ++row) number(row);
}

// Rows in the order in which a walk upwards from the last row comes by.
void RowOrder::start_from_below() {
  std::vector<char> seen(level_.vertices.size());
  std::vector<int> stack;
  auto rows = level_.rows;
  for (auto& row : rows) row.clear();
  for (size_t k = level_.rows.size(); k-- > 0;) {
    for (int start : level_.rows[k]) {
      if (seen[static_cast<size_t>(start)]) continue;
      stack.push_back(start);
      seen[static_cast<size_t>(start)] = 1;
      while (!stack.empty()) {
        const int v = stack.back();
        stack.pop_back();
        rows[static_cast<size_t>(level_.vertices[static_cast<size_t>(v)].row)].push_back(v);
        const auto& above = level_.above[static_cast<size_t>(v)];
        for (size_t i = above.size(); i-- > 0;) {
          const int u = level_.segments[static_cast<size_t>(above[i])].upper;
          if (!seen[static_cast<size_t>(u)]) stack.push_back(u);
          seen[static_cast<size_t>(u)] = 1;
        }
      }
    }
  }
  restore(rows);
}

}  // namespace

int64_t count_crossings(const Level& level) {
  int64_t count = 0;
  std::vector<std::pair<double, double>> ends;
  std::vector<double> lower, scratch;
  for (const auto& row : level.rows) {
    ends.clear();
    for (int v : row)
      for (int s : level.below[static_cast<size_t>(v)]) {
        const Segment& segment = level.segments[static_cast<size_t>(s)];
        ends.emplace_back(upper_position(level, segment), lower_position(level, segment));
      }
    std::sort(ends.begin(), ends.end());
    lower.clear();
    for (const auto& end : ends) lower.push_back(end.second);
    scratch.resize(lower.size());
    count += inversions(lower, scratch, 0, lower.size());
  }
  return count;
}

void order_rows(Level& level) { RowOrder(level).improve(); }

}  // namespace autograd::detail::layout
