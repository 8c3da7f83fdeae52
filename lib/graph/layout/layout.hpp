// Layered drawings of boxes and edges within nested clusters: sizes in, places out. Knows nothing
// of tensors. The same input always gives the same picture.
//
// Every cluster is laid out by itself, as rows of boxes with edges running down (routes.cpp says
// how they avoid the boxes), and is then one box of the cluster around it. So a block that occurs
// twelve times looks the same twelve times, and no cluster can cover what does not belong to it. An
// edge that crosses the border of a cluster does so at a port; edges of one value share their
// ports.
#pragma once
#include <vector>

namespace autograd::detail::layout {

enum class Direction { kDown, kRight, kUp, kLeft };

struct Point {
  double x = 0, y = 0;
};

struct Size {
  double width = 0, height = 0;
};

/// x and y of the upper left corner.
struct Rect {
  double x = 0, y = 0, width = 0, height = 0;
  double right() const { return x + width; }
  double bottom() const { return y + height; }
};

struct Box {
  Size size;
  int cluster = -1;  ///< the innermost that holds it; -1 for none
  /// One per value that leaves the box: the room its text needs beside the start of its edges, 0 x
  /// 0 for none.
  std::vector<Size> outputs;
};

struct Edge {
  int from = 0, to = 0;  ///< boxes
  int output = 0;        ///< of `from`; past its outputs means: without a text
  int weight = 0;        ///< the heaviest at a box are drawn straight first
};

struct Cluster {
  int parent = -1;  ///< comes before its children
  Size title;
};

struct Diagram {
  std::vector<Box> boxes;
  std::vector<Edge> edges;
  std::vector<Cluster> clusters;
  Direction direction = Direction::kDown;
};

struct Picture {
  std::vector<Rect> boxes, clusters;
  std::vector<Rect> titles;               ///< of the clusters
  std::vector<std::vector<Rect>> labels;  ///< of each box's outputs
  /// Cubic Bezier curves, 3 n + 1 points each, from the border of a box to that of the other; empty
  /// for an edge from a box to itself.
  std::vector<std::vector<Point>> edges;
  Size size;
};

/// Empty clusters get no room. Throws Error if an index is out of range or a cluster comes before
/// its parent.
Picture lay_out(const Diagram& diagram);

}  // namespace autograd::detail::layout
