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
