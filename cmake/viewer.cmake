# The files of the viewer become texts in the library, so that a graph is saved as HTML wherever the library is.
set(viewer_dir ${PROJECT_SOURCE_DIR}/lib/graph/viewer)
file(READ ${viewer_dir}/viewer.html viewer_page)
file(READ ${viewer_dir}/viewer.css viewer_style)
set(viewer_script "")
foreach(name nesting ranks level columns layout model view controls)
  file(READ ${viewer_dir}/${name}.js viewer_part)
  string(APPEND viewer_script "${viewer_part}\n")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${viewer_dir}/${name}.js)
endforeach()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${viewer_dir}/viewer.html
                                                               ${viewer_dir}/viewer.css)
configure_file(cmake/viewer_files.cpp.in viewer_files.cpp @ONLY)
