// Every public declaration, used from C.
// TEST notmodes=determ
// TEST modes=p1,p4,gcstress,clobber
//
// SPDX-License-Identifier: BSD-3-Clause
#include "api_surface.h"
