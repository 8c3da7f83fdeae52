// Memory lent through DLPack.
#include "capi_test.hpp"

namespace {

// The part of the protocol's structures that a consumer reads; their layout is fixed by DLPack 1.0.
struct Lent {
  void* data;
  int32_t device_type, device_id;
  int32_t ndim;
  uint8_t code, bits;
  uint16_t lanes;
  int64_t* shape;
  int64_t* strides;
  uint64_t byte_offset;
};
struct Managed {
  Lent tensor;
  void* context;
  void (*deleter)(Managed*);
};
struct ManagedVersioned {
  uint32_t major, minor;
  void* context;
  void (*deleter)(ManagedVersioned*);
  uint64_t flags;
  Lent tensor;
};

void expect_matrix(const Lent& lent, const void* data) {
  EXPECT_EQ(lent.data, data);
  EXPECT_EQ(lent.device_type, 1);
  EXPECT_EQ(lent.ndim, 2);
  EXPECT_EQ(lent.code, 2);
  EXPECT_EQ(lent.bits, 32);
  EXPECT_EQ(lent.shape[0], 3);
  EXPECT_EQ(lent.shape[1], 2);
  EXPECT_EQ(lent.strides[0], 1);
  EXPECT_EQ(lent.strides[1], 3);
}

}  // namespace

TEST_F(Capi, dlpack_lends_the_memory_and_keeps_it) {
  const int64_t sizes[] = {2, 3};
  ag_tensor* whole = ag_ones(sizes, 2, AG_FLOAT32);
  ag_tensor* t = ag_transpose(whole, 0, 1);
  const void* data = ag_tensor_data(t);
  Managed* plain = static_cast<Managed*>(ag_tensor_to_dlpack(t, 0));
  ManagedVersioned* versioned = static_cast<ManagedVersioned*>(ag_tensor_to_dlpack(t, 1));
  ASSERT_NE(plain, nullptr);
  ASSERT_NE(versioned, nullptr);
  ag_tensor_free(t);
  ag_tensor_free(whole);
  expect_matrix(plain->tensor, data);
  expect_matrix(versioned->tensor, data);
  EXPECT_EQ(versioned->major, 1u);
  EXPECT_EQ(static_cast<const float*>(plain->tensor.data)[5], 1);
  plain->deleter(plain);
  versioned->deleter(versioned);
}

TEST_F(Capi, dlpack_refuses_what_requires_grad) {
  ag_tensor* t = parameter({1});
  expect_failure(ag_tensor_to_dlpack(t, 0) == nullptr, AG_ERROR_RUNTIME, "require gradient");
  expect_failure(ag_tensor_to_dlpack(nullptr, 0) == nullptr, AG_ERROR_VALUE, "NULL");
  ag_tensor_free(t);
}
