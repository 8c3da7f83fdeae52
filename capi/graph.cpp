// C functions of graphs.
#include <utility>

#include "graph_handle.hpp"
#include "guard.hpp"
#include "python_call.hpp"

using namespace autograd;
using namespace autograd::capi;

GraphNames autograd::capi::graph_names(Arguments in, const ag_tensor* const* named,
                                       const char* const* names, int64_t n, int64_t n_buffers) {
  const std::vector<Tensor> tensors = in.tensors(named, n, "named");
  in.array(names, n, "names");
  if (n_buffers < 0 || n_buffers > n) in.reject("n_buffers", n_buffers);
  GraphNames given;
  for (int64_t i = 0; i < n; ++i) {
    auto& list = i < n - n_buffers ? given.tensors : given.buffers;
    list.emplace_back(in.pointer(names[i], "names"), tensors[static_cast<size_t>(i)]);
  }
  return given;
}

std::vector<std::string> autograd::capi::graph_texts(Arguments in, const char* const* values,
                                                     int64_t n, const char* name) {
  in.array(values, n, name);
  std::vector<std::string> list;
  for (int64_t i = 0; i < n; ++i) list.emplace_back(in.pointer(values[i], name));
  return list;
}

ag_graph* ag_graph_from_tensor(const ag_tensor* t, const ag_tensor* const* named,
                               const char* const* names, int64_t n, int64_t n_buffers) {
  return read<ag_graph*>(__func__, nullptr, [&](Arguments in) {
    return new ag_graph{
        Graph::from_tensor(in.tensor(t, "t"), graph_names(in, named, names, n, n_buffers))};
  });
}

void ag_graph_free(ag_graph* graph) { delete graph; }

int64_t ag_graph_num_ops(const ag_graph* graph) {
  return read<int64_t>(__func__, -1,
                       [&](Arguments in) { return in.pointer(graph, "graph")->graph.num_ops(); });
}

int64_t ag_graph_num_values(const ag_graph* graph) {
  return read<int64_t>(
      __func__, -1, [&](Arguments in) { return in.pointer(graph, "graph")->graph.num_values(); });
}

namespace {

DrawOptions draw_options(int32_t direction, int64_t depth, int32_t phases, int32_t flags) {
  if (direction < 0 || direction > 3)
    throw Error(ErrorCode::kValue, "direction must be 0 (down), 1 (right), 2 (up) or 3 (left)");
  if (flags < 0 || flags > 7) throw Error(ErrorCode::kValue, "flags: bits 1, 2 and 4 only");
  DrawOptions options;
  options.direction = static_cast<DrawDirection>(direction);
  options.depth = depth;
  options.phases = static_cast<uint32_t>(phases);
  options.roll_up = flags & 1;
  options.legend = flags & 2;
  options.once = !(flags & 4);
  return options;
}

}  // namespace

int64_t ag_graph_dot(const ag_graph* graph, int32_t direction, int64_t depth, int32_t phases,
                     int32_t flags, char* buffer, int64_t capacity) {
  return text(__func__, buffer, capacity, [&](Arguments in) {
    return in.pointer(graph, "graph")->graph.dot(draw_options(direction, depth, phases, flags));
  });
}

int64_t ag_graph_svg(const ag_graph* graph, int32_t direction, int64_t depth, int32_t phases,
                     int32_t flags, char* buffer, int64_t capacity) {
  return text(__func__, buffer, capacity, [&](Arguments in) {
    return in.pointer(graph, "graph")->graph.svg(draw_options(direction, depth, phases, flags));
  });
}

ag_status ag_graph_save(const ag_graph* graph, const char* path, int32_t direction, int64_t depth,
                        int32_t phases, int32_t flags) {
  return run(__func__, [&](Arguments in) {
    in.pointer(graph, "graph")
        ->graph.save(in.pointer(path, "path"), draw_options(direction, depth, phases, flags));
  });
}

ag_status ag_graph_assert(const ag_graph* graph, const char* golden, int32_t update,
                          int32_t direction, int64_t depth, int32_t phases, int32_t flags) {
  return run(__func__, [&](Arguments in) {
    assert_graph(in.pointer(graph, "graph")->graph, in.pointer(golden, "golden"), update != 0,
                 draw_options(direction, depth, phases, flags));
  });
}

int64_t ag_graph_text(const ag_graph* graph, char* buffer, int64_t capacity) {
  return text(__func__, buffer, capacity,
              [&](Arguments in) { return in.pointer(graph, "graph")->graph.text(); });
}

int64_t ag_graph_table(const ag_graph* graph, char* buffer, int64_t capacity) {
  return text(__func__, buffer, capacity,
              [&](Arguments in) { return in.pointer(graph, "graph")->graph.table(); });
}

int64_t ag_graph_summary(const ag_graph* graph, char* buffer, int64_t capacity) {
  return text(__func__, buffer, capacity,
              [&](Arguments in) { return in.pointer(graph, "graph")->graph.summary(); });
}

int64_t ag_graph_diff(const ag_graph* graph, const ag_graph* other, char* buffer,
                      int64_t capacity) {
  return text(__func__, buffer, capacity, [&](Arguments in) {
    return in.pointer(graph, "graph")->graph.diff(in.pointer(other, "other")->graph).json();
  });
}

ag_graph* ag_graph_diff_graph(const ag_graph* graph, const ag_graph* other) {
  return read<ag_graph*>(__func__, nullptr, [&](Arguments in) {
    return new ag_graph{
        in.pointer(graph, "graph")->graph.diff_graph(in.pointer(other, "other")->graph)};
  });
}

