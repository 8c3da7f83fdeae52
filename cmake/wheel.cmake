# The component "python", which pip installs: what the package holds besides the Python files, which are the shared
# library, the header that _capi.py reads, and Highway's library where it is not linked statically.
set(package_dir autograd)
install(TARGETS autograd_c LIBRARY DESTINATION ${package_dir} NAMELINK_SKIP COMPONENT python EXCLUDE_FROM_ALL)
install(CODE "set(folder \"$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${package_dir}\")
              file(RENAME \"\${folder}/$<TARGET_FILE_NAME:autograd_c>\" \"\${folder}/$<TARGET_LINKER_FILE_NAME:autograd_c>\")"
        COMPONENT python EXCLUDE_FROM_ALL)
install(FILES capi/autograd.h DESTINATION ${package_dir} COMPONENT python EXCLUDE_FROM_ALL)
get_target_property(hwy_type hwy::hwy TYPE)
if(hwy_type STREQUAL "SHARED_LIBRARY")
  set_target_properties(autograd_c PROPERTIES INSTALL_RPATH "$ORIGIN")
  install(PROGRAMS $<TARGET_FILE:hwy::hwy> DESTINATION ${package_dir} RENAME $<TARGET_SONAME_FILE_NAME:hwy::hwy>
          COMPONENT python EXCLUDE_FROM_ALL)
endif()
