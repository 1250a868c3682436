# Compiler flags, in three interface targets:
#
#   gort_flags           every translation unit of the project (warnings, optimisation, sanitizers)
#   gort_internal_flags  the library's own sources and the unit tests: internal include paths
#   gort_user_flags      what a program on gort needs, as a user's own build would have it
#
# SPDX-License-Identifier: BSD-3-Clause
include(CheckLanguage)
check_language(CXX)
if(CMAKE_CXX_COMPILER)
  enable_language(CXX)
  set(GORT_HAVE_CXX ON)
else()
  set(GORT_HAVE_CXX OFF)
endif()

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release)
endif()
foreach(lang C CXX ASM)
  set(CMAKE_${lang}_FLAGS_RELEASE "-O2 -g")
  set(CMAKE_${lang}_FLAGS_DEBUG "-O1 -g3")
endforeach()

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# The machine. A new one adds src/arch/<name>/ and one line here.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
  set(GORT_ARCH amd64)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set(GORT_ARCH arm64)
else()
  message(FATAL_ERROR "gort does not know the processor '${CMAKE_SYSTEM_PROCESSOR}'")
endif()
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  set(GORT_OS linux)
else()
  message(FATAL_ERROR "gort does not know the system '${CMAKE_SYSTEM_NAME}'")
endif()

# Words that a test may name in a "TEST skip=" line (see doc/HACKING.md).
set(GORT_TAGS ${GORT_ARCH} ${GORT_OS})
if(CMAKE_CROSSCOMPILING)
  list(APPEND GORT_TAGS emulated)
endif()

add_library(gort_flags INTERFACE)
set(c_family $<COMPILE_LANGUAGE:C,CXX>)
target_compile_options(gort_flags INTERFACE $<${c_family}:-Wall> $<${c_family}:-Wextra>)
if(GORT_WERROR)
  target_compile_options(gort_flags INTERFACE $<${c_family}:-Werror>)
endif()
if(CMAKE_C_COMPILER_ID MATCHES "Clang")
  list(APPEND GORT_TAGS clang)
else()
  list(APPEND GORT_TAGS gcc)
endif()
string(TOLOWER "${CMAKE_BUILD_TYPE}" build_type)
list(APPEND GORT_TAGS ${build_type})

# ThreadSanitizer is for programs: the library tells it what it must know, and is never built with it
# (doc/decisions/0017).
add_library(gort_user_flags INTERFACE)
set(sanitized gort_flags)
if(GORT_SANITIZE STREQUAL "thread")
  set(sanitized gort_user_flags)
endif()
if(GORT_SANITIZE)
  target_compile_options(${sanitized} INTERFACE
    -fsanitize=${GORT_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(${sanitized} INTERFACE -fsanitize=${GORT_SANITIZE})
  if(GORT_SANITIZE MATCHES "undefined")
    target_compile_options(gort_flags INTERFACE -fno-sanitize-recover=all)
    list(APPEND GORT_TAGS ubsan)
  endif()
  if(GORT_SANITIZE MATCHES "address")
    list(APPEND GORT_TAGS asan)
  endif()
  if(GORT_SANITIZE STREQUAL "thread")
    list(APPEND GORT_TAGS tsan)
  endif()
  # Instrumentation hides initialisations from gcc's flow analysis.
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    target_compile_options(gort_flags INTERFACE $<${c_family}:-Wno-maybe-uninitialized>)
    # gcc warns of every fence under this sanitizer, which does not model them.
    if(GORT_SANITIZE STREQUAL "thread")
      target_compile_options(gort_user_flags INTERFACE $<${c_family}:-Wno-tsan>)
    endif()
  endif()
endif()
if(GORT_COVERAGE)
  target_compile_options(gort_flags INTERFACE --coverage -fprofile-update=atomic)
  target_link_options(gort_flags INTERFACE --coverage)
  list(APPEND GORT_TAGS coverage)
endif()

# The library is compiled once, for the archive and for the shared object:
#   unwind tables and -fexceptions  traces and C++ exceptions pass through our frames
#   stack-clash-protection          a large frame touches the guard rather than jumping over it
#   tls initial-exec                the runtime's thread-locals are one segment-relative load
#   no strict aliasing              the heap is bytes, words and records in turn
add_library(gort_internal_flags INTERFACE)
target_link_libraries(gort_internal_flags INTERFACE gort_flags)
target_include_directories(gort_internal_flags INTERFACE
  ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src ${PROJECT_BINARY_DIR}/generated)
target_compile_definitions(gort_internal_flags INTERFACE
  GORT_ASSERT_LEVEL=${GORT_ASSERT_LEVEL} _GNU_SOURCE
  GORT_VERSION="${PROJECT_VERSION}" GORT_INTERNAL GORT_ARCH_NAME="${GORT_ARCH}" GORT_OS_NAME="${GORT_OS}")
target_compile_options(gort_internal_flags INTERFACE
  -fvisibility=hidden
  $<${c_family}:-fstack-clash-protection> $<${c_family}:-fasynchronous-unwind-tables>
  $<${c_family}:-fexceptions> $<${c_family}:-ftls-model=initial-exec>
  $<${c_family}:-fno-strict-aliasing> $<${c_family}:-ffunction-sections>)

target_link_libraries(gort_user_flags INTERFACE gort_flags)
target_include_directories(gort_user_flags INTERFACE ${PROJECT_SOURCE_DIR}/include)
target_compile_options(gort_user_flags INTERFACE $<${c_family}:-fstack-clash-protection>)
