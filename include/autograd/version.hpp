// The library's version; CMake, the C ABI and the Python package read it from here.
#pragma once
#define AUTOGRAD_VERSION "0.1.0"
