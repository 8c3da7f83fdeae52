// What a drawing shows of a graph: modules, phases, repeats, depth; and that DOT, SVG and HTML show
// the same.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "engine_test.hpp"
#include "graph/diff.hpp"
#include "graph/draw/sketch.hpp"
#include "graph/draw/wording.hpp"
#include "ops/registry.hpp"

namespace autograd::detail {
namespace {

// Makes graphs by hand: layers of a linear and a relu in modules of their own.
class Maker {
 public:
  int leaf(const std::string& name, Role role, const Shape& sizes) {
    GraphValue value;
    value.role = role;
    value.name = name;
    value.sizes = sizes;
    value.needs_grad = role == Role::kParameter;
    graph.values.push_back(value);
    return static_cast<int>(graph.values.size()) - 1;
  }
  int op(const char* name, std::vector<int> inputs, int scope = -1, Phase phase = Phase::kForward) {
    GraphValue value;
    value.op = static_cast<int>(graph.ops.size());
    value.sizes = {2, 4};
    value.needs_grad = true;
    graph.values.push_back(value);
    GraphOp op;
    op.op = find_op(name);
    op.inputs = std::move(inputs);
    op.outputs = {static_cast<int>(graph.values.size()) - 1};
    op.scope = scope;
    op.phase = phase;
    graph.ops.push_back(op);
    return op.outputs[0];
  }
  int scope(const std::string& name, const std::string& type, int parent = -1) {
    graph.scopes.push_back({name, type, parent});
    return static_cast<int>(graph.scopes.size()) - 1;
  }
  GraphData graph;
};

// A network of equal layers; each is a module with two modules in it.
GraphData network(int layers) {
  Maker m;
  std::vector<int> weights;
  const int x = m.leaf("x", Role::kInput, {2, 4});
  for (int i = 0; i < layers; ++i)
    weights.push_back(
        m.leaf("net.layers." + std::to_string(i) + ".fc.weight", Role::kParameter, {4, 4}));
  const int net = m.scope("net", "Net");
  int y = x;
  for (int i = 0; i < layers; ++i) {
    const int layer = m.scope("layers." + std::to_string(i), "Layer", net);
    const int fc = m.scope("fc", "Linear", layer), act = m.scope("act", "ReLU", layer);
    y = m.op("relu", {m.op("mm", {y, weights[static_cast<size_t>(i)]}, fc)}, act);
  }
  const int loss = m.op("sum", {y});
  int g = m.op("exp", {loss}, -1, Phase::kBackward);
  g = m.op("mul", {g, y}, -1, Phase::kBackward);
  m.op("sub", {weights[0], g}, -1, Phase::kOptimizer);
  m.graph.outputs = {loss};
  return m.graph;
}

Sketch sketch_of(const GraphData& graph, int64_t depth = -1, bool roll_up = true,
                 uint32_t phases = 0) {
  DrawOptions options;
  options.depth = depth;
  options.roll_up = roll_up;
  options.phases = phases;
  return make_sketch(graph, options);
}

std::vector<std::string> titles(const Sketch& sketch) {
  std::vector<std::string> found;
  for (const SketchCluster& cluster : sketch.clusters) found.push_back(cluster.title);
  return found;
}

const SketchNode* node_named(const Sketch& sketch, const std::string& title) {
  for (const SketchNode& node : sketch.nodes)
    if (node.title == title) return &node;
  return nullptr;
}

TEST(Sketch, modules_and_phases_are_clusters) {
  const Sketch sketch = sketch_of(network(2));
  EXPECT_EQ(titles(sketch),
            (std::vector<std::string>{"forward", "net: Net", "layers.0: Layer", "fc: Linear",
                                      "act: ReLU", "layers.1: Layer", "fc: Linear", "act: ReLU",
                                      "backward", "optimizer"}));
  EXPECT_EQ(sketch.clusters[3].path, "net.layers.0.fc");
  const SketchNode* weight = node_named(sketch, "weight");
  ASSERT_NE(weight, nullptr) << "named within its module";
  EXPECT_EQ(weight->name, "net.layers.0.fc.weight");
  EXPECT_EQ(weight->cluster, 3);
  EXPECT_EQ(sketch.clusters[static_cast<size_t>(node_named(sketch, "x")->cluster)].title,
            "forward");
}

TEST(Sketch, phases_can_be_left_out) {
  const Sketch forward = sketch_of(network(2), -1, true, 1);
  EXPECT_EQ(titles(forward)[0], "net: Net") << "one phase needs no cluster";
  EXPECT_EQ(node_named(forward, "exp"), nullptr);
  const Sketch backward = sketch_of(network(2), -1, true, 2);
  EXPECT_EQ(titles(backward), std::vector<std::string>());
  ASSERT_NE(node_named(backward, "relu"), nullptr) << "what comes in from the forward phase";
  EXPECT_EQ(node_named(backward, "relu")->look, Look::kInput);
  EXPECT_EQ(node_named(backward, "weight"), nullptr);
  EXPECT_EQ(node_named(backward, "output"), nullptr);
}

TEST(Sketch, phases_that_read_later_ones_begin_a_new_round) {
  Maker m;
  const int x = m.leaf("x", Role::kInput, {2, 4}), net = m.scope("net", "Net");
  const int y = m.op("exp", {x}, net), g = m.op("sin", {y}, net, Phase::kBackward);
  const int z = m.op("exp", {g}, net);
  m.op("mul", {y, z}, net, Phase::kBackward);
  const Sketch sketch = sketch_of(m.graph);
  EXPECT_EQ(titles(sketch), (std::vector<std::string>{"forward", "net: Net", "backward", "net: Net",
                                                      "forward, round 2", "net: Net",
                                                      "backward, round 2", "net: Net"}));
  std::set<std::string> ids;
  for (const SketchCluster& cluster : sketch.clusters) ids.insert(cluster.id);
  EXPECT_EQ(ids.size(), sketch.clusters.size());
}

TEST(Sketch, calls_in_a_loop_are_drawn_once_with_what_feeds_each) {
  Maker m;
  const int xs = m.leaf("xs", Role::kInput, {6, 2, 4}),
            w = m.leaf("cell.w", Role::kParameter, {4, 4});
  int h = m.leaf("h", Role::kInput, {2, 4});
  for (int t = 0; t < 6; ++t) {
    const int step = m.op("exp", {xs}), cell = m.scope("cell", "Cell");
    h = m.op("add", {m.op("mm", {h, w}, cell), step}, cell);
  }
  m.graph.outputs = {h};
  const Sketch sketch = sketch_of(m.graph);
  EXPECT_EQ(titles(sketch), std::vector<std::string>{"cell: Cell \xC3\x97 6"});
  const SketchNode* step = node_named(sketch, "exp \xC3\x97 6");
  ASSERT_NE(step, nullptr);
  EXPECT_EQ(step->times, 6);
  EXPECT_EQ(sketch.nodes.size(), 7u) << "xs, w, h, exp, mm, add, the result";
  const SketchNode* weight = node_named(sketch, "w");
  ASSERT_NE(weight, nullptr) << "named within the module whose calls alone read it";
  EXPECT_EQ(weight->cluster, 0);
  // A step that something else reads as well is none of many.
  m.op("sin", {5});
  EXPECT_EQ(node_named(sketch_of(m.graph), "exp \xC3\x97 6"), nullptr);
}

TEST(Sketch, leaves_are_drawn_once) {
  Maker m;
  const int w = m.leaf("w", Role::kParameter, {4, 4}), x = m.leaf("x", Role::kInput, {2, 4});
  const int y = m.op("mm", {x, w}), g = m.op("exp", {y}, -1, Phase::kBackward);
  m.op("mm", {g, w}, -1, Phase::kBackward);
  m.op("mm", {x, g}, -1, Phase::kBackward);
  m.op("sub", {w, g}, -1, Phase::kOptimizer);
  const auto count_of = [&](bool once, bool roll_up) {
    DrawOptions options;
    options.once = once;
    options.roll_up = roll_up;
    const Sketch sketch = make_sketch(m.graph, options);
    int nodes = 0, edges = 0;
    for (const SketchNode& node : sketch.nodes) nodes += node.op < 0 && node.look != Look::kOutput;
    for (const SketchEdge& edge : sketch.edges)
      edges += sketch.nodes[static_cast<size_t>(edge.from)].op < 0;
    EXPECT_EQ(edges, 5) << "each reader has its line";
    return nodes;
  };
  for (const bool roll_up : {true, false}) {
    EXPECT_EQ(count_of(true, roll_up), 2);
    EXPECT_EQ(count_of(false, roll_up), 5) << "w in three parts, x in two";
  }
}

TEST(Sketch, what_an_optimizer_changes_alike_is_named_together) {
  Maker m;
  std::vector<int> weights, made;
  for (const char* name : {"a", "b", "c"})
    weights.push_back(m.leaf(name, Role::kParameter, {4, 4}));
  for (const int w : weights) made.push_back(m.op("exp", {w}));
  for (size_t i = 0; i < 3; ++i) m.op("sub", {weights[i], made[i]}, -1, Phase::kOptimizer);
  const Sketch sketch = sketch_of(m.graph);
  const SketchNode* all = node_named(sketch, "3 parameters");
  ASSERT_NE(all, nullptr);
  EXPECT_TRUE(all->again);
  EXPECT_EQ(all->phase, Phase::kOptimizer);
  ASSERT_NE(node_named(sketch, "a"), nullptr);
  EXPECT_FALSE(node_named(sketch, "a")->again);
}

TEST(Sketch, what_a_closed_module_keeps_leaves_it_as_one_line) {
  Maker m;
  const int x = m.leaf("x", Role::kInput, {2, 4}), net = m.scope("net", "Net");
  const int a = m.op("exp", {x}, net), b = m.op("sin", {a}, net), c = m.op("sum", {b});
  int g = m.op("exp", {c}, -1, Phase::kBackward);
  for (const int kept : {b, a}) g = m.op("mul", {g, kept}, -1, Phase::kBackward);
  m.op("mul", {g, a}, -1, Phase::kBackward);
  const Sketch sketch = sketch_of(m.graph, 0);
  const SketchNode* module = node_named(sketch, "net: Net");
  ASSERT_NE(module, nullptr);
  EXPECT_EQ(module->outputs, (std::vector<std::string>{"[2, 4]", "2 tensors"}));
  int lines = 0;
  for (const SketchEdge& edge : sketch.edges)
    lines += &sketch.nodes[static_cast<size_t>(edge.from)] == module && edge.output == 1;
  EXPECT_EQ(lines, 3) << "one to each op that reads one of them";
}

TEST(Sketch, equal_modules_in_a_row_are_drawn_once) {
  const Sketch sketch = sketch_of(network(12));
  const std::vector<std::string> found = titles(sketch);
  EXPECT_EQ(found[2], "layers.0: Layer \xC3\x97 12");
  EXPECT_EQ(found.size(), 7u) << "the others are gone, with what is in them";
  int products = 0;
  for (const SketchNode& node : sketch.nodes) products += node.title == "mm";
  EXPECT_EQ(products, 1);
  for (const SketchEdge& edge : sketch.edges)
    EXPECT_FALSE(sketch.nodes[static_cast<size_t>(edge.from)].title == "relu" &&
                 sketch.nodes[static_cast<size_t>(edge.to)].title == "mm")
        << "the way from one to the next is not drawn";
  EXPECT_EQ(sketch_of(network(12), -1, false).clusters.size(), 40u);
  EXPECT_EQ(sketch_of(network(2)).clusters.size(), 10u) << "two stand beside each other";
}

TEST(Sketch, modules_that_differ_are_all_drawn) {
  GraphData graph = network(5);
  for (GraphOp& op : graph.ops)
    if (op.scope == 8) op.op = find_op("tanh");  // the activation of the third layer
  const std::vector<std::string> found = titles(sketch_of(graph));
  for (const std::string& title : found) EXPECT_EQ(count(title, "\xC3\x97"), 0) << title;
}

TEST(Sketch, leaf_stands_in_each_phase_that_reads_it_where_that_is_wanted) {
  DrawOptions options;
  options.once = false;
  const Sketch sketch = make_sketch(network(1), options);
  int there = 0, again = 0;
  for (const SketchNode& node : sketch.nodes) {
    if (node.name != "net.layers.0.fc.weight") continue;
    ++there;
    again += node.again;
    EXPECT_EQ(node.id, node.again ? "v1_optimizer" : "v1");
  }
  EXPECT_EQ(there, 2);
  EXPECT_EQ(again, 1);
  for (const SketchEdge& edge : sketch.edges)
    EXPECT_TRUE(sketch.nodes[static_cast<size_t>(edge.from)].op >= 0 ||
                !crosses_phases(sketch, edge));
}

TEST(Sketch, updates_of_many_parameters_are_drawn_once) {
  Maker m;
  std::vector<int> weights;
  for (int i = 0; i < 5; ++i)
    weights.push_back(m.leaf("w" + std::to_string(i), Role::kParameter, {i + 1}));
  int loss = weights[0];
  for (int weight : weights) loss = m.op("mul", {loss, weight});
  m.graph.outputs = {loss};
  for (int weight : weights)
    m.op("sub", {weight, m.op("exp", {loss}, -1, Phase::kBackward)}, -1, Phase::kOptimizer);
  const Sketch sketch = sketch_of(m.graph);
  const SketchNode* update = node_named(sketch, "sub \xC3\x97 5");
  ASSERT_NE(update, nullptr);
  EXPECT_NE(node_named(sketch, "5 parameters"), nullptr);
  int gradients = 0;
  for (const SketchEdge& edge : sketch.edges)
    gradients += &sketch.nodes[static_cast<size_t>(edge.to)] == update && edge.from >= 0;
  EXPECT_EQ(gradients, 6) << "five gradients, and the parameters";
  EXPECT_EQ(node_named(sketch_of(m.graph, -1, false), "5 parameters"), nullptr);
}

TEST(Sketch, deep_modules_are_closed) {
  const Sketch sketch = sketch_of(network(2), 2);
  EXPECT_EQ(titles(sketch), (std::vector<std::string>{"forward", "net: Net", "layers.0: Layer",
                                                      "layers.1: Layer", "backward", "optimizer"}));
  ASSERT_NE(node_named(sketch, "fc: Linear"), nullptr);
  EXPECT_EQ(node_named(sketch, "fc: Linear")->detail, "1 op");
  EXPECT_EQ(node_named(sketch, "mm"), nullptr);
  const Sketch closed = sketch_of(network(12), 0);
  ASSERT_NE(node_named(closed, "net: Net"), nullptr);
  EXPECT_EQ(node_named(closed, "net: Net")->detail, "24 ops") << "of all twelve";
  for (const SketchEdge& edge : closed.edges) EXPECT_NE(edge.from, edge.to);
}

TEST(Sketch, loose_words_are_short) {
  EXPECT_EQ(short_number("0.35355339059327373"), "0.3536");
  EXPECT_EQ(short_number("1e-05"), "1e-05");
  EXPECT_EQ(short_number("[1, 2, 3, 4]"), "[1, 2, 3, 4]");
  EXPECT_EQ(wrapped("a=[1, 2], b=3", 3), "a=[1, 2], b=3");
  EXPECT_EQ(wrapped("first=[10, 20, 30], second=[40, 50, 60], third=7", 3),
            "first=[10, 20, 30],\nsecond=[40, 50, 60], third=7");
  EXPECT_EQ(count(wrapped(std::string(2000, ','), 3), "\n"), 2);
  Maker m;
  const int x = m.leaf("x", Role::kInput, {2, 4});
  m.graph.outputs = {m.op("exp", {x})};
  EXPECT_EQ(shape_text(m.graph.values[0]), "[2, 4]");
  EXPECT_EQ(contents_text(m.graph, true), "exp [2, 4]");
}

TEST(Sketch, numbers_stand_beside_each_reader) {
  Maker m;
  const int x = m.leaf("x", Role::kInput, {2, 4}), two = m.leaf("", Role::kConstant, {});
  m.graph.values[static_cast<size_t>(two)].has_number = true;
  m.graph.values[static_cast<size_t>(two)].number = 2;
  m.graph.outputs = {m.op("mul", {m.op("mul", {x, two}), two})};
  int constants = 0;
  for (const SketchNode& node : sketch_of(m.graph).nodes) constants += node.title == "2";
  EXPECT_EQ(constants, 2);
}

TEST(Sketch, differences_have_looks_of_their_own) {
  Maker m, n;
  const int x = m.leaf("x", Role::kInput, {2, 4}), y = n.leaf("x", Role::kInput, {2, 4});
  m.graph.outputs = {m.op("neg", {m.op("exp", {x})})};
  n.graph.outputs = {n.op("neg", {n.op("tanh", {y})})};
  const Sketch sketch = sketch_of(marked(m.graph, n.graph));
  EXPECT_EQ(node_named(sketch, "exp")->look, Look::kRemoved);
  EXPECT_EQ(node_named(sketch, "tanh")->look, Look::kAdded);
  EXPECT_EQ(node_named(sketch, "neg")->look, Look::kChanged);
  int removed = 0;
  for (const SketchEdge& edge : sketch.edges) removed += edge.removed;
  EXPECT_EQ(removed, 2);
  int inputs = 0;
  for (const SketchNode& node : sketch.nodes) inputs += node.title == "x";
  EXPECT_EQ(inputs, 1) << "both read the same";
  EXPECT_EQ(marked(GraphData(), n.graph).ops.size(), 2u);
  EXPECT_EQ(marked(m.graph, GraphData()).ops.size(), 2u);
}

TEST(Sketch, options_that_are_none_are_refused) {
  EXPECT_THROW(sketch_of(network(1), -2), Error);
  EXPECT_THROW(sketch_of(network(1), 0, true, 8), Error);
}

TEST(Sketch, dot_svg_and_html_show_the_same) {
  const GraphData graph = network(4);
  for (const int64_t depth : {-1, 0, 1, 2, 3}) {
    DrawOptions options;
    options.depth = depth;
    options.legend = false;
    const Sketch sketch = make_sketch(graph, options);
    const std::string dot = dot_text(graph, options), svg = svg_text(graph, options);
    EXPECT_EQ(count(dot, " -> "), static_cast<int>(sketch.edges.size()));
    EXPECT_EQ(count(dot, "subgraph cluster_"), static_cast<int>(sketch.clusters.size()));
    EXPECT_EQ(count(svg, "<path class=\"e"), static_cast<int>(sketch.edges.size()));
    for (const SketchNode& node : sketch.nodes) {
      EXPECT_GE(count(dot, "[label=<" + node.title), 1) << node.title;
      EXPECT_GE(count(svg, ">" + node.title + "</text>"), 1) << node.title;
    }
  }
}

TEST(Sketch, modules_nested_without_end) {
  Maker m;
  int scope = -1, y = m.leaf("x", Role::kInput, {2, 4});
  for (int i = 0; i < 2000; ++i) scope = m.scope("a", "A", scope);
  m.graph.outputs = {m.op("exp", {m.op("exp", {y}, scope)})};
  DrawOptions options;
  EXPECT_EQ(count(dot_text(m.graph, options), "subgraph"), 2000);
  EXPECT_EQ(count(svg_text(m.graph, options), "class=\"cluster\""), 2000);
}

TEST(Sketch, page_holds_its_data_safely) {
  GraphData graph = network(1);
  graph.values[0].name = "</script><!--\xE2\x80\xA8<b>&\"'\\";
  const std::string page = html_text({{"</script>", &graph}}, "<title>", DrawOptions());
  EXPECT_EQ(count(page, "</script>"), 2) << "those of the page itself";
  EXPECT_EQ(count(page, "<!--"), 1);
  EXPECT_EQ(count(page, "<title>&lt;title&gt;</title>"), 1);
  EXPECT_GE(count(page, "\\u003c/script\\u003e\\u003c!--\\u2028"), 1);
  EXPECT_EQ(count(page, "{{"), 0);
  EXPECT_EQ(count(page, "http://") + count(page, "https://"), 1) << "the namespace of SVG";
}

}  // namespace
}  // namespace autograd::detail
