// A printf small enough to read: %s, %d %u %x with or without l, and %%; flags `-` and `0` and a width.
#pragma once

#include <stdarg.h>

#include "types.h"

void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void print_list(const char *format, va_list arguments);

// What the platform provides: one byte to the console.
void console_put(char c);
