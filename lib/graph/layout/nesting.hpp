// The levels of a diagram: one outside of all clusters and one inside of each, and every edge as a
// way through them.
#pragma once
#include <cstddef>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "graph/layout/layout.hpp"
#include "graph/layout/level.hpp"

namespace autograd::detail::layout {

/// What one end of a link is attached to.
struct Attachment {
  static constexpr int kAnywhere = -1;  ///< along the upper side of a box
  static constexpr int kBottom = -2;    ///< the middle of its lower side

  int item = 0;
  int box = -1, cluster = -1;  ///< that the item is; neither for a port seen from inside
  int port = -1;               ///< of a cluster: item of its level
  int output = 0;              ///< of a box, or one of the above
};

/// A part of an edge: a link of one level.
struct Leg {
  size_t level = 0, link = 0;
};

class Nesting {
 public:
  explicit Nesting(const Diagram& diagram);

  static size_t level_of(int cluster) { return static_cast<size_t>(cluster + 1); }

  std::vector<Level>
      levels;  ///< with items and links, but no sizes yet; a cluster's parent comes first
  std::vector<std::vector<std::pair<Attachment, Attachment>>> ends;  ///< of each level's links
  std::vector<int> item_of_box, item_of_cluster;  ///< -1 for a cluster that holds nothing
  std::vector<std::vector<Leg>> legs;             ///< of each edge, from its start
  std::vector<char> backward;                     ///< of each edge: it runs against the direction
  std::vector<std::vector<char>> used;            ///< of each box: the outputs that edges leave

 private:
  /// Where an edge is on the level on which neither end is inside the other's cluster.
  struct Meeting {
    size_t level = 0;
    int from = 0, to = 0;  // items
  };
  int add_item(int cluster, int border);
  void make_items();
  void find_meetings();
  void find_backward_edges(size_t level);
  void add_legs(size_t edge);
  std::vector<Attachment> borders(size_t edge, int box, bool leaves);
  void add_leg(size_t edge, size_t level, const Attachment& from, const Attachment& to);
  int port(int cluster, const Edge& edge, bool upper);

  const Diagram& d_;
  std::vector<Meeting> meetings_;                         // of each edge
  std::vector<std::vector<size_t>> edges_meeting_;        // on each level
  std::map<std::tuple<int, int, int, bool>, int> ports_;  // cluster, box, output, upper side
  std::map<std::tuple<size_t, int, int, int, int, int>, size_t> links_;
};

}  // namespace autograd::detail::layout
