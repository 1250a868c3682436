# gort_generate(OUT <file under the build tree> SCRIPT <tools/x.py or tools/x.c> [IN <file>...])
#
# Makes a source file by a tool. The tool is called with the inputs, then the path of the output as
# its last argument; what it prints is shown. A tool or input that does not exist (yet) is passed over.
# Outputs go below generated/, which is in the include path; every floor depends on them.
#
# SPDX-License-Identifier: BSD-3-Clause
find_package(Python3 3.8 REQUIRED COMPONENTS Interpreter)
add_custom_target(gort_generated)

function(gort_generate)
  cmake_parse_arguments(arg "" "OUT;SCRIPT" "IN" ${ARGN})
  set(script "${PROJECT_SOURCE_DIR}/${arg_SCRIPT}")
  # Watched by glob, so that a tool which appears later is noticed without configuring by hand.
  get_filename_component(dir "${script}" DIRECTORY)
  get_filename_component(name "${script}" NAME)
  file(GLOB found CONFIGURE_DEPENDS "${dir}/${name}")
  if(NOT found)
    return()
  endif()
  foreach(input IN LISTS arg_IN)
    file(GLOB found CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${input}")
    if(NOT found)
      return()
    endif()
  endforeach()

  set(out "${PROJECT_BINARY_DIR}/${arg_OUT}")
  get_filename_component(out_dir "${out}" DIRECTORY)
  file(MAKE_DIRECTORY "${out_dir}")
  set(inputs)
  foreach(input IN LISTS arg_IN)
    list(APPEND inputs "${PROJECT_SOURCE_DIR}/${input}")
  endforeach()

  if(name MATCHES "\\.c$")
    get_filename_component(tool "${name}" NAME_WE)
    if(NOT TARGET ${tool})
      add_executable(${tool} "${script}")
      target_include_directories(${tool} PRIVATE "${PROJECT_SOURCE_DIR}/src")
    endif()
    set(command ${tool})
    set(depends ${tool})
  else()
    set(command ${Python3_EXECUTABLE} "${script}")
    set(depends "${script}")
  endif()

  add_custom_command(OUTPUT "${out}"
    COMMAND ${command} ${inputs} "${out}"
    DEPENDS ${depends} ${inputs}
    COMMENT "Generating ${arg_OUT}" VERBATIM)
  string(MAKE_C_IDENTIFIER "generate_${arg_OUT}" target)
  add_custom_target(${target} DEPENDS "${out}")
  add_dependencies(gort_generated ${target})
endfunction()
