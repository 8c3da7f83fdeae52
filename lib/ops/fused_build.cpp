// From steps to a program: where each value lies, how long a tile is, and the record around it.
#include <algorithm>
#include <cstring>
#include <string_view>

#include "core/dispatch.hpp"
#include "ops/broadcast.hpp"
#include "ops/fused_program.hpp"
#include "ops/product_rules.hpp"
#include "ops/registry.hpp"

namespace autograd::detail {

namespace {

// ---- conversions between the dtypes of two steps

template <DType from, DType to>
void convert_run(const void* const* in, void* out, int64_t n, const double*) {
  cpu::convert(in[0], from, 1, out, to, 1, n);
}

template <DType from, size_t... to>
cpu::PointwiseKernel conversion_from(DType wanted, std::index_sequence<to...>) {
  static constexpr cpu::PointwiseKernel kernels[] = {convert_run<from, static_cast<DType>(to)>...};
  return kernels[static_cast<size_t>(wanted)];
}

template <size_t... from>
cpu::PointwiseKernel conversion(DType given, DType wanted, std::index_sequence<from...> all) {
  using Choose = cpu::PointwiseKernel (*)(DType, std::index_sequence<from...>);
  static constexpr Choose choices[] = {&conversion_from<static_cast<DType>(from), from...>...};
  return choices[static_cast<size_t>(given)](wanted, all);
}

cpu::PointwiseKernel conversion(DType given, DType wanted) {
  return conversion(given, wanted, std::make_index_sequence<kDTypeCount>());
}

bool divides_integers(cpu::PointwiseOp op) {
  using Kernel = cpu::PointwiseOp;
  return op == Kernel::k_remainder || op == Kernel::k_fmod || op == Kernel::k_floor_divide ||
         op == Kernel::k_div_floor || op == Kernel::k_div_trunc;
}

int64_t product_of(const Shape& sizes, int first, int last) {
  int64_t n = 1;
  for (int d = first; d < last; ++d) n *= sizes[d];
  return n;
}

/// Where the dims of a sum lie.
enum class SumGroup { kMiddle, kLast, kFirst };

SumGroup sum_group(const Shape& sizes, Mask mask) {
  const int dims = sizes.size();
  // Dims of size 1 belong to either side.
  int first = dims, last = -1;
  for (int d = 0; d < dims; ++d) {
    if (sizes[d] == 1 || !(mask >> d & 1)) continue;
    first = std::min(first, d);
    last = d;
  }
  for (int d = first; d <= last; ++d)
    if (sizes[d] != 1 && !(mask >> d & 1)) return SumGroup::kMiddle;
  if (last < 0 || product_of(sizes, last + 1, dims) == 1) return SumGroup::kLast;
  return product_of(sizes, 0, first) == 1 ? SumGroup::kFirst : SumGroup::kMiddle;
}

/// Elements that have to lie in one tile.
int64_t sum_elements(const Shape& sizes, Mask mask) {
  return sum_group(sizes, mask) == SumGroup::kLast ? reduced_count(sizes, mask)
                                                   : product_of(sizes, 0, sizes.size());
}

}  // namespace

bool is_fusable_sum(const Op& op, const Attrs& attrs, const Shape& sizes, DType from, DType to,
                    std::string* why) {
  static const Op* const ops[] = {find_op("sum"), find_op("mean")};
  const Mask mask = static_cast<Mask>(attrs.ints[0]);
  *why = (&op != ops[0] && &op != ops[1])              ? "not a sum"
         : !is_floating(from) || from != to            ? "a sum in another dtype"
         : sum_group(sizes, mask) == SumGroup::kMiddle ? "a sum over dims in the middle"
         : sum_elements(sizes, mask) > cpu::kMaxFusedTile
             ? "a sum of more elements than a tile holds"
             : "";
  return why->empty();
}

bool is_fusable_step(const Op& op) {
  // "gt_" and its like convert their result to the dtype of what they overwrite.
  return (op.traits & kPointwise) && op.kernel >= 0 && !(op.traits & kInPlace) &&
         std::string_view(op.name).back() != '_';
}

bool is_fusable_product(const Op& op) {
  static const Op* const ops[] = {find_op("mm"), find_op("linear")};
  return &op == ops[0] || &op == ops[1];
}

bool step_dtype(const Op& op, const std::vector<FusedArgument>& inputs, DType result,
                DType* compute) {
  *compute = result;
  const auto kernel = static_cast<cpu::PointwiseOp>(op.kernel);
  const bool is_conversion = (op.traits & kCopies) && kernel == cpu::PointwiseOp::k_copy;
  if (is_conversion) *compute = inputs[0].dtype;
  if (is_conversion || !cpu::gives_bool(kernel)) return true;
  // Comparisons: the tensors with dims decide, unless a number is of a higher kind.
  bool found = false, agree = true;
  for (const FusedArgument& input : inputs) {
    if (input.sizes.empty() && inputs.size() > 1) continue;
    agree = agree && (!found || input.dtype == *compute);
    *compute = input.dtype;
    found = true;
  }
  for (const FusedArgument& input : inputs)
    agree = agree && (input.dtype == *compute || (found && is_floating(*compute)));
  return found && agree;
}

int FusedBuilder::product(const Op& op, const Attrs& attrs,
                          const std::vector<FusedArgument>& arguments) {
  product_ = &op;
  product_attrs_ = attrs;
  factors_ = arguments;
  return input({arguments[0].dtype, sizes_, contiguous_strides(sizes_)});
}

int FusedBuilder::input(const FusedArgument& argument) {
  Value& value = values_.emplace_back();
  value.is_input = true;
  value.argument = argument;
  value.result = argument.dtype;
  return static_cast<int>(values_.size()) - 1;
}

int FusedBuilder::step(const Op& op, const Attrs& attrs, const std::vector<int>& inputs,
                       DType compute, DType result) {
  Value& value = values_.emplace_back();
  value.op = &op;
  value.attrs = attrs;
  value.inputs = inputs;
  value.compute = compute;
  value.result = result;
  return static_cast<int>(values_.size()) - 1;
}

void FusedBuilder::output(int value) { results_.push_back({value}); }

void FusedBuilder::sum(int value, Mask mask, bool keepdim, bool mean) {
  results_.push_back({value, true, keepdim, mean, mask});
}

/// Turns a builder's steps into a program.
class FusedCompiler {
 public:
  explicit FusedCompiler(const FusedBuilder& from) : from_(from) {}

