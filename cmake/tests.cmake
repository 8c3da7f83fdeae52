# The C++ and C tests: one GoogleTest program, one program per C file, and each public header on its own. `ctest -C
# address` runs the programs with the address sanitizer, which "autograd_address_programs" makes.
find_package(GTest REQUIRED)
add_custom_target(autograd_address_programs)

# add_shards(NAME PROGRAM [CONFIGURATIONS ...]): eight processes with many tests each, as one takes a while to begin and,
# with sanitizers, to end.
function(add_shards name program)
  foreach(shard RANGE 7)
    add_test(NAME ${name}.${shard} COMMAND ${program} --gtest_brief=1 ${ARGN})
    set_tests_properties(${name}.${shard} PROPERTIES ENVIRONMENT "GTEST_TOTAL_SHARDS=8;GTEST_SHARD_INDEX=${shard}")
  endforeach()
endfunction()

# Compiled once for both programs, together, and not optimised, which takes a third of the time.
file(GLOB cpp_tests CONFIGURE_DEPENDS tests_cpp/test_*.cpp)
add_library(autograd_test_objects OBJECT ${cpp_tests})
target_include_directories(autograd_test_objects PRIVATE include lib capi)
target_compile_options(autograd_test_objects PRIVATE -O0)
set_source_files_properties(tests_cpp/test_capi.cpp PROPERTIES COMPILE_DEFINITIONS
                            "AUTOGRAD_TESTS=\"${PROJECT_SOURCE_DIR}/tests_cpp\"")
# But for those with much to compute.
set_source_files_properties(tests_cpp/test_layout.cpp tests_cpp/test_gemm.cpp tests_cpp/test_pointwise_loop.cpp
                            PROPERTIES COMPILE_OPTIONS -O1 SKIP_PRECOMPILE_HEADERS ON)
target_link_libraries(autograd_test_objects PRIVATE autograd_options hwy::hwy GTest::gtest)
target_precompile_headers(autograd_test_objects PRIVATE <gtest/gtest.h> <algorithm> <functional> <random> <string> <vector>
                                                        include/autograd/autograd.hpp)
compile_together(autograd_test_objects)

# Made of the objects, not of the libraries: the tests reach inside, and see one copy of the engine. Its objects come
# first: of what is inline in both, the engine's is taken.
add_executable(autograd_tests ${kernel_objects} ${engine_objects} ${capi_objects} $<TARGET_OBJECTS:autograd_test_objects>)
target_link_libraries(autograd_tests PRIVATE autograd_options hwy::hwy Threads::Threads GTest::gtest_main)
add_shards(cpp autograd_tests)

add_executable(autograd_tests_address EXCLUDE_FROM_ALL ${address_objects} $<TARGET_OBJECTS:autograd_test_objects>)
link_sanitized(autograd_tests_address address)
target_link_libraries(autograd_tests_address PRIVATE GTest::gtest_main)
add_dependencies(autograd_address_programs autograd_tests_address)
add_shards(address.cpp autograd_tests_address CONFIGURATIONS address)

add_executable(autograd_tests_thread EXCLUDE_FROM_ALL tests_cpp/test_threads.cpp ${thread_objects})
target_include_directories(autograd_tests_thread PRIVATE include lib)
target_compile_options(autograd_tests_thread PRIVATE ${thread_flags} -O0)
link_sanitized(autograd_tests_thread thread)
target_link_libraries(autograd_tests_thread PRIVATE GTest::gtest_main)

# Everyone's C programs, and those with the address sanitizer.
file(GLOB c_programs CONFIGURE_DEPENDS examples/*.c)
foreach(source IN LISTS c_programs)
  cmake_path(GET source STEM name)
  add_executable(c_${name} ${source})
  target_link_libraries(c_${name} PRIVATE autograd::c autograd_options m)
  add_test(NAME c.${name} COMMAND c_${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}/examples)

  add_executable(c_${name}_address EXCLUDE_FROM_ALL ${source})
  target_include_directories(c_${name}_address PRIVATE capi)
  link_sanitized(c_${name}_address address)
  target_link_libraries(c_${name}_address PRIVATE autograd_address m)
  add_dependencies(autograd_address_programs c_${name}_address)
  add_test(NAME address.c.${name} COMMAND c_${name}_address WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}/examples
           CONFIGURATIONS address)
  foreach(program c_${name} c_${name}_address)
    target_compile_options(${program} PRIVATE -Wall -Wextra -Werror -pedantic)
  endforeach()
endforeach()

# Headers are only parsed.
set(strict -Wall -Wextra -Werror -pedantic -fsyntax-only)
add_test(NAME header.autograd_h_as_c99
         COMMAND ${CMAKE_C_COMPILER} -std=c99 ${strict} -x c ${PROJECT_SOURCE_DIR}/capi/autograd.h)
add_test(NAME header.autograd_h_as_cxx17
         COMMAND ${CMAKE_CXX_COMPILER} -std=c++17 ${strict} -x c++ ${PROJECT_SOURCE_DIR}/capi/autograd.h)
foreach(header IN LISTS public_headers)
  cmake_path(GET header STEM name)
  set(source ${PROJECT_BINARY_DIR}/header_alone/${name}.cpp)
  file(CONFIGURE OUTPUT ${source} CONTENT "#include <autograd/${name}.hpp>\n")
  add_test(NAME header.${name}_hpp_as_cxx17
           COMMAND ${CMAKE_CXX_COMPILER} -std=c++17 ${strict} -I${PROJECT_SOURCE_DIR}/include ${source})
endforeach()
