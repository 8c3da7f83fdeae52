// The loss of sequences whose classes come in order, but nobody knows when.
#include <cmath>
#include <cstring>
#include <limits>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "kernels/cpu/ctc.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/losses.hpp"
#include "ops/registry.hpp"
#include "ops/scratch.hpp"

namespace autograd {
namespace detail {
namespace {

// Inputs: log_probs [T, N, C], targets [N, S] or one behind the other, input_lengths [N],
// target_lengths [N]; all of the last three int64. ints: blank, zero_infinity.

void check_ctc(const Call& call, int first) {
  const TensorBody &x = call.in(first), &targets = call.in(first + 1);
  if (x.sizes.size() != 3)
    fail(ErrorCode::kRuntime, "Expected 3-dimensional tensor, but got ", x.sizes.size(),
         "-dimensional tensor for argument #1 'log_probs', sizes ", x.sizes,
         " (while checking arguments for ctc_loss)");
  if (x.numel == 0)
    fail(ErrorCode::kRuntime, "log_probs tensor must not be empty, got sizes ", x.sizes);
  if (!is_floating(x.dtype))
    fail(ErrorCode::kNotImplemented, "ctc_loss: not implemented for ", name_of(x.dtype));
  const int64_t blank = call.attrs.ints[0], n = x.sizes[1];
  if (blank < 0 || blank >= x.sizes[2])
    fail(ErrorCode::kRuntime, "blank must be in label range, got ", blank, " of ", x.sizes[2],
         " classes");
  const char* names[] = {"input_lengths", "target_lengths"};
  for (int i : {0, 1})
    if (call.in(first + 2 + i).sizes != Shape{n})
      fail(ErrorCode::kRuntime, names[i], " must be of size batch_size ", n, ", got sizes ",
           call.in(first + 2 + i).sizes);
  if (targets.sizes.size() != 1 && targets.sizes.size() != 2)
    fail(ErrorCode::kRuntime, "Expected 1- or 2-dimensional targets, got sizes ", targets.sizes,
         " (while checking arguments for ctc_loss)");
  if (targets.sizes.size() == 2 && targets.sizes[0] != n)
    fail(ErrorCode::kRuntime, "Expected tensor to have size ", n, " at dimension 0, but got size ",
         targets.sizes[0], " for argument #2 'targets', sizes ", targets.sizes,
         " (while checking arguments for ctc_loss)");
}

// The sequences of a call, checked.
class Sequences {
 public:
  Sequences(const Call& call, int first)
      : x_(dense(call.in(first))),
        targets_(dense(call.in(first + 1))),
        steps_(dense(call.in(first + 2))),
        lengths_(dense(call.in(first + 3))),
        blank_(call.attrs.ints[0]) {
    check_lengths();
    const int64_t classes = x_.size(2);
    for (int64_t i = 0; i < n(); ++i) {
      const cpu::CtcSequence s = at(i);
      for (int64_t k = 0; k < s.length; ++k)
        if (s.target[k] < 0 || s.target[k] >= classes)
          fail(ErrorCode::kRuntime, "ctc_loss: target ", s.target[k], " of sequence ", i,
               " is out of range for ", classes, " classes");
    }
  }

  int64_t n() const { return x_.size(1); }
  int64_t longest() const { return longest_; }
  cpu::CtcSequence at(int64_t i) const {
    const int64_t item = static_cast<int64_t>(size_of(x_.dtype())), classes = x_.size(2);
    return {static_cast<const char*>(x_.data()) + i * classes * item,
            n() * classes,
            steps_.data_as<int64_t>()[i],
            classes,
            targets_.data_as<int64_t>() + begins_[static_cast<size_t>(i)],
            lengths_.data_as<int64_t>()[i],
            blank_};
  }

