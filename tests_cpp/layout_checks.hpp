// Random diagrams, and what must hold for the picture of any diagram.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "graph/layout/layout.hpp"

namespace autograd::detail::layout {

// The same numbers on every machine, unlike the distributions of <random>.
class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(seed * 2654435761u + 1) {}
  int below(int n) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<int>((state_ >> 33) % static_cast<uint64_t>(n));
  }

 private:
  uint64_t state_;
};

// Boxes of all sizes; each but the first few hangs on earlier ones.
inline Diagram random_dag(int boxes, int extra_edges, int reach, uint64_t seed) {
  Dice dice(seed);
  Diagram d;
  for (int b = 0; b < boxes; ++b) {
    Box box;
    box.size = {30.0 + dice.below(90), 20.0 + dice.below(3) * 12};
    box.outputs.assign(dice.below(8) == 0 ? 2 : 1, Size{double(dice.below(2) * 50), 12});
    d.boxes.push_back(box);
    if (b > 2) d.edges.push_back({b - 1 - dice.below(std::min(b, reach)), b, 0, dice.below(3)});
  }
  for (int e = 0; e < extra_edges && boxes > 1; ++e) {
    const int to = 1 + dice.below(boxes - 1);
    const int from = to - 1 - dice.below(std::min(to, reach));
    d.edges.push_back({from, to, dice.below(2), dice.below(3)});
  }
  return d;
}

// Clusters hold runs of boxes, or any boxes if `scattered`, and each other.
inline void add_clusters(Diagram& d, int clusters, bool scattered, uint64_t seed) {
  Dice dice(seed);
  const int boxes = static_cast<int>(d.boxes.size());
  for (int c = 0; c < clusters; ++c) {
    d.clusters.push_back({c == 0 ? -1 : dice.below(c + 1) - 1, {20.0 + dice.below(90), 12}});
    if (scattered) continue;
    const int first = dice.below(boxes), last = std::min(boxes, first + 1 + dice.below(8));
    for (int b = first; b < last; ++b) d.boxes[static_cast<size_t>(b)].cluster = c;
  }
  for (Box& box : d.boxes)
    if (scattered) box.cluster = dice.below(clusters + 1) - 1;
}

inline bool overlap(const Rect& a, const Rect& b) {
  const double e = 1e-6;
  return a.x < b.right() - e && b.x < a.right() - e && a.y < b.bottom() - e && b.y < a.bottom() - e;
}
inline bool contains(const Rect& a, const Rect& b) {
  const double e = 1e-6;
  return b.x >= a.x - e && b.y >= a.y - e && b.right() <= a.right() + e &&
         b.bottom() <= a.bottom() + e;
}
inline bool on_border(const Rect& r, const Point& p) {
  const double e = 1e-6;
  const bool within =
      p.x >= r.x - e && p.x <= r.right() + e && p.y >= r.y - e && p.y <= r.bottom() + e;
  const bool at_side = std::min({std::abs(p.x - r.x), std::abs(p.x - r.right()),
                                 std::abs(p.y - r.y), std::abs(p.y - r.bottom())}) < e;
  return within && at_side;
}
inline bool is_inside(const Diagram& d, int cluster, int of) {
  for (; cluster >= 0; cluster = d.clusters[static_cast<size_t>(cluster)].parent)
    if (cluster == of) return true;
  return false;
}

// Points along a curve.
inline std::vector<Point> sampled(const std::vector<Point>& curve, int steps = 8) {
  std::vector<Point> points;
  for (size_t i = 0; i + 3 < curve.size(); i += 3)
    for (int k = 0; k <= steps; ++k) {
      const double t = double(k) / steps, s = 1 - t;
      const double a = s * s * s, b = 3 * s * s * t, c = 3 * s * t * t, e = t * t * t;
      points.push_back(
          {a * curve[i].x + b * curve[i + 1].x + c * curve[i + 2].x + e * curve[i + 3].x,
           a * curve[i].y + b * curve[i + 1].y + c * curve[i + 2].y + e * curve[i + 3].y});
    }
  return points;
}

