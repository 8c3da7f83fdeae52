// Why gradients are missing, from C++ and C.
#include "autograd/autograd.hpp"
#include "capi_test.hpp"

using namespace autograd;

TEST(ExplainGrad, NamesTheLineOfTheCut) {
  Tensor p = ones({3}).requires_grad_(), q = ones({3}).requires_grad_(), h, loss;
  {
    SourceScope here("model.cc", 7);
    h = mul(p, p).detach();
  }
  {
    SourceScope here("model.cc", 8);
    loss = sum(mul(h, q));
  }
  const GradExplanation cut = explain_grad(p, loss);
  EXPECT_EQ(cut.reason, GradReason::kDetached);
  EXPECT_EQ(find_location(cut.location).line, 7);
  ASSERT_EQ(cut.path.size(), 2u);
  EXPECT_EQ(cut.path[1].op, "mul");
  EXPECT_NE(cut.sentence.find("model.cc:7"), std::string::npos) << cut.sentence;
  EXPECT_EQ(explain_grad(q, loss).reason, GradReason::kHealthy);
  EXPECT_THROW(explain_grad(q, h), Error);
}

TEST_F(Capi, explain_grad) {
  ag_tensor* x = parameter({1, 2});
  ag_tensor* y = parameter({1, 2});
  ag_tensor* loss = sum_of_squares(x);
  const auto explained = [&](ag_tensor* t) {
    return text_of([&](char* b, int64_t n) { return ag_explain_grad(t, loss, b, n); });
  };
  EXPECT_EQ(explained(x).substr(0, 10), "healthy\n0\n");
  EXPECT_EQ(explained(y).substr(0, 14), "not_reached\n0\n");
  expect_failure(ag_explain_grad(x, x, nullptr, 0) == -1, AG_ERROR_RUNTIME, "one element");
  expect_failure(ag_explain_grad(x, nullptr, nullptr, 0) == -1, AG_ERROR_VALUE, "'loss' is NULL");
  ag_tensor_free(loss);
  ag_tensor_free(y);
  ag_tensor_free(x);
}

TEST(ExplainNonfinite, NamesTheFirstBadValue) {
  Tensor p = full({2, 2}, 1.0).requires_grad_(), h, loss;
  {
    SourceScope here("model.cc", 7);
    h = log(sub(p, full({2, 1}, 1.0)));
  }
  {
    SourceScope here("model.cc", 8);
    loss = sum(mul(h, p));
  }
  const NonfiniteExplanation found = explain_nonfinite(loss, {{"p", p}});
  EXPECT_EQ(found.reason, NonfiniteReason::kSingular);
  EXPECT_EQ(found.op, "log");
  EXPECT_EQ(found.parameter, "p");
  EXPECT_EQ(found.element, Shape({0, 0}));
  EXPECT_EQ(find_location(found.location).line, 7);
  ASSERT_EQ(found.inputs.size(), 1u);
  EXPECT_TRUE(found.inputs[0].has_value);
  EXPECT_EQ(found.inputs[0].value, 0);
  EXPECT_NE(found.sentence.find("'log' at model.cc:7 from 0"), std::string::npos) << found.sentence;
  EXPECT_EQ(explain_nonfinite(sum(p)).reason, NonfiniteReason::kHealthy);
}

TEST(ExplainNonfinite, NamesTheFirstBadGradient) {
  Tensor p = zeros({3}).requires_grad_(), loss;
  {
    SourceScope here("model.cc", 9);
    loss = sum(sqrt(p));
  }
  const NonfiniteExplanation found = explain_nonfinite(loss);
  EXPECT_EQ(found.reason, NonfiniteReason::kDerivative);
  EXPECT_TRUE(found.in_backward);
  EXPECT_EQ(find_location(found.location).line, 9);
  EXPECT_FALSE(p.grad());
}

// A chain as long as the engine goes through one.
TEST(ExplainNonfinite, FollowsLongChains) {
  Tensor p = full({1}, -1.0).requires_grad_();
  Tensor x = log(p);
  for (int i = 0; i < 20000; ++i) x = neg(x);
  EXPECT_EQ(explain_nonfinite(x).op, "log");
}

TEST_F(Capi, explain_nonfinite) {
  ag_tensor* x = parameter({0, 2});
  ag_tensor* y = ag_log(x);
  const char* names[] = {"x"};
  const auto explained = [&](ag_tensor* loss) {
    return text_of(
        [&](char* b, int64_t n) { return ag_explain_nonfinite(loss, &x, names, 1, 0, b, n); });
  };
  EXPECT_EQ(explained(x).substr(0, 17), "healthy\nforward\n0");
  const std::string found = explained(y);
  EXPECT_EQ(found.substr(0, 18), "singular\nforward\n0");
  EXPECT_NE(found.find("\nlog\n-inf\n0\nx\n0\n1\n0\tleaf\t2\t0\t2\t0\n0 log"), std::string::npos)
      << found;
  expect_failure(ag_explain_nonfinite(nullptr, nullptr, nullptr, 0, 0, nullptr, 0) == -1,
                 AG_ERROR_VALUE, "'loss' is NULL");
  expect_failure(ag_explain_nonfinite(y, &x, names, 1, 2, nullptr, 0) == -1, AG_ERROR_VALUE,
                 "n_buffers");
  ag_tensor_free(y);
  ag_tensor_free(x);
}
