// x of the vertices after Brandes and Köpf: vertices are aligned with the median of their
// neighbours into straight blocks, the blocks pushed together, in four ways (from above and below,
// leftmost and rightmost); the mean of the two middle results is taken.
#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>

#include "graph/layout/level.hpp"

namespace autograd::detail::layout {

double gap_between(const Level& level, const Vertex& a, const Vertex& b) {
  const auto is_box = [&](const Vertex& v) {
    return v.item >= 0 && level.items[static_cast<size_t>(v.item)].border == 0;
  };
  if (is_box(a) && is_box(b)) return 22;
  return is_box(a) || is_box(b) ? 16 : 12;
}

namespace {

constexpr double kWide = 240;  // of a cluster
constexpr double kFar = std::numeric_limits<double>::infinity();

// Segments that cross one between two passing places: those are to be straight, these may bend.
std::vector<char> find_conflicts(const Level& level) {
  std::vector<char> conflicts(level.segments.size());
  const auto is_inner = [&](const Segment& s) {
    return level.vertices[static_cast<size_t>(s.upper)].item < 0 &&
           level.vertices[static_cast<size_t>(s.lower)].item < 0;
  };
  for (size_t row = 1; row < level.rows.size(); ++row) {
    const auto& vertices = level.rows[row];
    int low = -1;  // place above of the last inner segment
    for (size_t begin = 0; begin < vertices.size();) {
      // Up to the next vertex where an inner segment ends, or to the end of the row.
      size_t end = begin;
      int high = std::numeric_limits<int>::max();
      for (; end < vertices.size() && high == std::numeric_limits<int>::max(); ++end)
        for (int s : level.above[static_cast<size_t>(vertices[end])]) {
          const Segment& segment = level.segments[static_cast<size_t>(s)];
          if (is_inner(segment)) high = level.vertices[static_cast<size_t>(segment.upper)].place;
        }
      for (size_t i = begin; i < end; ++i)
        for (int s : level.above[static_cast<size_t>(vertices[i])]) {
          const Segment& segment = level.segments[static_cast<size_t>(s)];
          const int place = level.vertices[static_cast<size_t>(segment.upper)].place;
          if ((place < low || place > high) && !is_inner(segment))
            conflicts[static_cast<size_t>(s)] = 1;
        }
      if (high != std::numeric_limits<int>::max()) low = std::max(low, high);
      begin = end;
    }
  }
  return conflicts;
}

// Segments beside a heavier one at the same vertex bend as well; those between passing places weigh
// most.
void add_lighter(const Level& level, std::vector<char>& conflicts) {
  std::vector<int> weight, above(level.vertices.size()), below(level.vertices.size());
  for (const Segment& segment : level.segments) {
    const size_t upper = static_cast<size_t>(segment.upper),
                 lower = static_cast<size_t>(segment.lower);
    const bool is_inner = level.vertices[upper].item < 0 && level.vertices[lower].item < 0;
    weight.push_back(is_inner ? std::numeric_limits<int>::max() : segment.weight);
    below[upper] = std::max(below[upper], weight.back());
    above[lower] = std::max(above[lower], weight.back());
  }
  for (size_t s = 0; s < conflicts.size(); ++s) {
    const Segment& segment = level.segments[s];
    if (weight[s] < below[static_cast<size_t>(segment.upper)] ||
        weight[s] < above[static_cast<size_t>(segment.lower)])
      conflicts[s] = 1;
  }
}

class Alignment {
 public:
  Alignment(const Level& level, const std::vector<char>& conflicts, bool from_above, bool leftmost)
      : level_(level), conflicts_(conflicts), from_above_(from_above), leftmost_(leftmost) {}

  std::vector<double> columns() {
    const size_t n = level_.vertices.size();
    root_.resize(n);
    shift_.assign(n, 0);
    aligned_.assign(n, 0);
    for (size_t i = 0; i < n; ++i) root_[i] = static_cast<int>(i);
    const size_t rows = level_.rows.size();
    for (size_t k = 1; k < rows; ++k) align_row(level_.rows[from_above_ ? k : rows - 1 - k]);
    push_together();
    std::vector<double> x(n);
    for (size_t i = 0; i < n; ++i)
      x[i] = sign() * (block_x_[static_cast<size_t>(root_[i])] + shift_[i]);
    return x;
  }

