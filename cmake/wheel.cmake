# What the Python wheel holds besides the Python files: the shared library, the header that _capi.py reads, and
# Highway's library where it is not linked statically.
set(package_dir autograd)
install(TARGETS autograd_c LIBRARY DESTINATION ${package_dir})
install(FILES capi/autograd.h DESTINATION ${package_dir})
get_target_property(hwy_type hwy::hwy TYPE)
if(hwy_type STREQUAL "SHARED_LIBRARY")
  set_target_properties(autograd_c PROPERTIES INSTALL_RPATH "$ORIGIN")
  install(PROGRAMS $<TARGET_FILE:hwy::hwy> DESTINATION ${package_dir}
          RENAME $<TARGET_SONAME_FILE_NAME:hwy::hwy>)
endif()