 private:
  void check_lengths() {
    const int64_t* steps = steps_.data_as<int64_t>();
    const int64_t* lengths = lengths_.data_as<int64_t>();
    const bool is_padded = targets_.dim() == 2;
    int64_t begin = 0;
    for (int64_t i = 0; i < n(); ++i) {
      check_one("input_lengths", steps[i], x_.size(0));
      check_one("target_lengths", lengths[i], std::numeric_limits<int32_t>::max());
      if (is_padded && lengths[i] > targets_.size(1))
        fail(ErrorCode::kRuntime, "Expected tensor to have size at least ", lengths[i],
             " at dimension 1, but got size ", targets_.size(1),
             " for argument #2 'targets' (while checking arguments for ctc_loss)");
      begins_.push_back(is_padded ? i * targets_.size(1) : begin);
      begin += lengths[i];
      longest_ = std::max(longest_, lengths[i]);
    }
    if (!is_padded && begin != targets_.numel())
      fail(ErrorCode::kRuntime, "Expected tensor to have size ", begin,
           " at dimension 0, but got size ", targets_.numel(),
           " for argument #2 'targets' (while checking arguments for ctc_loss)");
  }
  static void check_one(const char* name, int64_t value, int64_t most) {
    if (value >= 0 && value <= most) return;
    fail(ErrorCode::kRuntime, "Expected ", name, " to have value at ",
         value < 0 ? "least " : "most ", value < 0 ? 0 : most, ", but got value ", value,
         " (while checking arguments for ctc_loss)");
  }

