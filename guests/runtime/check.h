// One line per check, and the number that failed.
#pragma once

#include "types.h"

// Prints `ok   …` or `FAIL …` and counts; returns `passed`.
bool check(bool passed, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Prints `NAME: n checks, m failed` and returns the program's exit code: 0, or 1 when a check failed or none was made.
int check_result(const char *name);
