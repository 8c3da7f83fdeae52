#include "graph/layout/layout.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "graph/layout/nesting.hpp"

namespace autograd::detail::layout {
namespace {

constexpr double kPadding = 12;    // between the border of a cluster and what it holds
constexpr double kTitleGap = 6;    // around the title of a cluster
constexpr double kLabelGap = 5;    // between an edge and its text
constexpr double kOutputGap = 12;  // between the texts of two outputs
constexpr double kStartGap = 4;    // between a box and a text that begins or ends beside it
// Other starts for the order of a level, and of all levels together.
constexpr size_t kStarts = 40, kStartsInAll = 1600;

bool is_sideways(Direction direction) {
  return direction == Direction::kRight || direction == Direction::kLeft;
}

// Everything is laid out downwards. A picture that runs sideways is made of turned sizes, and
// turned back.
Diagram turned(const Diagram& diagram) {
  Diagram d = diagram;
  if (!is_sideways(d.direction)) return d;
  for (Box& box : d.boxes) {
    std::swap(box.size.width, box.size.height);
    for (Size& label : box.outputs) {
      std::swap(label.width, label.height);
      if (label.height > 0) label.height += kStartGap;
    }
  }
  for (Cluster& cluster : d.clusters) std::swap(cluster.title.width, cluster.title.height);
  return d;
}

class Drawing {
 public:
  explicit Drawing(const Diagram& diagram)
      : d_(turned(diagram)), sideways_(is_sideways(diagram.direction)), nesting_(d_) {}

  Picture draw() {
    output_dx_.resize(d_.boxes.size());
    titles_.resize(d_.clusters.size());
    boxes_in_.resize(nesting_.levels.size());
    clusters_in_.resize(nesting_.levels.size());
    for (size_t b = 0; b < d_.boxes.size(); ++b)
      boxes_in_[Nesting::level_of(d_.boxes[b].cluster)].push_back(b);
    for (size_t c = 0; c < d_.clusters.size(); ++c)
      if (nesting_.item_of_cluster[c] >= 0)
        clusters_in_[Nesting::level_of(d_.clusters[c].parent)].push_back(c);
    for (size_t level = nesting_.levels.size(); level-- > 0;) lay_out_inside(level);
    place();
    turn();
    return std::move(picture_);
  }

 private:
  void lay_out_inside(size_t level);
  void measure_box(size_t box);
  double side_by_side(size_t box);
  void measure_cluster(size_t cluster);
  void make_room_for_title(Level& level, size_t cluster);
  double offset(const Attachment& attachment) const;
  void place();
  void place_box(size_t level, size_t box);
  void place_cluster(size_t level, size_t cluster);
  std::vector<Point> joined(size_t edge) const;
  void turn();
  Item& item_of_box(size_t b) {
    return nesting_.levels[Nesting::level_of(d_.boxes[b].cluster)]
        .items[static_cast<size_t>(nesting_.item_of_box[b])];
  }

