#include "graph/draw/style.hpp"

namespace autograd::detail {

const char* name_of(Phase phase) {
  switch (phase) {
    case Phase::kForward:
      return "forward";
    case Phase::kBackward:
      return "backward";
    case Phase::kOptimizer:
      return "optimizer";
  }
  return "?";
}

namespace {

constexpr Phase kForward = Phase::kForward, kBackward = Phase::kBackward,
                kOptimizer = Phase::kOptimizer;

// Hues of Okabe and Ito, which people with any kind of colour vision can tell apart; tints as fill,
// shades as line, and the other way round on dark pages.
const std::vector<Style> kStyles = {
    {Look::kInput,
     kForward,
     "input",
     "input",
     {"#dceefa", "#0072b2", "#10324a"},
     {"#123a54", "#56b4e9", "#d8effc"},
     1,
     false},
    {Look::kParameter,
     kForward,
     "parameter",
     "parameter",
     {"#fdebc8", "#b26a00", "#4a2f05"},
     {"#4d3710", "#e69f00", "#fdebc8"},
     1,
     false},
    {Look::kBuffer,
     kForward,
     "buffer",
     "buffer",
     {"#f6e3ee", "#a8487f", "#47203a"},
     {"#4a2740", "#e08fbb", "#f9e4ef"},
     1,
     false},
    {Look::kConstant,
     kForward,
     "constant",
     "constant",
     {"#ffffff", "#ffffff", "#52606d"},
     {"#14181d", "#14181d", "#a5b1bd"},
     0,
     false},
    {Look::kOp,
     kForward,
     "op",
     "operation",
     {"#f1f3f6", "#5b6875", "#1f2933"},
     {"#2a323b", "#8593a1", "#e8edf2"},
     1,
     false},
    {Look::kProduct,
     kForward,
     "product",
     "product",
     {"#d5dde6", "#3e4c59", "#1f2933"},
     {"#3d4a58", "#b3c0cd", "#f4f7fa"},
     1.6,
     false},
    {Look::kView,
     kForward,
     "view",
     "view (no new data)",
     {"#ffffff", "#8a97a5", "#3e4c59"},
     {"#1b2027", "#75838f", "#c3ccd5"},
     1,
     true},
    {Look::kFused,
     kForward,
     "fused",
     "fused operations",
     {"#3e4c59", "#1f2933", "#ffffff"},
     {"#c9d3dd", "#eef2f6", "#18202a"},
     1.4,
     false},
    {Look::kModule,
     kForward,
     "module",
     "module, closed",
     {"#e4e9ef", "#3e4c59", "#1f2933"},
     {"#333d48", "#a5b1bd", "#f0f4f8"},
     1.4,
     false},
    {Look::kOp,
     kBackward,
     "op-backward",
     "backward",
     {"#ecebfb", "#5d59b8", "#26245e"},
     {"#2d2b52", "#9d99ea", "#e9e8fd"},
     1,
     false},
    {Look::kProduct,
     kBackward,
     "product-backward",
     "product, backward",
     {"#d3d1f4", "#433f9e", "#201e55"},
     {"#454187", "#b9b6f5", "#f3f2ff"},
     1.6,
     false},
    {Look::kView,
     kBackward,
     "view-backward",
     "view, backward",
     {"#ffffff", "#8f8cce", "#433f8a"},
     {"#1c1b2e", "#7f7bc9", "#cfcdf5"},
     1,
     true},
    {Look::kFused,
     kBackward,
     "fused-backward",
     "fused, backward",
     {"#4a46a5", "#2b2870", "#ffffff"},
     {"#c7c5f7", "#eeedff", "#1d1b4a"},
     1.4,
     false},
    {Look::kModule,
     kBackward,
     "module-backward",
     "module, closed, backward",
     {"#e0def8", "#433f9e", "#201e55"},
     {"#3a3770", "#b9b6f5", "#f3f2ff"},
     1.4,
     false},
    {Look::kOp,
     kOptimizer,
     "op-optimizer",
     "optimizer",
     {"#fde8df", "#c4501b", "#5c2208"},
     {"#4b2a1b", "#f0915f", "#fde8df"},
     1,
     false},
    {Look::kProduct,
     kOptimizer,
     "product-optimizer",
     "product, optimizer",
     {"#f8d0bd", "#a63c0a", "#5c2208"},
     {"#6b3a22", "#f7b08a", "#fff1ea"},
     1.6,
     false},
    {Look::kView,
     kOptimizer,
     "view-optimizer",
     "view, optimizer",
     {"#ffffff", "#d88b66", "#8a3a14"},
     {"#261b16", "#c47a54", "#f5cdb8"},
     1,
     true},
    {Look::kFused,
     kOptimizer,
     "fused-optimizer",
     "fused, optimizer",
     {"#a8430f", "#6b2706", "#ffffff"},
     {"#f7c4a8", "#fdeae0", "#45190a"},
     1.4,
     false},
    {Look::kModule,
     kOptimizer,
     "module-optimizer",
     "module, closed, optimizer",
     {"#fbdccd", "#a63c0a", "#5c2208"},
     {"#5c3320", "#f7b08a", "#fff1ea"},
     1.4,
     false},
    {Look::kAdded,
     kForward,
     "added",
     "added",
     {"#c9f0c4", "#1a7f37", "#0b3d17"},
     {"#14491f", "#57c76b", "#d6f7dc"},
     1.8,
     false},
    {Look::kRemoved,
     kForward,
     "removed",
     "removed",
     {"#ffdcd8", "#cf222e", "#7a0f17"},
     {"#571a1c", "#ff7b72", "#ffdcd8"},
     1.8,
     true},
    {Look::kChanged,
     kForward,
     "changed",
     "changed",
     {"#ffedb3", "#b58105", "#523a02"},
     {"#574008", "#e3b341", "#fff1c9"},
     1.8,
     false},
    {Look::kOutput,
     kForward,
     "output",
     "output",
     {"#d3efe5", "#00684d", "#053d2e"},
     {"#0d4637", "#2fbf97", "#d3efe5"},
     1.8,
     false},
};

const Scheme kLight = {"#ffffff", "#1f2933", "#52606d", "#52606d", "#a3aebb", "#f8f9fb", "#c3ccd5"};
const Scheme kDark = {"#14181d", "#e8edf2", "#a5b1bd", "#98a5b3", "#5c6773", "#1a1f26", "#434e5a"};

}  // namespace

const std::vector<Style>& all_styles() { return kStyles; }

const Style& style_of(Look look, Phase phase) {
  const Style* found = &kStyles[0];
  for (const Style& style : kStyles) {
    if (style.look != look) continue;
    found = &style;
    if (style.phase == phase) break;
  }
  return *found;
}

const Scheme& scheme(bool dark) { return dark ? kDark : kLight; }

const char* phase_line(Phase phase, bool dark) {
  const Style& style = style_of(Look::kOp, phase);
  return dark ? style.dark.line : style.light.line;
}

std::string css_properties(bool dark) {
  std::string css;
  const auto add = [&](const std::string& name, const char* value) {
    css.append("--").append(name).append(":").append(value).append(";");
  };
  const Scheme& page = scheme(dark);
  add("page", page.page);
  add("text", page.text);
  add("faint-text", page.faint_text);
  add("edge", page.edge);
  add("faint-edge", page.faint_edge);
  add("cluster-fill", page.cluster_fill);
  add("cluster-line", page.cluster_line);
  for (const Style& style : kStyles) {
    const Paint& paint = dark ? style.dark : style.light;
    add(std::string(style.name) + "-fill", paint.fill);
    add(std::string(style.name) + "-line", paint.line);
    add(std::string(style.name) + "-text", paint.text);
  }
  return css;
}

}  // namespace autograd::detail
