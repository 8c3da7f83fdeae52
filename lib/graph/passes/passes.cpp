// The order of the passes.
#include "graph/passes/passes.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/text.hpp"

namespace autograd::detail {

namespace {

struct Pass {
  const char* name;
  GraphData (*run)(const GraphData&, PassReport&);
};

// Plain values first; then less to do; then fusion, largest patterns first.
constexpr Pass kPasses[] = {
    {"in place", without_in_place},
    {"dead code", without_dead_code},
    {"constant folding", with_folded_constants},
    {"algebra", with_simpler_algebra},
    {"transposes", with_folded_transposes},
    {"common subexpressions", without_repeats},
    {"dead code", without_dead_code},
    {"sums of products", with_fused_sums_of_products},
    {"losses", with_fused_losses},
    {"views", with_moved_views},
    {"pools", with_pooled_gradients},
    {"split sums", with_split_sums},
    {"pointwise", with_fused_pointwise},
    {"pieces", with_fused_pieces},
    {"updates", with_joined_updates},
    {"dead code", without_dead_code},
};

bool is_logged() {
  const char* list = std::getenv("AUTOGRAD_LOG");
  return list && std::strstr(list, "passes");
}

void print_changes(const PassReport& report, size_t first) {
  for (size_t i = first; i < report.changes.size(); ++i) {
    const PassReport::Change& change = report.changes[i];
    const std::string where =
        change.line > 0 ? concat("  (", change.file, ":", change.line, ")") : "";
    std::fprintf(stderr, "autograd passes: %s: %s%s\n", change.pass.c_str(), change.what.c_str(),
                 where.c_str());
  }
}

}  // namespace

GraphData optimise(const GraphData& graph, PassReport& report) {
  report.ops_before = static_cast<int>(graph.ops.size());
  GraphData now = graph;
  const bool logs = is_logged();
  for (const Pass& pass : kPasses) {
    const size_t first = report.changes.size();
    now = pass.run(now, report);
    if (logs) print_changes(report, first);
    try {
      verify(now);
    } catch (const Error& error) {
      fail(ErrorCode::kRuntime, "after the pass ", pass.name, ": ", error.what());
    }
  }
  report.ops_after = static_cast<int>(now.ops.size());
  return now;
}

}  // namespace autograd::detail
