// Every public declaration, used from C++.
// TEST modes=none
//
// SPDX-License-Identifier: BSD-3-Clause

// Flexible arrays are C's, and these compilers' in C++.
#ifdef __clang__
#pragma GCC diagnostic ignored "-Wc99-extensions"
#endif

#include "api_surface.h"
