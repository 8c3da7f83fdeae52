// The C ABI: its conventions, the library, tensors, creation. Ops and engine have files of their
// own.
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <thread>
#include <vector>

#include "capi_test.hpp"

namespace {

constexpr int64_t k3[] = {3}, kNone[] = {0};

// An enum that is out of range, as a C program may pass it.
template <class Enum>
Enum invalid(int32_t number) {
  Enum value;
  std::memcpy(&value, &number, sizeof(value));
  return value;
}

// ---- conventions

// Functions of ops have their rows in tests_py/op_rows, where a test of its own asks for them.
TEST_F(Capi, every_declared_function_that_is_no_op_is_tested) {
  const std::filesystem::path tests = AUTOGRAD_TESTS;
  const auto read = [](const std::filesystem::path& path) {
    std::ifstream file(path);
    EXPECT_TRUE(file) << path;
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string header = read(tests / ".." / "capi" / "autograd.h");
  const size_t ops = header.find("/* ---- creation"), rest = header.find("/* ---- optimizers");
  ASSERT_LT(ops, rest);
  ASSERT_NE(rest, std::string::npos);
  std::string source;
  for (const auto& entry : std::filesystem::directory_iterator(tests))
    if (entry.path().extension() == ".cpp") source += read(entry.path());
  const std::regex declaration(R"(\nAG_API[^;(]*\b(ag_\w+)\()");
  for (const std::string& part : {header.substr(0, ops), header.substr(rest)})
    for (std::sregex_iterator it(part.begin(), part.end(), declaration), end; it != end; ++it) {
      const std::string name = (*it)[1];
      EXPECT_NE(source.find(name + "("), std::string::npos) << name << " has no test";
    }
}

TEST_F(Capi, calls_from_cpython_need_an_interpreter) {
  EXPECT_NE(ag_python_function("ag_add"), nullptr);
  EXPECT_NE(ag_python_function("ag_tensor_free"), nullptr);
  EXPECT_EQ(ag_python_function("ag_clip_grad_norm"), nullptr);  // gives the lock up
  EXPECT_EQ(ag_python_function("add"), nullptr);
  EXPECT_EQ(ag_python_function(nullptr), nullptr);
  EXPECT_EQ(ag_last_status(), AG_ERROR_VALUE);
  const void* none[32] = {};
  expect_failure(ag_python_start(none, 1, none, 12, 16), AG_ERROR_VALUE, "n_functions");
  expect_failure(ag_python_start(none, 22, none, 1, 16), AG_ERROR_VALUE, "n_objects");
  expect_failure(ag_python_start(none, 22, none, 12, 4), AG_ERROR_VALUE, "head");
  expect_failure(ag_python_start(none, 22, none, 12, 16), AG_ERROR_VALUE, "NULL");
  expect_failure(ag_python_start(nullptr, 22, none, 12, 16), AG_ERROR_VALUE, "NULL");
  expect_failure(ag_python_classes(none, none, none), AG_ERROR_VALUE, "classes");
  expect_failure(ag_python_classes(nullptr, none, none), AG_ERROR_VALUE, "NULL");
}

namespace {
int lock_released = 0, lock_taken = 0;
}  // namespace

TEST_F(Capi, ops_on_many_elements_give_an_interpreters_lock_up) {
  lock_released = lock_taken = 0;
  const ag_lock_thread self = [] { return static_cast<void*>(&lock_taken); };
  const ag_lock_release release = [] {
    ++lock_released;
    return static_cast<void*>(&lock_released);
  };
  ag_set_interpreter_lock(
      release, [](void* state) { lock_taken += state == &lock_released; }, self, self);
  const int64_t few[] = {100}, many[] = {100000};
  for (const int64_t* sizes : {few, many}) {
    ag_tensor* x = ag_zeros(sizes, 1, AG_FLOAT32);
    ag_tensor* y = ag_exp(x);
    ag_tensor_free(x);
    ag_tensor_free(y);
    EXPECT_EQ(lock_released, lock_taken);
    EXPECT_EQ(lock_released > 0, sizes == many);
  }
  ag_set_interpreter_lock(nullptr, nullptr, nullptr, nullptr);
}

TEST_F(Capi, errors_belong_to_their_thread_and_stay_until_the_next) {
  expect_failure(ag_neg(nullptr), AG_ERROR_VALUE, "ag_neg: argument 'x' is NULL");
  std::thread([] {
    EXPECT_EQ(ag_last_status(), AG_OK);
    EXPECT_STREQ(ag_last_error(), "");
    expect_failure(ag_empty(k23, 99, AG_FLOAT32), AG_ERROR_VALUE,
                   "ag_empty: argument 'sizes' cannot have 99 entries");
  }).join();
  ag_tensor_free(ag_scalar_int(1));
  EXPECT_EQ(ag_last_status(), AG_ERROR_VALUE);
  EXPECT_STREQ(ag_last_error(), "ag_neg: argument 'x' is NULL");
}

TEST_F(Capi, texts_are_written_as_by_snprintf) {
  const std::string doc = text_of([](char* b, int64_t n) { return ag_op_doc("add", b, n); });
  EXPECT_EQ(doc.find("add: "), 0u) << doc;
  char buffer[8] = "#######";
  EXPECT_EQ(ag_op_doc("add", buffer, 4), static_cast<int64_t>(doc.size()));
  EXPECT_STREQ(buffer, doc.substr(0, 3).c_str());
  EXPECT_EQ(buffer[4], '#');
  expect_failure(ag_op_doc("add", nullptr, 5) == -1, AG_ERROR_VALUE, "'buffer' is NULL");
  expect_failure(ag_op_doc("add", buffer, -1) == -1, AG_ERROR_VALUE,
                 "'buffer' cannot have -1 entries");
  expect_failure(ag_op_doc("no_such_op", buffer, 8) == -1, AG_ERROR_VALUE, "no_such_op");
  expect_failure(ag_op_doc(nullptr, buffer, 8) == -1, AG_ERROR_VALUE, "'name' is NULL");
}

// ---- library

TEST_F(Capi, library_describes_itself) {
  EXPECT_EQ(ag_abi_version(), AG_ABI_VERSION);
  EXPECT_TRUE(std::regex_match(ag_version(), std::regex(R"(\d+\.\d+\.\d+)")));
  const std::string names =
      "\n" + text_of([](char* b, int64_t n) { return ag_op_names(b, n); }) + "\n";
  for (const char* name : {"\nadd\n", "\nsum\n", "\ncross_entropy\n"})
    EXPECT_NE(names.find(name), std::string::npos) << name;
  const int32_t threads = ag_num_threads();
  EXPECT_GE(threads, 1);
  EXPECT_EQ(ag_set_num_threads(2), AG_OK);
  EXPECT_EQ(ag_num_threads(), 2);
  for (int32_t n : {0, -1, std::numeric_limits<int32_t>::min()})
    expect_failure(ag_set_num_threads(n), AG_ERROR_VALUE, std::to_string(n));
  EXPECT_EQ(ag_set_num_threads(threads), AG_OK);
}

TEST_F(Capi, types_that_meet) {
  EXPECT_EQ(ag_promote_types(AG_UINT8, AG_INT32), AG_INT32);
  EXPECT_EQ(ag_promote_types(AG_BOOL, AG_FLOAT64), AG_FLOAT64);
  EXPECT_EQ(ag_promote_types(invalid<ag_dtype>(6), AG_INT32), -1);
  EXPECT_NE(std::string(ag_last_error()).find("'dtype' cannot be 6"), std::string::npos);
  ag_tensor* whole = ag_ones(k3, 1, AG_INT32);
  ag_tensor* real = ag_scalar_double(0.5);
  EXPECT_EQ(ag_result_type(whole, real), AG_FLOAT32);
  EXPECT_EQ(ag_result_type(whole, nullptr), -1);
  EXPECT_NE(std::string(ag_last_error()).find("'b'"), std::string::npos);
  ag_tensor_free(real);
  ag_tensor_free(whole);
}

TEST_F(Capi, default_dtype_is_that_of_converted_integers) {
  ag_tensor* x = ag_ones(k3, 1, AG_INT64);
  EXPECT_EQ(ag_set_default_dtype(AG_FLOAT64), AG_OK);
  ag_tensor* y = ag_div(x, x);
  EXPECT_EQ(ag_tensor_dtype(y), AG_FLOAT64);
  EXPECT_EQ(ag_set_default_dtype(AG_FLOAT32), AG_OK);
  expect_failure(ag_set_default_dtype(AG_INT32), AG_ERROR_TYPE, "int32");
  expect_failure(ag_set_default_dtype(invalid<ag_dtype>(9)), AG_ERROR_VALUE, "'dtype' cannot be 9");
  ag_tensor_free(y);
  ag_tensor_free(x);
}

TEST_F(Capi, same_seed_same_numbers) {
  double first[2], second[2];
  for (double* value : {first, second}) {
    ag_manual_seed(7);
    ag_tensor *uniform = ag_rand(nullptr, 0, AG_FLOAT64),
              *normal = ag_randn(nullptr, 0, AG_FLOAT64);
    value[0] = item(uniform);
    value[1] = item(normal);
    ag_tensor_free(uniform);
    ag_tensor_free(normal);
  }
  EXPECT_EQ(first[0], second[0]);
  EXPECT_EQ(first[1], second[1]);
}

TEST_F(Capi, grad_mode_switches_recording) {
  ag_tensor* x = parameter({1, 2});
  EXPECT_EQ(ag_grad_enabled(), 1);
  EXPECT_EQ(ag_set_grad_enabled(0), 1);
  EXPECT_EQ(ag_grad_enabled(), 0);
  ag_tensor* y = ag_neg(x);
  EXPECT_EQ(ag_tensor_requires_grad(y), 0);
  EXPECT_EQ(ag_set_grad_enabled(5), 0);
  ag_tensor_free(y);
  ag_tensor_free(x);
}

TEST_F(Capi, memory_is_counted_and_released) {
  const int64_t big = int64_t{1} << 24;
  ag_tensor* t = ag_zeros(&big, 1, AG_UINT8);
  EXPECT_GE(ag_memory_allocated(), before_ + big);
  EXPECT_GE(ag_memory_reserved(), ag_memory_allocated());
  const int64_t held = ag_memory_reserved();
  ag_tensor_free(t);
  ag_memory_release();
  EXPECT_LE(ag_memory_reserved(), held - big);
}

// ---- tensors

TEST_F(Capi, tensor_reports_its_geometry) {
  const double data[] = {1, 2, 3, 4, 5, 6};
  ag_tensor* t = ag_tensor_from_data(data, AG_FLOAT64, k23, 2);
  ag_tensor* column = ag_select(t, 1, 2);
  int64_t numbers[2] = {0, 0};
  EXPECT_EQ(ag_tensor_ndim(t), 2);
  EXPECT_EQ(ag_tensor_sizes(t, numbers, 2), 2);
  EXPECT_EQ(numbers[1], 3);
  EXPECT_EQ(ag_tensor_strides(t, numbers, 1), 2);
  EXPECT_EQ(numbers[0], 3);
  EXPECT_EQ(ag_tensor_sizes(t, nullptr, 0), 2);
  EXPECT_NE(ag_tensor_shape_key(t), -1);
  EXPECT_EQ(ag_tensor_shape_key(nullptr), -1);
  EXPECT_EQ(ag_tensor_numel(t), 6);
  EXPECT_EQ(ag_tensor_dtype(t), AG_FLOAT64);
  EXPECT_EQ(static_cast<double*>(ag_tensor_data(t))[5], 6);
  EXPECT_EQ(ag_tensor_storage_offset(column), 2);
  EXPECT_EQ(ag_tensor_is_contiguous(t), 1);
  EXPECT_EQ(ag_tensor_is_contiguous(column), 0);
  EXPECT_EQ(ag_tensor_shares_storage(t, column), 1);
  EXPECT_NE(ag_tensor_id(t), ag_tensor_id(column));
  EXPECT_EQ(ag_zero_(column), AG_OK);
  EXPECT_EQ(ag_tensor_version(t), 1);
  double out[6];
  EXPECT_EQ(ag_tensor_copy_out(t, AG_FLOAT64, out, 6), AG_OK);
  EXPECT_EQ(out[1], 2);
  EXPECT_EQ(out[5], 0);
  ag_tensor_free(column);
  ag_tensor_free(t);
}

TEST_F(Capi, handles_count_references) {
  ag_tensor* t = ag_scalar_bool(7);
  ag_tensor* again = ag_tensor_retain(t);
  EXPECT_EQ(again, t);
  ag_tensor_free(t);
  int64_t value = 0;
  EXPECT_EQ(ag_tensor_item_int(again, &value), AG_OK);
  EXPECT_EQ(value, 1);
  ag_tensor_free(again);
  ag_tensor_free(nullptr);
  expect_failure(ag_tensor_retain(nullptr), AG_ERROR_VALUE, "'t' is NULL");
}

TEST_F(Capi, plain_values_of_null_are_the_documented_ones) {
  int64_t number;
  EXPECT_EQ(ag_tensor_ndim(nullptr), -1);
  EXPECT_EQ(ag_tensor_sizes(nullptr, &number, 1), -1);
  EXPECT_EQ(ag_tensor_strides(nullptr, &number, 1), -1);
  EXPECT_EQ(ag_tensor_numel(nullptr), -1);
  EXPECT_EQ(ag_tensor_dtype(nullptr), -1);
  EXPECT_EQ(ag_tensor_data(nullptr), nullptr);
  EXPECT_EQ(ag_tensor_storage_offset(nullptr), -1);
  EXPECT_EQ(ag_tensor_is_contiguous(nullptr), 0);
  EXPECT_EQ(ag_tensor_shares_storage(nullptr, nullptr), 0);
  EXPECT_EQ(ag_tensor_id(nullptr), -1);
  EXPECT_EQ(ag_tensor_version(nullptr), -1);
  EXPECT_EQ(ag_tensor_requires_grad(nullptr), 0);
  EXPECT_EQ(ag_tensor_is_leaf(nullptr), 0);
  EXPECT_EQ(ag_tensor_retains_grad(nullptr), 0);
  EXPECT_EQ(ag_tensor_node(nullptr), nullptr);
  EXPECT_EQ(ag_tensor_output_index(nullptr), -1);
  EXPECT_EQ(ag_tensor_is_inference(nullptr), 0);
  EXPECT_EQ(ag_node_name(nullptr, nullptr, 0), -1);
  EXPECT_EQ(ag_node_num_inputs(nullptr), -1);
  EXPECT_EQ(ag_node_saved(nullptr, nullptr, 0), -1);
  EXPECT_EQ(ag_node_context(nullptr), nullptr);
  EXPECT_EQ(ag_node_retain(nullptr), nullptr);
  ag_node_free(nullptr);
  EXPECT_EQ(ag_op_num_outputs(nullptr), -1);
  expect_failure(ag_tensor_grad(nullptr), AG_ERROR_VALUE, "ag_tensor_grad: argument 't' is NULL");
  ag_tensor* t = ag_ones(k3, 1, AG_FLOAT32);
  EXPECT_EQ(ag_tensor_shares_storage(t, nullptr), 0);
  expect_failure(ag_tensor_sizes(t, nullptr, 1) == -1, AG_ERROR_VALUE, "'out' is NULL");
  expect_failure(ag_tensor_sizes(t, &number, -1) == -1, AG_ERROR_VALUE, "cannot have -1 entries");
  ag_tensor_free(t);
}

TEST_F(Capi, elements_come_out_checked) {
  ag_tensor* t = ag_ones(k3, 1, AG_INT32);
  double real = 5;
  int64_t integer = 5;
  float out[3];
  expect_failure(ag_tensor_item_double(t, &real), AG_ERROR_RUNTIME, "3 elements");
  expect_failure(ag_tensor_item_int(t, &integer), AG_ERROR_RUNTIME, "3 elements");
  ag_tensor* one = ag_scalar_int(1);
  expect_failure(ag_tensor_item_double(one, nullptr), AG_ERROR_VALUE, "'out' is NULL");
  EXPECT_EQ(ag_tensor_read_double(one), 1);
  EXPECT_EQ(ag_tensor_read_int(one), 1);
  EXPECT_TRUE(std::isnan(ag_tensor_read_double(t)));
  EXPECT_EQ(ag_tensor_read_int(nullptr), INT64_MIN);
  EXPECT_EQ(ag_tensor_exists(t), 1);
  EXPECT_EQ(ag_tensor_exists(nullptr), 0);
  expect_failure(ag_tensor_item_int(nullptr, &integer), AG_ERROR_VALUE, "'t' is NULL");
  expect_failure(ag_tensor_copy_out(t, AG_FLOAT32, out, 2), AG_ERROR_VALUE,
                 "'capacity' cannot be 2");
  expect_failure(ag_tensor_copy_out(t, AG_FLOAT32, nullptr, 3), AG_ERROR_VALUE, "'dst' is NULL");
  expect_failure(ag_tensor_copy_out(nullptr, AG_FLOAT32, out, 3), AG_ERROR_VALUE, "'t' is NULL");
  expect_failure(ag_tensor_copy_out(t, invalid<ag_dtype>(99), out, 3), AG_ERROR_VALUE,
                 "'dtype' cannot be 99");
  EXPECT_EQ(real, 5);
  EXPECT_EQ(integer, 5);
  ag_tensor_free(one);
  ag_tensor_free(t);
}

int deleted = 0;
void count_deletion(void* context) { deleted += *static_cast<int*>(context); }

TEST_F(Capi, blob_returns_its_memory_once) {
  float memory[6] = {0, 1, 2, 3, 4, 5};
  int weight = 1;
  deleted = 0;
  const int64_t strides[] = {1, 2}, place[] = {AG_INDEX_INT, 1, 0, 0, AG_INDEX_INT, 2, 0, 0};
  ag_tensor* t = ag_tensor_from_blob(memory, AG_FLOAT32, k23, strides, 2, count_deletion, &weight);
  ag_tensor* element = ag_index(t, place, 2);
  EXPECT_EQ(item(element), 5);
  EXPECT_EQ(ag_tensor_data(t), memory);
  ag_tensor_free(t);
  EXPECT_EQ(deleted, 0);
  ag_tensor_free(element);
  EXPECT_EQ(deleted, 1);
  ag_tensor_free(ag_tensor_from_blob(memory, AG_FLOAT32, k23, nullptr, 2, nullptr, nullptr));

  const int64_t huge[] = {kMax, kMax}, negative[] = {-1, 1};
  for (const int64_t* bad : {huge, negative}) {
    EXPECT_EQ(ag_tensor_from_blob(memory, AG_FLOAT32, bad, nullptr, 2, count_deletion, &weight),
              nullptr);
    EXPECT_EQ(ag_tensor_from_blob(memory, AG_FLOAT32, k23, bad, 2, count_deletion, &weight),
              nullptr);
  }
  expect_failure(ag_tensor_from_blob(nullptr, AG_FLOAT32, k23, nullptr, 2, count_deletion, &weight),
                 AG_ERROR_VALUE, "'data' is NULL");
  EXPECT_EQ(deleted, 1);
}

TEST_F(Capi, creation_works) {
  ag_tensor* all[] = {ag_empty(k23, 2, AG_BOOL),
                      ag_ones(k23, 2, AG_INT64),
                      ag_arange(0, 5, 2, AG_INT32),
                      ag_linspace(0, 1, 5, AG_FLOAT64),
                      ag_eye(2, 3, AG_FLOAT32),
                      ag_rand(k23, 2, AG_FLOAT32),
                      ag_randn(k23, 2, AG_FLOAT64),
                      ag_randint(0, 9, k23, 2, AG_INT64),
                      ag_randperm(4),
                      ag_zeros(nullptr, 0, AG_FLOAT32),
                      ag_tensor_from_data(nullptr, AG_INT32, kNone, 1)};
  for (ag_tensor* t : all) {
    EXPECT_NE(t, nullptr) << ag_last_error();
    ag_tensor_free(t);
  }
}

TEST_F(Capi, creation_refuses_bad_sizes_and_dtypes) {
  const int64_t negative[] = {2, -1}, overflow[] = {kMax, kMax},
                many[13] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  ag_tensor* one = ag_scalar_int(1);
  const auto each = [&](const int64_t* sizes, int64_t ndim, ag_dtype dtype) {
    return std::vector<ag_tensor*>{
        ag_empty(sizes, ndim, dtype),         ag_zeros(sizes, ndim, dtype),
        ag_ones(sizes, ndim, dtype),          ag_rand(sizes, ndim, dtype),
        ag_randn(sizes, ndim, dtype),         ag_full(sizes, ndim, one, dtype),
        ag_randint(0, 2, sizes, ndim, dtype), ag_tensor_from_data(negative, dtype, sizes, ndim)};
  };
  for (ag_tensor* t : each(negative, 2, AG_FLOAT32))
    expect_failure(t, AG_ERROR_RUNTIME, "negative dimension");
  for (ag_tensor* t : each(overflow, 2, AG_FLOAT32))
    expect_failure(t, AG_ERROR_RUNTIME, "overflow");
  for (ag_tensor* t : each(many, 13, AG_FLOAT32))
    expect_failure(t, AG_ERROR_VALUE, "'sizes' cannot have 13 entries");
  for (int64_t ndim : {int64_t{-1}, kMin, kMax})
    for (ag_tensor* t : each(k23, ndim, AG_FLOAT32))
      expect_failure(t, AG_ERROR_VALUE, "'sizes' cannot have");
  for (ag_tensor* t : each(nullptr, 2, AG_FLOAT32))
    expect_failure(t, AG_ERROR_VALUE, "'sizes' is NULL");
  for (int32_t dtype : {-1, 6, 99})
    for (ag_tensor* t : each(k23, 2, invalid<ag_dtype>(dtype)))
      expect_failure(t, AG_ERROR_VALUE, "'dtype' cannot be");
  expect_failure(ag_tensor_from_data(nullptr, AG_FLOAT32, k23, 2), AG_ERROR_VALUE,
                 "'data' is NULL");
  ag_tensor_free(one);
}

TEST_F(Capi, extreme_numbers_are_errors) {
  ag_tensor* x = ag_ones(k23, 2, AG_FLOAT32);
  ag_tensor *a = nullptr, *b = nullptr;
  int64_t count = 0;
  const int64_t extremes[] = {kMin, kMax};
  for (int64_t n : extremes) {
    for (ag_tensor* t :
         {ag_transpose(x, n, 0), ag_unsqueeze(x, n), ag_flatten(x, 0, n), ag_select(x, 0, n),
          ag_select(x, n, 0), ag_slice(x, n, 0, 1, 1), ag_softmax(x, n), ag_log_softmax(x, n),
          ag_cat(&x, 1, n), ag_stack(&x, 1, n), ag_sum(x, &n, 1, 0, -1), ag_argmax(x, &n, 1, 0),
          ag_permute(x, extremes, 2), ag_squeeze(x, &n, 1), ag_reshape(x, extremes, 2),
          ag_expand(x, extremes, 2), ag_index_select(x, n, x)})
      EXPECT_EQ(t, nullptr);
    EXPECT_EQ(ag_max_dim(x, n, 0, &a, &b), AG_ERROR_INDEX);
    EXPECT_NE(ag_split(x, &n, 1, 0, &a), AG_OK);
    EXPECT_NE(ag_chunk(x, 1, n, &a, &count), AG_OK);
    EXPECT_NE(ag_chunk(x, n, 0, &a, &count), AG_OK);
    EXPECT_EQ(ag_sum(x, &n, n, 0, -1), nullptr);
    EXPECT_EQ(ag_cat(&x, n, 0), nullptr);
    EXPECT_EQ(ag_eye(n, n, AG_FLOAT32), nullptr);
    EXPECT_EQ(ag_linspace(0, 1, n, AG_FLOAT64), nullptr);
    EXPECT_EQ(ag_randperm(n), nullptr);
  }
  ag_tensor* nothing = ag_slice(x, 0, kMin, kMin, kMax);
  EXPECT_EQ(ag_tensor_numel(nothing), 0);
  ag_tensor* all = ag_slice(x, 0, kMin, kMax, 1);
  EXPECT_EQ(ag_tensor_numel(all), 6);
  EXPECT_EQ(ag_slice(x, 0, 0, 2, kMin), nullptr);
  EXPECT_EQ(ag_arange(0, std::numeric_limits<double>::infinity(), 1, AG_FLOAT32), nullptr);
  EXPECT_EQ(ag_arange(0, 1, std::numeric_limits<double>::quiet_NaN(), AG_FLOAT32), nullptr);
  EXPECT_EQ(ag_arange(0, 1e300, 1, AG_FLOAT32), nullptr);
  ag_tensor_free(ag_randint(kMin, kMax, k3, 1, AG_INT64));
  for (ag_tensor* t : {nothing, all, x, a, b}) ag_tensor_free(t);
}

TEST_F(Capi, enumerators_and_lists_are_checked) {
  ag_tensor* x = ag_ones(k23, 2, AG_FLOAT32);
  for (int32_t bad : {-1, 3, 1000}) {
    expect_failure(ag_mse_loss(x, x, invalid<ag_reduction>(bad)), AG_ERROR_VALUE,
                   "'reduction' cannot be");
    expect_failure(ag_cross_entropy(x, x, nullptr, invalid<ag_reduction>(bad), -100, 0),
                   AG_ERROR_VALUE, "'reduction' cannot be");
  }
  for (int32_t bad : {-2, 6, std::numeric_limits<int32_t>::min()}) {
    expect_failure(ag_sum(x, nullptr, 0, 0, bad), AG_ERROR_VALUE, "'dtype' cannot be");
    expect_failure(ag_mean(x, nullptr, 0, 0, bad), AG_ERROR_VALUE, "'dtype' cannot be");
  }
  for (int32_t bad : {-1, 6}) {
    expect_failure(ag_to_dtype(x, invalid<ag_dtype>(bad)), AG_ERROR_VALUE, "'dtype' cannot be");
    expect_failure(ag_zeros_like(x, invalid<ag_dtype>(bad)), AG_ERROR_VALUE, "'dtype' cannot be");
  }
  expect_failure(ag_argmax(x, k23, 2, 0), AG_ERROR_VALUE, "'ndims' cannot be 2");
  expect_failure(ag_argmin(x, nullptr, 1, 0), AG_ERROR_VALUE, "'dims' is NULL");
  expect_failure(ag_cat(nullptr, 2, 0), AG_ERROR_VALUE, "'tensors' is NULL");
  expect_failure(ag_stack(&x, -1, 0), AG_ERROR_VALUE, "'tensors' cannot have -1 entries");
  expect_failure(ag_clamp(x, nullptr, nullptr), AG_ERROR_RUNTIME, "clamp");
  expect_failure(ag_clamp_(x, nullptr, nullptr), AG_ERROR_RUNTIME, "clamp");
  ag_tensor* out = nullptr;
  int64_t count = 0;
  expect_failure(ag_max_dim(x, 0, 0, &out, nullptr), AG_ERROR_VALUE, "'indices' is NULL");
  expect_failure(ag_min_dim(x, 0, 0, nullptr, &out), AG_ERROR_VALUE, "'values' is NULL");
  expect_failure(ag_split(x, k23, 2, 0, nullptr), AG_ERROR_VALUE, "'out' is NULL");
  expect_failure(ag_split(x, nullptr, 2, 0, &out), AG_ERROR_VALUE, "'sizes' is NULL");
  expect_failure(ag_chunk(x, 1, 0, nullptr, &count), AG_ERROR_VALUE, "'out' is NULL");
  EXPECT_EQ(out, nullptr);
  ag_tensor_free(x);
}

TEST_F(Capi, index_items_are_checked) {
  ag_tensor* x = ag_ones(k23, 2, AG_FLOAT32);
  const int64_t bad_kind[] = {6, 0, 0, 0}, extreme[] = {AG_INDEX_INT, kMin, kMin, kMin};
  const int64_t backwards[] = {AG_INDEX_SLICE, 0, 2, -1}, tensor[] = {AG_INDEX_TENSOR, 0, 0, 0},
                ellipses[] = {AG_INDEX_ELLIPSIS, 0, 0, 0, AG_INDEX_ELLIPSIS, 0, 0, 0};
  expect_failure(ag_index(x, bad_kind, 1), AG_ERROR_VALUE, "'items' cannot be 6");
  expect_failure(ag_index(x, extreme, 1), AG_ERROR_INDEX, "");
  expect_failure(ag_index(x, backwards, 1), AG_ERROR_VALUE, "");
  expect_failure(ag_index(x, tensor, 1), AG_ERROR_VALUE, "'items' cannot be 0");
  ag_tensor* twice = ag_index(x, ellipses, 2);
  EXPECT_EQ(ag_tensor_numel(twice), 6);
  ag_tensor_free(twice);
  expect_failure(ag_index(x, extreme, kMax), AG_ERROR_VALUE, "'items' cannot have");
  expect_failure(ag_index(x, extreme, -1), AG_ERROR_VALUE, "'items' cannot have");
  expect_failure(ag_index(x, extreme, 100), AG_ERROR_INDEX, "too many indices");
  expect_failure(ag_index(x, nullptr, 1), AG_ERROR_VALUE, "'items' is NULL");
  expect_failure(ag_index_assign_(x, bad_kind, 1, NULL, 0, x), AG_ERROR_VALUE,
                 "'items' cannot be 6");
  ag_tensor* whole = ag_index(x, nullptr, 0);
  EXPECT_EQ(ag_tensor_numel(whole), 6);
  ag_tensor_free(whole);
  ag_tensor_free(x);
}

}  // namespace
