// The user's own code in the backward pass, through the C ABI.
#include "capi_test.hpp"

namespace {

// Counts its calls and doubles what it gets.
struct Doubler {
  int calls = 0, freed = 0;
  ag_status answer = AG_OK;

  static ag_tensor* twice(const ag_tensor* grad) { return ag_add(grad, grad); }
  static ag_status hook(void* context, ag_tensor* grad, ag_tensor** replacement) {
    Doubler& self = *static_cast<Doubler*>(context);
    ++self.calls;
    if (self.answer == AG_OK) *replacement = twice(grad);
    return self.answer;
  }
  static ag_status rule(void* context, ag_node* node, ag_tensor* const* grads, int64_t n_outputs,
                        ag_tensor** out, int64_t n_inputs) {
    Doubler& self = *static_cast<Doubler*>(context);
    EXPECT_EQ(ag_node_context(node), context);
    ++self.calls;
    EXPECT_EQ(n_outputs, 1);
    EXPECT_EQ(n_inputs, 2);
    out[0] = twice(grads[0]);  // and nothing flows to the second input
    return self.answer;
  }
  static void free(void* context) { ++static_cast<Doubler*>(context)->freed; }
};

double first_of_grad(const ag_tensor* t) {
  ag_tensor* grad = ag_tensor_grad(t);
  EXPECT_NE(grad, nullptr);
  if (!grad) return -1;
  const double value = static_cast<const float*>(ag_tensor_data(grad))[0];
  ag_tensor_free(grad);
  return value;
}

ag_status backward(ag_tensor* t) { return ag_backward(&t, nullptr, 1, nullptr, 0, 0, 0); }

}  // namespace

TEST_F(Capi, hook_replaces_the_gradient_and_its_context_is_freed_once) {
  Doubler doubler;
  ag_tensor* x = parameter({3, 4});
  ASSERT_EQ(ag_tensor_register_hook(x, Doubler::hook, &doubler, Doubler::free), AG_OK);
  ag_tensor* sum = sum_of_squares(x);
  EXPECT_EQ(backward(sum), AG_OK) << ag_last_error();
  EXPECT_EQ(doubler.calls, 1);
  EXPECT_EQ(first_of_grad(x), 12);  // twice 2 x
  ag_tensor_free(sum);
  EXPECT_EQ(doubler.freed, 0);
  ag_tensor_free(x);
  EXPECT_EQ(doubler.freed, 1);
}

TEST_F(Capi, hook_that_fails_ends_the_backward) {
  Doubler doubler;
  doubler.answer = AG_ERROR_VALUE;
  ag_tensor* x = parameter({3});
  ASSERT_EQ(ag_tensor_register_hook(x, Doubler::hook, &doubler, nullptr), AG_OK);
  ag_tensor* sum = sum_of_squares(x);
  expect_failure(backward(sum), AG_ERROR_VALUE, "hook reported a failure");
  ag_tensor_free(sum);
  ag_tensor_free(x);
}

TEST_F(Capi, hook_needs_a_function_and_a_tensor_that_requires_grad) {
  ag_tensor* x = parameter({3});
  ag_tensor* plain = ag_detach(x);
  expect_failure(ag_tensor_register_hook(x, nullptr, nullptr, nullptr), AG_ERROR_VALUE, "'hook'");
  expect_failure(ag_tensor_register_hook(plain, Doubler::hook, nullptr, nullptr), AG_ERROR_RUNTIME,
                 "require");
  ag_tensor_free(plain);
  ag_tensor_free(x);
}

