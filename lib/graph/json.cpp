// Graphs as JSON: everything that is known of them. docs/graph.md describes the schema.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string_view>

#include "graph/analysis.hpp"
#include "graph/draw/style.hpp"
#include "graph/ir.hpp"

namespace autograd::detail {
namespace {

/// Writes objects and lists with commas where they belong.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& text) : text_(text) {}
  JsonWriter& open(char bracket) {
    separate();
    text_ += bracket;
    first_ = true;
    return *this;
  }
  void close(char bracket) {
    text_ += bracket;
    first_ = false;
  }
  JsonWriter& key(std::string_view name) {
    separate();
    text_.append("\"").append(name).append("\":");
    first_ = true;  // no comma before the value
    return *this;
  }
  void raw(std::string_view value) {
    separate();
    text_ += value;
  }
  void string(std::string_view value) { raw(json_quoted(std::string(value))); }
  void number(double value) { raw(std::isfinite(value) ? number_text(value) : "null"); }
  void integer(int64_t value) { raw(std::to_string(value)); }
  void boolean(bool value) { raw(value ? "true" : "false"); }
  void index(int value) { value < 0 ? raw("null") : integer(value); }
  void indices(const std::vector<int>& values) {
    open('[');
    for (int v : values) index(v);
    close(']');
  }
  void shape(const Shape& shape) { raw(to_string(shape)); }
  void line() { text_ += '\n'; }

 private:
  void separate() {
    if (!first_) text_ += ',';
    first_ = false;
  }
  std::string& text_;
  bool first_ = true;
};

void write_cost(JsonWriter& out, const GraphCost& cost) {
  out.key("flops").number(cost.flops);
  out.key("bytes_read").number(cost.bytes_read);
  out.key("bytes_written").number(cost.bytes_written);
  out.key("seconds").number(cost.seconds < 0 ? NAN : cost.seconds);
}

void write_value(JsonWriter& out, const GraphValue& v) {
  out.open('{');
  out.key("name").string(v.name);
  out.key("role").string(role_name(v.role));
  out.key("dtype").string(name_of(v.dtype));
  out.key("shape").shape(v.sizes);
  out.key("strides");
  v.strides.size() == v.sizes.size() ? out.shape(v.strides) : out.raw("null");
  out.key("bytes").number(bytes_of(v));
  out.key("op").index(v.op);
  out.key("storage").index(v.storage);
  out.key("needs_grad").boolean(v.needs_grad);
  out.key("number").number(v.has_number ? v.number : NAN);
  out.close('}');
}

// Lists and numbers are JSON already; names and numbers that JSON lacks become strings.
bool is_json(std::string_view text) {
  return text == "true" || text[0] == '[' || (text[0] >= '0' && text[0] <= '9') ||
         (text.size() > 1 && text[0] == '-' && text[1] >= '0' && text[1] <= '9');
}

void write_attrs(JsonWriter& out, const GraphOp& op) {
  out.open('{');
  for (const auto& [name, value] : attr_pairs(*op.op, op.attrs)) {
    out.key(name);
    is_json(value) ? out.raw(value) : out.string(value);
  }
  out.close('}');
}

void write_graph(JsonWriter& out, const GraphData& graph);

void write_op(JsonWriter& out, const GraphData& graph, const GraphOp& op, uint64_t id) {
  char hex[20];
  std::snprintf(hex, sizeof(hex), "%016llx", static_cast<unsigned long long>(id));
  out.open('{');
  out.key("op").string(op.op->name);
  out.key("id").string(hex);
  out.key("kind").string(kind_name(*op.op));
  out.key("attrs");
  write_attrs(out, op);
  out.key("inputs").indices(op.inputs);
  out.key("outputs").indices(op.outputs);
  out.key("saved").indices(op.saved);
  out.key("after").indices(op.after);
  out.key("in_place").boolean(op.in_place);
  out.key("phase").string(name_of(op.phase));
  out.key("forward").index(op.forward);
  out.key("scope").index(op.scope);
  out.key("file").string(op.file);
  out.key("line").integer(op.line);
  write_cost(out, cost_of(graph, op));
  out.key("body");
  op.body ? write_graph(out, *op.body) : out.raw("null");
  out.close('}');
}

void write_graph(JsonWriter& out, const GraphData& graph) {
  out.open('{').key("schema").integer(1);
  out.key("totals").open('{');
  out.key("ops").integer(static_cast<int64_t>(graph.ops.size()));
  out.key("values").integer(static_cast<int64_t>(graph.values.size()));
  GraphCost total = total_cost(graph);
  out.key("peak_bytes").number(peak_bytes(graph));
  write_cost(out, total);
  out.key("measured_seconds").number(graph.seconds < 0 ? NAN : graph.seconds);
  out.close('}');
  out.key("scopes").open('[');
  for (size_t i = 0; i < graph.scopes.size(); ++i) {
    out.line();
    out.open('{');
    out.key("name").string(graph.scopes[i].name);
    out.key("type").string(graph.scopes[i].type);
    out.key("parent").index(graph.scopes[i].parent);
    out.key("path").string(scope_path(graph, static_cast<int>(i)));
    out.close('}');
  }
  out.close(']');
  out.key("values").open('[');
  for (const GraphValue& v : graph.values) {
    out.line();
    write_value(out, v);
  }
  out.close(']');
  const std::vector<uint64_t> ids = content_ids(graph);
  out.key("ops").open('[');
  for (size_t i = 0; i < graph.ops.size(); ++i) {
    out.line();
    write_op(out, graph, graph.ops[i], ids[i]);
  }
  out.close(']');
  out.key("outputs").indices(graph.outputs);
  out.close('}');
}

}  // namespace

std::string json_text(const GraphData& graph) {
  std::string text;
  JsonWriter out(text);
  write_graph(out, graph);
  return text + "\n";
}

}  // namespace autograd::detail
