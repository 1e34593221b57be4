// SPDX-License-Identifier: Apache-2.0
//
// The one door to libjansson, and to what of the C library's printing Swift cannot call; only Sources/JSON imports it.
#include <stdlib.h>
#include <jansson.h>
#include <stdio.h>

// Prints a real with 15 significant digits. A function because Swift cannot call snprintf, whose arguments vary.
static inline int json_print_real(char *buffer, size_t size, double value) {
  return snprintf(buffer, size, "%.15g", value);
}

// The same, but with as many digits as it takes to read the same value back.
static inline int json_print_real_exactly(char *buffer, size_t size, double value) {
  int length = snprintf(buffer, size, "%.15g", value);
  return strtod(buffer, NULL) == value ? length : snprintf(buffer, size, "%.17g", value);
}
