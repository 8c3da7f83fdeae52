// Graphs as SVG by the built-in layout.
#include <algorithm>
#include <cmath>

#include "graph/draw/sketch.hpp"
#include "graph/layout/layout.hpp"

namespace autograd::detail {
namespace {

using layout::Point;
using layout::Rect;

constexpr double kTitleFont = 12, kDetailFont = 9.5, kEdgeFont = 9, kClusterFont = 10.5;
constexpr double kDetailStep = 12;  // from line to line
constexpr double kMargin = 18;      // around everything

// To hundredths, without an exponent: short, and the same everywhere.
std::string number(double x) {
  const int64_t hundredths = std::llround(x * 100);
  std::string text = std::to_string(std::abs(hundredths) / 100);
  const int64_t rest = std::abs(hundredths) % 100;
  if (rest) {
    text.append(".").append(std::to_string(rest / 10));
    if (rest % 10) text.append(std::to_string(rest % 10));
  }
  if (hundredths < 0) text.insert(text.begin(), '-');
  return text;
}

std::string attribute(const char* name, double value) {
  return std::string(" ") + name + "=\"" + number(value) + "\"";
}
std::string attribute(const char* name, const std::string& value) {
  return std::string(" ") + name + "=\"" + value + "\"";
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  if (text.empty()) return lines;
  for (size_t at = 0, end = 0; end != std::string::npos; at = end + 1) {
    end = text.find('\n', at);
    lines.push_back(text.substr(at, end == std::string::npos ? end : end - at));
  }
  return lines;
}

layout::Size size_of(const SketchNode& node) {
  double width = text_width(node.title, kTitleFont);
  if (node.look == Look::kConstant) return {width + 6, 18};
  const std::vector<std::string> lines = lines_of(node.detail);
  for (const std::string& line : lines) width = std::max(width, text_width(line, kDetailFont));
  return {std::max(40.0, std::ceil(width * 1.06 + 20)),
          26.0 + kDetailStep * static_cast<double>(lines.size())};
}

layout::Diagram diagram_of(const Sketch& sketch, DrawDirection direction) {
  layout::Diagram d;
  d.direction = static_cast<layout::Direction>(direction);
  for (const SketchNode& node : sketch.nodes) {
    layout::Box box{size_of(node), node.cluster, {}};
    for (const std::string& output : node.outputs)
      box.outputs.push_back(output.empty()
                                ? layout::Size{}
                                : layout::Size{text_width(output, kEdgeFont) * 1.06 + 2, 13});
    d.boxes.push_back(std::move(box));
  }
  for (const SketchEdge& edge : sketch.edges) {
    // The way of the data is to be straight, and what parameters and constants add to it comes from
    // the side.
    const SketchNode& from = sketch.nodes[static_cast<size_t>(edge.from)];
    const bool is_leaf = from.op < 0 && from.look != Look::kModule;
    const int weight = edge.order || edge.removed     ? 0
                       : is_leaf                      ? from.look == Look::kInput
                       : crosses_phases(sketch, edge) ? 1
                                                      : 2 + edge.carries_grad;
    d.edges.push_back({edge.from, edge.to, edge.output, weight});
  }
  for (const SketchCluster& cluster : sketch.clusters)
    d.clusters.push_back(
        {cluster.parent,
         {text_width(cluster.title, kClusterFont) * (cluster.is_phase ? 1.25 : 1.08),
          cluster.title.empty() ? 0.0 : 14.0}});
  return d;
}

// A text is squeezed where the page has no font of Helvetica's widths and it might leave its box.
std::string text_element(const char* kind, double x, double y, const std::string& text,
                         double font_size) {
  const double width = text_width(text, font_size);
  std::string out =
      "<text class=\"" + std::string(kind) + "\"" + attribute("x", x) + attribute("y", y);
  if (width > 70) out += attribute("textLength", width) + " lengthAdjust=\"spacingAndGlyphs\"";
  return out + ">" + xml_escaped(text) + "</text>";
}

std::string tooltip(const SketchNode& node) {
  std::string text = node.name.empty() ? node.title : node.name;
  for (const auto& [what, fact] : node.facts) text += "\n" + what + ": " + fact;
  return "<title>" + xml_escaped(text) + "</title>";
}

class Svg {
 public:
  Svg(const Sketch& sketch, const DrawOptions& options)
      : sketch_(sketch),
        options_(options),
        picture_(layout::lay_out(diagram_of(sketch, options.direction))) {}