// "" or the first thing that is wrong.
inline std::string fault_of(const Diagram& d, const Picture& p) {
  const auto name = [](const char* what, size_t i) { return what + std::to_string(i); };
  const Rect page{0, 0, p.size.width, p.size.height};
  for (size_t i = 0; i < p.boxes.size(); ++i) {
    if (!contains(page, p.boxes[i])) return name("off the page: box ", i);
    if (p.boxes[i].width < d.boxes[i].size.width - 1e-9) return name("too narrow: box ", i);
    for (size_t k = i + 1; k < p.boxes.size(); ++k)
      if (overlap(p.boxes[i], p.boxes[k])) return name("overlap: box ", i) + name(", box ", k);
    for (size_t k = 0; k < p.boxes.size(); ++k)
      for (const Rect& label : p.labels[k]) {
        if (!contains(page, label)) return name("off the page: label of ", k);
        if (overlap(p.boxes[i], label)) return name("overlap: box ", i) + name(", label of ", k);
      }
  }
  std::vector<char> holds(d.clusters.size());
  for (const Box& box : d.boxes)
    for (int c = box.cluster; c >= 0; c = d.clusters[static_cast<size_t>(c)].parent)
      holds[static_cast<size_t>(c)] = 1;
  for (size_t c = 0; c < d.clusters.size(); ++c) {
    if (!holds[c]) continue;
    const int cluster = static_cast<int>(c);
    if (!contains(page, p.clusters[c])) return name("off the page: cluster ", c);
    if (!contains(p.clusters[c], p.titles[c])) return name("title outside: cluster ", c);
    for (size_t b = 0; b < p.boxes.size(); ++b) {
      const bool inside = is_inside(d, d.boxes[b].cluster, cluster);
      if (inside ? !contains(p.clusters[c], p.boxes[b]) : overlap(p.clusters[c], p.boxes[b]))
        return name("cluster ", c) + name(inside ? " does not hold box " : " covers box ", b);
      if (overlap(p.titles[c], p.boxes[b])) return name("title ", c) + name(" on box ", b);
    }
    for (size_t k = 0; k < c; ++k)
      if (holds[k] && !is_inside(d, cluster, static_cast<int>(k)) &&
          overlap(p.clusters[c], p.clusters[k]))
        return name("overlap: cluster ", c) + name(", cluster ", k);
  }
  for (size_t e = 0; e < d.edges.size(); ++e) {
    const auto& curve = p.edges[e];
    if (d.edges[e].from == d.edges[e].to) continue;
    if (curve.size() < 4 || curve.size() % 3 != 1) return name("no curve: edge ", e);
    if (!on_border(p.boxes[static_cast<size_t>(d.edges[e].from)], curve.front()))
      return name("starts beside its box: edge ", e);
    if (!on_border(p.boxes[static_cast<size_t>(d.edges[e].to)], curve.back()))
      return name("ends beside its box: edge ", e);
    for (const Point& point : sampled(curve)) {
      const Rect dot{point.x - 0.5, point.y - 0.5, 1, 1};
      for (size_t b = 0; b < p.boxes.size(); ++b)
        if (static_cast<int>(b) != d.edges[e].from && static_cast<int>(b) != d.edges[e].to &&
            overlap(dot, p.boxes[b]))
          return name("edge ", e) + name(" runs over box ", b);
      for (const Rect& title : p.titles)
        if (title.width > 0 && overlap(dot, title)) return name("over a title: edge ", e);
    }
  }
  return "";
}

using Lines = std::vector<std::vector<Point>>;

inline bool cross(const Point& a, const Point& b, const Point& c, const Point& d) {
  const auto side = [](const Point& p, const Point& q, const Point& r) {
    return (q.x - p.x) * (r.y - p.y) - (q.y - p.y) * (r.x - p.x);
  };
  return side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0;
}

inline Point crossing_of(const Point& a, const Point& b, const Point& c, const Point& d) {
  const double along = ((c.x - a.x) * (d.y - c.y) - (c.y - a.y) * (d.x - c.x)) /
                       ((b.x - a.x) * (d.y - c.y) - (b.y - a.y) * (d.x - c.x));
  return {a.x + along * (b.x - a.x), a.y + along * (b.y - a.y)};
}

// Crossings of edges that have no box in common, as they are seen: edges that leave a box as one
// line are one line there.
inline int crossings(const Diagram& d, const Lines& lines) {
  int count = 0;
  std::map<std::pair<int, int>, std::vector<Point>> known;  // by the boxes where both start
  for (size_t i = 0; i < lines.size(); ++i)
    for (size_t k = i + 1; k < lines.size(); ++k) {
      const Edge &a = d.edges[i], &b = d.edges[k];
      if (a.from == b.from || a.from == b.to || a.to == b.from || a.to == b.to) continue;
      auto& points = known[std::minmax(a.from, b.from)];
      for (size_t m = 1; m < lines[i].size(); ++m)
        for (size_t n = 1; n < lines[k].size(); ++n) {
          if (!cross(lines[i][m - 1], lines[i][m], lines[k][n - 1], lines[k][n])) continue;
          const Point at = crossing_of(lines[i][m - 1], lines[i][m], lines[k][n - 1], lines[k][n]);
          const bool is_new = std::none_of(points.begin(), points.end(), [&](const Point& p) {
            return std::abs(p.x - at.x) < 1e-3 && std::abs(p.y - at.y) < 1e-3;
          });
          if (is_new) points.push_back(at);
          count += is_new;
        }
    }
  return count;
}

inline Lines lines_of(const Picture& p) {
  Lines lines;
  for (const auto& curve : p.edges) lines.push_back(sampled(curve));
  return lines;
}

}  // namespace autograd::detail::layout
