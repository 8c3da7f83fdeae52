// Graphs as DOT text for Graphviz. The same graph always gives the same text.

#include "graph/draw/sketch.hpp"

namespace autograd::detail {
namespace {

/// Characters of a name that is told in full; Graphviz reads strings of 16,384 bytes.
constexpr size_t kLongest = 1000;
constexpr const char* kDirections[] = {"TB", "LR", "BT", "RL"};

std::string quoted_attribute(const char* name, const std::string& value) {
  return std::string(name) + "=\"" + value + "\"";
}

// Inside an HTML-like label.
std::string label_text(const std::string& text) {
  std::string out;
  for (char c : xml_escaped(text)) {
    if (c == '\\')
      out += "<font>\\</font>";  // alone, lest Graphviz read \N as the name of the node
    else if (c == '\n')
      out += "<br/>";
    else
      out += c;
  }
  return out;
}

// A plain string of DOT: quotes and backslashes have to be escaped, and & would begin an entity.
std::string string_text(const std::string& text) {
  std::string out;
  for (char c : xml_escaped(text)) {
    if (c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

std::string head(const DrawOptions& options, bool has_clusters) {
  const Style& op = style_of(Look::kOp);
  const Scheme& page = scheme(false);
  std::string text = "digraph autograd {\n  graph [rankdir=";
  text += kDirections[static_cast<size_t>(options.direction)];
  // By default dot ranks each cluster by itself, and gives up with "trouble in init_rank" where
  // they stand in each other's way, as in a loop over one module.
  if (has_clusters) text += ", newrank=true";
  text +=
      ", nodesep=0.3, ranksep=0.35, pad=0.2, fontname=\"Helvetica,Arial,sans-serif\", "
      "fontsize=11, ";
  text += quoted_attribute("fontcolor", page.faint_text) + ", ";
  text += quoted_attribute("bgcolor", page.page) + "]\n";
  text +=
      "  node [shape=box, style=\"rounded,filled\", height=0.3, margin=\"0.12,0.05\", "
      "fontname=\"Helvetica,Arial,sans-serif\", fontsize=12, ";
  text += quoted_attribute("color", op.light.line) + ", ";
  text += quoted_attribute("fillcolor", op.light.fill) + ", ";
  text += quoted_attribute("fontcolor", op.light.text) + "]\n";
  text += "  edge [fontname=\"Helvetica,Arial,sans-serif\", fontsize=9, arrowsize=0.6, ";
  text += quoted_attribute("fontcolor", page.faint_text) + ", ";
  text += quoted_attribute("color", page.edge) + "]\n";
  return text;
}

// What differs from a plain op.
std::string style_text(const Style& style) {
  if (style.look == Look::kConstant)
    return std::string("shape=plain, style=\"\", fontsize=10, ") +
           quoted_attribute("fontcolor", style.light.text);
  const Style& op = style_of(Look::kOp);
  std::string text;
  const auto add = [&](const std::string& attribute) {
    text += (text.empty() ? "" : ", ") + attribute;
  };
  if (style.dashed) add("style=\"rounded,filled,dashed\"");
  if (std::string(style.light.line) != op.light.line)
    add(quoted_attribute("color", style.light.line));
  if (std::string(style.light.fill) != op.light.fill)
    add(quoted_attribute("fillcolor", style.light.fill));
  if (std::string(style.light.text) != op.light.text)
    add(quoted_attribute("fontcolor", style.light.text));
  if (style.line_width != op.line_width) add("penwidth=" + number_text(style.line_width));
  return text;
}

std::string node_text(const SketchNode& node) {
  const Style& style = style_of(node.look, node.phase);
  std::string text = node.id + " [label=<" + label_text(node.title);
  if (!node.detail.empty())
    text += "<br/><font point-size=\"9\">" + label_text(node.detail) + "</font>";
  text += ">";
  const std::string look = style_text(style);
  if (!look.empty()) text += ", " + look;
  if (node.again) text += ", style=\"rounded,filled,dashed\"";
  if (!node.name.empty() && node.name != node.title)
    text += ", " + quoted_attribute("tooltip", string_text(shortened(node.name, kLongest)));
  return text + "]\n";
}

class DotWriter {
 public:
  explicit DotWriter(const Sketch& sketch) : sketch_(sketch) {
    children_.resize(sketch.clusters.size() + 1);
    nodes_.resize(sketch.clusters.size() + 1);
    for (size_t c = 0; c < sketch.clusters.size(); ++c)
      children_[static_cast<size_t>(sketch.clusters[c].parent + 1)].push_back(c);
    for (const SketchNode& node : sketch.nodes)
      nodes_[static_cast<size_t>(node.cluster + 1)].push_back(&node);
  }

  std::string body() {
    std::string text;
    for (const SketchNode* node : nodes_[0]) text += "  " + node_text(*node);
    write_clusters(text);
    for (const SketchEdge& edge : sketch_.edges) text += edge_text(edge);
    return text;
  }

 private:
  // Without recursion: modules may be nested without end.
  void write_clusters(std::string& text) {
    struct Visit {
      size_t cluster;
      bool leaves;
    };
    std::vector<Visit> stack;
    const auto enter = [&](size_t level) {
      for (size_t k = children_[level].size(); k-- > 0;)
        stack.push_back({children_[level][k], false});
    };
    enter(0);
    std::string indent = "  ";
    while (!stack.empty()) {
      const Visit visit = stack.back();
      stack.pop_back();
      if (visit.leaves) {
        indent.resize(indent.size() - 2);
        text += indent + "}\n";
        continue;
      }
      const SketchCluster& cluster = sketch_.clusters[visit.cluster];
      text += indent + "subgraph cluster_" + cluster.id + " {\n";
      indent += "  ";
      text += indent + cluster_style(cluster);
      for (const SketchNode* node : nodes_[visit.cluster + 1]) text += indent + node_text(*node);
      stack.push_back({visit.cluster, true});
      enter(visit.cluster + 1);
    }
  }

  static std::string cluster_style(const SketchCluster& cluster) {
    const Scheme& page = scheme(false);
    const char* line = cluster.is_phase ? phase_line(cluster.phase, false) : page.cluster_line;
    std::string text =
        "graph [label=<" + label_text(cluster.title) + ">, labeljust=l, style=\"rounded,filled\", ";
    text += quoted_attribute("color", line) + ", ";
    text += quoted_attribute("fillcolor", cluster.is_phase ? page.page : page.cluster_fill);
    return text + (cluster.times > 1 ? ", peripheries=2]\n" : "]\n");
  }

  std::string edge_text(const SketchEdge& edge) const {
    const SketchNode& from = sketch_.nodes[static_cast<size_t>(edge.from)];
    const size_t output = static_cast<size_t>(edge.output);
    std::string attributes;
    if (!edge.order && output < from.outputs.size() && !from.outputs[output].empty())
      attributes = quoted_attribute("label", "  " + string_text(from.outputs[output]));
    if (edge.order || edge.removed) {
      if (!attributes.empty()) attributes += ", ";
      attributes += edge.removed ? "style=dashed, " : "style=dotted, constraint=false, ";
      attributes += quoted_attribute(
          "color", edge.removed ? style_of(Look::kRemoved).light.line : scheme(false).edge);
    } else if (crosses_phases(sketch_, edge)) {
      if (!attributes.empty()) attributes += ", ";
      attributes += "penwidth=0.6, " + quoted_attribute("color", scheme(false).faint_edge);
    } else if (!edge.carries_grad) {
      if (!attributes.empty()) attributes += ", ";
      attributes += "style=dashed, " + quoted_attribute("color", scheme(false).faint_edge);
    }
    std::string text = "  " + from.id + " -> " + sketch_.nodes[static_cast<size_t>(edge.to)].id;
    if (!attributes.empty()) text += " [" + attributes + "]";
    return text + "\n";
  }

  const Sketch& sketch_;
  std::vector<std::vector<size_t>> children_;
  std::vector<std::vector<const SketchNode*>> nodes_;
};

// A table as the label of the whole, which moves nothing about.
std::string legend(const Sketch& sketch) {
  std::string cells;
  for (const Style* style : styles_in(sketch)) {
    if (style->look == Look::kConstant) continue;
    cells += "<td border=\"1\" style=\"rounded";
    cells += style->dashed ? ",dashed\"" : "\"";
    cells += std::string(" bgcolor=\"") + style->light.fill + "\" color=\"" + style->light.line +
             "\"><font color=\"" + style->light.text + "\">" + style->meaning + "</font></td>";
  }
  if (cells.empty()) return "";
  return "  graph [labelloc=b, label=<<table border=\"0\" cellspacing=\"4\" "
         "cellpadding=\"3\"><tr>" +
         cells + "</tr></table>>]\n";
}

}  // namespace

std::vector<const Style*> styles_in(const Sketch& sketch) {
  std::vector<const Style*> found;
  for (const Style& style : all_styles())
    for (const SketchNode& node : sketch.nodes)
      if (&style_of(node.look, node.phase) == &style) {
        found.push_back(&style);
        break;
      }
  return found;
}

std::string dot_text(const GraphData& graph, const DrawOptions& options) {
  const Sketch sketch = make_sketch(graph, options);
  return head(options, !sketch.clusters.empty()) + DotWriter(sketch).body() +
         (options.legend ? legend(sketch) : "") + "}\n";
}

}  // namespace autograd::detail