ag_graph* ag_graph_profile(const ag_graph* graph, int64_t runs) {
  return read<ag_graph*>(__func__, nullptr, [&](Arguments in) {
    return new ag_graph{in.pointer(graph, "graph")->graph.profile(runs)};
  });
}

ag_graph* ag_graph_fuse(const ag_graph* graph) {
  return read<ag_graph*>(__func__, nullptr, [&](Arguments in) {
    return new ag_graph{in.pointer(graph, "graph")->graph.fuse()};
  });
}

int64_t ag_graph_report(const ag_graph* graph, char* buffer, int64_t capacity) {
  return text(__func__, buffer, capacity,
              [&](Arguments in) { return in.pointer(graph, "graph")->graph.report(); });
}

int64_t ag_graph_json(const ag_graph* graph, char* buffer, int64_t capacity) {
  return text(__func__, buffer, capacity,
              [&](Arguments in) { return in.pointer(graph, "graph")->graph.json(); });
}

ag_recording* ag_recording_begin(int32_t profile) {
  return read<ag_recording*>(__func__, nullptr, [&](Arguments) {
    return new ag_recording{Recording({.profile = profile != 0})};
  });
}

ag_status ag_recording_stop(ag_recording* recording) {
  return run(__func__, [&](Arguments in) {
    Recording& open = in.pointer(recording, "recording")->recording;
    open.stop();
    end_watch_of_modules(std::exchange(recording->watch, nullptr));
  });
}

ag_status ag_recording_note(ag_recording* recording, const ag_tensor* const* tensors, int64_t n) {
  return run(__func__, [&](Arguments in) {
    in.pointer(recording, "recording")->recording.note(in.tensors(tensors, n, "tensors"));
  });
}

ag_graph* ag_recording_graph(ag_recording* recording, const int64_t* noted,
                             const char* const* names, int64_t n, int64_t n_buffers) {
  return read<ag_graph*>(__func__, nullptr, [&](Arguments in) {
    Recording& open = in.pointer(recording, "recording")->recording;
    in.array(noted, n, "noted");
    const std::vector<std::string> texts = graph_texts(in, names, n, "names");
    if (n_buffers < 0 || n_buffers > n) in.reject("n_buffers", n_buffers);
    std::vector<NotedName> named;
    for (int64_t i = 0; i < n; ++i)
      named.push_back({texts[static_cast<size_t>(i)], noted[i], i >= n - n_buffers});
    return new ag_graph{open.graph(std::move(named))};
  });
}

ag_graph* ag_recording_end(ag_recording* recording, const ag_tensor* const* named,
                           const char* const* names, int64_t n, int64_t n_buffers) {
  return read<ag_graph*>(__func__, nullptr, [&](Arguments in) {
    Recording& open = in.pointer(recording, "recording")->recording;
    return new ag_graph{open.finish(graph_names(in, named, names, n, n_buffers))};
  });
}

void ag_recording_free(ag_recording* recording) {
  if (!recording) return;
  end_watch_of_modules(recording->watch);
  forget_seen(recording->seen);
  delete recording;
}

ag_status ag_recording_enter(ag_recording* recording, const char* name, const char* type) {
  return run(__func__, [&](Arguments in) {
    in.pointer(recording, "recording")
        ->recording.enter(in.pointer(name, "name"), in.pointer(type, "type"));
  });
}

ag_status ag_recording_leave(ag_recording* recording) {
  return run(__func__,
             [&](Arguments in) { in.pointer(recording, "recording")->recording.leave(); });
}

ag_status ag_recording_name_modules(ag_recording* recording, const char* const* names,
                                    const char* const* types, int64_t n) {
  return run(__func__, [&](Arguments in) {
    in.pointer(recording, "recording")
        ->recording.name_scopes(graph_texts(in, names, n, "names"),
                                graph_texts(in, types, n, "types"));
  });
}

int64_t ag_recording_parents(ag_recording* recording, int64_t* parents, int64_t capacity) {
  return read<int64_t>(__func__, -1, [&](Arguments in) {
    in.array(parents, capacity, "parents");
    const auto marks = in.pointer(recording, "recording")->recording.marks();
    const int64_t n = static_cast<int64_t>(marks->parents.size());
    for (int64_t i = 0; i < n && i < capacity; ++i)
      parents[i] = marks->parents[static_cast<size_t>(i)] - 1;
    return n;
  });
}

ag_status ag_recording_watch(ag_recording* recording, void* list) {
  return run(__func__, [&](Arguments in) {
    Recording& open = in.pointer(recording, "recording")->recording;
    end_watch_of_modules(std::exchange(recording->watch, nullptr));
    if (list) recording->watch = watch_modules(open.marks(), list);
  });
}

int64_t ag_graph_html(const ag_graph* const* graphs, const char* const* names, int64_t n,
                      const char* title, int32_t direction, int64_t depth, int32_t phases,
                      int32_t flags, char* buffer, int64_t capacity) {
  return text(__func__, buffer, capacity, [&](Arguments in) {
    if (n < 1) throw Error(ErrorCode::kValue, "argument 'n' must be at least 1");
    in.array(graphs, n, "graphs");
    in.array(names, n, "names");
    std::vector<std::pair<std::string, Graph>> others;
    for (int64_t i = 0; i < n; ++i)
      others.emplace_back(in.pointer(names[i], "names"), in.pointer(graphs[i], "graphs")->graph);
    const auto first = others.front();
    others.erase(others.begin());
    return first.second.html(in.pointer(title, "title"), first.first, others,
                             draw_options(direction, depth, phases, flags));
  });
}