  std::string text() {
    if (options_.legend) write_legend();
    const double width = std::max(picture_.size.width, legend_width_) + 2 * kMargin;
    const double height = picture_.size.height + legend_height_ + 2 * kMargin;
    std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"ag-graph\" role=\"img\"" +
                      attribute("width", width) + attribute("height", height);
    out += " viewBox=\"" + number(-kMargin) + " " + number(-kMargin) + " " + number(width) + " " +
           number(height) + "\">\n";
    out +=
        "<title>" + xml_escaped(name()) + "</title>\n<desc>" + xml_escaped(summary()) + "</desc>\n";
    out += style_sheet();
    out += "<rect class=\"page\"" + attribute("x", -kMargin) + attribute("y", -kMargin) +
           " width=\"100%\" height=\"100%\"/>\n";
    for (size_t c = 0; c < sketch_.clusters.size(); ++c) out += cluster(c);
    for (size_t e = 0; e < sketch_.edges.size(); ++e) out += edge(e);
    for (size_t n = 0; n < sketch_.nodes.size(); ++n) out += node(n);
    return out + legend_ + "</svg>\n";
  }

 private:
  std::string name() const;
  std::string summary() const;
  std::string style_sheet() const;
  std::string cluster(size_t c) const;
  std::string edge(size_t e) const;
  std::string node(size_t n) const;
  void write_legend();