TEST_F(Capi, recorded_function_uses_its_own_rule) {
  Doubler doubler;
  ag_tensor* inputs[] = {parameter({3, 4}), parameter({1, 1})};
  const int64_t n = 2;
  const float values[] = {30, 40};
  ag_tensor* value = ag_tensor_from_data(values, AG_FLOAT32, &n, 1);
  ag_tensor* output = nullptr;
  ASSERT_EQ(ag_function_record("Double", inputs, 2, &value, 1, nullptr, nullptr, 0, 0,
                               Doubler::rule, &doubler, Doubler::free, &output),
            AG_OK)
      << ag_last_error();
  EXPECT_EQ(output, value);  // it got the history itself
  ag_node* node = ag_tensor_node(output);
  EXPECT_EQ(text_of([&](char* b, int64_t c) { return ag_node_name(node, b, c); }),
            "DoubleBackward");
  EXPECT_EQ(ag_node_context(node), &doubler);
  ag_node_free(node);
  ag_tensor* sum = ag_sum(output, nullptr, 0, 0, -1);
  EXPECT_EQ(item(sum), 70);
  EXPECT_EQ(backward(sum), AG_OK) << ag_last_error();
  EXPECT_EQ(doubler.calls, 1);
  EXPECT_EQ(first_of_grad(inputs[0]), 2);
  for (ag_tensor* t : {sum, output, value, inputs[0], inputs[1]}) ag_tensor_free(t);
  EXPECT_EQ(doubler.freed, 1);
}

TEST_F(Capi, a_function_is_made_once_and_its_calls_outlive_it) {
  Doubler doubler;
  ag_tensor* inputs[] = {parameter({3}), parameter({1})};
  const float value = 6;
  const int64_t n = 1;
  ag_tensor* y = ag_tensor_from_data(&value, AG_FLOAT32, &n, 1);
  ag_tensor* out = nullptr;
  expect_failure(ag_function_make("F", nullptr, nullptr) == nullptr, AG_ERROR_VALUE, "'rule'");
  expect_failure(ag_function_make(nullptr, Doubler::rule, nullptr) == nullptr, AG_ERROR_VALUE,
                 "'name'");
  ag_function* function = ag_function_make("Twice", Doubler::rule, Doubler::free);
  expect_failure(ag_function_record_call(nullptr, inputs, 2, &y, 1, nullptr, nullptr, 0, 0,
                                         &doubler, &out) == AG_ERROR_VALUE,
                 AG_ERROR_VALUE, "'function'");
  ASSERT_EQ(
      ag_function_record_call(function, inputs, 2, &y, 1, nullptr, nullptr, 0, 0, &doubler, &out),
      AG_OK)
      << ag_last_error();
  ag_function_free(function);
  ag_function_free(nullptr);
  EXPECT_EQ(backward(out), AG_OK) << ag_last_error();
  EXPECT_EQ(doubler.calls, 1);
  for (ag_tensor* t : {out, y, inputs[0], inputs[1]}) ag_tensor_free(t);
  EXPECT_EQ(doubler.freed, 1);
}

TEST_F(Capi, recorded_function_refuses_bad_arguments) {
  Doubler doubler;
  ag_tensor* x = parameter({1});
  ag_tensor* out = nullptr;
  const auto record = [&](const char* name, int64_t n_inputs, const int32_t* kinds, int64_t n_saved,
                          ag_rule rule, ag_tensor** to) {
    return ag_function_record(name, &x, n_inputs, &x, 1, kinds, nullptr, n_saved, 0, rule, &doubler,
                              Doubler::free, to);
  };
  const int32_t unknown = 77, dirty = AG_OUTPUT_DIRTY;
  expect_failure(record("F", 1, nullptr, 0, nullptr, &out), AG_ERROR_VALUE, "'rule'");
  expect_failure(record(nullptr, 1, nullptr, 0, Doubler::rule, &out), AG_ERROR_VALUE, "'name'");
  expect_failure(record("F", -1, nullptr, 0, Doubler::rule, &out), AG_ERROR_VALUE, "'inputs'");
  expect_failure(record("F", 1, nullptr, 2, Doubler::rule, &out), AG_ERROR_VALUE, "'saved'");
  expect_failure(record("F", 1, nullptr, 0, Doubler::rule, nullptr), AG_ERROR_VALUE, "'out'");
  expect_failure(record("F", 1, &unknown, 0, Doubler::rule, &out), AG_ERROR_VALUE, "77");
  expect_failure(record("F", 1, &dirty, 0, Doubler::rule, &out), AG_ERROR_RUNTIME, "leaf");
  EXPECT_EQ(doubler.freed, 0);
  // Nothing to record: the context is given back at once, and an input becomes an alias.
  ASSERT_EQ(ag_set_grad_enabled(0), 1);
  EXPECT_EQ(record("F", 1, nullptr, 0, Doubler::rule, &out), AG_OK);
  ag_set_grad_enabled(1);
  EXPECT_EQ(doubler.freed, 1);
  EXPECT_NE(out, x);
  ag_tensor_free(out);
  ag_tensor_free(x);
}

