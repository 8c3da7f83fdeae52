// Graphs as files, and compared with files.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "autograd/error.hpp"
#include "autograd/graph.hpp"
#include "core/text.hpp"
#include "graph/files.hpp"

extern char** environ;

namespace autograd {
namespace {

constexpr const char* kStill = "; graphs are saved as .svg, .html and .dot with nothing installed";

void write_text(const std::string& path, const std::string& text) {
  detail::write_file("save", path, text);
}

using File = std::unique_ptr<FILE, int (*)(FILE*)>;

File temporary() {
  File file(std::tmpfile(), std::fclose);
  if (!file) fail(ErrorCode::kRuntime, "save: no temporary file: ", std::strerror(errno));
  return file;
}

std::string content_of(FILE* file) {
  std::string text;
  std::rewind(file);
  char buffer[4096];
  for (size_t n; (n = std::fread(buffer, 1, sizeof(buffer), file)) > 0;) text.append(buffer, n);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

/// How long dot may take: its time grows fast with the number of modules.
std::chrono::duration<double> patience() {
  const char* given = std::getenv("AUTOGRAD_DOT_SECONDS");
  const double seconds = given ? std::strtod(given, nullptr) : 0;
  return std::chrono::duration<double>(seconds > 0 ? seconds : 60);
}

/// The exit status; ends the program and throws if it takes too long.
int wait_for(pid_t child, const std::string& path) {
  using std::chrono::steady_clock;
  const auto begin = steady_clock::now();
  const auto limit = patience();
  for (int status = 0;;) {
    const pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child) return status;
    if (ended < 0 && errno != EINTR) return -1;
    if (steady_clock::now() - begin > limit) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  kill(child, SIGKILL);
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  std::remove(path.c_str());
  fail(ErrorCode::kRuntime, "Graphviz's dot was stopped after ", limit.count(),
       " s: the graph is large for it. Close modules (depth, roll_up), or give it more time by the "
       "variable AUTOGRAD_DOT_SECONDS",
       kStill);
}

// Files instead of pipes: a program that ends early must not send this one a signal.
void run_graphviz(const std::string& dot, const std::string& kind, const std::string& path) {
  const File in = temporary(), said = temporary();
  if (std::fwrite(dot.data(), 1, dot.size(), in.get()) < dot.size() || std::fflush(in.get()))
    fail(ErrorCode::kRuntime, "save: cannot write a temporary file: ", std::strerror(errno));
  std::rewind(in.get());
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fileno(in.get()), STDIN_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, path.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0666);
  posix_spawn_file_actions_adddup2(&actions, fileno(said.get()), STDERR_FILENO);
  std::string program = "dot", format = "-T" + kind;
  char* arguments[] = {program.data(), format.data(), nullptr};
  pid_t child = 0;
  const int error = posix_spawnp(&child, "dot", &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT)
    fail(ErrorCode::kRuntime, "a drawing as ", kind,
         " needs Graphviz's program dot, which was not found: install it (Debian, Ubuntu: apt "
         "install graphviz; macOS: brew install graphviz)",
         kStill);
  if (error)
    fail(ErrorCode::kRuntime, "Graphviz's dot did not start: ", std::strerror(error), kStill);
  const int status = wait_for(child, path);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  std::remove(path.c_str());
  std::string words = content_of(said.get());
  if (words.empty()) words = "exit status " + std::to_string(WEXITSTATUS(status));
  fail(ErrorCode::kRuntime, "Graphviz's dot failed to write ", path, ": ",
       words.substr(0, words.find('\n')), kStill);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// What lies between the lines that both begin and both end with.
std::string difference(const std::string& before, const std::string& now) {
  constexpr size_t kMost = 30;  // lines of each
  const std::vector<std::string> a = lines_of(before), b = lines_of(now);
  size_t head = 0, tail = 0;
  while (head < a.size() && head < b.size() && a[head] == b[head]) ++head;
  while (tail + head < a.size() && tail + head < b.size() &&
         a[a.size() - 1 - tail] == b[b.size() - 1 - tail])
    ++tail;
  std::string text;
  const auto show = [&](const std::vector<std::string>& lines, const char* sign) {
    const size_t end = lines.size() - tail;
    for (size_t i = head; i < end && i < head + kMost; ++i) text += sign + lines[i] + "\n";
    if (end > head + kMost)
      text += "... and " + std::to_string(end - head - kMost) + " more lines\n";
  };
  show(a, "-");
  show(b, "+");
  return "@@ line " + std::to_string(head + 1) + " @@\n" + text;
}

}  // namespace

void Graph::save(const std::string& path, const DrawOptions& options) const {
  const size_t slash = path.rfind('/'), point = path.rfind('.');
  const bool has_suffix =
      point != std::string::npos && (slash == std::string::npos || point > slash + 1);
  std::string kind = has_suffix ? path.substr(point + 1) : "";
  for (char& c : kind)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  if (kind == "svg") return write_text(path, svg(options));
  if (kind == "dot" || kind == "gv") return write_text(path, dot(options));
  if (kind == "json") return write_text(path, json());
  if (kind == "txt") return write_text(path, text());
  if (kind == "html" || kind == "htm") {
    std::vector<std::pair<std::string, Graph>> others;
    if (report().empty() && num_ops() > 0) others.emplace_back("fused", fuse());
    return write_text(path, html("Computation graph", "recorded", others, options));
  }
  if (kind == "png" || kind == "pdf") {
    // Before dot makes of it what it cannot write.
    std::ofstream file(path, std::ios::binary | std::ios::app);
    if (!file) fail(ErrorCode::kRuntime, "save: cannot write ", path, ": ", std::strerror(errno));
    const bool is_new = file.tellp() == 0;
    file.close();
    try {
      return run_graphviz(dot(options), kind, path);
    } catch (...) {
      if (is_new) std::remove(path.c_str());
      throw;
    }
  }
  fail(ErrorCode::kValue, "save: unknown suffix of ", path,
       ": use .svg, .html, .png, .pdf, .dot, .gv, .json or .txt");
}

void assert_graph(const Graph& graph, const std::string& golden, bool update,
                  const DrawOptions& options) {
  const std::string now = graph.dot(options);
  const char* asked = std::getenv("AUTOGRAD_UPDATE_GRAPHS");
  const bool exists = !access(golden.c_str(), F_OK);
  if (update || !exists || (asked && std::string(asked) == "1")) return write_text(golden, now);
  const std::string before = detail::read_file("assert_graph", golden);
  if (before == now) return;
  fail(ErrorCode::kRuntime, "the graph differs from ", golden, ":\n", difference(before, now),
       "If the change is wanted, update the file or set AUTOGRAD_UPDATE_GRAPHS=1, and look at what "
       "git says of it.");
}

}  // namespace autograd
