// Seed and position of the process's random stream.
#include "core/random.hpp"

#include <mutex>
#include <random>

#include "autograd/random.hpp"

namespace autograd {
namespace {

struct Generator {
  std::mutex mutex;
  cpu::Philox state{std::random_device{}(), 0};
};

Generator& generator() {
  static Generator g;
  return g;
}

}  // namespace

void manual_seed(int64_t seed) {
  std::lock_guard lock(generator().mutex);
  generator().state = {static_cast<uint64_t>(seed), 0};
}

cpu::Philox detail::take_random(int64_t n) {
  std::lock_guard lock(generator().mutex);
  const cpu::Philox now = generator().state;
  generator().state.offset += static_cast<uint64_t>(n);
  return now;
}

}  // namespace autograd