namespace {
// Keeps its input and its output.
struct Square {
  static ag_status rule(void*, ag_node* node, ag_tensor* const* grads, int64_t, ag_tensor** out,
                        int64_t) {
    ag_tensor* saved[3] = {nullptr, nullptr, nullptr};
    if (ag_node_saved(node, saved, 3) != 3) return ag_last_status();
    EXPECT_EQ(saved[1], nullptr);
    ag_tensor* twice = ag_add(saved[0], saved[0]);
    out[0] = ag_mul(grads[0], twice);
    for (ag_tensor* t : {saved[0], saved[2], twice}) ag_tensor_free(t);
    return AG_OK;
  }
  static ag_tensor* of(ag_tensor* x) {
    ag_set_grad_enabled(0);
    ag_tensor* y = ag_mul(x, x);
    ag_set_grad_enabled(1);
    ag_tensor *saved[] = {x, nullptr, y}, *out = nullptr;
    EXPECT_EQ(ag_function_record("Square", &x, 1, &y, 1, nullptr, saved, 3, 0, rule, nullptr,
                                 nullptr, &out),
              AG_OK)
        << ag_last_error();
    ag_tensor_free(y);
    return out;
  }
};
}  // namespace

TEST_F(Capi, saved_values_are_freed_and_checked) {
  ag_tensor* x = parameter({3});
  ag_tensor* y = Square::of(x);
  EXPECT_EQ(backward(y), AG_OK) << ag_last_error();
  EXPECT_EQ(first_of_grad(x), 6);
  expect_failure(backward(y), AG_ERROR_RUNTIME, "second time");
  ag_tensor_free(y);
  y = Square::of(x);
  ASSERT_EQ(ag_tensor_bump_version(x), AG_OK);
  expect_failure(backward(y), AG_ERROR_RUNTIME, "modified by an inplace operation");
  ag_tensor_free(y);
  ag_tensor_free(x);
}

namespace {

// Twice a number, computed with numbers; a history of such a gradient could not tell what it is.
ag_status twice_of_numbers(void* marked, ag_node* node, ag_tensor* const* grads, int64_t,
                           ag_tensor** out, int64_t) {
  if (marked) {
    EXPECT_EQ(ag_node_mark_once_differentiable(node), AG_OK) << ag_last_error();
  }
  const float value = 2 * static_cast<const float*>(ag_tensor_data(grads[0]))[0];
  const int64_t n = 1;
  out[0] = ag_tensor_from_data(&value, AG_FLOAT32, &n, 1);
  return AG_OK;
}

ag_tensor* second_derivative(ag_tensor* y, ag_tensor* x) {
  ag_tensor *first = nullptr, *second = nullptr;
  EXPECT_EQ(ag_grad(&y, nullptr, 1, &x, 1, 1, 1, 0, &first), AG_OK) << ag_last_error();
  EXPECT_EQ(first ? static_cast<const float*>(ag_tensor_data(first))[0] : 0, 8);
  ag_grad(&first, nullptr, 1, &x, 1, 0, 0, 0, &second);
  ag_tensor_free(first);
  return second;
}

}  // namespace

