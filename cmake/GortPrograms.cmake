# gort_programs(<folder>): the programs of examples/ and bench/, left in <build>/<folder>/.
#
#   <folder>/x.c         is the program x
#   <folder>/x/*.c       is the program x, from all the files of that folder
#   <folder>/x/CMakeLists.txt   says for itself, by gort_program(<folder> <name> <sources>...)
#
# gort_bench_loads(<peer> <libraries>...): <build>/bench/<peer>/loads from bench/loads/*.c and
# bench/<peer>/*.c, with the port.h of bench/<peer>.
#
# SPDX-License-Identifier: BSD-3-Clause
function(gort_program folder name)
  if(folder STREQUAL "bench")
    set(target bench_${name})
  else()
    set(target ${name})
  endif()
  add_executable(${target} ${ARGN})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name}
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/${folder}")
  target_link_libraries(${target} PRIVATE gort_user_flags gort_static)
  add_dependencies(${folder} ${target})
endfunction()

# A program that runs loads, <build>/bench/<peer>/<name>, of folder <name> with the port.h of
# another.
function(gort_bench_peer name peer port)
  set(target bench_${name}_${peer})
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/bench/${name}/*.c"
    "${PROJECT_SOURCE_DIR}/bench/${port}/*.c" "${PROJECT_SOURCE_DIR}/bench/${port}/*.cc")
  add_executable(${target} ${sources})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name}
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bench/${peer}")
  target_include_directories(${target} PRIVATE
    "${PROJECT_SOURCE_DIR}/bench/${port}" "${PROJECT_SOURCE_DIR}/bench/${name}")
  target_link_libraries(${target} PRIVATE ${ARGN})
  # A tight loop of a load may take a sixth longer 16 bytes further on: none is to have that luck.
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANG_AND_ID:C,GNU>:-falign-functions=64 -falign-loops=64>)
  add_dependencies(bench ${target})
endfunction()

function(gort_bench_loads peer)
  gort_bench_peer(loads ${peer} ${peer} ${ARGN})
endfunction()

function(gort_bench_tasks peer)
  gort_bench_peer(tasks ${peer} ${peer}/tasks ${ARGN})
endfunction()

function(gort_bench_maps peer)
  gort_bench_peer(maps ${peer} ${peer}/maps ${ARGN})
endfunction()

# Where tools/setup --bench puts what is no package of the distribution.
set(GORT_PEERS "${PROJECT_SOURCE_DIR}/build/peers" CACHE PATH
  "Libraries that benchmarks compare with")

function(gort_programs folder)
  add_custom_target(${folder})
  set(root "${PROJECT_SOURCE_DIR}/${folder}")
  file(GLOB sources CONFIGURE_DEPENDS "${root}/*.c")
  foreach(source IN LISTS sources)
    get_filename_component(name "${source}" NAME_WE)
    gort_program(${folder} ${name} "${source}")
  endforeach()
  file(GLOB lists CONFIGURE_DEPENDS "${root}/*/CMakeLists.txt")
  file(GLOB sources CONFIGURE_DEPENDS "${root}/*/*.c")
  set(folders)
  foreach(file IN LISTS lists sources)
    get_filename_component(dir "${file}" DIRECTORY)
    list(APPEND folders "${dir}")
  endforeach()
  list(REMOVE_DUPLICATES folders)
  foreach(dir IN LISTS folders)
    get_filename_component(name "${dir}" NAME)
    if(EXISTS "${dir}/CMakeLists.txt")
      # The binary folder must not take the place of the program of the same name.
      add_subdirectory("${dir}" "${PROJECT_BINARY_DIR}/programs/${folder}/${name}")
    else()
      file(GLOB sources CONFIGURE_DEPENDS "${dir}/*.c")
      gort_program(${folder} ${name} ${sources})
    endif()
  endforeach()
endfunction()
