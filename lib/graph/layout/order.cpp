// The order within rows: medians of the neighbours, and swaps of neighbours in a row, swept up and
// down.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "graph/layout/level.hpp"

namespace autograd::detail::layout {
namespace {

constexpr size_t kWork = 600000;

// The ends of the segments above or below the vertices; those of vertex v are begin[v] to begin[v +
// 1].
struct Ends {
  std::vector<size_t> begin;
  std::vector<size_t> other;   // the vertex at the segment's other end
  std::vector<double> offset;  // of the port there, from the place of that vertex
  std::vector<double> own;     // and of the port here
  std::vector<double> keys;    // where the other ends lie, in order for each vertex

  std::span<double> keys_of(int vertex) {
    const auto v = static_cast<size_t>(vertex);
    return std::span(keys).subspan(begin[v], begin[v + 1] - begin[v]);
  }
};

// Of a port, from the place of its vertex in the row: less than half a place.
double offset_of(const Level& level, int vertex, double dx) {
  const Vertex& v = level.vertices[static_cast<size_t>(vertex)];
  const double width = v.left + v.right;
  return width > 0 ? 0.98 * (dx + v.left) / width - 0.49 : 0;
}

Ends ends_of(const Level& level, bool above) {
  Ends ends;
  ends.begin.push_back(0);
  for (const auto& segments : above ? level.above : level.below) {
    for (int s : segments) {
      const Segment& segment = level.segments[static_cast<size_t>(s)];
      double there = offset_of(level, segment.upper, segment.upper_dx);
      double here = offset_of(level, segment.lower, segment.lower_dx);
      if (!above) std::swap(there, here);
      ends.other.push_back(static_cast<size_t>(above ? segment.upper : segment.lower));
      ends.offset.push_back(there);
      ends.own.push_back(here);
    }
    ends.begin.push_back(ends.other.size());
  }
  ends.keys.resize(ends.other.size());
  return ends;
}

// Counts pairs of `values` out of order while it sorts them: short ones by insertion, long ones by
// merging.
int64_t inversions(std::span<double> values, std::vector<double>& scratch) {
  const size_t size = values.size(), middle = size / 2;
  int64_t count = 0;
  if (size <= 8) {
    for (size_t i = 1; i < size; ++i) {
      const double value = values[i];
      size_t k = i;
      for (; k > 0 && values[k - 1] > value; --k) values[k] = values[k - 1];
      values[k] = value;
      count += static_cast<int64_t>(i - k);
    }
    return count;
  }
  count = inversions(values.first(middle), scratch) + inversions(values.subspan(middle), scratch);
  if (values[middle - 1] <= values[middle]) return count;
  scratch.assign(values.begin(), values.begin() + static_cast<ptrdiff_t>(middle));
  for (size_t a = 0, b = middle, out = 0; a < middle;) {
    if (b == size || scratch[a] <= values[b]) {
      values[out++] = scratch[a++];
    } else {
      count += static_cast<int64_t>(middle - a);
      values[out++] = values[b++];
    }
  }
  return count;
}

class RowOrder {
 public:
  explicit RowOrder(Level& level)
      : level_(level),
        places_(level.vertices.size()),
        above_(ends_of(level, true)),
        below_(ends_of(level, false)) {
    number_all();
  }

  void improve(size_t starts);

 private:
  struct Best {
    std::vector<std::vector<int>> rows;
    int64_t crossings;
  };
  void run();
  void keep_better(Best& best);
  void start_from_below();
  void shake(size_t start);
  void sort_by_medians(size_t row, Ends& ends);
  void swap_neighbours(bool ties);
  bool swap_in_row(size_t row, bool ties);
  int64_t count_crossings();
  void fill_keys(int vertex, Ends& ends) const;
  void number(size_t row);
  void number_all();
  void restore(const std::vector<std::vector<int>>& rows);