TEST_F(Capi, rule_that_is_marked_is_not_differentiated_twice) {
  for (const bool in_rule : {false, true}) {
    ag_tensor* x = parameter({3});
    ag_tensor* values = ag_detach(x);
    ag_tensor* y = nullptr;
    bool mark = true;
    ASSERT_EQ(ag_function_record("Twice", &x, 1, &values, 1, nullptr, nullptr, 0, 0,
                                 twice_of_numbers, in_rule ? &mark : nullptr, nullptr, &y),
              AG_OK);
    if (!in_rule) {
      ag_node* node = ag_tensor_node(y);
      EXPECT_EQ(ag_node_mark_once_differentiable(node), AG_OK) << ag_last_error();
      ag_node_free(node);
    }
    ag_tensor* square = ag_mul(x, x);
    ag_tensor* sum = ag_add(y, square);
    expect_failure(second_derivative(sum, x), AG_ERROR_RUNTIME,
                   "Twice: trying to differentiate twice");
    ag_node* node = ag_tensor_node(square);
    expect_failure(ag_node_mark_once_differentiable(node) == AG_ERROR_VALUE, AG_ERROR_VALUE,
                   "no call of a function");
    ag_node_free(node);
    expect_failure(ag_node_mark_once_differentiable(nullptr) == AG_ERROR_VALUE, AG_ERROR_VALUE,
                   "'node'");
    for (ag_tensor* t : {sum, square, y, values, x}) ag_tensor_free(t);
  }
}

TEST_F(Capi, hook_on_a_leaf_runs_after_accumulation) {
  struct Seen {
    double grad = 0;
    static ag_status hook(void* context, ag_tensor* leaf) {
      static_cast<Seen*>(context)->grad = first_of_grad(leaf);
      EXPECT_NE(ag_current_backward(), 0);
      EXPECT_EQ(ag_current_backward_reaches(nullptr, leaf), 1);
      ag_tensor* other = parameter({1});
      EXPECT_EQ(ag_current_backward_reaches(nullptr, other), 0);
      EXPECT_EQ(ag_current_backward_reaches(nullptr, nullptr), -1);
      ag_tensor_free(other);
      return AG_OK;
    }
  } seen;
  ag_tensor* x = parameter({3});
  ASSERT_EQ(ag_tensor_register_accumulation_hook(x, Seen::hook, &seen, nullptr), AG_OK);
  ag_tensor* y = ag_mul(x, x);
  expect_failure(ag_tensor_register_accumulation_hook(y, Seen::hook, &seen, nullptr),
                 AG_ERROR_RUNTIME, "non-leaf");
  EXPECT_EQ(backward(y), AG_OK);
  EXPECT_EQ(seen.grad, 6);
  EXPECT_EQ(ag_current_backward(), 0);
  EXPECT_EQ(ag_current_backward_reaches(nullptr, x), 0);
  ag_tensor_free(y);
  ag_tensor_free(x);
}

namespace {
ag_status replace_all(void* context, ag_tensor* const* inputs, int64_t n_inputs,
                      ag_tensor* const* outputs, int64_t n_outputs, ag_tensor** out) {
  const bool after = n_inputs > 0;
  const int64_t n = after ? n_inputs : n_outputs;
  for (int64_t i = 0; i < n; ++i) {
    ag_tensor* g = after ? inputs[i] : outputs[i];
    if (g) out[i] = ag_add(g, g);
  }
  ++*static_cast<int*>(context);
  return AG_OK;
}
}  // namespace

