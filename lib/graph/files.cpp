#include "graph/files.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "autograd/error.hpp"
#include "core/text.hpp"

namespace autograd::detail {
namespace {

using File = std::unique_ptr<FILE, int (*)(FILE*)>;

}  // namespace

void write_file(const char* who, const std::string& path, const std::string& bytes) {
  const auto must = [&](bool done) {
    if (!done) fail(ErrorCode::kRuntime, who, ": cannot write ", path, ": ", std::strerror(errno));
  };
  File file(std::fopen(path.c_str(), "wb"), std::fclose);
  must(file != nullptr);
  must(std::fwrite(bytes.data(), 1, bytes.size(), file.get()) == bytes.size());
  must(std::fclose(file.release()) == 0);
}

std::string read_file(const char* who, const std::string& path) {
  const auto must = [&](bool done) {
    if (!done) fail(ErrorCode::kRuntime, who, ": cannot read ", path, ": ", std::strerror(errno));
  };
  const File file(std::fopen(path.c_str(), "rb"), std::fclose);
  must(file != nullptr);
  std::string bytes;
  char buffer[1 << 14];
  for (size_t n; (n = std::fread(buffer, 1, sizeof(buffer), file.get())) > 0;)
    bytes.append(buffer, n);
  must(!std::ferror(file.get()));
  return bytes;
}

}  // namespace autograd::detail
