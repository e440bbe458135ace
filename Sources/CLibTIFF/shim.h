// SPDX-License-Identifier: Apache-2.0
// tiffio.h uses FILE and va_list without declaring them.
#include <stdarg.h>
#include <stdio.h>
#include <tiffio.h>
