// SPDX-License-Identifier: Apache-2.0
//
// The one door to libjansson, and to what of the C library's printing Swift cannot call; only Sources/JSON imports it.
#include <jansson.h>
#include <stdio.h>

// Prints a real with 15 significant digits. A function because Swift cannot call snprintf, whose arguments vary.
static inline int json_print_real(char *buffer, size_t size, double value) {
  return snprintf(buffer, size, "%.15g", value);
}
