// How the parts of a graph look: the one table that DOT, SVG and the viewer draw with.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "graph/ir.hpp"

namespace autograd::detail {

/// What a node is to the reader.
enum class Look {
  kParameter,
  kBuffer,
  kInput,
  kConstant,
  kOutput,
  kOp,
  kProduct,  ///< an op that multiplies matrices, or convolves: where the time goes
  kView,     ///< an op that makes no data
  kFused,    ///< an op that stands for several
  kModule,   ///< a module whose inside is not shown
  kAdded,    ///< these three: an op of two graphs that are compared
  kRemoved,
  kChanged
};

struct Paint {
  const char *fill, *line, *text;
};

/// Colours on a light and on a dark page.
struct Style {
  Look look;
  Phase phase;          ///< of ops; the others have one style
  const char* name;     ///< a word that may be part of an identifier
  const char* meaning;  ///< for the legend
  Paint light, dark;
  double line_width;
  bool dashed;
};

/// Every style once, in the order of the legend.
const std::vector<Style>& all_styles();
const Style& style_of(Look look, Phase phase = Phase::kForward);

/// The page, and what is drawn on it beside nodes.
struct Scheme {
  const char *page, *text, *faint_text, *edge, *faint_edge, *cluster_fill, *cluster_line;
};
const Scheme& scheme(bool dark);

/// "forward", "backward", "optimizer".
const char* name_of(Phase phase);
/// The line around all of a phase, on a light and on a dark page.
const char* phase_line(Phase phase, bool dark);

/// CSS custom properties of all of the above, for :root or the like: "--op-fill: #f3f5f7; ...".
std::string css_properties(bool dark);

/// Width of a text in Helvetica.
double text_width(const std::string& text, double font_size);
/// The text with its middle left out if it is longer than so many characters.
std::string shortened(const std::string& text, size_t characters);
/// Text inside XML, HTML or DOT's HTML-like labels. What XML cannot hold becomes U+FFFD; a newline
/// stays.
std::string xml_escaped(const std::string& text);
/// A text as a JSON string with its quotes, fit to stand inside <script> as well.
std::string json_quoted(const std::string& text);

}  // namespace autograd::detail
