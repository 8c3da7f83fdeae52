// Heights and curves. Links run straight down beside the boxes of a row, each in a place of its
// own, and bend only in the bands between rows, where there are no boxes.
#include <algorithm>
#include <cmath>
#include <cstddef>

#include "graph/layout/level.hpp"

namespace autograd::detail::layout {
namespace {

constexpr double kBand = 25;      // least height between rows where a link bends
constexpr double kStraight = 15;  // and where none does
constexpr double kPortBand = 10;  // less where there is room already
constexpr double kEndStep = 12;   // between links that end on one box
constexpr double kEndMargin = 9;  // from the corner of the box

class Routes {
 public:
  Routes(Level& level, double head, double foot) : level_(level), head_(head), foot_(foot) {}

  void draw() {
    measure_width();
    spread_ends();
    place_rows();
    for (const Item& item : level_.items) level_.places.push_back(place_of(item));
    for (size_t i = 0; i < level_.links.size(); ++i) level_.curves.push_back(curve(i));
  }

 private:
  void measure_width();
  void spread_ends();
  void spread_ends(std::vector<int>& links);
  static void spread(std::vector<double>& dx, size_t main, double reach);
  void place_rows();
  double band_below(size_t row) const;
  Point place_of(const Item& item) const;
  std::vector<Point> curve(size_t link) const;
  double upper_x(const Segment& s) const {
    return level_.vertices[static_cast<size_t>(s.upper)].x + s.upper_dx;
  }
  double lower_x(const Segment& s) const {
    return level_.vertices[static_cast<size_t>(s.lower)].x + s.lower_dx;
  }
  bool has_ports(int border) const {
    return std::any_of(level_.items.begin(), level_.items.end(),
                       [&](const Item& item) { return item.border == border; });
  }

