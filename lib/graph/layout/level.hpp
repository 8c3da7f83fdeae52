// One level of a drawing: items in rows, without regard to what is inside them. Steps in order:
// ranks, layers, order, columns, routes.
#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "graph/layout/layout.hpp"

namespace autograd::detail::layout {

/// Extents to both sides of a reference point that alignment is about.
struct Item {
  double left = 0, right = 0, height = 0;
  double tail = 0;  ///< the last part of the height, which links cross on their way out
  int border = 0;   ///< -1: a port in the upper border, alone in the first row; 1: in the lower one
  bool is_cluster = false;
};

/// Runs downwards. dx: where it is attached, from the reference point.
struct Link {
  int from = 0, to = 0;
  double from_dx = 0, to_dx = 0;
  int weight = 0;
  bool free_end = false;  ///< may be attached anywhere along the upper side of `to`
};

/// An item, or the place where a long link passes a row.
struct Vertex {
  int item = -1;
  double left = 0, right = 0;
  int row = 0;
  int place = 0;  ///< within the row
  double x = 0;
};

/// The part of a link between a row and the next.
struct Segment {
  int upper = 0, lower = 0;  ///< vertices
  double upper_dx = 0, lower_dx = 0;
  int weight = 0;
};

struct Level {
  std::vector<Item> items;
  std::vector<Link> links;  ///< without cycles

  std::vector<int> rank;         ///< of each item, from 0
  std::vector<Vertex> vertices;  ///< the first are the items
  std::vector<Segment> segments;
  std::vector<std::vector<int>> rows;    ///< of vertices, left to right
  std::vector<std::vector<int>> above;   ///< of a vertex: the segments that end there
  std::vector<std::vector<int>> below;   ///< and those that start there
  std::vector<std::vector<int>> chains;  ///< of a link: its segments downwards

  std::vector<Point> places;               ///< of each item: reference point, y of its upper side
  std::vector<std::vector<Point>> curves;  ///< of each link
  double left = 0, right = 0, height = 0;
};

/// Rows from 0, every link down, links short in sum. Ports are alone in the first and last row.
void assign_ranks(Level& level);
/// Vertices, segments and rows in an order that is good to start from.
void make_rows(Level& level);
/// Permutes the rows until few segments cross, beginning again from up to so many other starts.
void order_rows(Level& level, size_t starts);
/// x of every vertex: links straight where they can be, items apart.
void place_columns(Level& level);
/// y, and the curves of the links; `head` and `foot` are the heights of the first and last row
/// where there are ports, and else free room.
void route_links(Level& level, double head, double foot);

/// The room between two neighbours of a row.
double gap_between(const Level& level, const Vertex& a, const Vertex& b);

inline void lay_out_level(Level& level, size_t starts, double head, double foot) {
  assign_ranks(level);
  make_rows(level);
  order_rows(level, starts);
  place_columns(level);
  route_links(level, head, foot);
}

}  // namespace autograd::detail::layout
