// C functions of compiled functions.
#include <algorithm>
#include <memory>
#include <utility>

#include "graph_handle.hpp"
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

struct ag_compiled {
  Compiled compiled;
};

namespace {

constexpr int64_t kNoPlan = -2;

ag_compiled& of(Arguments in, ag_compiled* compiled) { return *in.pointer(compiled, "compiled"); }
const Compiled& of(Arguments in, const ag_compiled* compiled) {
  return in.pointer(compiled, "compiled")->compiled;
}

Compiled::Names named_tensors(Arguments in, const ag_tensor* const* named, const char* const* names,
                              int64_t n) {
  const std::vector<Tensor> tensors = in.tensors(named, n, "named");
  in.array(names, n, "names");
  Compiled::Names pairs;
  for (size_t i = 0; i < tensors.size(); ++i)
    pairs.emplace_back(in.pointer(names[i], "names"), tensors[i]);
  return pairs;
}

}  // namespace

ag_compiled* ag_compiled_create(int64_t max_plans, int64_t max_captures, int32_t refuse_reads,
                                int32_t passes) {
  return read<ag_compiled*>(__func__, nullptr, [&](Arguments in) {
    if (max_plans < 0 || max_plans > INT32_MAX) in.reject("max_plans", max_plans);
    if (max_captures < 0 || max_captures > INT32_MAX) in.reject("max_captures", max_captures);
    CompileOptions options;
    if (max_plans) options.max_plans = static_cast<int>(max_plans);
    if (max_captures) options.max_captures = static_cast<int>(max_captures);
    options.refuse_reads = refuse_reads != 0;
    options.passes = passes != 0;
    return new ag_compiled{Compiled(options)};
  });
}

void ag_compiled_free(ag_compiled* compiled) { delete compiled; }

int64_t ag_compiled_run(ag_compiled* compiled, const ag_tensor* const* inputs, int64_t n,
                        ag_tensor** out, int64_t capacity) {
  return read<int64_t>(__func__, -1, [&](Arguments in) {
    ag_compiled& c = of(in, compiled);
    const std::vector<Tensor> given = in.tensors(inputs, n, "inputs");
    in.array(out, capacity, "out");
    std::vector<Tensor> outputs(static_cast<size_t>(capacity));
    const int64_t count = c.compiled.run(given.data(), n, outputs.data(), capacity);
    if (count < 0) return kNoPlan;
    outputs.resize(static_cast<size_t>(count));
    write_all(std::move(outputs), out);
    return count;
  });
}

ag_tensor* ag_compiled_call(ag_compiled* compiled, const ag_tensor* a, const ag_tensor* b,
                            const ag_tensor* c, const ag_tensor* d) {
  static_assert(sizeof(Tensor) == sizeof(ag_tensor*));
  return read<ag_tensor*>(__func__, nullptr, [&](Arguments in) -> ag_tensor* {
    ag_compiled& function = of(in, compiled);
    // A handle is the one pointer that a Tensor consists of: the arguments are used as they are.
    const ag_tensor* inputs[] = {a, b, c, d};
    int64_t n = 0;
    while (n < 4 && inputs[n]) ++n;
    for (int64_t i = n; i < 4; ++i)
      if (inputs[i]) in.reject("n", i);
    Tensor output;
    if (function.compiled.run(reinterpret_cast<const Tensor*>(inputs), n, &output, 1) < 0) {
      forget_failure();
      return nullptr;
    }
    return to_handle(std::move(output));
  });
}

int32_t ag_compiled_begin(ag_compiled* compiled, const ag_tensor* const* inputs, int64_t n) {
  return read<int32_t>(__func__, -1, [&](Arguments in) {
    return of(in, compiled).compiled.begin(in.tensors(inputs, n, "inputs"));
  });
}

int32_t ag_compiled_is_capturing(void) { return is_capturing(); }

ag_status ag_compiled_end(ag_compiled* compiled, const ag_tensor* const* outputs, int64_t n) {
  return run(__func__, [&](Arguments in) {
    of(in, compiled).compiled.end(in.tensors(outputs, n, "outputs"));
  });
}

void ag_compiled_cancel(ag_compiled* compiled) {
  if (compiled) compiled->compiled.cancel();
}

int64_t ag_compiled_run_batches(ag_compiled* compiled, const ag_tensor* const* inputs, int64_t n,
                                const ag_tensor* index, int64_t start, int64_t rows,
                                int64_t batch_size, int32_t drop_last, double* losses) {
  return read<int64_t>(__func__, -1, [&](Arguments in) {
    return of(in, compiled)
        .compiled.run_batches(in.tensors(inputs, n, "inputs"), in.optional_tensor(index), start,
                              rows, batch_size, drop_last != 0, losses);
  });
}

ag_status ag_compiled_set_options(ag_compiled* compiled, int64_t step, const double* numbers,
                                  int64_t n) {
  return run(__func__, [&](Arguments in) {
    in.array(numbers, n, "numbers");
    of(in, compiled).compiled.set_options(step, numbers, n);
  });
}

int64_t ag_compiled_num_plans(const ag_compiled* compiled) {
  return read<int64_t>(__func__, -1, [&](Arguments in) { return of(in, compiled).num_plans(); });
}

int64_t ag_compiled_num_captures(const ag_compiled* compiled) {
  return read<int64_t>(__func__, -1, [&](Arguments in) { return of(in, compiled).num_captures(); });
}

ag_status ag_compiled_doubt(ag_compiled* compiled, int32_t keep_captures) {
  return run(__func__, [&](Arguments in) { of(in, compiled).compiled.doubt(keep_captures != 0); });
}

