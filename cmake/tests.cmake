# The C++ and C tests: one GoogleTest program, one program per C file, and each public header on its own.
find_package(GTest REQUIRED)
include(GoogleTest)

file(GLOB cpp_tests CONFIGURE_DEPENDS tests_cpp/test_*.cpp)
if(cpp_tests)
  # Made of the objects, not of the libraries: the tests reach inside, and see one copy of the engine.
  add_executable(autograd_tests ${cpp_tests} $<TARGET_OBJECTS:autograd_kernels>
                                $<TARGET_OBJECTS:autograd_engine> $<TARGET_OBJECTS:autograd_capi>)
  target_include_directories(autograd_tests PRIVATE include lib capi)
  set_source_files_properties(tests_cpp/test_capi.cpp PROPERTIES COMPILE_DEFINITIONS
                              "AUTOGRAD_TESTS=\"${PROJECT_SOURCE_DIR}/tests_cpp\"")
  target_link_libraries(autograd_tests PRIVATE autograd_options hwy::hwy Threads::Threads
                                               GTest::gtest_main)
  target_precompile_headers(autograd_tests PRIVATE <gtest/gtest.h> <algorithm> <functional> <random> <string>
                                                   <vector> include/autograd/autograd.hpp)
  if(AUTOGRAD_SANITIZE)
    set_source_files_properties(tests_cpp/test_layout.cpp PROPERTIES COMPILE_OPTIONS -O1 SKIP_PRECOMPILE_HEADERS ON)
    file(GLOB calls_from_c tests_cpp/test_capi*.cpp tests_cpp/test_foreign_code.cpp)
    set_source_files_properties(${calls_from_c} PROPERTIES COMPILE_OPTIONS -fno-sanitize=enum)
    # Processes take long to begin and end: eight with many tests each, not one for each test.
    foreach(shard RANGE 7)
      add_test(NAME autograd_tests_${shard} COMMAND autograd_tests --gtest_brief=1)
      set_tests_properties(autograd_tests_${shard} PROPERTIES
                           ENVIRONMENT "GTEST_TOTAL_SHARDS=8;GTEST_SHARD_INDEX=${shard}")
    endforeach()
  else()
    gtest_discover_tests(autograd_tests DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 300)
  endif()
endif()

# What threads share, with the thread sanitizer: everything else is as in all other programs, which saves the time of a
# whole build. Made on demand: a program of tests, and the shared library for those of Python (scripts/sanitized).
if(NOT AUTOGRAD_SANITIZE)
  set(shared_by_threads
      "/lib/core/|/lib/graph/(capture|compiled|plan|plan_run|recording_log)[.]cpp|/lib/ops/registered[.]cpp|/lib/optim/step[.]cpp")
  set(shared_by_threads_in_c "/capi/(compiled|function|guard|python_call|python_calls|python_recording)[.]cpp")
  set(threaded_sources ${engine_sources})
  list(FILTER threaded_sources INCLUDE REGEX "${shared_by_threads}")
  set(threaded_c_sources ${capi_sources})
  list(FILTER threaded_c_sources INCLUDE REGEX "${shared_by_threads_in_c}")

  add_library(autograd_threaded OBJECT EXCLUDE_FROM_ALL ${threaded_sources})
  target_include_directories(autograd_threaded PRIVATE include lib)
  add_library(autograd_threaded_capi OBJECT EXCLUDE_FROM_ALL ${threaded_c_sources})
  target_include_directories(autograd_threaded_capi PRIVATE capi include lib/ops
                                                            ${PROJECT_BINARY_DIR}/generated)
  foreach(target autograd_threaded autograd_threaded_capi)
    target_compile_options(${target} PRIVATE -fsanitize=thread -O0 -g1)
    target_link_libraries(${target} PRIVATE autograd_options hwy::hwy)
  endforeach()
  target_precompile_headers(autograd_threaded PRIVATE ${engine_headers})
  set(threaded_objects
      $<TARGET_OBJECTS:autograd_threaded> $<TARGET_OBJECTS:autograd_kernels>
      "$<FILTER:$<TARGET_OBJECTS:autograd_engine>,EXCLUDE,${shared_by_threads}>")

  add_executable(autograd_thread_tests EXCLUDE_FROM_ALL tests_cpp/test_threads.cpp ${threaded_objects})
  target_include_directories(autograd_thread_tests PRIVATE include lib)
  target_compile_options(autograd_thread_tests PRIVATE -fsanitize=thread -O0 -g1)
  target_link_libraries(autograd_thread_tests PRIVATE GTest::gtest_main)

  add_library(autograd_threads SHARED EXCLUDE_FROM_ALL ${threaded_objects}
              $<TARGET_OBJECTS:autograd_threaded_capi>
              "$<FILTER:$<TARGET_OBJECTS:autograd_capi>,EXCLUDE,${shared_by_threads_in_c}>")
  target_link_options(autograd_threads PRIVATE
                      "LINKER:--version-script=${PROJECT_SOURCE_DIR}/capi/exports.map")
  foreach(target autograd_thread_tests autograd_threads)
    target_link_options(${target} PRIVATE -fsanitize=thread)
    target_link_libraries(${target} PRIVATE autograd_options hwy::hwy Threads::Threads)
  endforeach()
endif()

file(GLOB c_tests CONFIGURE_DEPENDS tests_cpp/*.c examples/*.c)
foreach(source IN LISTS c_tests)
  cmake_path(GET source STEM name)
  add_executable(c_${name} ${source})
  target_compile_options(c_${name} PRIVATE -Wall -Wextra -Werror -pedantic)
  target_link_libraries(c_${name} PRIVATE autograd::c autograd_options m)
  add_test(NAME c.${name} COMMAND c_${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}/examples)
endforeach()

# Headers are only parsed, so one check a build is enough: the sanitizer builds skip them.
if(NOT AUTOGRAD_SANITIZE)
  set(strict -Wall -Wextra -Werror -pedantic -fsyntax-only)
  add_test(NAME header.autograd_h_as_c99
           COMMAND ${CMAKE_C_COMPILER} -std=c99 ${strict} -x c ${PROJECT_SOURCE_DIR}/capi/autograd.h)
  add_test(NAME header.autograd_h_as_cxx17
           COMMAND ${CMAKE_CXX_COMPILER} -std=c++17 ${strict} -x c++
                   ${PROJECT_SOURCE_DIR}/capi/autograd.h)
  foreach(header IN LISTS public_headers)
    cmake_path(GET header STEM name)
    set(source ${PROJECT_BINARY_DIR}/header_alone/${name}.cpp)
    file(CONFIGURE OUTPUT ${source} CONTENT "#include <autograd/${name}.hpp>\n")
    add_test(NAME header.${name}_hpp_as_cxx17
             COMMAND ${CMAKE_CXX_COMPILER} -std=c++17 ${strict} -I${PROJECT_SOURCE_DIR}/include ${source})
  endforeach()
endif()