  std::shared_ptr<const Op> operator()(std::string* why) {
    op_ = std::make_shared<FusedOp>();
    op_->name = "fused";
    op_->traits = kPointwise;
    op_->infer = infer_fused_op;
    op_->forward[kCpu] = forward_fused_op;
    op_->check = [](const Call&) {};  // infer compares everything
    op_->doc = "pointwise steps, tile by tile";
    start();
    choose_tile();
    for (size_t v = 0; v < from_.values_.size() && why_.empty(); ++v)
      if (!from_.values_[v].is_input) add_step(static_cast<int>(v));
    for (size_t i = 0; i < from_.results_.size() && why_.empty(); ++i) add_sum(static_cast<int>(i));
    if (why_.empty()) place_scratch();
    if (why_.empty()) choose_block();
    if (why_.empty()) return op_;
    *why = why_;
    return nullptr;
  }

 private:
  using Value = FusedBuilder::Value;
  using Result = FusedBuilder::Result;
  cpu::FusedProgram& program() { return op_->program; }
  const Value& value(int v) const { return from_.values_[static_cast<size_t>(v)]; }

  void start();
  int output_over_product() const;
  void add_product(int own_memory);
  void choose_block();
  void choose_tile();
  void ask_for_group(int64_t elements);
  int register_of(int v, DType as);
  int input_register(int v, DType as);
  int new_register(const cpu::FusedRegister& r);
  void set_place(cpu::FusedRegister& r, const FusedArgument& argument);
  void set_constant(cpu::FusedRegister& r, double number);
  void emit(cpu::PointwiseKernel kernel, const int* in, int n, int out, const double* params);
  void add_step(int v);
  void add_sum(int i);
  void add_copy(int i);
  void place_scratch();

