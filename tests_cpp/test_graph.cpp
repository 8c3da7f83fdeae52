// Graphs of recorded history: text, DOT, escaping, sharing, depth, determinism.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "engine_test.hpp"

namespace autograd {
namespace {

Tensor parameter(const Shape& sizes, DType dtype = DType::kFloat32) {
  return ones(sizes, dtype).requires_grad_();
}

// A loss over a layer, with a constant, a view, an attribute and an input that needs no gradient.
struct Example {
  Tensor x = ones({4, 3}), weight = parameter({2, 3}), bias = parameter({2}),
         target = zeros({4}, DType::kInt64);
  Tensor loss =
      cross_entropy(transpose(transpose(linear(x, weight, bias) * 0.5, 0, 1), 0, 1), target);
  Graph graph() const { return Graph::from_tensor(loss, {{"fc.weight", weight}, {"x", x}}); }
};

TEST(Graph, text_is_single_assignment) {
  EXPECT_EQ(Example().graph().text(), R"(%0 = input "x" : float32 [4, 3]
%1 = parameter "fc.weight" : float32 [2, 3]
%2 = parameter : float32 [2]
%3 = constant 0.5 : float64 []
%4 = input "target" : int64 [4]
%5 = linear(%0, %1, %2) : float32 [4, 2]
%6 = mul(%5, %3) : float32 [4, 2]
%7 = permute(%6) {dims=[1, 0]} : float32 [2, 4]
%8 = permute(%7) {dims=[1, 0]} : float32 [4, 2]
%9, %10 = cross_entropy(%8, %4) {reduction=mean} : float32 [], float32 [4]
return %9
)");
}

TEST(Graph, dot_is_golden) {
  DrawOptions plain;
  plain.legend = false;
  const Tensor w = parameter({2}, DType::kFloat64);
  const std::string dot = Graph::from_tensor(sum(mul(w, ones({3, 2}))), {{"w", w}}).dot(plain);
  const size_t first = dot.find("  v0");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(dot.substr(0, 19), "digraph autograd {\n");
  EXPECT_EQ(
      dot.substr(first),
      R"(  v0 [label=<w<br/><font point-size="9">float64 [2]</font>>, color="#b26a00", fillcolor="#fdebc8", fontcolor="#4a2f05"]
  v1 [label=<input<br/><font point-size="9">[3, 2]</font>>, color="#0072b2", fillcolor="#dceefa", fontcolor="#10324a"]
  op0 [label=<mul>]
  op1 [label=<sum<br/><font point-size="9">dims=[0, 1]</font>>]
  out0 [label=<output>, color="#00684d", fillcolor="#d3efe5", fontcolor="#053d2e", penwidth=1.8]
  v0 -> op0
  v1 -> op0 [style=dashed, color="#a3aebb"]
  op0 -> op1 [label="  float64 [3, 2]"]
  op1 -> out0 [label="  float64 []"]
}
)");
}

TEST(Graph, leaf_alone_is_a_graph) {
  const Graph graph = Graph::from_tensor(parameter({2}));
  EXPECT_EQ(graph.num_ops(), 0);
  EXPECT_EQ(graph.num_values(), 1);
  EXPECT_EQ(graph.text(), "%0 = parameter : float32 [2]\nreturn %0\n");
  EXPECT_EQ(count(graph.dot(), "v0 -> out0"), 1);
  EXPECT_EQ(Graph().num_ops(), 0);
  EXPECT_EQ(Graph().text(), "return \n");
  EXPECT_THROW(Graph::from_tensor(Tensor()), Error);
}

TEST(Graph, shared_nodes_and_leaves_are_drawn_once) {
  const Tensor w = parameter({2}), x = ones({2});
  Tensor y = w * x;
  for (int i = 0; i < 40; ++i) y = y + y * x;  // 2^40 paths
  const Graph graph = Graph::from_tensor(y);
  EXPECT_EQ(graph.num_ops(), 81);
  EXPECT_EQ(graph.num_values(), 83);
  EXPECT_EQ(count(graph.dot(), "label=<parameter"), 1);
  EXPECT_EQ(count(graph.dot(), "label=<input"), 1);
  EXPECT_EQ(count(graph.dot(), "v1 -> "), 41);
}

TEST(Graph, names_are_escaped) {
  const Tensor w = parameter({2});
  const std::string name = "a\"b\\N<c>&{d|e}\nf\x01 \xC3\xA4\xE2\x82\xAC \xFF\xC3";
  const Graph graph = Graph::from_tensor(neg(w), {{name, w}});
  EXPECT_EQ(count(graph.dot(),
                  "label=<a&quot;b<font>\\</font>N&lt;c&gt;&amp;{d|e}<br/>f\xEF\xBF\xBD "
                  "\xC3\xA4\xE2\x82\xAC "
                  "\xEF\xBF\xBD\xEF\xBF\xBD<br/>"),
            1)
      << graph.dot();
  EXPECT_EQ(count(graph.text(), "\n"), 3) << graph.text();
  EXPECT_EQ(count(graph.text(), R"(parameter "a\"b\\N<c>&{d|e}\nf)"), 1) << graph.text();
}

TEST(Graph, attributes_that_say_nothing_are_left_out) {
  const Tensor w = parameter({3, 4});
  const auto op_line = [](const Tensor& t) {
    const std::string text = Graph::from_tensor(t).text();
    const size_t begin = text.find("%1 = ") + 5;
    return text.substr(begin, text.find(" :", begin) - begin);
  };
  EXPECT_EQ(op_line(sum(w, {-1})), "sum(%0) {dims=[1]}");
  EXPECT_EQ(op_line(sum(w, {0}, true)), "sum(%0) {dims=[0], keepdim=true}");
  EXPECT_EQ(op_line(to(w, DType::kFloat64)), "to(%0) {dtype=float64}");
  EXPECT_EQ(op_line(var(w, {0}, 0.5)), "var(%0) {correction=0.5, dims=[0]}");
  EXPECT_EQ(op_line(relu(w)), "relu(%0)");
  EXPECT_EQ(op_line(slice(w, 1, 1, 3)), "slice(%0) {starts=[0, 1], lengths=[3, 2]}");
  EXPECT_EQ(op_line(select(w, 0, 2)), "slice(%0) {starts=[2, 0], lengths=[1, 4], dropped=[0]}");
}

TEST(Graph, outputs_without_gradient_are_linked_to_their_op) {
  const Tensor w = parameter({3, 4}), table = parameter({4, 2});
  auto [values, indices] = max(w, 1);
  const Tensor y = sum(index_select(table, 0, indices)) + sum(values);
  const std::string text = Graph::from_tensor(y).text();
  // The op that picks rows comes after the one that finds them, though no gradient flows between
  // the two.
  EXPECT_LT(text.find("max"), text.find("index_select")) << text;
  EXPECT_EQ(count(text, "input"), 0) << text;
}

TEST(Graph, survives_backward_and_changes_in_place) {
  const Tensor w = parameter({2, 2});
  Tensor y = w * 2.0;
  Tensor row = select(y, 0, 0);
  mul_(row, w.detach().numel() ? select(w, 0, 1) : w);
  const Tensor loss = sum(y);
  const int64_t ops = Graph::from_tensor(loss).num_ops();
  EXPECT_GE(ops, 4);
  loss.backward();
  EXPECT_EQ(Graph::from_tensor(loss).num_ops(), ops);
  EXPECT_EQ(count(Graph::from_tensor(loss).dot(), "label=<scalar>"), 1);
}

TEST(Graph, chain_of_100000_ops) {
  Tensor y = parameter({1});
  for (int i = 0; i < 100000; ++i) y = neg(y);
  const Graph graph = Graph::from_tensor(y);
  EXPECT_EQ(graph.num_ops(), 100000);
  EXPECT_EQ(count(graph.dot(), "label=<neg>"), 100000);
  EXPECT_EQ(count(graph.text(), "\n"), 100002);
}

TEST(Graph, same_computation_same_text_whatever_came_before) {
  const Example first;
  const std::string dot = first.graph().dot();
  std::vector<Tensor> others;
  for (int i = 0; i < 1000; ++i) others.push_back(randn({i % 17 + 1, 3}));
  for (size_t i = 0; i < others.size(); i += 3) others[i] = Tensor();
  for (int i = 0; i < 5; ++i) {
    const Example again;
    EXPECT_EQ(again.graph().dot(), dot);
    others.push_back(again.loss);
  }
}

}  // namespace
}  // namespace autograd
