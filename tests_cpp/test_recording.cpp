// Recordings from C++ and C: phases, modules, names, misuse, costs, comparison, fusion.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

#include "capi_test.hpp"
#include "engine_test.hpp"

namespace autograd {
namespace {

TEST(Recording, step_has_names_and_three_phases) {
  Tensor x = ones({4, 3}), w = ones({2, 3}).requires_grad_(), b = ones({2}).requires_grad_();
  optim::Optimizer<optim::SGDOptions> optimizer({w, b}, {.lr = 0.5});
  Recording recording;
  recording.enter("fc", "Linear");
  const Tensor y = linear(x, w, b);
  recording.leave();
  const Tensor loss = sum(y);
  loss.backward();
  optimizer.step();
  const Graph graph = recording.finish({{"x", x}, {"w", w}, {"b", b}});
  sum(y);  // is seen no more
  EXPECT_EQ(graph.text(), R"(%0 = input "x" : float32 [4, 3]
%1 = parameter "w" : float32 [2, 3]
%2 = parameter "b" : float32 [2]
%3 = constant 1 : float32 []
%4 = linear(%0, %1, %2) : float32 [4, 2]
%5 = sum(%4) {dims=[0, 1]} : float32 []
%6 = view(%3) {sizes=[1, 1]} : float32 [1, 1]
%7 = expand(%6) {sizes=[4, 2]} : float32 [4, 2]
%8 "w.grad" = mm(%7, %0) {transpose_a=true} : float32 [2, 3]
%9 = sum(%7) {dims=[0], keepdim=true} : float32 [1, 2]
%10 = view(%9) {sizes=[2]} : float32 [2]
%11 "b.grad" = copy(%10) : float32 [2]
%12 "w" = sgd_step(%1, %8, none) {lr=0.5} : float32 [2, 3]
%13 "b" = sgd_step(%2, %11, none) {lr=0.5} : float32 [2]
return %5
)");
  EXPECT_EQ(count(graph.text(), "sgd_step"), 2);
  EXPECT_NE(graph.json().find("\"path\":\"fc\""), std::string::npos);
  EXPECT_NE(graph.table().find("-- optimizer"), std::string::npos);
  EXPECT_NE(graph.summary().find("fc: Linear"), std::string::npos);
  EXPECT_NE(graph.summary().find("parameters: 8 in 2 tensors"), std::string::npos);
  EXPECT_EQ(recording.finish().num_ops(), graph.num_ops());
}

TEST(Recording, holds_no_tensor_and_changes_no_history) {
  const Tensor w = ones({8}).requires_grad_();
  Recording recording;
  std::string name;
  {
    const Tensor y = exp(w);
    name = y.grad_fn();
  }
  EXPECT_EQ(name, "exp");
  const Graph graph = recording.finish();
  EXPECT_EQ(graph.num_ops(), 1);
  EXPECT_EQ(count(graph.text(), "parameter"), 1);
}

// The graph is made when it is first looked at, and shows what was when the recording ended.
TEST(Recording, shows_what_was_when_it_ended) {
  const auto record = [](bool change) {
    Recording recording;
    Tensor x = ones({2, 3}), w = ones({3}).requires_grad_();
    recording.enter("scale", "Scale");
    const Tensor y = x * w;
    recording.leave();
    sum(y).backward();
    const Graph graph = recording.finish({{"x", x}, {"w", w}});
    if (change) {
      w.set_grad(Tensor());
      x = w = Tensor();
      Tensor other = ones({2, 3}) * 2;
      recording.enter("later", "Later");
      recording.name_scopes({"other"}, {"Other"});
      EXPECT_EQ(recording.finish({{"y", other}, {"w2", ones({3})}}).num_ops(), 8);
    }
    return graph;
  };
  const Graph at_once = record(false), later = record(true);
  EXPECT_NE(later.text().find("\"w.grad\""), std::string::npos) << later.text();
  EXPECT_NE(later.json().find("\"name\":\"scale\""), std::string::npos);
  EXPECT_EQ(later.json().find("Other"), std::string::npos);
  EXPECT_EQ(later.text(), at_once.text());
}

TEST(Recording, graphs_outlive_it_and_threads_look_at_them_at_once) {
  Graph graph;
  {
    Recording recording;
    Tensor x = ones({2});
    for (int i = 0; i < 5000; ++i) x = x + 1;  // more than one block of the log
    graph = recording.finish({{"last", x}});
  }
  std::string texts[4];
  std::vector<std::thread> threads;
  for (std::string& text : texts) threads.emplace_back([&text, graph] { text = graph.text(); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count(texts[0], "= add("), 5000);
  EXPECT_NE(texts[0].find("\"last\" = add("), std::string::npos);
  for (const std::string& text : texts) EXPECT_EQ(text, texts[0]);
}

TEST(Recording, notes_tensors_and_names_them_when_they_are_gone) {
  Recording recording;
  {
    const Tensor x = ones({2, 3}), w = ones({2, 3}).requires_grad_(), number = full({}, 3.0);
    const Tensor y = x * w + number;
    sum(y).backward();
    recording.stop();
    recording.note({x, ones({7}), w, y});
    recording.note({number});
  }
  const std::string text =
      recording.graph({{"y", 3, false}, {"w", 2, true}, {"x", 0, false}, {"n", 4, false}}).text();
  for (const char* named : {"input \"x\"", "buffer \"w\"", "\"w.grad\" = ", "\"y\" = add", "\"n\""})
    EXPECT_NE(text.find(named), std::string::npos) << named << " in " << text;
  EXPECT_THROW(recording.graph({{"x", 5, false}}), Error);
  EXPECT_THROW(recording.graph({{"x", -1, false}}), Error);
  EXPECT_THROW(recording.note({Tensor()}), Error);
}

TEST(Recording, notes_tensors_between_calls_and_behind_a_graph) {
  const Tensor x = ones({2}), y = ones({2});
  Recording outer, inner;
  const Tensor z = x + x;  // which each of them describes for itself
  outer.note(x);
  inner.stop();
  inner.note(z);
  const Graph early = inner.graph({{"z", 0, false}});
  inner.note(x);
  const Graph late = inner.graph({{"z", 0, false}, {"x", 1, false}});
  z* y;
  outer.stop();
  outer.note(y);
  const std::string all = outer.graph({{"x", 0, false}, {"y", 1, false}}).text();
  for (const std::string& text : {early.text(), late.text()})
    EXPECT_NE(text.find("\"z\" = add("), std::string::npos) << text;
  EXPECT_EQ(early.text().find("input \"x\""), std::string::npos) << early.text();
  for (const std::string& text : {late.text(), all})
    EXPECT_NE(text.find("input \"x\""), std::string::npos) << text;
  EXPECT_NE(all.find("input \"y\""), std::string::npos) << all;
  EXPECT_NE(all.find("= mul("), std::string::npos) << all;
}

TEST(Recording, ends_in_any_order_and_in_its_thread_only) {
  const Tensor x = ones({2});
  auto first = std::make_unique<Recording>();
  auto second = std::make_unique<Recording>();
  x + x;
  EXPECT_EQ(first->finish().num_ops(), 1);
  first.reset();
  x + x;
  EXPECT_EQ(second->finish().num_ops(), 2);

  auto open = std::make_unique<Recording>();
  std::thread([&] {
    EXPECT_THROW(open->finish(), Error);
    open.reset();
  }).join();
  x + x;  // the recording that was given up ends here
  x + x;
  EXPECT_THROW(second->leave(), Error);
  EXPECT_THROW(second->name_scopes({"a"}, {"b"}), Error);
}

TEST(Recording, times_sum_to_the_whole) {
  const Tensor x = ones({64, 64});
  Recording recording({.profile = true});
  for (int i = 0; i < 10; ++i) matmul(x, x);
  const std::string json = recording.finish().json();
  EXPECT_EQ(count(json, "\"seconds\":null"), 0);
  EXPECT_EQ(count(json, "\"op\":\"mm\""), 10);
}

TEST(GraphDiff, tells_added_and_changed_apart) {
  const Tensor w = ones({3}).requires_grad_();
  const GraphNames names{{"w", w}};
  const Graph a = Graph::from_tensor(sum(w), names), b = Graph::from_tensor(sum(exp(w)), names);
  EXPECT_FALSE(a.diff(a));
  EXPECT_FALSE(a.diff(Graph::from_tensor(sum(w), names)));
  const GraphDiff diff = a.diff(b);
  ASSERT_TRUE(diff);
  EXPECT_EQ(diff.added, std::vector<int64_t>{0});
  EXPECT_TRUE(diff.removed.empty());
  ASSERT_EQ(diff.changed.size(), 1u);
  EXPECT_EQ(diff.changed[0].what, "reads other values");
  EXPECT_EQ(diff.json(),
            "{\"added\": [0], \"removed\": [], \"changed\": [{\"before\": 0, \"after\": 1, "
            "\"what\": \"reads other values\"}], \"outputs\": false}\n");
  EXPECT_EQ(b.diff(a).removed, std::vector<int64_t>{0});
  EXPECT_TRUE(Graph().diff(a));
  EXPECT_FALSE(Graph().diff(Graph()));
}

TEST(GraphDiff, a_drawing_of_recordings_is_measured_anew) {
  const Tensor x = ones({2});
  Recording recording;
  const Tensor y = exp(x);
  const Graph one = recording.finish(), none = Recording().finish();
  const Graph both = one.diff_graph(none);  // an op that only the first one has
  ASSERT_EQ(both.num_ops(), 1);
  EXPECT_GE(both.profile(0).cost().seconds, 0);
}

TEST(GraphFuse, reports_what_it_did) {
  const Tensor w = ones({4, 4}).requires_grad_();
  const Graph graph = Graph::from_tensor(sum(sigmoid(matmul(w, w)) * 2.0));
  const Graph fused = graph.fuse();
  EXPECT_LT(fused.num_ops(), graph.num_ops());
  EXPECT_EQ(graph.report(), "");
  EXPECT_NE(fused.report().find("\"before\": {\"ops\": 4"), std::string::npos) << fused.report();
  EXPECT_EQ(Graph().fuse().num_ops(), 0);
}

}  // namespace
}  // namespace autograd

namespace {

TEST_F(Capi, recording_sees_what_is_called) {
  ag_tensor* x = parameter({1, 2});
  ag_recording* recording = ag_recording_begin(0);
  ASSERT_NE(recording, nullptr);
  EXPECT_EQ(ag_recording_enter(recording, "block", "Block"), AG_OK);
  ag_tensor* y = sum_of_squares(x);
  EXPECT_EQ(ag_recording_leave(recording), AG_OK);
  ASSERT_EQ(ag_backward(&y, nullptr, 1, nullptr, 0, 0, 0), AG_OK);
  EXPECT_EQ(ag_recording_stop(recording), AG_OK);
  ag_tensor_free(ag_neg(x));
  int64_t parent = 7;
  EXPECT_EQ(ag_recording_parents(recording, &parent, 1), 1);
  EXPECT_EQ(parent, -1);
  const char *name = "first", *type = "Module", *leaf = "weight";
  EXPECT_EQ(ag_recording_name_modules(recording, &name, &type, 1), AG_OK);
  ag_graph* graph = ag_recording_end(recording, &x, &leaf, 1, 0);
  ASSERT_NE(graph, nullptr) << ag_last_error();
  EXPECT_GE(ag_graph_num_ops(graph), 4);
  const auto of = [&](auto function) {
    return text_of([&](char* b, int64_t n) { return function(graph, b, n); });
  };
  EXPECT_NE(of(ag_graph_text).find("\"weight.grad\""), std::string::npos) << of(ag_graph_text);
  EXPECT_EQ(of(ag_graph_text).find("neg"), std::string::npos);
  EXPECT_NE(of(ag_graph_json).find("\"schema\":1"), std::string::npos);
  EXPECT_NE(of(ag_graph_table).find("-- backward"), std::string::npos);
  EXPECT_NE(of(ag_graph_summary).find("first: Module"), std::string::npos);
  EXPECT_EQ(of(ag_graph_report), "");
  ASSERT_EQ(ag_recording_note(recording, &x, 1), AG_OK);
  const int64_t number = 0;
  ag_graph* noted = ag_recording_graph(recording, &number, &leaf, 1, 0);
  ASSERT_NE(noted, nullptr) << ag_last_error();
  EXPECT_EQ(text_of([&](char* b, int64_t n) { return ag_graph_text(noted, b, n); }),
            of(ag_graph_text));
  ag_graph_free(noted);
  ag_graph* fused = ag_graph_fuse(graph);
  ASSERT_NE(fused, nullptr) << ag_last_error();
  EXPECT_GT(ag_graph_report(fused, nullptr, 0), 0);
  EXPECT_NE(text_of([&](char* b, int64_t n) {
              return ag_graph_diff(graph, graph, b, n);
            }).find("\"added\": []"),
            std::string::npos);
  ag_graph* both = ag_graph_diff_graph(graph, fused);
  ASSERT_NE(both, nullptr) << ag_last_error();
  EXPECT_GT(ag_graph_num_ops(both), ag_graph_num_ops(fused)) << "with what was removed";
  ag_graph_free(both);
  EXPECT_EQ(ag_graph_diff_graph(graph, nullptr), nullptr);
  ag_graph_free(fused);
  ag_graph_free(graph);
  ag_recording_free(recording);
  ag_recording_free(nullptr);
  ag_tensor_free(y);
  ag_tensor_free(x);
}

TEST_F(Capi, recording_refuses_bad_arguments) {
  ag_recording* recording = ag_recording_begin(1);
  const char *name = "a", *none = nullptr;
  expect_failure(ag_recording_leave(recording), AG_ERROR_RUNTIME, "no module was entered");
  expect_failure(ag_recording_enter(recording, nullptr, name), AG_ERROR_VALUE, "'name' is NULL");
  expect_failure(ag_recording_name_modules(recording, &name, &name, 1), AG_ERROR_VALUE, "1 names");
  expect_failure(ag_recording_name_modules(recording, &none, &name, 1), AG_ERROR_VALUE,
                 "'names' is NULL");
  expect_failure(ag_recording_end(recording, nullptr, nullptr, 0, 1) == nullptr, AG_ERROR_VALUE,
                 "n_buffers");
  const int64_t number = 0;
  const ag_tensor* no_tensor = nullptr;
  expect_failure(ag_recording_graph(recording, &number, &name, 1, 0) == nullptr, AG_ERROR_VALUE,
                 "no tensor 0 among 0");
  expect_failure(ag_recording_graph(recording, nullptr, &name, 1, 0) == nullptr, AG_ERROR_VALUE,
                 "'noted' is NULL");
  expect_failure(ag_recording_graph(recording, &number, &none, 1, 0) == nullptr, AG_ERROR_VALUE,
                 "'names' is NULL");
  expect_failure(ag_recording_graph(recording, &number, &name, 1, 2) == nullptr, AG_ERROR_VALUE,
                 "n_buffers");
  expect_failure(ag_recording_note(recording, &no_tensor, 1), AG_ERROR_VALUE, "'tensors' is NULL");
  expect_failure(ag_recording_note(nullptr, nullptr, 0), AG_ERROR_VALUE, "'recording' is NULL");
  expect_failure(ag_recording_stop(nullptr), AG_ERROR_VALUE, "'recording' is NULL");
  expect_failure(ag_recording_enter(nullptr, name, name), AG_ERROR_VALUE, "'recording' is NULL");
  expect_failure(ag_recording_watch(nullptr, nullptr), AG_ERROR_VALUE, "'recording' is NULL");
  EXPECT_EQ(ag_recording_watch(recording, nullptr), AG_OK);
  EXPECT_EQ(ag_recording_parents(nullptr, nullptr, 0), -1);
  EXPECT_NE(ag_python_module_get_call(), ag_python_module_call());  // which Python's tests call
  expect_failure(ag_python_module_calls(nullptr, 7, name), AG_ERROR_VALUE, "functions");
  const void* nothing[24] = {};
  expect_failure(ag_python_module_calls(nothing, 6, name), AG_ERROR_VALUE, "n_functions");
  expect_failure(ag_python_module_calls(nothing, 7, name), AG_ERROR_VALUE, "NULL");
  expect_failure(ag_python_recording(nullptr, 11, nothing, 24), AG_ERROR_VALUE, "functions");
  expect_failure(ag_python_recording(nothing, 10, nothing, 24), AG_ERROR_VALUE, "n_functions");
  expect_failure(ag_python_recording(nothing, 11, nothing, 23), AG_ERROR_VALUE, "n_objects");
  expect_failure(ag_python_recording(nothing, 11, nothing, 24), AG_ERROR_VALUE, "NULL");
  EXPECT_EQ(ag_graph_json(nullptr, nullptr, 0), -1);
  EXPECT_EQ(ag_graph_table(nullptr, nullptr, 0), -1);
  EXPECT_EQ(ag_graph_summary(nullptr, nullptr, 0), -1);
  EXPECT_EQ(ag_graph_report(nullptr, nullptr, 0), -1);
  EXPECT_EQ(ag_graph_fuse(nullptr), nullptr);
  EXPECT_EQ(ag_graph_diff(nullptr, nullptr, nullptr, 0), -1);
  ag_recording_free(recording);
}

}  // namespace
