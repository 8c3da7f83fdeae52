// What C++ and C programs do with graphs: nodes, edges, costs, times, files, goldens.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>

#include "capi_test.hpp"
#include "engine_test.hpp"

namespace autograd {
namespace {

// A training step of a linear layer.
Graph step(int64_t rows = 4, bool activation = true) {
  const Tensor x = ones({rows, 3}), w = ones({2, 3}).requires_grad_(),
               b = ones({2}).requires_grad_();
  optim::Optimizer<optim::SGDOptions> optimizer({w, b}, {.lr = 0.5, .momentum = 0.9});
  Recording recording;
  recording.enter("fc", "Linear");
  Tensor y = linear(x, w, b);
  recording.leave();
  if (activation) y = sigmoid(y);
  sum(y).backward();
  optimizer.step();
  return recording.finish({{"x", x}, {"fc.weight", w}, {"fc.bias", b}});
}

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

/// A new folder, and another PATH if that is wanted.
struct Folder {
  explicit Folder(const char* path = nullptr) : before(std::getenv("PATH")) {
    std::string pattern = testing::TempDir() + "graphXXXXXX";
    place = mkdtemp(pattern.data());
    if (path) setenv("PATH", path, 1);
  }
  ~Folder() {
    setenv("PATH", before.c_str(), 1);
    std::filesystem::remove_all(place);
  }
  std::string operator/(const std::string& name) const { return place + "/" + name; }
  std::string before, place;
};

TEST(GraphParts, nodes_and_edges_say_what_is_drawn) {
  const Graph graph = step();
  const std::vector<GraphNode> nodes = graph.nodes();
  const std::vector<GraphEdge> edges = graph.edges();
  EXPECT_EQ(nodes[0].key, "v0");
  EXPECT_EQ(nodes[0].name, "x");
  EXPECT_EQ(nodes[0].kind, "input");
  EXPECT_EQ(nodes[1].kind, "parameter");
  std::set<std::string> phases, keys;
  const GraphNode *forward = nullptr, *backward = nullptr;
  for (const GraphNode& node : nodes) {
    EXPECT_TRUE(keys.insert(node.key).second);
    if (node.op.empty()) continue;
    phases.insert(node.phase);
    if (node.op == "linear") forward = &node;
    if (node.op == "sigmoid_backward") backward = &node;
  }
  EXPECT_EQ(phases, (std::set<std::string>{"forward", "backward", "optimizer"}));
  ASSERT_TRUE(forward && backward);
  EXPECT_EQ(forward->module, "fc");
  EXPECT_EQ(forward->module_type, "Linear");
  EXPECT_EQ(forward->inputs, (std::vector<std::string>{"v0", "v1", "v2"}));
  EXPECT_EQ(forward->shapes, (std::vector<Shape>{{4, 2}}));
  EXPECT_EQ(forward->cost.flops, 2 * 4 * 2 * 3 + 4 * 2);
  EXPECT_FALSE(backward->forward.empty());
  EXPECT_NE(forward->id, backward->id);
  for (const GraphEdge& edge : edges) {
    const GraphNode& from = nodes[static_cast<size_t>(edge.source)];
    const GraphNode& to = nodes[static_cast<size_t>(edge.target)];
    if (edge.order) continue;
    EXPECT_EQ(from.shapes[static_cast<size_t>(edge.output)], edge.shape);
    EXPECT_EQ(to.inputs[static_cast<size_t>(edge.input)], from.key);
  }
  EXPECT_GT(graph.cost().flops, forward->cost.flops);
  EXPECT_GT(graph.peak_bytes(), 0);
  EXPECT_TRUE(Graph().nodes().empty() && Graph().edges().empty());
}

TEST(GraphParts, fused_nodes_hold_what_they_stand_for) {
  const Graph fused = step().fuse();
  std::vector<std::string> inside;
  for (const GraphNode& node : fused.nodes())
    for (const GraphNode& inner : node.body) inside.push_back(inner.op);
  ASSERT_GE(inside.size(), 2u);
  EXPECT_EQ(inside[0], "linear");
  EXPECT_EQ(inside[1], "sigmoid");
}

TEST(GraphParts, profiles_are_those_of_the_recording_or_of_runs) {
  const Graph graph = step(300);
  EXPECT_LT(graph.cost().seconds, 0) << "not asked for";
  for (const Graph& timed :
       {graph.profile(), graph.profile(20), graph.fuse().profile(), graph.profile().profile()}) {
    double sum = 0;
    for (const GraphNode& node : timed.nodes())
      if (!node.op.empty()) {
        EXPECT_GE(node.cost.seconds, 0) << node.op;
        sum += node.cost.seconds;
      }
    EXPECT_GT(sum, 0);
    EXPECT_DOUBLE_EQ(timed.cost().seconds, sum);
    EXPECT_NE(timed.table().find("time"), std::string::npos);
  }
  EXPECT_EQ(graph.profile(3).text(), graph.text());
  EXPECT_THROW(graph.profile(-1), Error);
  EXPECT_EQ(Graph().profile().num_ops(), 0);
}

TEST(GraphParts, every_format_is_saved) {
  const Folder folder;
  const Graph graph = step();
  const std::pair<const char*, const char*> begins[] = {
      {"x.svg", "<svg"},         {"x.html", "<!doctype html>"},
      {"x.dot", "digraph"},      {"x.gv", "digraph"},
      {"x.json", "{\"schema\""}, {"x.txt", "%0 = "},
      {"x.png", "\x89PNG\r\n"},  {"x.PDF", "%PDF"}};
  for (const auto& [name, begin] : begins) {
    graph.save(folder / name);
    EXPECT_EQ(content_of(folder / name).rfind(begin, 0), 0u) << name;
  }
  DrawOptions options;
  options.direction = DrawDirection::kRight;
  graph.save(folder / "y.dot", options);
  EXPECT_EQ(content_of(folder / "y.dot"), graph.dot(options));
}

TEST(GraphParts, what_cannot_be_saved_is_an_error) {
  const Folder folder("/nowhere");
  const Graph graph = step();
  for (const char* name : {"x.gif", "x", ".svg"})
    EXPECT_NE(error_of([&] { graph.save(folder / name); }).find("unknown suffix"),
              std::string::npos);
  for (const char* name : {"no/such/x.svg", "no/such/x.png"})
    EXPECT_NE(error_of([&] { graph.save(folder / name); }).find("cannot write"), std::string::npos);
  symlink("/dev/full", (folder / "full.svg").c_str());
  const std::string full = error_of([&] { graph.save(folder / "full.svg"); });
  EXPECT_NE(full.find("full.svg: No space left on device"), std::string::npos) << full;
  const std::string missing = error_of([&] { graph.save(folder / "x.png"); });
  EXPECT_NE(missing.find("apt install graphviz"), std::string::npos) << missing;
  EXPECT_NE(missing.find("nothing installed"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder / "x.png"));
}

TEST(GraphParts, a_failing_dot_says_why) {
  const Folder folder;
  std::ofstream(folder / "dot") << "#!/bin/sh\necho no engine >&2\nexit 3\n";
  std::filesystem::permissions(folder / "dot", std::filesystem::perms::owner_all);
  setenv("PATH", (folder.place + ":/bin:/usr/bin").c_str(), 1);
  const std::string error = error_of([&] { step().save(folder / "x.png"); });
  EXPECT_NE(error.find("x.png: no engine"), std::string::npos) << error;
  EXPECT_FALSE(std::filesystem::exists(folder / "x.png"));
}

TEST(GraphParts, a_dot_that_takes_too_long_is_stopped) {
  const Folder folder;
  std::ofstream(folder / "dot") << "#!/bin/sh\nexec sleep 30\n";
  std::filesystem::permissions(folder / "dot", std::filesystem::perms::owner_all);
  setenv("PATH", (folder.place + ":/bin:/usr/bin").c_str(), 1);
  setenv("AUTOGRAD_DOT_SECONDS", "0.2", 1);
  const std::string error = error_of([&] { step().save(folder / "x.png"); });
  unsetenv("AUTOGRAD_DOT_SECONDS");
  EXPECT_NE(error.find("stopped after 0.2 s"), std::string::npos) << error;
  EXPECT_FALSE(std::filesystem::exists(folder / "x.png"));
}

TEST(GraphParts, a_graph_is_held_to_a_file) {
  const Folder folder;
  const std::string golden = folder / "golden.dot";
  assert_graph(step(), golden);
  EXPECT_EQ(content_of(golden), step().dot());
  assert_graph(step(), golden);
  const std::string error = error_of([&] { assert_graph(step(4, false), golden); });
  EXPECT_NE(error.find("\n-"), std::string::npos) << error;
  EXPECT_NE(error.find("sigmoid"), std::string::npos) << error;
  EXPECT_NE(error.find("AUTOGRAD_UPDATE_GRAPHS=1"), std::string::npos);
  setenv("AUTOGRAD_UPDATE_GRAPHS", "1", 1);
  assert_graph(step(4, false), golden);
  unsetenv("AUTOGRAD_UPDATE_GRAPHS");
  assert_graph(step(4, false), golden);
  assert_graph(step(), golden, true);
  assert_graph(step(), golden);
  EXPECT_NE(error_of([&] { assert_graph(step(), folder / "no/such.dot"); }).find("cannot write"),
            std::string::npos);
}

}  // namespace
}  // namespace autograd

