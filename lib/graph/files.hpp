// Whole files; errors name the file and say what the system says.
#pragma once
#include <string>

namespace autograd::detail {

/// Writes a file anew. Throws Error (runtime), whose text begins with `who`; what was written until
/// then stays.
void write_file(const char* who, const std::string& path, const std::string& bytes);
/// Everything in a file. Throws Error (runtime), whose text begins with `who`.
std::string read_file(const char* who, const std::string& path);

}  // namespace autograd::detail
