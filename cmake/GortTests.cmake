# gort_tests(): every test is found by its place and name; nothing is listed by hand.
#
#   test/unit/<floor>/x.c   unit/<floor>/x   linked with the objects of that floor and those below
#   test/api/x.c, x.cc      api/x            linked with libgort.a, sees only include/
#   test/stress/x.c         stress/x         the same
#   test/fatal/x.c          fatal/x:<case>   one test for each case of its EXPECT lines
#   test/prog/x.sh          prog/x           called with the build folder
#   test/model/x.py, x.sh   model/x          called with the build folder; always long
#   test/tools/x.py         tools/x          called with the build folder
#
# A name that ends in _long is labelled "long" instead of "quick". Each test of api and stress is
# repeated as x@mode, label "modes", in every environment of test/modes.txt; a rotating few of these
# are also labelled "modes-ci". A line near the top of a source may say more:
#
#   // TEST timeout=600 serial skip=asan,tsan modes=p1,p16     (or modes=none, notmodes=efence)
#
# A limit is at least ten times what the test takes alone, and only longer ones than the usual are said.
# The mark of the comment is //, or # in scripts, or a star inside a comment of several lines.
#
# SPDX-License-Identifier: BSD-3-Clause
# Ten times and more what a test takes alone: who is slow is on a busy machine, who hangs hangs for ever.
set(GORT_TEST_TIMEOUT 300)
set(GORT_TEST_TIMEOUT_LONG 1200)
set(GORT_FATAL_TIMEOUT 120)
set(GORT_TIMEOUT_FACTOR 1)
if(GORT_SANITIZE OR GORT_COVERAGE)
  set(GORT_TIMEOUT_FACTOR 4)
endif()

# What sanitizers are told in every test. Leaks: the collector's memory is not theirs to judge.
set(GORT_TEST_ENV
  "ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0"
  "UBSAN_OPTIONS=print_stacktrace=1"
  "TSAN_OPTIONS=second_deadlock_stack=1"
  "GORT_SOURCE_DIR=${PROJECT_SOURCE_DIR}"
  "CC=${CMAKE_C_COMPILER}" "CXX=${CMAKE_CXX_COMPILER}")

# Stress is on marking beside the program; in one stop most of its heaps would be marked, which the
# API's tests see to.
set(GORT_STRESS_DEBUG "gcsmall=0")

# On one P tests count on turns that end where they say, and under ThreadSanitizer all is slow: a P is
# not taken from a computation.
if(GORT_SANITIZE STREQUAL "thread")
  list(APPEND GORT_TEST_ENV "GORTDEBUG=slice=200000")
  string(APPEND GORT_STRESS_DEBUG ",slice=200000")
endif()

# Reads the TEST lines of a source into ${prefix}_TIMEOUT, _SERIAL, _SKIP, _MODES, _NOT_MODES, _WRAP.
function(gort_test_directives prefix source)
  set_property(DIRECTORY "${PROJECT_SOURCE_DIR}" APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${source}")
  set(timeout "")
  set(serial OFF)
  set(skip OFF)
  set(modes all)
  set(not_modes "")
  set(wrap "")
  file(STRINGS "${source}" lines REGEX "^(//|#| \\*) TEST " LIMIT_INPUT 16384)
  foreach(line IN LISTS lines)
    string(REGEX REPLACE "^(//|#| \\*) TEST +" "" line "${line}")
    string(REGEX REPLACE " +" ";" words "${line}")
    foreach(word IN LISTS words)
      if(word MATCHES "^timeout=([0-9]+)$")
        set(timeout ${CMAKE_MATCH_1})
      elseif(word STREQUAL "serial")
        set(serial ON)
      elseif(word MATCHES "^skip=([a-z0-9,]+)$")
        string(REPLACE "," ";" tags "${CMAKE_MATCH_1}")
        foreach(tag IN LISTS tags)
          if(tag IN_LIST GORT_TAGS)
            set(skip ON)
          endif()
        endforeach()
      elseif(word MATCHES "^modes=([a-z0-9_,-]+)$")
        string(REPLACE "," ";" modes "${CMAKE_MATCH_1}")
      elseif(word MATCHES "^notmodes=([a-z0-9_,-]+)$")
        string(REPLACE "," ";" not_modes "${CMAKE_MATCH_1}")
      elseif(word MATCHES "^wrap=([a-z0-9_,]+)$")
        string(REPLACE "," ";" wrap "${CMAKE_MATCH_1}")
      else()
        message(FATAL_ERROR "${source}: unknown word '${word}' in a TEST line")
      endif()
    endforeach()
  endforeach()
  set(${prefix}_TIMEOUT "${timeout}" PARENT_SCOPE)
  set(${prefix}_SERIAL ${serial} PARENT_SCOPE)
  set(${prefix}_SKIP ${skip} PARENT_SCOPE)
  set(${prefix}_MODES "${modes}" PARENT_SCOPE)
  set(${prefix}_NOT_MODES "${not_modes}" PARENT_SCOPE)
  set(${prefix}_WRAP "${wrap}" PARENT_SCOPE)
endfunction()

# gort_test(NAME n KIND k COMMAND c... [TIMEOUT s] [SERIAL on] [SKIP on] [ENV e...] [LABELS l...])
function(gort_test)
  cmake_parse_arguments(arg "" "NAME;KIND;TIMEOUT;SERIAL;SKIP" "COMMAND;ENV;LABELS" ${ARGN})
  add_test(NAME ${arg_NAME} COMMAND ${arg_COMMAND})
  set(labels ${arg_KIND} ${arg_LABELS})
  set(timeout ${GORT_TEST_TIMEOUT})
  if(NOT arg_LABELS)
    if(arg_NAME MATCHES "_long(:|$)" OR arg_KIND STREQUAL "model")
      list(APPEND labels long)
      set(timeout ${GORT_TEST_TIMEOUT_LONG})
    else()
      list(APPEND labels quick)
    endif()
  endif()
  if(arg_TIMEOUT AND arg_TIMEOUT GREATER timeout)
    set(timeout ${arg_TIMEOUT})
  endif()
  math(EXPR timeout "${timeout} * ${GORT_TIMEOUT_FACTOR}")
  set_tests_properties(${arg_NAME} PROPERTIES
    LABELS "${labels}" TIMEOUT ${timeout} SKIP_RETURN_CODE 77
    ENVIRONMENT "${GORT_TEST_ENV};${arg_ENV}")
  if(arg_SERIAL)
    set_tests_properties(${arg_NAME} PROPERTIES RUN_SERIAL ON)
  endif()
  if(arg_SKIP)
    set_tests_properties(${arg_NAME} PROPERTIES DISABLED ON)
  endif()
endfunction()

# A test program; its file is <build>/test/<kind>/<name>.
function(gort_test_executable target path source)
  add_executable(${target} "${source}" ${ARGN})
  get_filename_component(dir "${path}" DIRECTORY)
  get_filename_component(name "${path}" NAME)
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name}
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/test/${dir}")
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/test")
endfunction()

