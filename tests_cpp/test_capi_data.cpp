// Batches of rows and streams of random numbers through the C ABI.
#include <cstdint>
#include <vector>

#include "capi_test.hpp"

namespace {

template <class T>
std::vector<T> elements(ag_tensor* t, ag_dtype dtype) {
  std::vector<T> values(static_cast<size_t>(ag_tensor_numel(t)));
  EXPECT_EQ(ag_tensor_copy_out(t, dtype, values.data(), ag_tensor_numel(t)), AG_OK);
  return values;
}

ag_tensor* whole_numbers(const std::vector<int64_t>& values) {
  const int64_t n = static_cast<int64_t>(values.size());
  return ag_tensor_from_data(values.data(), AG_INT64, &n, 1);
}

TEST_F(Capi, batches_have_the_rows_of_all_tensors) {
  const float data[] = {0, 1, 10, 11, 20, 21, 30, 31};
  const int64_t sizes[] = {4, 2};
  ag_tensor* x = ag_tensor_from_data(data, AG_FLOAT32, sizes, 2);
  ag_tensor *flat = ag_transpose(x, 0, 1), *y = whole_numbers({5, 6, 7, 8});
  ag_tensor *index = whole_numbers({3, 0, 0, 2}), *batch[2];
  ag_tensor* both[] = {x, y};
  ASSERT_EQ(ag_take_batch(both, 2, index, 0, 3, batch), AG_OK) << ag_last_error();
  EXPECT_EQ(elements<float>(batch[0], AG_FLOAT32), (std::vector<float>{30, 31, 0, 1, 0, 1}));
  EXPECT_EQ(elements<int64_t>(batch[1], AG_INT64), (std::vector<int64_t>{8, 5, 5}));
  EXPECT_EQ(ag_tensor_shares_storage(batch[0], x), 0);
  for (ag_tensor* t : batch) ag_tensor_free(t);
  ASSERT_EQ(ag_take_batch(both, 2, nullptr, 1, 2, batch), AG_OK) << ag_last_error();
  EXPECT_EQ(elements<float>(batch[0], AG_FLOAT32), (std::vector<float>{10, 11, 20, 21}));
  EXPECT_EQ(elements<int64_t>(batch[1], AG_INT64), (std::vector<int64_t>{6, 7}));
  for (ag_tensor* t : batch) ag_tensor_free(t);
  // Rows that do not lie together, and no rows.
  ASSERT_EQ(ag_take_batch(&flat, 1, nullptr, 1, 1, batch), AG_OK) << ag_last_error();
  EXPECT_EQ(elements<float>(batch[0], AG_FLOAT32), (std::vector<float>{1, 11, 21, 31}));
  ag_tensor_free(batch[0]);
  ASSERT_EQ(ag_take_batch(&x, 1, index, 4, 0, batch), AG_OK) << ag_last_error();
  EXPECT_EQ(ag_tensor_numel(batch[0]), 0);
  for (ag_tensor* t : {x, y, index, flat, batch[0]}) ag_tensor_free(t);
}

TEST_F(Capi, batches_refuse_rows_that_are_not_there) {
  ag_tensor *x = whole_numbers({1, 2, 3}), *index = whole_numbers({0, 3, -1}), *batch = nullptr;
  ag_tensor *number = ag_scalar_int(1), *floats = ag_ones_like(x, AG_FLOAT32), *null = nullptr;
  expect_failure(ag_take_batch(&x, 1, index, 0, 2, &batch), AG_ERROR_INDEX, "index 3 is out of");
  expect_failure(ag_take_batch(&x, 1, index, 2, 1, &batch), AG_ERROR_INDEX, "index -1 is out of");
  expect_failure(ag_take_batch(&x, 1, index, 2, 2, &batch), AG_ERROR_INDEX, "index of size 3");
  expect_failure(ag_take_batch(&x, 1, nullptr, 2, 2, &batch), AG_ERROR_INDEX, "rows 2 to 4");
  expect_failure(ag_take_batch(&x, 1, nullptr, -1, 2, &batch), AG_ERROR_INDEX, "no rows");
  expect_failure(ag_take_batch(&x, 1, nullptr, 0, -1, &batch), AG_ERROR_INDEX, "no rows");
  expect_failure(ag_take_batch(&x, 1, nullptr, INT64_MAX, 1, &batch), AG_ERROR_INDEX, "no rows");
  expect_failure(ag_take_batch(&x, 1, floats, 0, 1, &batch), AG_ERROR_RUNTIME, "must be int64");
  expect_failure(ag_take_batch(&number, 1, nullptr, 0, 1, &batch), AG_ERROR_INDEX, "0-d");
  expect_failure(ag_take_batch(&null, 1, nullptr, 0, 1, &batch), AG_ERROR_VALUE, "is NULL");
  expect_failure(ag_take_batch(&x, 1, nullptr, 0, 1, nullptr), AG_ERROR_VALUE, "is NULL");
  expect_failure(ag_take_batch(&x, -1, nullptr, 0, 1, &batch), AG_ERROR_VALUE, "cannot have -1");
  EXPECT_EQ(batch, nullptr);
  for (ag_tensor* t : {x, index, number, floats}) ag_tensor_free(t);
}

TEST_F(Capi, random_streams_belong_to_their_thread) {
  const int64_t size = 5;
  const auto draw = [&] {
    ag_tensor* t = ag_rand(&size, 1, AG_FLOAT64);
    auto values = elements<double>(t, AG_FLOAT64);
    ag_tensor_free(t);
    return values;
  };
  int64_t seed, offset;
  ag_manual_seed(42);
  const auto first = draw();
  ASSERT_EQ(ag_random_state(&seed, &offset), AG_OK);
  EXPECT_EQ(seed, 42);
  EXPECT_EQ(offset, size);
  ag_begin_random_stream(42, 0);
  EXPECT_EQ(draw(), first);
  ASSERT_EQ(ag_end_random_stream(&offset), AG_OK);
  EXPECT_EQ(offset, size);
  EXPECT_NE(draw(), first);  // the process's stream has not moved
  ag_set_random_state(seed, 0);
  EXPECT_EQ(draw(), first);
  expect_failure(ag_end_random_stream(&offset), AG_ERROR_RUNTIME, "no random stream of its own");
  expect_failure(ag_end_random_stream(nullptr), AG_ERROR_VALUE, "is NULL");
  expect_failure(ag_random_state(nullptr, &offset), AG_ERROR_VALUE, "is NULL");
}

}  // namespace
