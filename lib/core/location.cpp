// The table of all lines that were seen, and the public side of locations.
#include "core/location.hpp"

#include <deque>
#include <map>
#include <mutex>
#include <tuple>
#include <utility>

#include "autograd/location.hpp"
#include "core/fork.hpp"
#include "core/op.hpp"

namespace autograd {
namespace detail {

AUTOGRAD_PLAIN_THREAD_LOCAL uint32_t call_location = NativeCall::kOutside;

namespace {

struct Locations {
  using Key = std::tuple<std::string, int64_t, std::string>;
  std::mutex mutex;
  std::map<Key, Location> numbers;
  std::deque<const Key*> keys{nullptr, nullptr};  // 0 and kNowhere
};

// Leaked on purpose: tensors with static storage may be made and dropped at any time.
Locations& locations() {
  static Locations* all = new Locations;
  return *all;
}
[[maybe_unused]] const bool keeps_locations = (keep_over_forks(locations().mutex), true);

}  // namespace

std::string at_line(Location location) {
  const SourceLocation found = find_location(location);
  return found.known() ? " at " + found.text() : "";
}

}  // namespace detail

uint32_t make_location(const std::string& file, int64_t line, const std::string& function) {
  if (file.empty()) return 0;
  detail::Locations& all = detail::locations();
  std::lock_guard lock(all.mutex);
  detail::Locations::Key key{file, line, function};
  const auto known = all.numbers.find(key);
  if (known != all.numbers.end()) return known->second;
  if (all.keys.size() >= detail::kMostLocations) return 0;
  const uint32_t number = static_cast<uint32_t>(all.keys.size());
  all.keys.push_back(&all.numbers.emplace(std::move(key), number).first->first);
  return number;
}

SourceLocation find_location(uint32_t location) {
  detail::Locations& all = detail::locations();
  std::lock_guard lock(all.mutex);
  if (location >= all.keys.size() || !all.keys[location]) return {};
  const auto& [file, line, function] = *all.keys[location];
  return {file, line, function};
}

uint32_t current_location() { return detail::here(); }

uint32_t set_location(uint32_t location) {
  return std::exchange(detail::thread_state.location, location);
}

std::string SourceLocation::text() const {
  return known() ? file + ":" + std::to_string(line) : "an unknown line";
}

SourceScope::SourceScope(const char* file, int64_t line, const char* function)
    : previous_(set_location(make_location(file ? file : "", line, function ? function : ""))) {}
SourceScope::~SourceScope() { set_location(previous_); }

uint32_t made_at_number(const Tensor& t) { return t.head()->made_at; }
uint32_t changed_at_number(const Tensor& t) { return detail::body(t)->storage->changed_at; }
SourceLocation made_at(const Tensor& t) { return find_location(made_at_number(t)); }
SourceLocation changed_at(const Tensor& t) { return find_location(changed_at_number(t)); }
std::string changed_by(const Tensor& t) {
  const detail::Op* op = detail::body(t)->storage->changed_by;
  return op ? op->name : "";
}

}  // namespace autograd
