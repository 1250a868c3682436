# Installation: headers, both libraries, gort.pc, and the CMake package.
# Everything finds its prefix from where it lies, so DESTDIR and --prefix at install time work.
#
# SPDX-License-Identifier: BSD-3-Clause
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(cmake_dir "${CMAKE_INSTALL_LIBDIR}/cmake/gort")
set(pc_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/" DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")
install(TARGETS gort_static gort_shared EXPORT gort_targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT gort_targets NAMESPACE gort:: DESTINATION ${cmake_dir} FILE gort-targets.cmake)

configure_package_config_file(cmake/gort-config.cmake.in
  "${PROJECT_BINARY_DIR}/gort-config.cmake" INSTALL_DESTINATION ${cmake_dir})
write_basic_package_version_file("${PROJECT_BINARY_DIR}/gort-config-version.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/gort-config.cmake"
              "${PROJECT_BINARY_DIR}/gort-config-version.cmake" DESTINATION ${cmake_dir})

if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(GORT_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
  set(GORT_PC_LIBDIR "${CMAKE_INSTALL_LIBDIR}")
else()
  file(RELATIVE_PATH up "/p/${pc_dir}" "/p")
  string(REGEX REPLACE "/$" "" up "${up}")
  set(GORT_PC_PREFIX "\${pcfiledir}/${up}")
  set(GORT_PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
endif()
configure_file(cmake/gort.pc.in "${PROJECT_BINARY_DIR}/gort.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/gort.pc" DESTINATION ${pc_dir})

# For gdb: see the head of the script.
install(FILES "${PROJECT_SOURCE_DIR}/tools/gort-gdb.py" DESTINATION ${CMAKE_INSTALL_DATADIR}/gort)

# The manual pages, made from doc/reference.md by doc/man/make_man.py.
install(DIRECTORY "${PROJECT_SOURCE_DIR}/doc/man/" DESTINATION ${CMAKE_INSTALL_MANDIR}/man3
        FILES_MATCHING PATTERN "*.3")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/doc/man/" DESTINATION ${CMAKE_INSTALL_MANDIR}/man7
        FILES_MATCHING PATTERN "*.7")
# Each call that a page names leads to it, also before mandb(8) has run.
file(GLOB pages CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/doc/man/*.3")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${pages})
file(REMOVE_RECURSE "${PROJECT_BINARY_DIR}/man3")
foreach(page IN LISTS pages)
  get_filename_component(title "${page}" NAME)
  file(STRINGS "${page}" names REGEX "^(gort|GORT)_[A-Za-z0-9_, ]* \\\\- " LIMIT_COUNT 1)
  string(REGEX REPLACE " \\\\- .*" "" names "${names}")
  string(REPLACE ", " ";" names "${names}")
  foreach(name IN LISTS names)
    if(NOT EXISTS "${PROJECT_SOURCE_DIR}/doc/man/${name}.3")
      file(WRITE "${PROJECT_BINARY_DIR}/man3/${name}.3" ".so man3/${title}\n")
    endif()
  endforeach()
endforeach()
install(DIRECTORY "${PROJECT_BINARY_DIR}/man3/" DESTINATION ${CMAKE_INSTALL_MANDIR}/man3)