  Level& level_;
  double head_, foot_;
  std::vector<double> top_, bottom_;  // of each row
};

void Routes::measure_width() {
  if (level_.vertices.empty()) return;
  const Vertex& first = level_.vertices[0];
  level_.left = first.x - first.left;
  level_.right = first.x + first.right;
  for (const Vertex& v : level_.vertices) {
    level_.left = std::min(level_.left, v.x - v.left);
    level_.right = std::max(level_.right, v.x + v.right);
  }
}

// Links that end on one box come in side by side, in the order in which they come.
void Routes::spread_ends() {
  std::vector<std::vector<int>> ends(level_.items.size());
  for (size_t i = 0; i < level_.links.size(); ++i)
    if (level_.links[i].free_end)
      ends[static_cast<size_t>(level_.links[i].to)].push_back(static_cast<int>(i));
  for (auto& links : ends)
    if (links.size() > 1) spread_ends(links);
}

// Numbers in order within +-reach are moved apart; that of the main link stays if it can.
void Routes::spread(std::vector<double>& dx, size_t main, double reach) {
  const double left = static_cast<double>(main), right = static_cast<double>(dx.size() - 1 - main);
  const double least = std::min(kEndStep / 2, 2 * reach / (left + right));
  dx[main] = std::clamp(dx[main], -reach + least * left, reach - least * right);
  double step = std::min(kEndStep, (dx[main] + reach) / std::max(1.0, left));
  for (size_t i = main; i-- > 0;)
    dx[i] = std::max(-reach + step * static_cast<double>(i), std::min(dx[i], dx[i + 1] - step));
  step = std::min(kEndStep, (reach - dx[main]) / std::max(1.0, right));
  for (size_t i = main + 1; i < dx.size(); ++i)
    dx[i] = std::min(reach - step * static_cast<double>(dx.size() - 1 - i),
                     std::max(dx[i], dx[i - 1] + step));
}

void Routes::spread_ends(std::vector<int>& links) {
  const auto last = [&](int link) -> Segment& {
    return level_.segments[static_cast<size_t>(level_.chains[static_cast<size_t>(link)].back())];
  };
  std::stable_sort(links.begin(), links.end(),
                   [&](int a, int b) { return upper_x(last(a)) < upper_x(last(b)); });
  const Item& item =
      level_.items[static_cast<size_t>(level_.links[static_cast<size_t>(links[0])].to)];
  const double x = level_.vertices[static_cast<size_t>(last(links[0]).lower)].x;
  const size_t n = links.size();
  const double side = std::min(item.left, item.right);
  const double room = side - std::min(kEndMargin, 0.4 * side);
  const double reach = std::min(room, kEndStep * static_cast<double>(n - 1));
  std::vector<double> dx;
  size_t main = 0;
  for (size_t i = 0; i < n; ++i) {
    dx.push_back(std::clamp(upper_x(last(links[i])) - x, -reach, reach));
    if (last(links[i]).weight > last(links[main]).weight) main = i;
  }
  spread(dx, main, reach);
  for (size_t i = 0; i < dx.size(); ++i) {
    last(links[i]).lower_dx = dx[i];
    level_.links[static_cast<size_t>(links[i])].to_dx = dx[i];
  }
}

// Higher where links go far to the side, so that they are not flat.
double Routes::band_below(size_t row) const {
  double farthest = 0;
  for (int v : level_.rows[row])
    for (int s : level_.below[static_cast<size_t>(v)]) {
      const Segment& segment = level_.segments[static_cast<size_t>(s)];
      farthest = std::max(farthest, std::abs(upper_x(segment) - lower_x(segment)));
    }
  if (farthest < 1) return kStraight;
  return kBand + std::min(60.0, 0.12 * std::max(0.0, farthest - 60));
}

void Routes::place_rows() {
  const bool upper = has_ports(-1), lower = has_ports(1);
  double y = upper ? 0 : head_;
  for (size_t row = 0; row < level_.rows.size(); ++row) {
    double height = 0;
    for (int v : level_.rows[row])
      if (level_.vertices[static_cast<size_t>(v)].item >= 0)
        height = std::max(height, level_.items[static_cast<size_t>(v)].height);
    if (row == 0 && upper) height = head_;
    const bool is_last = row + 1 == level_.rows.size();
    if (is_last && lower) height = foot_;
    top_.push_back(y);
    bottom_.push_back(y += height);
    if (!is_last) {
      // Below the title and above the lower border there is room already.
      const bool beside_ports = (row == 0 && upper) || (row + 2 == level_.rows.size() && lower);
      y += band_below(row) - (beside_ports ? kPortBand : 0);
    }
  }
  level_.height = y + (lower ? 0 : foot_);
}

Point Routes::place_of(const Item& item) const {
  const Vertex& v = level_.vertices[static_cast<size_t>(&item - level_.items.data())];
  const size_t row = static_cast<size_t>(v.row);
  if (item.border < 0) return {v.x, top_[row]};
  if (item.border > 0) return {v.x, bottom_[row]};
  // Beside what is taller: near what it is linked with.
  const size_t i = static_cast<size_t>(&item - level_.items.data());
  const bool has_above = !level_.above[i].empty(), has_below = !level_.below[i].empty();
  const double slack = bottom_[row] - top_[row] - item.height;
  const bool far = slack > 100 && has_above != has_below;
  return {v.x, top_[row] + (!far ? slack / 2 : has_above ? 0 : slack)};
}

std::vector<Point> Routes::curve(size_t link) const {
  const Link& l = level_.links[link];
  const Item& from = level_.items[static_cast<size_t>(l.from)];
  const Point start = level_.places[static_cast<size_t>(l.from)];
  const Point end = level_.places[static_cast<size_t>(l.to)];
  Point at{start.x + l.from_dx, start.y + from.height - from.tail};
  std::vector<Point> points{at};
  const auto go = [&](const Point& a, const Point& b, const Point& to) {
    points.insert(points.end(), {a, b, to});
    at = to;
  };
  const auto go_down = [&](double y) {
    if (y > at.y) go({at.x, at.y + (y - at.y) / 3}, {at.x, y - (y - at.y) / 3}, {at.x, y});
  };
  for (int s : level_.chains[link]) {
    const Segment& segment = level_.segments[static_cast<size_t>(s)];
    const double x = lower_x(segment);
    if (std::abs(x - at.x) < 1e-6) continue;
    const size_t row = static_cast<size_t>(level_.vertices[static_cast<size_t>(segment.upper)].row);
    const double y = bottom_[row], next = top_[row + 1];
    go_down(y);
    go({at.x, y + 0.55 * (next - y)}, {x, next - 0.55 * (next - y)}, {x, next});
  }
  go_down(end.y);
  return points;
}

}  // namespace

void route_links(Level& level, double head, double foot) { Routes(level, head, foot).draw(); }

}  // namespace autograd::detail::layout
