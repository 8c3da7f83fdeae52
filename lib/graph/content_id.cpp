// Numbers of ops that are made of what they compute, so that two graphs can be compared.
#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "graph/ir.hpp"

namespace autograd::detail {
namespace {

// FNV-1a, then mixed, so that the result is the same on every machine.
uint64_t hash_text(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

uint64_t mix(uint64_t hash, uint64_t value) {
  hash ^= value + 0x9E3779B97F4A7C15u + (hash << 6) + (hash >> 2);
  hash = (hash ^ (hash >> 30)) * 0xBF58476D1CE4E5B9u;
  hash = (hash ^ (hash >> 27)) * 0x94D049BB133111EBu;
  return hash ^ (hash >> 31);
}

uint64_t hash_type(const GraphValue& v) {
  return mix(hash_text(name_of(v.dtype)), hash_text(to_string(v.sizes)));
}

uint64_t hash_leaf(const GraphValue& v) {
  // Without a name leaves differ by their kind alone, and by the ops that read them.
  uint64_t hash = mix(hash_type(v), hash_text(role_name(v.role)));
  hash = mix(hash, hash_text(v.name));
  return v.has_number ? mix(hash, hash_text(number_text(v.number))) : hash;
}

}  // namespace

std::vector<uint64_t> content_ids(const GraphData& graph) {
  std::vector<uint64_t> values(graph.values.size()), ids;
  for (size_t v = 0; v < graph.values.size(); ++v)
    if (graph.values[v].is_leaf()) values[v] = hash_leaf(graph.values[v]);
  std::unordered_map<uint64_t, uint64_t> seen;
  for (const GraphOp& op : graph.ops) {
    uint64_t hash = mix(hash_text(op.op->name), hash_text(attrs_text(*op.op, op.attrs)));
    hash = mix(hash, op.in_place ? 1 : 0);
    for (int v : op.inputs) hash = mix(hash, v < 0 ? 0 : values[static_cast<size_t>(v)]);
    for (int v : op.outputs) hash = mix(hash, hash_type(graph.values[static_cast<size_t>(v)]));
    if (op.body)
      for (uint64_t inner : content_ids(*op.body)) hash = mix(hash, inner);
    if (const uint64_t times = seen[hash]++) hash = mix(hash, times);
    ids.push_back(hash);
    for (size_t i = 0; i < op.outputs.size(); ++i)
      values[static_cast<size_t>(op.outputs[i])] = mix(hash, i + 1);
  }
  return ids;
}

}  // namespace autograd::detail