  Diagram d_;
  bool sideways_;
  Nesting nesting_;
  std::vector<std::vector<size_t>> boxes_in_, clusters_in_;  // of each level
  std::vector<std::vector<double>> output_dx_;               // of each box
  std::vector<Rect> titles_;                                 // within their level
  std::vector<Point> origins_;                               // of each level
  Picture picture_;
};

void Drawing::lay_out_inside(size_t l) {
  Level& level = nesting_.levels[l];
  const size_t starts = std::min(kStarts, kStartsInAll / nesting_.levels.size());
  for (size_t b : boxes_in_[l]) measure_box(b);
  for (size_t c : clusters_in_[l]) measure_cluster(c);
  for (size_t i = 0; i < level.links.size(); ++i) {
    level.links[i].from_dx = offset(nesting_.ends[l][i].first);
    level.links[i].to_dx = offset(nesting_.ends[l][i].second);
  }
  if (l == 0) return lay_out_level(level, starts, 0, 0);
  const bool has_title = d_.clusters[l - 1].title.height > 0 && !sideways_;
  const double title = has_title ? d_.clusters[l - 1].title.height + kTitleGap : kPadding;
  const bool at_foot = d_.direction == Direction::kUp;
  lay_out_level(level, starts, at_foot ? kPadding : title, at_foot ? title : kPadding);
  level.left -= kPadding;
  level.right += kPadding;
  make_room_for_title(level, l - 1);
}

// The texts of several outputs stand beside each other under the box, and make it as wide as they
// are.
double Drawing::side_by_side(size_t b) {
  Box& box = d_.boxes[b];
  const auto room = [&](const Size& label) {
    return label.width > 0 ? label.width + kLabelGap : 0;
  };
  double sum = 0;
  for (const Size& label : box.outputs) sum += room(label) + kOutputGap;
  box.size.width = std::max(box.size.width, sum);
  const double extra = (box.size.width - sum) / static_cast<double>(box.outputs.size());
  double x = -box.size.width / 2;
  for (const Size& label : box.outputs) {
    const double width = room(label) + kOutputGap + extra;
    output_dx_[b].push_back(sideways_ ? x + width - (kOutputGap + extra) / 2
                                      : x + (kOutputGap + extra) / 2);
    x += width;
  }
  return box.size.width / 2;
}

void Drawing::measure_box(size_t b) {
  Box& box = d_.boxes[b];
  Item& item = item_of_box(b);
  for (size_t k = 0; k < box.outputs.size(); ++k) {
    if (!nesting_.used[b][k]) box.outputs[k] = {};
    item.tail = std::max(item.tail, box.outputs[k].height);
  }
  double side = box.size.width / 2;
  const auto& used = nesting_.used[b];
  if (std::count(used.begin(), used.end(), 1) <= 1) {
    output_dx_[b].assign(used.size(), 0);
    for (const Size& label : box.outputs) side = std::max(side, label.width + kLabelGap);
  } else {
    side = side_by_side(b);
  }
  item.left = sideways_ ? side : box.size.width / 2;
  item.right = sideways_ ? box.size.width / 2 : side;
  item.height = box.size.height + item.tail;
}

void Drawing::measure_cluster(size_t c) {
  Item& item = nesting_.levels[Nesting::level_of(d_.clusters[c].parent)]
                   .items[static_cast<size_t>(nesting_.item_of_cluster[c])];
  const Level& inside = nesting_.levels[c + 1];
  item.left = item.right = (inside.right - inside.left) / 2;
  item.height = inside.height;
  item.is_cluster = true;
}

// A title stands at one end of the border that edges come through, clear of them.
void Drawing::make_room_for_title(Level& level, size_t c) {
  const Size title = d_.clusters[c].title;
  if (title.width <= 0 || title.height <= 0) return;
  if (sideways_) {
    level.left -= title.width + 2 * kTitleGap - kPadding;
    level.height = std::max(level.height, title.height + 2 * kTitleGap);
    titles_[c] = {level.left + kTitleGap, kTitleGap, title.width, title.height};
    if (d_.direction == Direction::kLeft) titles_[c].y = level.height - kTitleGap - title.height;
    return;
  }
  const bool at_foot = d_.direction == Direction::kUp;
  const double room = title.width + 2 * kTitleGap;
  double first = level.right, last = level.left;
  for (size_t i = 0; i < level.items.size(); ++i) {
    if (level.items[i].border != (at_foot ? 1 : -1)) continue;
    first = std::min(first, level.places[i].x);
    last = std::max(last, level.places[i].x);
  }
  const bool at_right = last > level.left && first - level.left < level.right - last &&
                        level.right - last < room && first - level.left < room;
  if (at_right)
    level.right = std::max(level.right, last + room);
  else
    level.left = std::min(level.left, first - room);
  titles_[c] = {at_right ? level.right - kTitleGap - title.width : level.left + kTitleGap,
                at_foot ? level.height - 4 - title.height : 4, title.width, title.height};
}

double Drawing::offset(const Attachment& attachment) const {
  if (attachment.cluster >= 0) {
    const Level& inside = nesting_.levels[static_cast<size_t>(attachment.cluster) + 1];
    return inside.places[static_cast<size_t>(attachment.port)].x - (inside.left + inside.right) / 2;
  }
  if (attachment.box < 0 || attachment.output < 0) return 0;
  const auto& dx = output_dx_[static_cast<size_t>(attachment.box)];
  const size_t output = static_cast<size_t>(attachment.output);
  return output < dx.size() ? dx[output] : 0;
}

void Drawing::place() {
  picture_.boxes.resize(d_.boxes.size());
  picture_.labels.resize(d_.boxes.size());
  picture_.clusters.resize(d_.clusters.size());
  picture_.titles.resize(d_.clusters.size());
  const Level& outside = nesting_.levels[0];
  picture_.size = {outside.right - outside.left, outside.height};
  origins_.resize(nesting_.levels.size());
  origins_[0] = {-outside.left, 0};
  for (size_t level = 0; level < nesting_.levels.size(); ++level) {
    for (size_t b : boxes_in_[level]) place_box(level, b);
    for (size_t c : clusters_in_[level]) place_cluster(level, c);
  }
  for (size_t e = 0; e < d_.edges.size(); ++e) picture_.edges.push_back(joined(e));
}

void Drawing::place_box(size_t level, size_t b) {
  const Box& box = d_.boxes[b];
  const Point at = nesting_.levels[level].places[static_cast<size_t>(nesting_.item_of_box[b])];
  const double x = origins_[level].x + at.x, y = origins_[level].y + at.y;
  picture_.boxes[b] = {x - box.size.width / 2, y, box.size.width, box.size.height};
  for (size_t k = 0; k < box.outputs.size(); ++k) {
    const Size label = box.outputs[k];
    const double left = sideways_ ? -kLabelGap - label.width : kLabelGap;
    const double start = sideways_ && label.height > 0 ? kStartGap : 0;
    picture_.labels[b].push_back({x + output_dx_[b][k] + left, y + box.size.height + start,
                                  label.width, label.height - start});
  }
}

void Drawing::place_cluster(size_t level, size_t c) {
  const Level& inside = nesting_.levels[c + 1];
  const Point at = nesting_.levels[level].places[static_cast<size_t>(nesting_.item_of_cluster[c])];
  const double width = inside.right - inside.left;
  const double x = origins_[level].x + at.x - width / 2, y = origins_[level].y + at.y;
  picture_.clusters[c] = {x, y, width, inside.height};
  origins_[c + 1] = {x - inside.left, y};
  if (titles_[c].width > 0)
    picture_.titles[c] = {origins_[c + 1].x + titles_[c].x, y + titles_[c].y, titles_[c].width,
                          titles_[c].height};
}

// The curves of an edge's legs in one.
std::vector<Point> Drawing::joined(size_t e) const {
  std::vector<Point> points;
  for (const Leg& leg : nesting_.legs[e]) {
    std::vector<Point> part = nesting_.levels[leg.level].curves[leg.link];
    if (nesting_.backward[e]) std::reverse(part.begin(), part.end());
    for (Point& p : part) p = {p.x + origins_[leg.level].x, p.y + origins_[leg.level].y};
    points.insert(points.end(), part.begin() + (points.empty() ? 0 : 1), part.end());
  }
  return points;
}

void Drawing::turn() {
  const double height = picture_.size.height;
  const bool upside_down = d_.direction == Direction::kUp || d_.direction == Direction::kLeft;
  const auto turn_point = [&](Point& p) {
    if (upside_down) p.y = height - p.y;
    if (sideways_) std::swap(p.x, p.y);
  };
  const auto turn_rect = [&](Rect& r) {
    if (upside_down) r.y = height - r.y - r.height;
    if (!sideways_) return;
    std::swap(r.x, r.y);
    std::swap(r.width, r.height);
  };
  for (auto* rects : {&picture_.boxes, &picture_.clusters, &picture_.titles})
    for (Rect& rect : *rects) turn_rect(rect);
  for (auto& labels : picture_.labels)
    for (Rect& rect : labels) turn_rect(rect);
  for (auto& points : picture_.edges)
    for (Point& point : points) turn_point(point);
  if (sideways_) std::swap(picture_.size.width, picture_.size.height);
}

}  // namespace

Picture lay_out(const Diagram& diagram) { return Drawing(diagram).draw(); }

}  // namespace autograd::detail::layout
