#include "check.h"

#include "print.h"

static u64 checks, failures;

bool check(bool passed, const char *format, ...) {
  va_list arguments;
  checks++;
  failures += !passed;
  print(passed ? "ok   " : "FAIL ");
  va_start(arguments, format);
  print_list(format, arguments);
  va_end(arguments);
  print("\n");
  return passed;
}

int check_result(const char *name) {
  print("%s: %lu checks, %lu failed\n", name, checks, failures);
  return failures || !checks ? 1 : 0;
}
