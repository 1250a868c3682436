# Floors and libraries.
#
#   gort_floors()     one OBJECT library per floor, floor_base to floor_rt and floor_diag
#   gort_libraries()  libgort.a and libgort.so from the floors' objects
#   gort_floor_objects(<var> <folder>)  the objects of a folder's floor and of those below it
#
# SPDX-License-Identifier: BSD-3-Clause

# In order from the ground. tools/check_floors.py holds the same list; test/tools compares them.
set(GORT_FLOORS base os sync heap sched gc alloc lang rt diag)

# A folder that shares a floor with another one is compiled into that one's library.
function(gort_floor_of var folder)
  if(folder STREQUAL "arch")
    set(${var} os PARENT_SCOPE)
  elseif(folder IN_LIST GORT_FLOORS)
    set(${var} ${folder} PARENT_SCOPE)
  else()
    set(${var} "" PARENT_SCOPE)
  endif()
endfunction()

function(gort_floors)
  set(listing "")
  foreach(floor IN LISTS GORT_FLOORS)
    set(src "${PROJECT_SOURCE_DIR}/src")
    if(floor STREQUAL "os")
      # Platform by file: only this system's and this machine's folders are compiled.
      file(GLOB sources CONFIGURE_DEPENDS
        "${src}/os/*.c" "${src}/os/${GORT_OS}/*.c" "${src}/os/${GORT_OS}/${GORT_ARCH}/*.[cS]"
        "${src}/arch/*.c" "${src}/arch/${GORT_ARCH}/*.[cS]")
    else()
      file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${src}/${floor}/*.c")
    endif()
    if(NOT sources)
      set(sources "${PROJECT_BINARY_DIR}/empty/${floor}.c")
      file(GENERATE OUTPUT "${sources}" CONTENT "typedef int floor_${floor}_is_empty;\n")
    endif()
    add_library(floor_${floor} OBJECT ${sources})
    set_target_properties(floor_${floor} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    target_link_libraries(floor_${floor} PRIVATE gort_internal_flags)
    add_dependencies(floor_${floor} gort_generated)
    # A public call that waits keeps its frame, so that traces of parked goroutines can name it.
    if(floor STREQUAL "lang")
      target_compile_options(floor_lang PRIVATE $<$<COMPILE_LANGUAGE:C>:-fno-optimize-sibling-calls>)
    endif()
    string(APPEND listing "${floor} $<JOIN:$<TARGET_OBJECTS:floor_${floor}>, >\n")
  endforeach()
  # For the checker: which object belongs to which floor.
  file(GENERATE OUTPUT "${PROJECT_BINARY_DIR}/floors.txt" CONTENT "${listing}")
endfunction()

function(gort_floor_objects var folder)
  gort_floor_of(top ${folder})
  set(objects)
  foreach(floor IN LISTS GORT_FLOORS)
    list(APPEND objects $<TARGET_OBJECTS:floor_${floor}>)
    if(floor STREQUAL top)
      break()
    endif()
  endforeach()
  set(${var} ${objects} PARENT_SCOPE)
endfunction()

# Internal names carry no prefix, because they are hidden. An archive of plain objects would still
# offer hidden symbols to the program's link, where a user's own gc_start would collide with ours.
# So the objects are first joined into one, and its hidden symbols made local. Section groups are
# dissolved on the way: the program's link could drop one of ours for its own of the same name, and
# with it a symbol that is local by then.
# Joining is GNU ld's: another linker lacks the option, whichever the programs are linked with.
function(gort_binutils var name)
  execute_process(COMMAND ${CMAKE_C_COMPILER} -print-prog-name=${name}
    OUTPUT_VARIABLE path OUTPUT_STRIP_TRAILING_WHITESPACE)
  find_program(${var} NAMES "${path}" ${name} REQUIRED)
endfunction()

function(gort_libraries)
  gort_binutils(GORT_LD ld.bfd)
  gort_binutils(GORT_OBJCOPY objcopy)
  gort_floor_objects(objects diag)
  set(one "${PROJECT_BINARY_DIR}/gort.o")
  add_custom_command(OUTPUT "${one}"
    COMMAND ${GORT_LD} -r --force-group-allocation -o "${one}" ${objects}
    COMMAND ${GORT_OBJCOPY} --localize-hidden "${one}"
    DEPENDS ${objects}
    COMMENT "Joining the floors into gort.o" COMMAND_EXPAND_LISTS VERBATIM)
  set_source_files_properties("${one}" PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)

  add_library(gort_static STATIC "${one}")
  add_library(gort_shared SHARED ${objects})
  target_link_libraries(gort_shared PRIVATE gort_flags)
  set_target_properties(gort_shared PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
  # A runtime whose goroutines live can not be unloaded.
  target_link_options(gort_shared PRIVATE LINKER:-z,nodelete)
  if(NOT GORT_SANITIZE)
    target_link_options(gort_shared PRIVATE LINKER:--no-undefined)
  endif()

  foreach(lib gort_static gort_shared)
    set_target_properties(${lib} PROPERTIES
      OUTPUT_NAME gort LINKER_LANGUAGE C
      ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}"
      LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
    target_include_directories(${lib} INTERFACE
      $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
    target_compile_options(${lib} INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:-fstack-clash-protection>)
  endforeach()
  target_link_libraries(gort_static INTERFACE -lpthread -lm)
  target_link_libraries(gort_shared PRIVATE -lpthread -lm)

  add_library(gort::gort_static ALIAS gort_static)
  add_library(gort::gort_shared ALIAS gort_shared)
  add_library(gort::gort ALIAS gort_static)
  if(GORT_TOP_LEVEL)
    add_custom_target(lib DEPENDS gort_static gort_shared)
  endif()
endfunction()
