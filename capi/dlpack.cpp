// Tensors lent to other libraries through the DLPack protocol.
#include <memory>

#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

namespace {

// The structures of DLPack 1.0, whose layout is fixed.
struct DLDevice {
  int32_t type;  // 1: CPU
  int32_t id;
};
struct DLDataType {
  uint8_t code;  // 0 int, 1 uint, 2 float, 6 bool
  uint8_t bits;
  uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t* shape;
  int64_t* strides;
  uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor tensor;
  void* context;
  void (*deleter)(DLManagedTensor*);
};
struct DLManagedTensorVersioned {
  uint32_t major;
  uint32_t minor;
  void* context;
  void (*deleter)(DLManagedTensorVersioned*);
  uint64_t flags;
  DLTensor tensor;
};

/// What the consumer gets, and what has to live as long as it.
template <class Managed>
struct Loan {
  Managed managed = {};
  Tensor owner;
  Shape sizes, strides;
};

DLDataType type_of(DType dtype) {
  const uint8_t bits = static_cast<uint8_t>(8 * size_of(dtype));
  if (dtype == DType::kBool) return {6, bits, 1};
  if (dtype == DType::kUInt8) return {1, bits, 1};
  return {static_cast<uint8_t>(is_floating(dtype) ? 2 : 0), bits, 1};
}

template <class Managed>
Managed* lend(const Tensor& t) {
  auto loan = std::make_unique<Loan<Managed>>();
  // An alias of its own: t may get other values while the memory is lent.
  loan->owner = t.detach();
  loan->sizes = t.sizes();
  loan->strides = t.strides();
  Managed& managed = loan->managed;
  DLTensor& lent = managed.tensor;
  note_read(t, "DLPack");
  lent.data = t.data();
  lent.device.type = 1;
  lent.ndim = t.dim();
  lent.dtype = type_of(t.dtype());
  lent.shape = &loan->sizes[0];
  lent.strides = &loan->strides[0];
  managed.context = loan.get();
  managed.deleter = [](Managed* m) { delete static_cast<Loan<Managed>*>(m->context); };
  return &loan.release()->managed;
}

}  // namespace

void* ag_tensor_to_dlpack(const ag_tensor* t, int32_t versioned) {
  return read<void*>(__func__, nullptr, [&](Arguments in) -> void* {
    Borrowed tensor = in.tensor(t, "t");
    check_has_storage(*tensor);
    if (tensor->requires_grad())
      throw Error(ErrorCode::kRuntime,
                  "Can't export tensors that require gradient, use tensor.detach()");
    if (!versioned) return lend<DLManagedTensor>(*tensor);
    DLManagedTensorVersioned* managed = lend<DLManagedTensorVersioned>(*tensor);
    managed->major = 1;
    managed->minor = 0;
    return managed;
  });
}
