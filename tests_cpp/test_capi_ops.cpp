// The C functions of the ops: each works, refuses NULL in every place, and keeps nothing alive.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "capi_test.hpp"

namespace {

using Handles = ag_tensor* const*;

constexpr int64_t k6[] = {6}, kDim0[] = {0}, kOrder[] = {1, 0}, kOnes[] = {1, 1};
constexpr int64_t kItems[] = {AG_INDEX_INT, 0, 0, 0, AG_INDEX_SLICE, 1, 3, 1};

ag_tensor* positive(std::initializer_list<int64_t> sizes, ag_dtype dtype = AG_FLOAT32) {
  int64_t numel = 1;
  for (int64_t size : sizes) numel *= size;
  ag_tensor* flat = ag_linspace(1, 2, numel, dtype);
  ag_tensor* shaped = ag_reshape(flat, sizes.begin(), static_cast<int64_t>(sizes.size()));
  ag_tensor_free(flat);
  return shaped;
}
ag_tensor* matrix() { return positive({2, 3}); }
ag_tensor* tall() { return positive({3, 4}); }
ag_tensor* batch() { return positive({2, 3, 3}); }
ag_tensor* row() { return positive({4}); }
ag_tensor* number() { return ag_scalar_double(1.5); }
ag_tensor* truth() { return ag_ones(k23, 2, AG_BOOL); }
ag_tensor* rows_wanted() { return ag_randperm(2); }

// Results are freed at once: only whether there was one matters.
bool ok(ag_tensor* t) {
  ag_tensor_free(t);
  return t != nullptr;
}
bool ok(ag_status status) { return status == AG_OK; }

struct OpCase {
  const char* call;  ///< as written
  std::function<bool(Handles)> run;
  std::vector<ag_tensor* (*)()> arguments;
  unsigned optional = 0;  ///< bit i: argument i may be NULL

