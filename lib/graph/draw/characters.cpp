// Texts in pictures: how wide they are, and what has to be written differently in XML and JSON.
#include <array>
#include <cstdint>
#include <string_view>

#include "graph/draw/style.hpp"

namespace autograd::detail {
namespace {

// Advance widths of Helvetica from the space to the tilde, in thousandths of the font size; Arial
// and its kin have the same.
constexpr std::array<int16_t, 95> kWidths = {
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333,  278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667,
    611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667,  611, 722, 667, 944, 667,
    667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278,  556, 556, 222, 222, 500,
    222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500,  500, 334, 260, 334, 584};
constexpr int kOtherWidth = 620;    // Latin, Greek, Cyrillic beyond ASCII
constexpr int kSquareWidth = 1020;  // Chinese, Japanese, Korean, symbols

constexpr const char* kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Length of the well-formed UTF-8 sequence at the front of `text`, 0 if there is none.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const size_t length = byte(0) < 0x80                      ? 1
                        : byte(0) >= 0xC2 && byte(0) < 0xE0 ? 2
                        : byte(0) >= 0xE0 && byte(0) < 0xF0 ? 3
                        : byte(0) >= 0xF0 && byte(0) < 0xF5 ? 4
                                                            : 0;
  if (length == 0 || length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  // Overlong forms, surrogates, beyond U+10FFFF.
  if ((byte(0) == 0xE0 && byte(1) < 0xA0) || (byte(0) == 0xED && byte(1) >= 0xA0)) return 0;
  if ((byte(0) == 0xF0 && byte(1) < 0x90) || (byte(0) == 0xF4 && byte(1) >= 0x90)) return 0;
  // U+FFFE and U+FFFF are no characters of XML.
  if (length == 3 && byte(0) == 0xEF && byte(1) == 0xBF && byte(2) >= 0xBE) return 0;
  return length;
}

// Calls see(character) with each UTF-8 sequence, U+FFFD in place of what is none.
template <class See>
void for_each_character(std::string_view text, const See& see) {
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    see(length ? text.substr(0, length) : std::string_view(kReplacement));
    text.remove_prefix(length ? length : 1);
  }
}

bool is_control(std::string_view c) {
  return c.size() == 1 && (static_cast<unsigned char>(c[0]) < 0x20 || c[0] == 0x7F);
}

}  // namespace

double text_width(const std::string& text, double font_size) {
  int64_t sum = 0;
  for_each_character(text, [&](std::string_view c) {
    const unsigned char first = static_cast<unsigned char>(c[0]);
    if (c.size() == 1)
      sum += first < 0x20 || first > 0x7E ? kOtherWidth : kWidths[first - 0x20u];
    else
      sum += first < 0xE1 ? kOtherWidth : kSquareWidth;
  });
  return static_cast<double>(sum) * font_size / 1000;
}

std::string shortened(const std::string& text, size_t characters) {
  size_t count = 0;
  for_each_character(text, [&](std::string_view) { ++count; });
  if (count <= characters) return text;
  const size_t head = (characters - 1) / 2, tail = characters - 1 - head;
  std::string out;
  size_t i = 0;
  for_each_character(text, [&](std::string_view c) {
    if (i == head) out += "\xE2\x80\xA6";  // an ellipsis
    if (i < head || i >= count - tail) out += c;
    ++i;
  });
  return out;
}

std::string xml_escaped(const std::string& text) {
  std::string out;
  for_each_character(text, [&](std::string_view c) {
    switch (c[0]) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '\n':
        out += '\n';
        break;
      case '\t':
        out += ' ';
        break;
      default:
        if (is_control(c))
          out += kReplacement;
        else
          out += c;
    }
  });
  return out;
}

std::string json_quoted(const std::string& text) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string out = "\"";
  for_each_character(text, [&](std::string_view c) {
    const unsigned char first = static_cast<unsigned char>(c[0]);
    if (c[0] == '"' || c[0] == '\\')
      (out += '\\') += c;
    else if (c[0] == '\n')
      out += "\\n";
    // "</script>", "<!--" and "]]>" end or change a script; U+2028 and U+2029 end lines of older
    // ones.
    else if (is_control(c) || c[0] == '<' || c[0] == '>' || c[0] == '&')
      ((out += "\\u00") += kDigits[first >> 4]) += kDigits[first & 15];
    else if (c == "\xE2\x80\xA8")
      out += "\\u2028";
    else if (c == "\xE2\x80\xA9")
      out += "\\u2029";
    else
      out += c;
  });
  return out + "\"";
}

}  // namespace autograd::detail