ag_status ag_compiled_clear(ag_compiled* compiled) {
  return run(__func__, [&](Arguments in) { of(in, compiled).compiled.clear(); });
}

int64_t ag_compiled_misfit(const ag_compiled* compiled, const ag_tensor* const* inputs, int64_t n,
                           char* buffer, int64_t capacity) {
  return text(__func__, buffer, capacity, [&](Arguments in) {
    return of(in, compiled).misfit(in.tensors(inputs, n, "inputs"));
  });
}

int64_t ag_compiled_difference(const ag_compiled* compiled, char* buffer, int64_t capacity) {
  return text(__func__, buffer, capacity,
              [&](Arguments in) { return of(in, compiled).difference(); });
}

ag_graph* ag_compiled_graph(const ag_compiled* compiled, int64_t plan, int32_t as_captured,
                            const ag_tensor* const* named, const char* const* names, int64_t n,
                            int64_t n_buffers, const char* const* inputs, int64_t n_inputs) {
  return read<ag_graph*>(__func__, nullptr, [&](Arguments in) {
    const Compiled& c = of(in, compiled);
    return new ag_graph{c.graph(plan, as_captured != 0, graph_names(in, named, names, n, n_buffers),
                                graph_texts(in, inputs, n_inputs, "inputs"))};
  });
}

int64_t ag_compiled_explain(const ag_compiled* compiled, int64_t plan, char* buffer,
                            int64_t capacity) {
  return text(__func__, buffer, capacity,
              [&](Arguments in) { return of(in, compiled).explain(plan); });
}

ag_status ag_compiled_save(const ag_compiled* compiled, const char* path,
                           const ag_tensor* const* named, const char* const* names, int64_t n) {
  return run(__func__, [&](Arguments in) {
    const Compiled::Names pairs = named_tensors(in, named, names, n);
    of(in, compiled).save(in.pointer(path, "path"), pairs);
  });
}

ag_compiled* ag_compiled_load(const char* path, int64_t max_bytes) {
  return read<ag_compiled*>(__func__, nullptr, [&](Arguments in) {
    if (max_bytes < 0) in.reject("max_bytes", max_bytes);
    return new ag_compiled{Compiled::load(in.pointer(path, "path"), max_bytes)};
  });
}

ag_status ag_compiled_save_all(const ag_compiled* const* functions, const char* const* labels,
                               int64_t n_functions, const char* path, const ag_tensor* const* named,
                               const char* const* names, int64_t n) {
  return run(__func__, [&](Arguments in) {
    in.array(functions, n_functions, "functions");
    in.array(labels, n_functions, "labels");
    std::vector<Compiled::Labelled> all;
    for (int64_t i = 0; i < n_functions; ++i)
      all.emplace_back(in.pointer(labels[i], "labels"), &of(in, functions[i]));
    const Compiled::Names pairs = named_tensors(in, named, names, n);
    Compiled::save_all(in.pointer(path, "path"), all, pairs);
  });
}

int64_t ag_compiled_load_all(const char* path, int64_t max_bytes, ag_compiled** out,
                             int64_t capacity) {
  return read<int64_t>(__func__, -1, [&](Arguments in) {
    if (max_bytes < 0) in.reject("max_bytes", max_bytes);
    in.array(out, capacity, "out");
    std::vector<Compiled> functions = Compiled::load_all(in.pointer(path, "path"), max_bytes);
    if (static_cast<int64_t>(functions.size()) > capacity) in.reject("capacity", capacity);
    std::vector<std::unique_ptr<ag_compiled>> made;
    for (Compiled& each : functions)
      made.push_back(std::make_unique<ag_compiled>(ag_compiled{std::move(each)}));
    for (size_t i = 0; i < made.size(); ++i) out[i] = made[i].release();
    return static_cast<int64_t>(made.size());
  });
}

int64_t ag_compiled_label(const ag_compiled* compiled, char* buffer, int64_t capacity) {
  return text(__func__, buffer, capacity, [&](Arguments in) { return of(in, compiled).label(); });
}

namespace {

const std::pair<std::string, Tensor>& loaded(Arguments in, const ag_compiled* compiled, int64_t i) {
  const Compiled::Names& tensors = of(in, compiled).tensors();
  if (i < 0 || i >= static_cast<int64_t>(tensors.size())) in.reject("i", i);
  return tensors[static_cast<size_t>(i)];
}

}  // namespace

int64_t ag_compiled_num_tensors(const ag_compiled* compiled) {
  return read<int64_t>(__func__, -1, [&](Arguments in) {
    return static_cast<int64_t>(of(in, compiled).tensors().size());
  });
}

ag_tensor* ag_compiled_tensor(const ag_compiled* compiled, int64_t i) {
  return make(__func__, [&](Arguments in) { return loaded(in, compiled, i).second; });
}

int64_t ag_compiled_tensor_name(const ag_compiled* compiled, int64_t i, char* buffer,
                                int64_t capacity) {
  return text(__func__, buffer, capacity,
              [&](Arguments in) { return loaded(in, compiled, i).first; });
}

int64_t ag_compiled_options(const ag_compiled* compiled, int64_t step, double* out,
                            int64_t capacity) {
  return read<int64_t>(__func__, -1, [&](Arguments in) {
    in.array(out, capacity, "out");
    const std::vector<double>& options = of(in, compiled).options(step);
    const int64_t count = static_cast<int64_t>(options.size());
    std::copy_n(options.begin(), std::min(count, capacity), out);
    return count;
  });
}
