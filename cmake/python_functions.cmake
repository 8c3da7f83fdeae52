# The list of all functions of autograd.h that keep the interpreter's lock, for capi/python_calls.cpp.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/capi/autograd.h)
file(READ ${PROJECT_SOURCE_DIR}/capi/autograd.h c_header)
string(REGEX MATCHALL "\nAG_API [^;(]*ag_[a-z0-9_]+\\(" declarations "${c_header}")
set(python_functions "")
foreach(declaration IN LISTS declarations)
  if(NOT declaration MATCHES "AG_BLOCKING")
    string(REGEX MATCH "ag_[a-z0-9_]+\\($" name "${declaration}")
    string(REPLACE "(" "" name "${name}")
    string(APPEND python_functions "AG_FUNCTION(${name})\n")
  endif()
endforeach()
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/python_functions.inc
     CONTENT "${python_functions}" @ONLY)