  Tensor x_, targets_, steps_, lengths_;
  int64_t blank_, longest_ = 0;
  Vector<int64_t> begins_;
};

// Calls work(i, room) for each sequence, with room for so many elements.
template <class Work>
void over_sequences(const Sequences& sequences, int64_t steps, DType dtype, int64_t room,
                    const Work& work) {
  const int64_t each = 40 * (steps + 1) * (2 * sequences.longest() + 1);
  parallel_for(sequences.n(), std::max<int64_t>(1, kGrain / each), [&](int64_t begin, int64_t end) {
    const Scratch scratch(static_cast<size_t>(room) * size_of(dtype));
    for (int64_t i = begin; i < end; ++i) work(i, scratch.data());
  });
}

void store(TensorBody& out, int64_t i, double value) {
  if (out.dtype == DType::kFloat32)
    reinterpret_cast<float*>(out.data)[i] = static_cast<float>(value);
  else
    reinterpret_cast<double*>(out.data)[i] = value;
}

double element(const Tensor& t, int64_t i) {
  return t.dtype() == DType::kFloat32 ? static_cast<double>(t.data_as<float>()[i])
                                      : t.data_as<double>()[i];
}

void infer_ctc(const Call& call, OutputMetas& outputs) {
  check_ctc(call, 0);
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = {call.in(0).sizes[1]};
}

void forward_ctc(const Call& call) {
  const Sequences sequences(call, 0);
  const DType dtype = call.in(0).dtype;
  over_sequences(sequences, call.in(0).sizes[0], dtype, cpu::ctc_loss_room(sequences.longest()),
                 [&](int64_t i, void* room) {
                   const double loss = cpu::ctc_loss(dtype, sequences.at(i), room);
                   store(call.out(), i, call.attrs.ints[1] && std::isinf(loss) ? 0 : loss);
                 });
}

void check_ctc_call(const Call& call, int first) {
  need_counts(call, first + 4, first + 4);
  need_float(call, first);
  for (int i = 1; i < 4; ++i) need_dtype(call, first + i, DType::kInt64);
  check_ctc(call, first);
}

// The sequences of all examples are sequences.
Vector<Tensor> all_sequences(const BatchedCall& c, int first) {
  Vector<Tensor> all;
  for (int i = 0; i < c.n_inputs; ++i) {
    const Tensor x = c.front(i);
    all.push_back(i == first ? flatten(movedim(x, {0}, {1}), 1, 2) : flatten(x, 0, 1));
  }
  return all;
}

bool batch_ctc(const BatchedCall& c) {
  c.make(all_sequences(c, 0), c.attrs);
  c.outputs[0] = unflatten(c.outputs[0], 0, {c.size, c.sizes(0)[1]});
  return true;
}

bool batch_ctc_backward(const BatchedCall& c) {
  c.make(all_sequences(c, 1), c.attrs);
  c.outputs[0] = movedim(unflatten(c.outputs[0], 1, {c.size, c.sizes(1)[1]}), {1}, {0});
  return true;
}

void backward_ctc(Backward& b);

constexpr uint32_t kReadsAll = reads_input(0) | reads_input(1) | reads_input(2) | reads_input(3);

constexpr Op op_ctc = {.name = "ctc_loss",
                       .traits = kLoss,
                       .infer = infer_ctc,
                       .forward = {forward_ctc},
                       .backward = backward_ctc,
                       .reads = {kReadsAll},
                       .attrs = ";;blank,zero_infinity",
                       .doc = "-log of the probability of all alignments of a target",
                       .inputs = "log_probs,targets,input_lengths,target_lengths",
                       .batch = {.call = batch_ctc},
                       .check = [](const Call& call) { check_ctc_call(call, 0); }};

// ---- ctc_loss_backward(g, log_probs, targets, input_lengths, target_lengths)

void infer_ctc_backward(const Call& call, OutputMetas& outputs) {
  check_ctc(call, 1);
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(1).dtype;
  meta.sizes = call.in(1).sizes;
}

void forward_ctc_backward(const Call& call) {
  const Sequences sequences(call, 1);
  TensorBody& out = call.out();
  std::memset(out.data, 0, static_cast<size_t>(out.numel) * size_of(out.dtype));
  const Tensor g = dense(call.in(0));
  const int64_t steps = out.sizes[0];
  const int64_t row = out.sizes[2] * static_cast<int64_t>(size_of(out.dtype));
  over_sequences(sequences, steps, out.dtype, cpu::ctc_gradient_room(steps, sequences.longest()),
                 [&](int64_t i, void* room) {
                   cpu::ctc_gradient(out.dtype, sequences.at(i), element(g, i),
                                     call.attrs.ints[1] != 0, out.data + i * row, room);
                 });
}

void check_ctc_backward(const Call& call) {
  check_ctc_call(call, 1);
  need_dtype_of(call, 0, 1);
  need_sizes(call, 0, {call.in(1).sizes[1]});
}

void backward_ctc_backward(Backward& b);

constexpr Op op_ctc_backward = {.name = "ctc_loss_backward",
                                .traits = kLoss,
                                .infer = infer_ctc_backward,
                                .forward = {forward_ctc_backward},
                                .backward = backward_ctc_backward,
                                .reads = {kReadsAll | reads_input(4)},
                                .attrs = ";;blank,zero_infinity",
                                .doc = "gradient of ctc_loss for log_probs",
                                .batch = {.call = batch_ctc_backward},
                                .check = check_ctc_backward};

void backward_ctc(Backward& b) {
  b.set(0, dispatch(op_ctc_backward, {b.grad(), b.input(0), b.input(1), b.input(2), b.input(3)},
                    b.attrs()));
}

// Linear in g; there is no rule for log_probs.
void backward_ctc_backward(Backward& b) {
  if (b.needs(1)) fail(ErrorCode::kRuntime, "derivative for ctc_loss_backward is not implemented");
  const Tensor one = ones({b.input_sizes(1)[1]}, b.input_dtype(1));
  const Tensor unit =
      dispatch(op_ctc_backward, {one, b.input(1), b.input(2), b.input(3), b.input(4)}, b.attrs());
  b.set(0, sum(b.grad() * unit, {0, 2}));
}

constexpr const Op* kCtcLossOps[] = {&op_ctc, &op_ctc_backward};

// Whole numbers as int64.
Tensor whole(const char* name, const Tensor& t) {
  if (is_floating(t.dtype()) || t.dtype() == DType::kBool)
    fail(ErrorCode::kRuntime, name, " must be integral, got ", name_of(t.dtype()));
  return to(t, DType::kInt64);
}

}  // namespace

OpList ctc_loss_ops() { return {kCtcLossOps, std::size(kCtcLossOps)}; }

}  // namespace detail

Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                const Tensor& target_lengths, int64_t blank, Reduction reduction,
                bool zero_infinity) {
  const bool is_single = log_probs.dim() == 2;
  const Tensor x = is_single ? unsqueeze(log_probs, 1) : log_probs;
  const auto lengths = [&](const char* name, const Tensor& t) {
    const Tensor found = detail::whole(name, t);
    return is_single && t.dim() == 0 ? unsqueeze(found, 0) : found;
  };
  const Tensor steps = lengths("input_lengths", input_lengths),
               sizes = lengths("target_lengths", target_lengths);
  detail::Attrs attrs;
  attrs.ints[0] = blank;
  attrs.ints[1] = zero_infinity;
  Tensor loss =
      detail::dispatch(detail::op_ctc, {x, detail::whole("targets", targets), steps, sizes}, attrs);
  if (reduction == Reduction::kMean) loss = loss / to(clamp(sizes, Scalar(1)), loss.dtype());
  if (is_single && reduction == Reduction::kNone) return squeeze(loss, {0});
  return detail::reduced(loss, reduction);
}

}  // namespace autograd