  std::string function() const {
    const std::string text = call;
    const size_t begin = text.find("ag_");
    return text.substr(begin, text.find('(', begin) - begin);
  }
};

void PrintTo(const OpCase& c, std::ostream* out) { *out << c.call; }

#define CALL(...) #__VA_ARGS__, [](Handles t) { return ok(__VA_ARGS__); }

ag_tensor *values = nullptr, *indices = nullptr, *parts[3];
int64_t how_many = 0;

// Frees what a call wrote to its outputs.
ag_status written(ag_status status) {
  for (ag_tensor** out : {&values, &indices, &parts[0], &parts[1], &parts[2]}) {
    if ((*out != nullptr) && status != AG_OK) ADD_FAILURE() << "a failed call wrote a result";
    ag_tensor_free(*out);
    *out = nullptr;
  }
  return status;
}

const std::vector<OpCase> kOpCases = {
    {CALL(ag_full(k23, 2, t[0], AG_FLOAT32)), {number}},
    {CALL(ag_empty_like(t[0], AG_INT32)), {matrix}},
    {CALL(ag_zeros_like(t[0], AG_INT32)), {matrix}},
    {CALL(ag_ones_like(t[0], AG_INT32)), {matrix}},
    {CALL(ag_neg(t[0])), {matrix}},
    {CALL(ag_abs(t[0])), {matrix}},
    {CALL(ag_sign(t[0])), {matrix}},
    {CALL(ag_exp(t[0])), {matrix}},
    {CALL(ag_log(t[0])), {matrix}},
    {CALL(ag_sqrt(t[0])), {matrix}},
    {CALL(ag_tanh(t[0])), {matrix}},
    {CALL(ag_sigmoid(t[0])), {matrix}},
    {CALL(ag_relu(t[0])), {matrix}},
    {CALL(ag_leaky_relu(t[0], 0.1)), {matrix}},
    {CALL(ag_clamp(t[0], t[1], t[2])), {matrix, number, matrix}, 0b110},
    {CALL(ag_add(t[0], t[1])), {matrix, matrix}},
    {CALL(ag_sub(t[0], t[1])), {matrix, matrix}},
    {CALL(ag_mul(t[0], t[1])), {matrix, matrix}},
    {CALL(ag_div(t[0], t[1])), {matrix, matrix}},
    {CALL(ag_pow(t[0], t[1])), {matrix, number}},
    {CALL(ag_maximum(t[0], t[1])), {matrix, matrix}},
    {CALL(ag_minimum(t[0], t[1])), {matrix, matrix}},
    {CALL(ag_where(t[0], t[1], t[2])), {truth, matrix, number}},
    {CALL(ag_eq(t[0], t[1])), {matrix, matrix}},
    {CALL(ag_ne(t[0], t[1])), {matrix, matrix}},
    {CALL(ag_lt(t[0], t[1])), {matrix, matrix}},
    {CALL(ag_le(t[0], t[1])), {matrix, matrix}},
    {CALL(ag_gt(t[0], t[1])), {matrix, matrix}},
    {CALL(ag_ge(t[0], t[1])), {matrix, matrix}},
    {CALL(ag_to_dtype(t[0], AG_FLOAT64)), {matrix}},
    {CALL(ag_to_dtype(t[0], AG_FLOAT32)), {matrix}},
    {CALL(ag_add_(t[0], t[1])), {matrix, number}},
    {CALL(ag_sub_(t[0], t[1])), {matrix, number}},
    {CALL(ag_mul_(t[0], t[1])), {matrix, number}},
    {CALL(ag_div_(t[0], t[1])), {matrix, number}},
    {CALL(ag_pow_(t[0], t[1])), {matrix, number}},
    {CALL(ag_neg_(t[0])), {matrix}},
    {CALL(ag_abs_(t[0])), {matrix}},
    {CALL(ag_exp_(t[0])), {matrix}},
    {CALL(ag_log_(t[0])), {matrix}},
    {CALL(ag_sqrt_(t[0])), {matrix}},
    {CALL(ag_tanh_(t[0])), {matrix}},
    {CALL(ag_sigmoid_(t[0])), {matrix}},
    {CALL(ag_relu_(t[0])), {matrix}},
    {CALL(ag_clamp_(t[0], t[1], t[2])), {matrix, number, matrix}, 0b110},
    {CALL(ag_copy_(t[0], t[1])), {matrix, number}},
    {CALL(ag_zero_(t[0])), {matrix}},
    {CALL(ag_fill_(t[0], t[1])), {matrix, number}},
    {CALL(ag_uniform_(t[0], 0, 1)), {matrix}},
    {CALL(ag_normal_(t[0], 0, 1)), {matrix}},
    {CALL(ag_index_assign_(t[0], kItems, 2, NULL, 0, t[1])), {matrix, number}},
    {CALL(ag_mm(t[0], t[1])), {matrix, tall}},
    {CALL(ag_bmm(t[0], t[1])), {batch, batch}},
    {CALL(ag_matmul(t[0], t[1])), {batch, tall}},
    {CALL(ag_addmm(t[0], t[1], t[2], 0.5, 2)), {row, matrix, tall}},
    {CALL(ag_linear(t[0], t[1], t[2])),
     {tall,
      [] {
        return positive({5, 4});
      },
      [] { return positive({5}); }},
     0b100},
    {CALL(ag_sum(t[0], kDim0, 1, 1, AG_FLOAT64)), {matrix}},
    {CALL(ag_sum(t[0], nullptr, 0, 0, -1)), {matrix}},
    {CALL(ag_mean(t[0], kDim0, 1, 0, -1)), {matrix}},
    {CALL(ag_var(t[0], kDim0, 1, 1, 0)), {matrix}},
    {CALL(ag_amax(t[0], kDim0, 1, 0)), {matrix}},
    {CALL(ag_amin(t[0], kDim0, 1, 0)), {matrix}},
    {CALL(ag_max(t[0])), {matrix}},
    {CALL(ag_min(t[0])), {matrix}},
    {CALL(written(ag_max_dim(t[0], 1, 0, &values, &indices))), {matrix}},
    {CALL(written(ag_min_dim(t[0], 1, 0, &values, &indices))), {matrix}},
    {CALL(ag_argmax(t[0], kDim0, 1, 0)), {matrix}},
    {CALL(ag_argmin(t[0], nullptr, 0, 0)), {matrix}},
    {CALL(ag_reshape(t[0], k6, 1)), {matrix}},
    {CALL(ag_view(t[0], k6, 1)), {matrix}},
    {CALL(ag_transpose(t[0], 0, -1)), {matrix}},
    {CALL(ag_permute(t[0], kOrder, 2)), {matrix}},
    {CALL(ag_expand(t[0], k23, 2)), {number}},
    {CALL(ag_squeeze(t[0], nullptr, 0)), {matrix}},
    {CALL(ag_unsqueeze(t[0], -1)), {matrix}},
    {CALL(ag_flatten(t[0], 0, -1)), {matrix}},
    {CALL(ag_select(t[0], 0, 1)), {matrix}},
    {CALL(ag_slice(t[0], 1, 0, 2, 1)), {matrix}},
    {CALL(ag_index(t[0], kItems, 2)), {matrix}},
    {CALL(ag_cat(t, 2, 0)), {matrix, matrix}},
    {CALL(ag_stack(t, 2, 0)), {matrix, matrix}},
    {CALL(written(ag_split(t[0], kOnes, 2, 0, parts))), {matrix}},
    {CALL(written(ag_chunk(t[0], 3, 1, parts, &how_many))), {matrix}},
    {CALL(ag_index_select(t[0], 0, t[1])), {matrix, rows_wanted}},
    {CALL(ag_contiguous(t[0])), {matrix}},
    {CALL(ag_clone(t[0])), {matrix}},
    {CALL(ag_detach(t[0])), {matrix}},
    {CALL(ag_softmax(t[0], 1)), {matrix}},
    {CALL(ag_log_softmax(t[0], 1)), {matrix}},
    {CALL(ag_cross_entropy(t[0], t[1], nullptr, AG_REDUCTION_MEAN, -100, 0)),
     {matrix, rows_wanted}},
    {CALL(ag_mse_loss(t[0], t[1], AG_REDUCTION_NONE)), {matrix, matrix}},
};

class CapiOps : public testing::TestWithParam<OpCase> {
 protected:
  void SetUp() override {
    for (ag_tensor* (*make)() : GetParam().arguments) arguments_.push_back(make());
  }
  void TearDown() override {
    for (ag_tensor* t : arguments_) ag_tensor_free(t);
  }
  std::vector<ag_tensor*> arguments_;
};

TEST_P(CapiOps, works_and_keeps_nothing) {
  const int64_t before = ag_memory_allocated();
  EXPECT_TRUE(GetParam().run(arguments_.data())) << ag_last_error();
  EXPECT_EQ(ag_memory_allocated(), before);
}

TEST_P(CapiOps, refuses_null_in_every_place) {
  const int64_t before = ag_memory_allocated();
  for (size_t i = 0; i < arguments_.size(); ++i) {
    std::vector<ag_tensor*> arguments = arguments_;
    arguments[i] = nullptr;
    if (GetParam().optional >> i & 1) {
      EXPECT_TRUE(GetParam().run(arguments.data())) << ag_last_error();
      continue;
    }
    ASSERT_FALSE(GetParam().run(arguments.data())) << "argument " << i;
    EXPECT_EQ(ag_last_status(), AG_ERROR_VALUE);
    const std::string text = ag_last_error();
    EXPECT_EQ(text.find(GetParam().function() + ": argument '"), 0u) << text;
    EXPECT_NE(text.find("' is NULL"), std::string::npos) << text;
  }
  EXPECT_EQ(ag_memory_allocated(), before);
}

INSTANTIATE_TEST_SUITE_P(Each, CapiOps, testing::ValuesIn(kOpCases), [](const auto& info) {
  return info.param.function() + "_" + std::to_string(info.index);
});

}  // namespace