  int64_t product(int first, int last) const { return product_of(from_.sizes_, first, last); }
  /// The number of elements after which a broadcast argument repeats itself; all, if it does not.
  int64_t period_of(const Shape& strides) const {
    int d = 0;
    while (d < strides.size() && (strides[d] == 0 || from_.sizes_[d] == 1)) ++d;
    return product(d, strides.size());
  }

  bool is_one_number(int v) const {
    int64_t n = 1;
    for (int64_t size : value(v).argument.sizes) n *= size;
    return value(v).is_input && n == 1;
  }

  const FusedBuilder& from_;
  std::shared_ptr<FusedOp> op_;
  std::string why_;
  std::vector<std::vector<std::pair<DType, int>>> registers_;  // by value: as dtype, register
  std::vector<int> argument_of_;                               // by value: of inputs
  std::vector<int> output_of_;                                 // by value: its argument, or -1
};

void FusedCompiler::start() {
  cpu::FusedProgram& p = program();
  p.dims = from_.sizes_.size();
  for (int d = 0; d < p.dims; ++d) p.sizes[d] = from_.sizes_[d];
  p.numel = product(0, p.dims);
  if (p.numel == 0) why_ = "it has no elements";
  registers_.resize(from_.values_.size());
  argument_of_.assign(from_.values_.size(), -1);
  output_of_.assign(from_.values_.size(), -1);
  op_->inputs = from_.factors_;
  for (size_t v = from_.product_ ? 1 : 0; v < from_.values_.size(); ++v) {
    if (!from_.values_[v].is_input) continue;
    argument_of_[v] = static_cast<int>(op_->inputs.size());
    op_->inputs.push_back(from_.values_[v].argument);
  }
  int next = static_cast<int>(op_->inputs.size());
  if (next + static_cast<int>(from_.results_.size()) + 1 > kMaxFusedArguments)
    why_ = "too many arguments";
  for (const Result& result : from_.results_) {
    OutputMeta meta;
    meta.dtype = value(result.value).result;
    meta.sizes =
        result.is_sum ? reduced_sizes(from_.sizes_, result.mask, result.keepdim) : from_.sizes_;
    op_->results.push_back(meta);
    if (!result.is_sum) output_of_[static_cast<size_t>(result.value)] = next;
    if (!result.is_sum && result.value == 0 && from_.product_) argument_of_[0] = next;
    ++next;
  }
  if (from_.product_) add_product(next);
}

/// An output whose memory the product may have: the step that writes it reads the product last,
/// element by element. -1 if there is none.
int FusedCompiler::output_over_product() const {
  int last = 0;
  for (size_t v = 1; v < from_.values_.size(); ++v)
    for (int input : value(static_cast<int>(v)).inputs)
      if (input == 0) last = static_cast<int>(v);
  for (const Result& result : from_.results_)
    if (result.is_sum && result.value == 0) return -1;
  for (const Result& result : from_.results_) {
    const Value& made = value(result.value);
    if (result.is_sum || made.is_input || result.value < last || made.result != value(0).result ||
        made.compute != made.result ||
        cpu::gives_bool(static_cast<cpu::PointwiseOp>(made.op->kernel)))
      continue;
    return output_of_[static_cast<size_t>(result.value)];
  }
  return -1;
}

/// The factors have to lie as the product reads them.
void FusedCompiler::add_product(int own_memory) {
  const FusedArgument &a = from_.factors_[0], &b = from_.factors_[1];
  const bool has_bias = from_.factors_.size() > 2;
  if (b.sizes.size() != 2 || (a.sizes.size() != 2 && !is_row_major(a.sizes, a.strides)) ||
      (has_bias && !is_row_major(from_.factors_[2].sizes, from_.factors_[2].strides)))
    why_ = "a factor of the product is not contiguous";
  if (!is_floating(a.dtype)) why_ = "a product of integers";
  if (!why_.empty()) return;
  if (argument_of_[0] < 0) argument_of_[0] = output_over_product();
  if (argument_of_[0] < 0) argument_of_[0] = own_memory;
  const bool is_linear = from_.product_ == find_op("linear");
  const bool ta = !is_linear && from_.product_attrs_.ints[0];
  const bool tb = is_linear || from_.product_attrs_.ints[1];
  const int last = a.sizes.size() - 1;
  const int64_t outer = last > 1 ? a.sizes[last] : a.strides[0], inner = a.strides[last];
  op_->has_product = true;
  FusedProduct& p = op_->product;
  p.argument = argument_of_[0];
  p.dtype = a.dtype;
  p.depth = ta ? a.sizes[0] : a.sizes[last];
  p.columns = b.sizes[tb ? 0 : 1];
  p.rows = program().numel / std::max<int64_t>(p.columns, 1);
  p.a_row = ta ? inner : outer;
  p.a_column = ta ? outer : inner;
  p.b_row = b.strides[tb ? 1 : 0];
  p.b_column = b.strides[tb ? 0 : 1];
  if (has_bias) p.bias = 2;
}

/// The tile has been chosen.
void FusedCompiler::choose_block() {
  if (!op_->has_product || program().numel == 0) return;
  FusedProduct& p = op_->product;
  const int64_t unit = std::max<int64_t>(1, program().unit / p.columns);
  const int64_t wanted = std::max<int64_t>(128, 16384 / p.columns);
  p.block = std::min(p.rows, (wanted + unit - 1) / unit * unit);
  p.is_small = p.block == p.rows && is_small_product(p.rows, p.columns, p.depth);
}

void FusedCompiler::ask_for_group(int64_t elements) {
  cpu::FusedProgram& p = program();
  // Groups nest: each is a product of the last sizes.
  p.tile = std::max(p.tile, elements);
  p.unit = std::max(p.unit, elements);
}

void FusedCompiler::choose_tile() {
  cpu::FusedProgram& p = program();
  p.tile = 1;
  for (size_t v = 0; v < from_.values_.size(); ++v) {
    if (!from_.values_[v].is_input) continue;
    const FusedArgument& a = from_.values_[v].argument;
    const int64_t period = period_of(broadcast_strides(a.sizes, a.strides, from_.sizes_));
    if (period <= cpu::kFusedTile && period < p.numel) ask_for_group(period);
  }
  for (const Result& result : from_.results_) {
    if (!result.is_sum) continue;
    if (sum_group(from_.sizes_, result.mask) == SumGroup::kMiddle)
      why_ = "a sum over dims in the middle";
    else
      ask_for_group(sum_elements(from_.sizes_, result.mask));
  }
  if (p.tile > cpu::kMaxFusedTile) why_ = "a sum of more elements than a tile holds";
  p.tile = p.tile > cpu::kFusedTile ? p.tile : cpu::kFusedTile / p.tile * p.tile;
  if (p.numel <= 2 * cpu::kFusedTile) p.tile = std::max<int64_t>(p.numel, 1);
}

int FusedCompiler::new_register(const cpu::FusedRegister& r) {
  cpu::FusedProgram& p = program();
  if (p.registers == cpu::kMaxFusedRegisters) {
    why_ = "too many values";
    return 0;
  }
  p.reg[p.registers] = r;
  return p.registers++;
}

void FusedCompiler::set_constant(cpu::FusedRegister& r, double number) {
  std::vector<char> tile(static_cast<size_t>(program().tile) * size_of(r.dtype) + 64);
  void* start = tile.data() + (64 - reinterpret_cast<uintptr_t>(tile.data()) % 64) % 64;
  // By way of the stored dtype, as the eager op reads it.
  alignas(8) char stored[8];
  cpu::convert(&number, DType::kFloat64, 0, stored, r.stored, 1, 1);
  cpu::convert(stored, r.stored, 0, start, r.dtype, 1, program().tile);
  r.place = cpu::FusedPlace::kConstant;
  r.constant = start;
  op_->constants.push_back(std::move(tile));
}

void FusedCompiler::set_place(cpu::FusedRegister& r, const FusedArgument& argument) {
  cpu::FusedProgram& p = program();
  const Shape strides = broadcast_strides(argument.sizes, argument.strides, from_.sizes_);
  const int64_t period = period_of(strides);
  const bool same = r.stored == r.dtype;
  const auto dense = [&] {
    int64_t expected = 1;
    for (int d = p.dims - 1; d >= 0 && expected < period; --d) {
      if (from_.sizes_[d] == 1) continue;
      if (strides[d] != expected) return false;
      expected *= from_.sizes_[d];
    }
    return true;
  };
  if (period == 1 && argument.has_number) return set_constant(r, argument.number);
  if (period == p.numel && same && dense()) {
    r.place = cpu::FusedPlace::kMemory;
    return;
  }
  if (period <= p.tile && p.tile % period == 0 && period < p.numel) {
    r.place = cpu::FusedPlace::kFilled;
    r.dense = dense();
    r.period = period;
  } else if (period < p.numel && period > p.tile && same && dense() &&
             (p.row == 0 || p.row == period)) {
    r.place = cpu::FusedPlace::kRow;
    r.period = p.row = period;
    p.unit = std::max(p.unit, period);
  } else {
    r.place = cpu::FusedPlace::kGathered;
  }
}

int FusedCompiler::input_register(int v, DType as) {
  const FusedArgument& argument = value(v).argument;
  cpu::FusedRegister r;
  r.dtype = as;
  r.stored = argument.dtype;
  r.argument = static_cast<int16_t>(argument_of_[static_cast<size_t>(v)]);
  set_place(r, argument);
  const int k = new_register(r);
  const Shape strides = broadcast_strides(argument.sizes, argument.strides, from_.sizes_);
  for (int d = 0; d < program().dims; ++d)
    program().strides[k][d] = from_.sizes_[d] == 1 ? 0 : strides[d];
  return k;
}

int FusedCompiler::register_of(int v, DType as) {
  if (v < 0) return -1;
  auto& known = registers_[static_cast<size_t>(v)];
  for (const auto& [dtype, number] : known)
    if (dtype == as) return number;
  int number;
  if (value(v).is_input) {
    number = input_register(v, as);
  } else {
    const int from = known.front().second;
    cpu::FusedRegister r;
    r.dtype = as;
    number = new_register(r);
    emit(conversion(value(v).result, as), &from, 1, number, nullptr);
  }
  known.emplace_back(as, number);
  return number;
}

void FusedCompiler::emit(cpu::PointwiseKernel kernel, const int* in, int n, int out,
                         const double* params) {
  cpu::FusedProgram& p = program();
  if (p.steps == cpu::kMaxFusedSteps) {
    why_ = "too many steps";
    return;
  }
  cpu::FusedStep& step = p.step[p.steps++];
  step.kernel = kernel;
  for (int i = 0; i < n; ++i) step.in[i] = static_cast<int16_t>(in[i]);
  step.out = static_cast<int16_t>(out);
  if (params) std::copy_n(params, 3, step.params);
}

void FusedCompiler::add_step(int v) {
  const Value& step = value(v);
  const auto op = static_cast<cpu::PointwiseOp>(step.op->kernel);
  const bool is_select = op == cpu::PointwiseOp::k_where;
  const cpu::PointwiseKernel kernel = cpu::pointwise_kernel(op, step.compute);
  if (!kernel || step.inputs.size() > 3 || (!is_floating(step.compute) && divides_integers(op))) {
    why_ = std::string(step.op->name) + " has no kernel to fuse";
    return;
  }
  // pow has other kernels for a run that shares one exponent, so runs must be cut as in eager mode.
  if (op == cpu::PointwiseOp::k_pow && !is_one_number(step.inputs[1])) {
    why_ = "pow with a tensor of exponents";
    return;
  }
  int in[3];
  int n = 0;
  for (int input : step.inputs) {
    in[n] = register_of(input, is_select && n == 0 ? DType::kBool : step.compute);
    ++n;
  }
  const DType computed = cpu::gives_bool(op) ? DType::kBool : step.compute;
  cpu::FusedRegister r;
  r.dtype = r.stored = computed;
  const int output = output_of_[static_cast<size_t>(v)];
  const auto to_memory = [&](cpu::FusedRegister& to) {
    to.place = cpu::FusedPlace::kMemory;
    to.argument = static_cast<int16_t>(output);
  };
  if (output >= 0 && computed == step.result) to_memory(r);
  const int out = new_register(r);
  emit(kernel, in, n, out, step.attrs.reals);
  int last = out;
  if (computed != step.result) {
    cpu::FusedRegister converted;
    converted.dtype = converted.stored = step.result;
    if (output >= 0) to_memory(converted);
    last = new_register(converted);
    emit(conversion(computed, step.result), &out, 1, last, nullptr);
  }
  registers_[static_cast<size_t>(v)].emplace_back(step.result, last);
}

/// Writes output i, unless it is where a step has put its value.
void FusedCompiler::add_copy(int i) {
  const int v = from_.results_[static_cast<size_t>(i)].value;
  const int argument = static_cast<int>(op_->inputs.size()) + i;
  const bool is_there = value(v).is_input ? argument_of_[static_cast<size_t>(v)] == argument
                                          : output_of_[static_cast<size_t>(v)] == argument;
  if (is_there) return;
  cpu::FusedRegister r;
  r.dtype = r.stored = value(v).result;
  r.place = cpu::FusedPlace::kMemory;
  r.argument = static_cast<int16_t>(argument);
  const int from = register_of(v, r.dtype);
  emit(cpu::pointwise_kernel(cpu::PointwiseOp::k_copy, r.dtype), &from, 1, new_register(r),
       nullptr);
}

void FusedCompiler::add_sum(int i) {
  cpu::FusedProgram& p = program();
  const Result& result = from_.results_[static_cast<size_t>(i)];
  if (!result.is_sum) return add_copy(i);
  const DType dtype = value(result.value).result;
  if (p.sums == 4 || !is_floating(dtype)) {
    why_ = p.sums == 4 ? "too many sums" : "it ends in a sum of integers";
    return;
  }
  cpu::FusedSum& sum = p.sum[p.sums++];
  sum.in = static_cast<int16_t>(register_of(result.value, dtype));
  sum.argument = static_cast<int16_t>(op_->inputs.size() + static_cast<size_t>(i));
  sum.dtype = dtype;
  const int64_t count = reduced_count(from_.sizes_, result.mask);
  sum.columns = sum_group(from_.sizes_, result.mask) == SumGroup::kFirst;
  sum.n = sum.columns ? p.numel / count : count;
  sum.divisor = result.mean ? static_cast<double>(count) : 1;
}

void FusedCompiler::place_scratch() {
  cpu::FusedProgram& p = program();
  int last_use[cpu::kMaxFusedRegisters];
  std::fill_n(last_use, cpu::kMaxFusedRegisters, -1);
  for (int s = 0; s < p.steps; ++s)
    for (int16_t in : p.step[s].in)
      if (in >= 0) last_use[in] = s;
  for (int s = 0; s < p.sums; ++s) last_use[p.sum[s].in] = p.steps;
  const auto in_scratch = [&](int k) {
    return p.reg[k].place == cpu::FusedPlace::kScratch ||
           p.reg[k].place == cpu::FusedPlace::kFilled ||
           p.reg[k].place == cpu::FusedPlace::kGathered;
  };
  // What is there before the first step keeps its slot; the steps' results share the others.
  for (int k = 0; k < p.registers; ++k)
    if (in_scratch(k) && p.reg[k].place != cpu::FusedPlace::kScratch)
      p.reg[k].slot = static_cast<int16_t>(p.slots++);
  std::vector<int16_t> free_slots;
  for (int s = 0; s < p.steps; ++s) {
    const cpu::FusedStep& step = p.step[s];
    const auto release = [&](bool same_size) {
      for (int i = 0; i < 3; ++i) {
        const int k = step.in[i];
        bool seen = false;
        for (int j = 0; j < i; ++j) seen |= step.in[j] == k;
        if (k < 0 || seen || last_use[k] != s || p.reg[k].place != cpu::FusedPlace::kScratch)
          continue;
        if ((size_of(p.reg[k].dtype) == size_of(p.reg[step.out].dtype)) == same_size)
          free_slots.push_back(p.reg[k].slot);
      }
    };
    // A kernel may write over an input, element by element.
    release(true);
    if (in_scratch(step.out)) {
      if (free_slots.empty()) free_slots.push_back(static_cast<int16_t>(p.slots++));
      p.reg[step.out].slot = free_slots.back();
      free_slots.pop_back();
    }
    release(false);
  }
}

std::shared_ptr<const Op> FusedBuilder::finish(std::string* why) const {
  return FusedCompiler(*this)(why);
}

}  // namespace autograd::detail
