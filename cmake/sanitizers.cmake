# The library with sanitizers, made on demand from sources that are compiled once more, for the tests:
#   address  everything, with the address and undefined-behaviour sanitizers
#   thread   what threads share, with the thread sanitizer; everything else is as in all other programs
# Each is a shared library for Python's tests, autograd_<name> (scripts/sanitized), and the objects ${<name>_objects}
# for C++ tests. Code that is not optimised and has lines without variables takes half the time to compile.
# What a pointer is before it is used is left to the address sanitizer, too: to look at each sum takes a tenth.
set(address_flags -fsanitize=address,undefined -fno-sanitize=pointer-overflow -fno-sanitize-recover=all
                  -fno-omit-frame-pointer -g1)
set(thread_flags -fsanitize=thread -g1)

# sanitized_objects(NAME SANITIZER LIKE SOURCES ... OPTIONS ... [HEADERS ...]): with the include directories of LIKE, and
# these headers precompiled; the files are then compiled together, as those of LIKE.
function(sanitized_objects name sanitizer like)
  cmake_parse_arguments(PARSE_ARGV 3 arg "" "" "SOURCES;OPTIONS;HEADERS")
  add_library(${name} OBJECT EXCLUDE_FROM_ALL ${arg_SOURCES})
  target_include_directories(${name} PRIVATE $<TARGET_PROPERTY:${like},INCLUDE_DIRECTORIES>)
  target_compile_options(${name} PRIVATE ${${sanitizer}_flags} ${arg_OPTIONS})
  target_link_libraries(${name} PRIVATE autograd_options hwy::hwy)
  if(arg_HEADERS)
    target_precompile_headers(${name} PRIVATE ${arg_HEADERS})
    compile_together(${name})
  endif()
endfunction()

# sanitized_library(SANITIZER OBJECT...): the shared library.
function(sanitized_library sanitizer)
  add_library(autograd_${sanitizer} SHARED EXCLUDE_FROM_ALL ${ARGN})
  target_link_options(autograd_${sanitizer} PRIVATE "LINKER:--version-script=${PROJECT_SOURCE_DIR}/capi/exports.map")
  link_sanitized(autograd_${sanitizer} ${sanitizer})
endfunction()

function(link_sanitized target sanitizer)
  target_link_options(${target} PRIVATE ${${sanitizer}_flags})
  target_link_libraries(${target} PRIVATE autograd_options hwy::hwy Threads::Threads)
endfunction()

# ---- address -----------------------------------------------------------------------------------------------

# For one instruction set, a wide one where there is one, and -O1, without which vectors are slow. They are passed by
# value everywhere: marking where each one's scope ends takes two thirds of the compiler's time. What is no memory is
# left to the address sanitizer: looking for it twice takes a fifth.
set(one_target -DHWY_COMPILE_ONLY_STATIC)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  include(CheckCXXSourceRuns)
  check_cxx_source_runs("int main() { return !__builtin_cpu_supports(\"x86-64-v3\"); }" CPU_IS_X86_64_V3)
  if(CPU_IS_X86_64_V3)
    list(APPEND one_target -march=x86-64-v3 -DHWY_DISABLE_PCLMUL_AES)  # which v3 does not have
  endif()
endif()
sanitized_objects(autograd_kernels_address address autograd_kernels SOURCES ${kernel_sources}
                  OPTIONS ${one_target} -O1 -ffp-contract=fast -fno-math-errno -fno-sanitize-address-use-after-scope
                          -fno-sanitize=null,object-size)
set(layout_sources ${engine_sources})
list(FILTER layout_sources INCLUDE REGEX "/lib/graph/layout/")
set(other_sources ${engine_sources} ${engine_state_sources})
list(REMOVE_ITEM other_sources ${layout_sources})
# The null check of a thread-local's address reads flags of an `add` that the linker turns into a `lea`, and so reports
# null where there is none. The address sanitizer still finds every real access through null.
sanitized_objects(autograd_engine_address address autograd_engine SOURCES ${other_sources}
                  OPTIONS -O0 -fno-sanitize=null HEADERS ${engine_headers})
# The tests lay out thousands of graphs: loops over vectors, which take minutes without optimisation.
sanitized_objects(autograd_layout_address address autograd_engine SOURCES ${layout_sources} OPTIONS -O1
                  HEADERS ${engine_headers})
# A C program may give any number for an enum: it is checked.
sanitized_objects(autograd_capi_address address autograd_capi SOURCES ${capi_sources} ${capi_state_sources}
                  OPTIONS -O0 -fno-sanitize=enum HEADERS include/autograd/autograd.hpp)
set(address_objects $<TARGET_OBJECTS:autograd_kernels_address> $<TARGET_OBJECTS:autograd_engine_address>
                    $<TARGET_OBJECTS:autograd_layout_address> $<TARGET_OBJECTS:autograd_capi_address>)
sanitized_library(address ${address_objects})

# ---- thread ------------------------------------------------------------------------------------------------

sanitized_objects(autograd_engine_thread thread autograd_engine SOURCES ${engine_state_sources} OPTIONS -O0
                  HEADERS ${engine_headers})
sanitized_objects(autograd_capi_thread thread autograd_capi SOURCES ${capi_state_sources} OPTIONS -O0
                  HEADERS include/autograd/autograd.hpp)
set(thread_objects ${kernel_objects} $<TARGET_OBJECTS:autograd_engine> $<TARGET_OBJECTS:autograd_engine_thread>)
sanitized_library(thread ${thread_objects} $<TARGET_OBJECTS:autograd_capi> $<TARGET_OBJECTS:autograd_capi_thread>)