function(gort_unit_tests)
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/test/unit/*/*.c")
  foreach(source IN LISTS sources)
    get_filename_component(name "${source}" NAME_WE)
    get_filename_component(dir "${source}" DIRECTORY)
    get_filename_component(folder "${dir}" NAME)
    gort_floor_of(floor ${folder})
    if(NOT floor)
      message(FATAL_ERROR "${source}: '${folder}' is not the name of a floor's folder")
    endif()
    gort_floor_objects(objects ${folder})
    set(target unit_${folder}_${name})
    gort_test_directives(t "${source}")
    gort_test_executable(${target} unit/${folder}/${name} "${source}" ${objects})
    target_link_libraries(${target} PRIVATE gort_internal_flags -lpthread -lm)
    foreach(wrapped IN LISTS t_WRAP)
      target_link_options(${target} PRIVATE "LINKER:--wrap=${wrapped}")
    endforeach()
    add_dependencies(${target} gort_generated)
    gort_test(NAME unit/${folder}/${name} KIND unit COMMAND ${target}
      TIMEOUT ${t_TIMEOUT} SERIAL ${t_SERIAL} SKIP ${t_SKIP})
  endforeach()
endfunction()

# Reads test/modes.txt into GORT_MODES (names) and GORT_MODE_<name> (environment).
function(gort_read_modes)
  set(file "${PROJECT_SOURCE_DIR}/test/modes.txt")
  set(names)
  if(EXISTS "${file}")
    set_property(DIRECTORY "${PROJECT_SOURCE_DIR}" APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
    file(STRINGS "${file}" lines REGEX "^[a-z]")
    foreach(line IN LISTS lines)
      string(REGEX REPLACE "[ \t]+" ";" words "${line}")
      list(POP_FRONT words name)
      list(APPEND names ${name})
      set(GORT_MODE_${name} "${words}" PARENT_SCOPE)
    endforeach()
  endif()
  set(GORT_MODES "${names}" PARENT_SCOPE)
endfunction()

function(gort_library_tests kind)
  gort_read_modes()
  list(LENGTH GORT_MODES mode_count)
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/test/${kind}/*.c")
  if(GORT_HAVE_CXX)
    file(GLOB more CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/test/${kind}/*.cc")
    list(APPEND sources ${more})
  endif()
  set(turn 0)
  foreach(source IN LISTS sources)
    get_filename_component(name "${source}" NAME_WE)
    if(source MATCHES "\\.cc$")
      string(APPEND name "_cxx")
    endif()
    set(target ${kind}_${name})
    gort_test_directives(t "${source}")
    gort_test_executable(${target} ${kind}/${name} "${source}")
    target_link_libraries(${target} PRIVATE gort_user_flags gort_static)
    set(common KIND ${kind} COMMAND ${target} SERIAL ${t_SERIAL} SKIP ${t_SKIP})
    set(env "")
    if(kind STREQUAL "stress")
      set(env ENV "GORTDEBUG=${GORT_STRESS_DEBUG}")
    endif()
    gort_test(NAME ${kind}/${name} TIMEOUT ${t_TIMEOUT} ${common} ${env})
    if(NOT t_TIMEOUT)
      set(t_TIMEOUT ${GORT_TEST_TIMEOUT_LONG})
    else()
      math(EXPR t_TIMEOUT "${t_TIMEOUT} * 4")
    endif()
    set(index 0)
    foreach(mode IN LISTS GORT_MODES)
      if(("all" IN_LIST t_MODES OR mode IN_LIST t_MODES) AND NOT mode IN_LIST t_NOT_MODES)
        set(labels modes)
        # Two modes of each test, other ones for the next test; not the one that is the same each time.
        math(EXPR place "(${index} + ${mode_count} - (2 * ${turn}) % ${mode_count}) % ${mode_count}")
        if(place LESS 2 AND NOT name MATCHES "_long$" AND NOT mode STREQUAL "determ")
          list(APPEND labels modes-ci)
        endif()
        gort_test(NAME ${kind}/${name}@${mode} TIMEOUT ${t_TIMEOUT} ${common}
          LABELS ${labels} ENV ${GORT_MODE_${mode}})
      endif()
      math(EXPR index "${index} + 1")
    endforeach()
    math(EXPR turn "${turn} + 1")
  endforeach()
endfunction()

function(gort_fatal_tests)
  set(emulator)
  if(CMAKE_CROSSCOMPILING)
    set(emulator --emulator ${CMAKE_CROSSCOMPILING_EMULATOR})
  endif()
  string(REPLACE ";" "," tags "${GORT_TAGS}")
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/test/fatal/*.c")
  foreach(source IN LISTS sources)
    get_filename_component(name "${source}" NAME_WE)
    set(target fatal_${name})
    gort_test_directives(t "${source}")
    gort_test_executable(${target} fatal/${name} "${source}")
    target_link_libraries(${target} PRIVATE gort_user_flags gort_static)
    set(limit ${GORT_FATAL_TIMEOUT})
    if(t_TIMEOUT AND t_TIMEOUT GREATER limit)
      set(limit ${t_TIMEOUT})
    endif()
    math(EXPR inner "${limit} * ${GORT_TIMEOUT_FACTOR}")
    math(EXPR outer "${limit} + 10")
    file(READ "${source}" text)
    string(REGEX MATCHALL "\n(//| \\*) EXPECT [A-Za-z0-9_.:-]+" heads "\n${text}")
    set(cases)
    foreach(head IN LISTS heads)
      string(REGEX REPLACE "^.* EXPECT " "" case "${head}")
      list(APPEND cases ${case})
    endforeach()
    list(REMOVE_DUPLICATES cases)
    if(NOT cases)
      message(FATAL_ERROR "${source}: no line '// EXPECT <case> exit=2 stderr=<regex>'")
    endif()
    foreach(case IN LISTS cases)
      gort_test(NAME fatal/${name}:${case} KIND fatal
        COMMAND ${Python3_EXECUTABLE} "${PROJECT_SOURCE_DIR}/tools/run_fatal.py"
          --timeout ${inner} ${emulator} --tags ${tags} "${source}" $<TARGET_FILE:${target}> ${case}
        TIMEOUT ${outer} SERIAL ${t_SERIAL} SKIP ${t_SKIP})
    endforeach()
  endforeach()
endfunction()

function(gort_script_tests kind)
  file(GLOB sources CONFIGURE_DEPENDS
    "${PROJECT_SOURCE_DIR}/test/${kind}/*.sh" "${PROJECT_SOURCE_DIR}/test/${kind}/*.py")
  foreach(source IN LISTS sources)
    get_filename_component(name "${source}" NAME_WE)
    gort_test_directives(t "${source}")
    if(source MATCHES "\\.py$")
      set(command ${Python3_EXECUTABLE} "${source}")
    else()
      set(command bash "${source}")
    endif()
    gort_test(NAME ${kind}/${name} KIND ${kind} COMMAND ${command} "${PROJECT_BINARY_DIR}"
      TIMEOUT ${t_TIMEOUT} SERIAL ${t_SERIAL} SKIP ${t_SKIP})
  endforeach()
endfunction()

function(gort_tests)
  if(NOT GORT_SANITIZE STREQUAL "thread") # these have no part that the sanitizer sees
    gort_unit_tests()
  endif()
  gort_library_tests(api)
  gort_library_tests(stress)
  gort_fatal_tests()
  if(CMAKE_CROSSCOMPILING)
    return() # scripts build and run programs of this machine
  endif()
  gort_script_tests(prog)
  gort_script_tests(model)
  gort_script_tests(tools)
  gort_test(NAME floors KIND tools
    COMMAND ${Python3_EXECUTABLE} "${PROJECT_SOURCE_DIR}/tools/check_floors.py"
      --build "${PROJECT_BINARY_DIR}")
endfunction()