TEST_F(Capi, hooks_on_nodes_replace_gradients) {
  int calls = 0;
  ag_tensor* x = parameter({3});
  ag_tensor* y = ag_neg(x);
  ag_node* node = ag_tensor_node(y);
  ASSERT_EQ(ag_node_register_prehook(node, replace_all, &calls, nullptr), AG_OK);
  ASSERT_EQ(ag_node_register_hook(node, replace_all, &calls, nullptr), AG_OK);
  EXPECT_EQ(ag_node_num_inputs(node), 1);
  ag_node* next = nullptr;
  ag_tensor* leaf = nullptr;
  int64_t index = -1;
  ASSERT_EQ(ag_node_next(node, 0, &next, &index, &leaf), AG_OK);
  EXPECT_EQ(next, nullptr);
  EXPECT_EQ(leaf, x);
  expect_failure(ag_node_next(node, 1, &next, &index, &leaf), AG_ERROR_INDEX, "no input 1");
  expect_failure(ag_node_next(node, -1, &next, &index, &leaf), AG_ERROR_VALUE, "'i'");
  expect_failure(ag_node_next(nullptr, 0, &next, &index, &leaf), AG_ERROR_VALUE, "'node'");
  EXPECT_EQ(backward(y), AG_OK) << ag_last_error();
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(first_of_grad(x), -4);
  ag_node_free(node);
  for (ag_tensor* t : {leaf, y, x}) ag_tensor_free(t);
}

TEST_F(Capi, saved_values_go_through_hooks) {
  struct Store {
    int packed = 0, freed = 0;
    static ag_status pack(void* context, ag_tensor* value, void** content) {
      ++static_cast<Store*>(context)->packed;
      *content = ag_detach(value);
      return AG_OK;
    }
    static ag_status unpack(void*, void* content, ag_tensor** value) {
      *value = ag_tensor_retain(static_cast<ag_tensor*>(content));
      return AG_OK;
    }
    static void free_content(void* content) { ag_tensor_free(static_cast<ag_tensor*>(content)); }
    static void free(void* context) { ++static_cast<Store*>(context)->freed; }
  } store;
  ag_tensor* x = parameter({3});
  ASSERT_EQ(
      ag_saved_hooks_push(Store::pack, Store::unpack, Store::free_content, &store, Store::free),
      AG_OK);
  ag_tensor* y = ag_mul(x, x);
  ASSERT_EQ(ag_saved_hooks_pop(), AG_OK);
  EXPECT_EQ(store.packed, 2);
  EXPECT_EQ(store.freed, 0);
  EXPECT_EQ(backward(y), AG_OK) << ag_last_error();
  EXPECT_EQ(first_of_grad(x), 6);
  EXPECT_EQ(store.freed, 1);  // with the last value
  expect_failure(ag_saved_hooks_pop(), AG_ERROR_RUNTIME, "no hooks");
  expect_failure(ag_saved_hooks_push(nullptr, Store::unpack, nullptr, nullptr, nullptr),
                 AG_ERROR_VALUE, "'pack'");
  ag_tensor_free(y);
  ag_tensor_free(x);
}

TEST_F(Capi, inference_mode_makes_tensors_that_stay_out_of_gradients) {
  ag_tensor* x = parameter({3});
  ASSERT_EQ(ag_set_inference_mode(1), 0);
  ag_tensor* y = ag_mul(x, x);
  EXPECT_EQ(ag_inference_mode(), 1);
  ag_set_inference_mode(0);
  EXPECT_EQ(ag_tensor_is_inference(y), 1);
  EXPECT_EQ(ag_tensor_requires_grad(y), 0);
  expect_failure(ag_neg_(y), AG_ERROR_RUNTIME, "Inplace update to inference tensor");
  expect_failure(ag_mul(x, y), AG_ERROR_RUNTIME, "cannot be saved for backward");
  ag_tensor_free(y);
  ag_tensor_free(x);
}

TEST_F(Capi, anomaly_detection_names_the_op) {
  ag_set_anomaly_detection(1, 1);
  EXPECT_EQ(ag_anomaly_detection(), 2);
  ag_tensor* x = parameter({-1});
  ag_tensor* y = ag_log(x);
  ag_tensor* z = ag_mul(y, y);
  expect_failure(backward(z), AG_ERROR_RUNTIME, "returned nan values in its 0th output");
  ag_set_anomaly_detection(0, 1);
  EXPECT_EQ(ag_anomaly_detection(), 0);
  for (ag_tensor* t : {z, y, x}) ag_tensor_free(t);
}
