// Graphs as one HTML page: the viewer and, as JSON within it, what it shows.
#include "graph/draw/sketch.hpp"
#include "graph/draw/viewer.hpp"

namespace autograd::detail {
namespace {

// Members of an object and elements of a list, with commas between them.
class Json {
 public:
  Json& open(char bracket) {
    separate();
    text_ += bracket;
    first_ = true;
    return *this;
  }
  Json& close(char bracket) {
    text_ += bracket;
    first_ = false;
    return *this;
  }
  Json& key(const char* name) {
    separate();
    text_.append("\"").append(name).append("\":");
    first_ = true;
    return *this;
  }
  Json& text(const std::string& value) { return raw(json_quoted(value)); }
  Json& number(double value) { return raw(number_text(value)); }
  Json& yes(bool value) { return raw(value ? "true" : "false"); }
  std::string take() { return std::move(text_); }

 private:
  void separate() {
    if (!first_) text_ += ',';
    first_ = false;
  }
  Json& raw(const std::string& value) {
    separate();
    text_ += value;
    return *this;
  }
  std::string text_;
  bool first_ = true;
};

void write_kinds(Json& json) {
  json.key("kinds").open('{');
  for (const Style& style : all_styles()) {
    json.key(style.name).open('{').key("meaning").text(style.meaning);
    json.key("width").number(style.line_width).key("dashed").yes(style.dashed).close('}');
  }
  json.close('}');
}

void write_facts(Json& json, const SketchNode& node) {
  json.key("facts").open('[');
  for (const auto& [what, fact] : node.facts) json.open('[').text(what).text(fact).close(']');
  json.close(']');
}

void write_node(Json& json, const SketchNode& node) {
  json.open('{').key("op").number(node.op).key("title").text(node.title);
  json.key("kind")
      .text(style_of(node.look, node.phase).name)
      .key("phase")
      .text(name_of(node.phase));
  json.key("cluster").number(node.cluster).key("detail").text(node.detail);
  if (!node.name.empty()) json.key("name").text(node.name);
  json.key("outputs").open('[');
  for (const std::string& output : node.outputs) json.text(output);
  json.close(']');
  write_facts(json, node);
  if (node.inner != SketchNode::Inner::kNo)
    json.key("inner").number(node.inner == SketchNode::Inner::kLast ? 2 : 1);
  if (node.times > 1) json.key("times").number(node.times);
  if (node.again) json.key("again").yes(true);
  if (node.seconds >= 0) json.key("seconds").number(node.seconds);
  if (node.bytes >= 0) json.key("bytes").number(node.bytes);
  if (node.flops >= 0) json.key("flops").number(node.flops);
  json.close('}');
}

void write_graph(Json& json, const Sketch& sketch) {
  json.open('{').key("nodes").open('[');
  for (const SketchNode& node : sketch.nodes) write_node(json, node);
  json.close(']').key("edges").open('[');
  for (const SketchEdge& edge : sketch.edges)
    json.open('[')
        .number(edge.from)
        .number(edge.to)
        .number(edge.output)
        .yes(edge.carries_grad)
        .text(edge.removed ? "removed"
              : edge.order ? "order"
                           : "")
        .close(']');
  json.close(']').key("clusters").open('[');
  for (const SketchCluster& cluster : sketch.clusters) {
    json.open('{').key("title").text(cluster.title).key("path").text(cluster.path);
    json.key("parent").number(cluster.parent).key("phase").text(name_of(cluster.phase));
    json.key("isPhase").yes(cluster.is_phase).key("times").number(cluster.times);
    if (!cluster.also.empty()) {
      json.key("also").open('[');
      for (const std::string& path : cluster.also) json.text(path);
      json.close(']');
    }
    if (cluster.fused >= 0) {
      const SketchNode& closed = cluster.stands;
      json.key("fused").text(style_of(closed.look, closed.phase).name);
      json.key("detail").text(closed.detail);
      write_facts(json, closed);
    }
    json.close('}');
  }
  json.close(']').close('}');
}

std::string data_text(const std::vector<NamedGraph>& graphs, const std::string& title,
                      DrawOptions options) {
  Json json;
  json.open('{').key("title").text(title);
  json.key("sideways")
      .yes(options.direction == DrawDirection::kRight || options.direction == DrawDirection::kLeft);
  json.key("depth").number(static_cast<double>(options.depth));
  write_kinds(json);
  // The viewer closes modules itself.
  options.depth = -1;
  json.key("graphs").open('[');
  for (const auto& [name, graph] : graphs) {
    json.open('{').key("name").text(name).key("graph");
    write_graph(json, make_sketch(*graph, options, true));
    json.close('}');
  }
  return json.close(']').close('}').take();
}

std::string style_text() {
  const std::string light = "color-scheme:light;" + css_properties(false);
  const std::string dark = "color-scheme:dark;" + css_properties(true);
  return ":root{" + light + "}\n@media (prefers-color-scheme:dark){:root{" + dark +
         "}}\n:root[data-theme=light]{" + light + "}\n:root[data-theme=dark]{" + dark + "}\n" +
         kViewerStyle;
}

}  // namespace

std::string html_text(const std::vector<NamedGraph>& graphs, const std::string& title,
                      const DrawOptions& options) {
  const std::pair<std::string, std::string> parts[] = {
      {"{{title}}", xml_escaped(title)},
      {"{{style}}", style_text()},
      {"{{data}}", data_text(graphs, title, options)},
      {"{{script}}", kViewerScript}};
  const std::string page = kViewerPage;
  std::string out;
  size_t from = 0;
  // In the order of the page: what is filled in is not looked at again.
  for (const auto& [mark, text] : parts) {
    const size_t at = page.find(mark, from);
    out += page.substr(from, at - from) + text;
    from = at + mark.size();
  }
  return out + page.substr(from);
}

}  // namespace autograd::detail