 private:
  struct Side {
    double place;
    int segment;
  };
  double sign() const { return leftmost_ ? 1 : -1; }
  void align_row(const std::vector<int>& row);
  bool try_align(int vertex, int segment, double& last_place);
  void push_together();

  const Level& level_;
  const std::vector<char>& conflicts_;
  bool from_above_, leftmost_;
  std::vector<int> root_;      // of the block that a vertex is in
  std::vector<double> shift_;  // of a vertex against the root; mirrored if not leftmost
  std::vector<char> aligned_;  // has a successor in its block
  std::vector<double> block_x_;
};

void Alignment::align_row(const std::vector<int>& row) {
  double last_place = -kFar;
  std::vector<Side> sides;
  for (size_t i = 0; i < row.size(); ++i) {
    const int v = row[leftmost_ ? i : row.size() - 1 - i];
    sides.clear();
    for (int s : (from_above_ ? level_.above : level_.below)[static_cast<size_t>(v)]) {
      if (conflicts_[static_cast<size_t>(s)]) continue;
      const Segment& segment = level_.segments[static_cast<size_t>(s)];
      const Vertex& w =
          level_.vertices[static_cast<size_t>(from_above_ ? segment.upper : segment.lower)];
      const double dx = from_above_ ? segment.upper_dx : segment.lower_dx;
      const double width = w.left + w.right;
      sides.push_back({sign() * (w.place + (width > 0 ? 0.98 * dx / width : 0)), s});
    }
    if (sides.empty()) continue;
    std::stable_sort(sides.begin(), sides.end(),
                     [](const Side& a, const Side& b) { return a.place < b.place; });
    const size_t n = sides.size();
    if (!try_align(v, sides[(n - 1) / 2].segment, last_place) && n % 2 == 0)
      try_align(v, sides[n / 2].segment, last_place);
  }
}

bool Alignment::try_align(int vertex, int segment, double& last_place) {
  const Segment& s = level_.segments[static_cast<size_t>(segment)];
  const size_t v = static_cast<size_t>(vertex);
  const size_t w = static_cast<size_t>(from_above_ ? s.upper : s.lower);
  const double place = sign() * level_.vertices[w].place;
  if (aligned_[w] || place <= last_place) return false;
  const double w_dx = from_above_ ? s.upper_dx : s.lower_dx;
  const double v_dx = from_above_ ? s.lower_dx : s.upper_dx;
  aligned_[w] = 1;
  root_[v] = root_[w];
  shift_[v] = shift_[w] + sign() * (w_dx - v_dx);
  last_place = place;
  return true;
}

// Longest paths over the blocks, then each as near to its right neighbours as its left ones allow.
void Alignment::push_together() {
  struct Arc {
    int to;
    double distance;
  };
  const size_t n = level_.vertices.size();
  std::vector<std::vector<Arc>> arcs(n);
  std::vector<int> waits(n);
  for (const auto& row : level_.rows)
    for (size_t i = 0; i + 1 < row.size(); ++i) {
      const int a = leftmost_ ? row[i] : row[row.size() - 1 - i];
      const int b = leftmost_ ? row[i + 1] : row[row.size() - 2 - i];
      const Vertex &left = level_.vertices[static_cast<size_t>(a)],
                   &right = level_.vertices[static_cast<size_t>(b)];
      const double apart = gap_between(level_, left, right) +
                           (leftmost_ ? left.right + right.left : left.left + right.right);
      arcs[static_cast<size_t>(root_[static_cast<size_t>(a)])].push_back(
          {root_[static_cast<size_t>(b)],
           apart + shift_[static_cast<size_t>(a)] - shift_[static_cast<size_t>(b)]});
      ++waits[static_cast<size_t>(root_[static_cast<size_t>(b)])];
    }
  std::vector<int> order;
  for (size_t v = 0; v < n; ++v)
    if (root_[v] == static_cast<int>(v) && !waits[v]) order.push_back(static_cast<int>(v));
  block_x_.assign(n, 0);
  for (size_t next = 0; next < order.size(); ++next)
    for (const Arc& arc : arcs[static_cast<size_t>(order[next])]) {
      double& x = block_x_[static_cast<size_t>(arc.to)];
      x = std::max(x, block_x_[static_cast<size_t>(order[next])] + arc.distance);
      if (--waits[static_cast<size_t>(arc.to)] == 0) order.push_back(arc.to);
    }
  for (size_t k = order.size(); k-- > 0;) {
    double nearest = kFar;
    for (const Arc& arc : arcs[static_cast<size_t>(order[k])])
      nearest = std::min(nearest, block_x_[static_cast<size_t>(arc.to)] - arc.distance);
    double& x = block_x_[static_cast<size_t>(order[k])];
    if (nearest < kFar) x = std::max(x, nearest);
  }
}

struct RowSpan {
  double low = kFar, high = -kFar;
};

RowSpan span_of(const Level& level, const std::vector<double>& x) {
  RowSpan span;
  for (size_t i = 0; i < x.size(); ++i) {
    span.low = std::min(span.low, x[i] - level.vertices[i].left);
    span.high = std::max(span.high, x[i] + level.vertices[i].right);
  }
  return span;
}

// Rounding must not bring neighbours too close.
void keep_apart(Level& level) {
  for (const auto& row : level.rows)
    for (size_t i = 1; i < row.size(); ++i) {
      const Vertex& a = level.vertices[static_cast<size_t>(row[i - 1])];
      Vertex& b = level.vertices[static_cast<size_t>(row[i])];
      b.x = std::max(b.x, a.x + a.right + gap_between(level, a, b) + b.left);
    }
}

// Rows of wide clusters stand below each other: links between them bend rather than make the
// picture wide.
void stack_rows(Level& level) {
  const bool has_wide = std::any_of(level.items.begin(), level.items.end(), [](const Item& item) {
    return item.is_cluster && item.left + item.right >= kWide;
  });
  if (!has_wide) return;
  std::vector<RowSpan> spans(level.rows.size());
  RowSpan widest{0, 0};
  for (size_t row = 0; row < level.rows.size(); ++row) {
    if (level.rows[row].empty()) continue;
    const Vertex &first = level.vertices[static_cast<size_t>(level.rows[row].front())],
                 &last = level.vertices[static_cast<size_t>(level.rows[row].back())];
    spans[row] = {first.x - first.left, last.x + last.right};
    if (spans[row].high - spans[row].low > widest.high - widest.low) widest = spans[row];
  }
  for (size_t row = 0; row < level.rows.size(); ++row) {
    const RowSpan& span = spans[row];
    const double by = span.low < widest.low     ? widest.low - span.low
                      : span.high > widest.high ? widest.high - span.high
                                                : 0;
    for (int v : level.rows[row]) level.vertices[static_cast<size_t>(v)].x += by;
  }
}

}  // namespace

void place_columns(Level& level) {
  std::vector<char> conflicts = find_conflicts(level);
  add_lighter(level, conflicts);
  std::array<std::vector<double>, 4> ways;
  std::array<RowSpan, 4> spans;
  size_t narrowest = 0;
  for (size_t k = 0; k < 4; ++k) {
    ways[k] = Alignment(level, conflicts, k < 2, k % 2 == 0).columns();
    spans[k] = span_of(level, ways[k]);
    if (spans[k].high - spans[k].low < spans[narrowest].high - spans[narrowest].low) narrowest = k;
  }
  for (size_t k = 0; k < 4; ++k) {
    const double by =
        k % 2 == 0 ? spans[narrowest].low - spans[k].low : spans[narrowest].high - spans[k].high;
    for (double& x : ways[k]) x += by;
  }
  for (size_t i = 0; i < level.vertices.size(); ++i) {
    std::array<double, 4> x{ways[0][i], ways[1][i], ways[2][i], ways[3][i]};
    std::sort(x.begin(), x.end());
    level.vertices[i].x = (x[1] + x[2]) / 2;
  }
  keep_apart(level);
  stack_rows(level);
}

}  // namespace autograd::detail::layout