  const Sketch& sketch_;
  const DrawOptions& options_;
  layout::Picture picture_;
  std::string legend_;
  double legend_width_ = 0, legend_height_ = 0;
};

std::string Svg::name() const {
  for (const SketchCluster& cluster : sketch_.clusters)
    if (!cluster.is_phase) return "Computation graph of " + cluster.title;
  return "Computation graph";
}

std::string Svg::summary() const {
  std::string text;
  for (const Style* style : styles_in(sketch_)) {
    int count = 0;
    for (const SketchNode& node : sketch_.nodes) count += &style_of(node.look, node.phase) == style;
    text += (text.empty() ? "Nodes by kind: " : ", ") + std::string(style->meaning) + " " +
            std::to_string(count);
  }
  return text + (text.empty() ? "No nodes." : ".");
}

// Properties hold the colours, so that a page may set its own; SVGs beside each other agree on all
// classes.
std::string Svg::style_sheet() const {
  std::string css = "<style>\n.ag-graph{" + css_properties(false) + "}\n";
  css += "@media (prefers-color-scheme:dark){.ag-graph{" + css_properties(true) + "}}\n";
  css +=
      ".ag-graph text{font-family:Helvetica,Arial,'Liberation Sans',sans-serif;fill:var(--text)}\n"
      ".ag-graph .page{fill:var(--page)}\n"
      ".ag-graph .t{font-size:12px;text-anchor:middle}\n"
      ".ag-graph .d{font-size:9.5px;text-anchor:middle;opacity:.85}\n"
      ".ag-graph .s{font-size:9px;fill:var(--faint-text)}\n"
      ".ag-graph .c{font-size:10.5px;fill:var(--faint-text)}\n"
      ".ag-graph .l{font-size:10.5px;text-anchor:middle}\n"
      ".ag-graph .cluster{fill:var(--cluster-fill);stroke:var(--cluster-line)}\n"
      ".ag-graph .e{fill:none;stroke:var(--edge);stroke-width:1.1}\n"
      ".ag-graph .a{fill:var(--edge)}\n"
      ".ag-graph .e.n{stroke:var(--faint-edge);stroke-dasharray:4 3}\n"
      ".ag-graph .a.n{fill:var(--faint-edge)}\n"
      ".ag-graph .e.x{stroke:var(--faint-edge);stroke-width:.8}\n"
      ".ag-graph .a.x{fill:var(--faint-edge)}\n"
      ".ag-graph .e.o{stroke-dasharray:1.5 3}\n"
      ".ag-graph .e.r{stroke:var(--removed-line);stroke-dasharray:5 3}\n"
      ".ag-graph .a.r{fill:var(--removed-line)}\n"
      ".ag-graph .again rect{stroke-dasharray:2 2}\n";
  for (const Phase phase : {Phase::kForward, Phase::kBackward, Phase::kOptimizer}) {
    const std::string name = name_of(phase), op = style_of(Look::kOp, phase).name;
    css += ".ag-graph .phase-" + name + "{fill:var(--page);stroke:var(--" + op +
           "-line);stroke-width:1.4}\n.ag-graph .c.phase-" + name + "{stroke:none;fill:var(--" +
           op + "-line);font-weight:bold}\n";
  }
  for (const Style* style : styles_in(sketch_)) {
    const std::string kind = style->name;
    css += ".ag-graph .k-" + kind + " rect{fill:var(--" + kind + "-fill);stroke:var(--" + kind +
           "-line);stroke-width:" + number(style->line_width) +
           (style->dashed ? ";stroke-dasharray:4 2.5}\n" : "}\n");
    css += ".ag-graph .k-" + kind + " text{fill:var(--" + kind + "-text)}\n";
  }
  return css + "</style>\n";
}

std::string rect_element(const Rect& r, const std::string& kind, double radius) {
  return "<rect" + (kind.empty() ? "" : attribute("class", kind)) + attribute("x", r.x) +
         attribute("y", r.y) + attribute("width", r.width) + attribute("height", r.height) +
         attribute("rx", radius) + "/>";
}

std::string Svg::cluster(size_t c) const {
  const Rect& r = picture_.clusters[c];
  if (r.width <= 0) return "";
  const SketchCluster& cluster = sketch_.clusters[c];
  const std::string phase = std::string("phase-") + name_of(cluster.phase);
  const std::string kind = cluster.is_phase ? phase : "cluster";
  std::string out = "<g>";
  if (cluster.times > 1)  // a stack of cards
    for (const double by : {6.0, 3.0})
      out += rect_element({r.x + by, r.y + by, r.width, r.height}, kind, 8);
  out += rect_element(r, kind, 8);
  const Rect& title = picture_.titles[c];
  out += text_element(cluster.is_phase ? ("c " + phase).c_str() : "c", title.x, title.y + 11,
                      cluster.title, kClusterFont);
  return out + "</g>\n";
}

std::string Svg::edge(size_t e) const {
  const auto& curve = picture_.edges[e];
  if (curve.size() < 4) return "";
  // The line ends inside the head of the arrow.
  const Point tip = curve.back(), before = curve[curve.size() - 2];
  const double length = std::hypot(tip.x - before.x, tip.y - before.y);
  const double dx = length > 0 ? (tip.x - before.x) / length : 0;
  const double dy = length > 0 ? (tip.y - before.y) / length : 1;
  const char* faint = sketch_.edges[e].removed                    ? " r"
                      : sketch_.edges[e].order                    ? " o"
                      : crosses_phases(sketch_, sketch_.edges[e]) ? " x"
                      : sketch_.edges[e].carries_grad             ? ""
                                                                  : " n";
  const auto point = [](double x, double y) { return number(x) + " " + number(y); };
  std::string out =
      std::string("<path class=\"e") + faint + "\" d=\"M" + point(curve[0].x, curve[0].y);
  for (size_t i = 1; i + 2 < curve.size(); i += 3) {
    const bool is_last = i + 3 == curve.size();
    const Point end = is_last ? Point{tip.x - 4 * dx, tip.y - 4 * dy} : curve[i + 2];
    const Point &a = curve[i], &b = curve[i + 1], &start = curve[i - 1];
    const bool straight = (start.x == end.x && a.x == end.x && b.x == end.x) ||
                          (start.y == end.y && a.y == end.y && b.y == end.y);
    if (straight)
      out.append("L").append(point(end.x, end.y));
    else
      out.append("C")
          .append(point(a.x, a.y))
          .append(" ")
          .append(point(b.x, b.y))
          .append(" ")
          .append(point(end.x, end.y));
  }
  out += std::string("\"/><path class=\"a") + faint + "\" d=\"M" + point(tip.x, tip.y) + "L" +
         point(tip.x - 6.5 * dx - 2.8 * dy, tip.y - 6.5 * dy + 2.8 * dx) + "L" +
         point(tip.x - 6.5 * dx + 2.8 * dy, tip.y - 6.5 * dy - 2.8 * dx) + "Z\"/>\n";
  return out;
}

std::string Svg::node(size_t n) const {
  const SketchNode& node = sketch_.nodes[n];
  const Rect& r = picture_.boxes[n];
  const double x = r.x + r.width / 2, y = r.y + r.height / 2;
  std::string out = "<g class=\"k-" + std::string(style_of(node.look, node.phase).name) +
                    (node.again ? " again\">" : "\">") + tooltip(node);
  if (node.look != Look::kConstant) out += rect_element(r, "", 5);
  const std::vector<std::string> lines = lines_of(node.detail);
  double baseline = y + 4.2 - kDetailStep / 2 * static_cast<double>(lines.size());
  out += text_element("t", x, baseline, node.title, kTitleFont);
  baseline += 0.8;
  for (const std::string& line : lines)
    out += text_element("d", x, baseline += kDetailStep, line, kDetailFont);
  out += "</g>";
  for (size_t k = 0; k < picture_.labels[n].size(); ++k) {
    const Rect& label = picture_.labels[n][k];
    if (label.width > 0)
      out += text_element("s", label.x + 1, label.y + 10, node.outputs[k], kEdgeFont);
  }
  return out + "\n";
}

void Svg::write_legend() {
  const double y = picture_.size.height + 24, right = std::max(picture_.size.width, 420.0);
  double x = 0, row = 0;
  for (const Style* style : styles_in(sketch_)) {
    if (style->look == Look::kConstant) continue;
    const double width = text_width(style->meaning, 10.5) * 1.1 + 18;
    if (x > 0 && x + width > right) {
      x = 0;
      row += 26;
    }
    legend_ += "<g class=\"k-" + std::string(style->name) + "\">" +
               rect_element({x, y + row, width, 20}, "", 5) +
               text_element("l", x + width / 2, y + row + 14, style->meaning, 10.5) + "</g>\n";
    x += width + 8;
    legend_width_ = std::max(legend_width_, x - 8);
  }
  if (!legend_.empty()) legend_height_ = 24 + row + 20;
}

}  // namespace

std::string svg_text(const GraphData& graph, const DrawOptions& options) {
  const Sketch sketch = make_sketch(graph, options);
  return Svg(sketch, options).text();
}

}  // namespace autograd::detail