TEST_F(Capi, graphs_have_nodes_edges_costs_and_files) {
  ag_tensor* w = parameter({1, 2, 3});
  ag_recording* recording = ag_recording_begin(0);
  ag_tensor* loss = sum_of_squares(w);
  const char* name = "w\"<b>";
  const ag_tensor* named[] = {w};
  ag_graph* recorded = ag_recording_end(recording, named, &name, 1, 0);
  ag_graph* graph = ag_graph_profile(recorded, 3);
  ASSERT_NE(graph, nullptr) << ag_last_error();
  ASSERT_EQ(ag_graph_num_nodes(graph), 3);
  const auto say = [&](int64_t node, const char* what) {
    return text_of([&](char* buffer, int64_t capacity) {
      return ag_graph_node(graph, node, what, buffer, capacity);
    });
  };
  EXPECT_EQ(say(0, "name"), name);
  EXPECT_EQ(say(0, "kind"), "parameter");
  EXPECT_EQ(say(1, "op"), "mul");
  EXPECT_EQ(say(1, "shape"), "[3]");
  EXPECT_EQ(say(1, "dtype"), "float32");
  EXPECT_EQ(say(2, "attrs"), "dims=[0]");
  EXPECT_EQ(say(2, "phase"), "forward");
  EXPECT_GE(std::stod(say(2, "seconds")), 0);
  expect_failure(ag_graph_node(graph, 3, "op", nullptr, 0) < 0, AG_ERROR_INDEX, "has 3");
  expect_failure(ag_graph_node(graph, 0, "size", nullptr, 0) < 0, AG_ERROR_VALUE, "no 'size'");
  ASSERT_EQ(ag_graph_num_edges(graph), 3);
  int64_t source = -1, target = -1, output = -1, input = -1;
  EXPECT_EQ(ag_graph_edge(graph, 1, &source, &target, &output, &input), AG_OK);
  EXPECT_EQ((std::vector<int64_t>{source, target, output, input}),
            (std::vector<int64_t>{0, 1, 0, 1}));
  expect_failure(ag_graph_edge(graph, -1, &source, nullptr, nullptr, nullptr), AG_ERROR_INDEX,
                 "no edge -1");
  double flops = 0, seconds = -1;
  EXPECT_EQ(ag_graph_cost(graph, &flops, nullptr, nullptr, nullptr, &seconds), AG_OK);
  EXPECT_EQ(flops, 6);
  EXPECT_GT(seconds, 0);
  const std::string place = testing::TempDir() + "capi_graph.svg";
  std::filesystem::remove(place);
  EXPECT_EQ(ag_graph_save(graph, place.c_str(), 0, -1, 0, 3), AG_OK) << ag_last_error();
  expect_failure(ag_graph_save(graph, "x.gif", 0, -1, 0, 3), AG_ERROR_VALUE, "unknown suffix");
  expect_failure(ag_graph_save(graph, place.c_str(), 9, -1, 0, 3), AG_ERROR_VALUE, "direction");
  const std::string golden = testing::TempDir() + "capi_graph.dot";
  EXPECT_EQ(ag_graph_assert(graph, golden.c_str(), 1, 0, -1, 0, 3), AG_OK);
  EXPECT_EQ(ag_graph_assert(graph, golden.c_str(), 0, 0, -1, 0, 3), AG_OK);
  expect_failure(ag_graph_assert(graph, golden.c_str(), 0, 1, -1, 0, 3), AG_ERROR_RUNTIME,
                 "differs from");
  EXPECT_EQ(ag_graph_num_nodes(nullptr), -1);
  EXPECT_EQ(ag_graph_num_edges(nullptr), -1);
  EXPECT_EQ(ag_graph_profile(nullptr, 0), nullptr);
  ag_graph_free(graph);
  ag_graph_free(recorded);
  ag_recording_free(recording);
  ag_tensor_free(loss);
  ag_tensor_free(w);
}
