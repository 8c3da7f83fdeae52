// Repeated parts of a sketch, drawn once.
#pragma once
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "graph/draw/sketch.hpp"

namespace autograd::detail {

/// Fewer stand beside each other well enough.
constexpr size_t kFewestRepeats = 3;

/// Replaces rows of equal modules, equal updates of an optimizer and a leaf's boxes in several
/// phases by one each.
class Repeats {
 public:
  explicit Repeats(Sketch& sketch) : sketch_(sketch) {}
  void fold(bool roll_up, bool once);

 private:
  /// Modules in the order in which they are called: what is repeated is one of them, or several.
  using Unit = std::vector<int>;
  using Source = std::pair<int, int>;  // a node and the number of its output
  /// What feeds one unit of a row alone, or reads it alone, as another node does the first unit.
  struct Twin {
    int node, of_first;
    size_t place;  ///< of the unit in the row
  };
  /// A row, as far as it was found to fit together.
  struct Row {
    std::vector<std::vector<int>> nodes;  ///< of each unit
    std::vector<size_t> unit_of;          ///< of each node 1 + the unit that it belongs to, 0: none
    std::vector<int> like;                ///< of each of these, the node of the first unit
    std::set<Source> feeds_first;
    std::set<int> reads_first;
    std::vector<Twin> twins;
  };
  enum class Side { kBefore, kBehind };

  void gather();
  std::vector<int> nodes_inside(int cluster) const;
  std::vector<int> nodes_inside(const Unit& unit) const;
  std::string signature(const Unit& unit) const;
  bool is_inside(int cluster, int of) const;
  void roll_up_inside(std::vector<int>& siblings);
  size_t roll_up_row(const std::vector<int>& siblings, const std::vector<std::string>& alone,
                     size_t begin, size_t period);
  bool fit_together(const std::vector<Unit>& units, Row& row) const;
  bool is_fed_alike(Row& row, size_t k) const;
  bool are_read_alike(Row& row) const;
  std::set<int> readers_of(Row& row, size_t k) const;
  bool runs_along(const Row& row, size_t e) const;
  bool is_acyclic(const Row& row) const;
  static bool is_outside(const Row& row, int node);
  static void put_in(Row& row, int node, int like, size_t k);
  static void take_out(Row& row, int node);
  bool are_alike(int a, int b) const;
  bool with_twin(Row& row, int node, int of_first, size_t k, int steps, Side side) const;
  bool is_fed_as(Row& row, int node, int of_first, size_t k, int steps, Side side) const;
  bool is_read_as(Row& row, int node, int of_first, size_t k, int steps, Side side) const;
  std::vector<size_t> edges_of_phase(const std::vector<size_t>& edges) const;
  void merge(const std::vector<Unit>& units, const Row& row);
  void merge_twins(int first_module, const std::vector<Twin>& twins);
  void box_turns();

  void roll_up_updates();
  void merge_updates(const std::vector<int>& ops);
  void merge_leaves(int op);
  void describe_all(const std::vector<int>& leaves);
  std::string title_of_all(const std::vector<int>& leaves) const;
  std::vector<int> own_leaves(int op) const;
  void unite_leaves();
  void redirect_edges();

  Sketch& sketch_;
  std::vector<Unit> in_turn_;
  std::vector<char> node_kept_, cluster_kept_;
  std::vector<std::pair<int, size_t>>
      member_of_;                // of each node: the row's first module, its place
  std::vector<int> stands_for_;  // the node that is drawn instead of a node
  std::vector<std::vector<int>>
      children_;  // clusters in order of their first op; [0] the outermost
  std::vector<std::vector<int>> own_nodes_;
  std::vector<std::vector<size_t>> edges_in_;  // of each node
  std::vector<std::vector<size_t>> edges_out_;
};

}  // namespace autograd::detail
