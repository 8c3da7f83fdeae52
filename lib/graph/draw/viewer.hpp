// The texts of lib/graph/viewer.
#pragma once

namespace autograd::detail {

extern const char* const kViewerPage;  ///< HTML, with {{title}}, {{style}}, {{data}} and {{script}}
extern const char* const kViewerStyle;   ///< CSS
extern const char* const kViewerScript;  ///< JavaScript

}  // namespace autograd::detail