  Level& level_;
  int sweeps_ = 0, swaps_ = 0;
  uint64_t dice_ = 1;
  std::vector<double> places_;  // of the vertices, within their rows
  Ends above_, below_;
  std::vector<char> settled_;  // of a row: nothing to swap in it until a row beside it changes
  // Scratch.
  std::vector<std::pair<double, size_t>> medians_;
  std::vector<std::pair<double, double>> fan_;
  std::vector<size_t> slots_;
  std::vector<int> before_;
  std::vector<double> lower_, merged_;
};

void RowOrder::improve(size_t starts) {
  // As much work for large levels as for small ones.
  const size_t size = level_.vertices.size() + level_.segments.size() + 1;
  sweeps_ = static_cast<int>(std::clamp<size_t>(kWork / size, 2, 24));
  swaps_ = static_cast<int>(std::clamp<size_t>(kWork / 4 / size, 1, 8));
  run();
  if (size <= kWork / 50) {
    // Other starts sometimes lead to better ends: from below, then from the best with its rows
    // shaken.
    Best best{level_.rows, count_crossings()};
    start_from_below();
    keep_better(best);
    starts = std::min(starts, kWork / 4 / size);
    for (size_t start = 0; start < starts && best.crossings > 0; ++start) {
      shake(start);
      keep_better(best);
    }
  }
  for (size_t v = 0; v < places_.size(); ++v)
    level_.vertices[v].place = static_cast<int>(places_[v]);
}

void RowOrder::number(size_t row) {
  int place = 0;
  for (int v : level_.rows[row]) places_[static_cast<size_t>(v)] = place++;
}

void RowOrder::number_all() {
  for (size_t row = 0; row < level_.rows.size(); ++row) number(row);
}

void RowOrder::restore(const std::vector<std::vector<int>>& rows) {
  level_.rows = rows;
  number_all();
}

void RowOrder::fill_keys(int vertex, Ends& ends) const {
  const auto keys = ends.keys_of(vertex);
  const size_t begin = ends.begin[static_cast<size_t>(vertex)];
  for (size_t i = 0; i < keys.size(); ++i)
    keys[i] = places_[ends.other[begin + i]] + ends.offset[begin + i];
  if (keys.size() > 1) std::sort(keys.begin(), keys.end());
}

// Of an even number of keys, the mean of the middle two weighted towards the side where they are
// dense.
double median(std::span<const double> keys) {
  const size_t n = keys.size(), m = n / 2;
  if (n % 2) return keys[m];
  if (n == 2) return (keys[0] + keys[1]) / 2;
  const double left = keys[m - 1] - keys[0], right = keys[n - 1] - keys[m];
  if (left + right == 0) return (keys[m - 1] + keys[m]) / 2;
  return (keys[m - 1] * right + keys[m] * left) / (left + right);
}

void RowOrder::sort_by_medians(size_t row, Ends& ends) {
  std::vector<int>& vertices = level_.rows[row];
  medians_.clear();
  slots_.clear();
  for (size_t i = 0; i < vertices.size(); ++i) {
    const auto keys = ends.keys_of(vertices[i]);
    if (keys.empty()) continue;  // keeps its slot
    fill_keys(vertices[i], ends);
    medians_.emplace_back(median(keys), i);
    slots_.push_back(i);
  }
  std::sort(medians_.begin(), medians_.end());  // equal ones stay in order
  before_ = vertices;
  for (size_t i = 0; i < slots_.size(); ++i) vertices[slots_[i]] = before_[medians_[i].second];
  number(row);
}

// Crossings among the links of two neighbours if the one with keys a stands left of the one with b.
int64_t crossings_between(std::span<const double> a, std::span<const double> b) {
  if (a.empty() || b.empty() || a.back() <= b.front()) return 0;
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
  for (int v : vertices) {
    fill_keys(v, above_);
    fill_keys(v, below_);
  }
  const auto crossings = [this](int left, int right) {
    return crossings_between(above_.keys_of(left), above_.keys_of(right)) +
           crossings_between(below_.keys_of(left), below_.keys_of(right));
  };
  bool improved = false, swapped = false;
  for (size_t i = 0; i + 1 < vertices.size(); ++i) {
    const int64_t now = crossings(vertices[i], vertices[i + 1]);
    if (now == 0) continue;
    const int64_t then = crossings(vertices[i + 1], vertices[i]);
    if (then > now || (then == now && !ties)) continue;
    improved |= then < now;
    swapped = true;
    std::swap(vertices[i], vertices[i + 1]);
  }
  settled_[row] = !swapped;
  if (!swapped) return false;
  number(row);
  if (row > 0) settled_[row - 1] = 0;
  if (row + 1 < settled_.size()) settled_[row + 1] = 0;
  return improved;
}

int64_t RowOrder::count_crossings() {
  int64_t count = 0;
  for (const auto& row : level_.rows) {
    lower_.clear();
    for (int v : row) {
      const size_t begin = below_.begin[static_cast<size_t>(v)],
                   end = below_.begin[static_cast<size_t>(v) + 1];
      fan_.clear();
      for (size_t i = begin; i < end; ++i)
        fan_.emplace_back(below_.own[i], places_[below_.other[i]] + below_.offset[i]);
      if (fan_.size() > 1) std::sort(fan_.begin(), fan_.end());
      for (const auto& [upper, lower] : fan_) lower_.push_back(lower);
    }
    count += inversions(lower_, merged_);
  }
  return count;
}

void RowOrder::swap_neighbours(bool ties) {
  settled_.assign(level_.rows.size(), 0);
  for (int pass = 0; pass < swaps_; ++pass) {
    bool improved = false;
    for (size_t row = 0; row < level_.rows.size(); ++row)
      if (!settled_[row]) improved |= swap_in_row(row, ties);
    if (!improved) return;
  }
}

void RowOrder::run() {
  auto best = level_.rows;
  int64_t fewest = count_crossings();
  for (int sweep = 0, idle = 0; sweep < sweeps_ && fewest > 0 && idle < 6; ++sweep) {
    const bool down = sweep % 2 == 0;
    for (size_t k = 0; k < level_.rows.size(); ++k)
      sort_by_medians(down ? k : level_.rows.size() - 1 - k, down ? above_ : below_);
    swap_neighbours(sweep % 4 < 2);
    const int64_t crossings = count_crossings();
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
  const int64_t crossings = count_crossings();
  if (crossings < best.crossings)
    best = {level_.rows, crossings};
  else
    restore(best.rows);
}

// Moves everything by up to a few places, the same way every time.
void RowOrder::shake(size_t start) {
  const double reach = static_cast<double>(1 + start % 4 * 2);
  std::vector<std::pair<double, int>> keyed;
  for (auto& row : level_.rows) {
    keyed.clear();
    for (int v : row) {
      dice_ = dice_ * 6364136223846793005u + 1442695040888963407u;
      const double noise = static_cast<double>(dice_ >> 33) / static_cast<double>(1u << 31) - 0.5;
      keyed.emplace_back(places_[static_cast<size_t>(v)] + reach * noise, v);
    }
    std::sort(keyed.begin(), keyed.end());
    for (size_t i = 0; i < row.size(); ++i) row[i] = keyed[i].second;
  }
  number_all();
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

void order_rows(Level& level, size_t starts) { RowOrder(level).improve(starts); }

}  // namespace autograd::detail::layout
