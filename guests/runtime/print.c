#include "print.h"

struct field {
  bool left, zero;
  int width;
};

static void pad(char c, int n) {
  while (n-- > 0) console_put(c);
}

static void put_text(const char *text, int length, struct field f) {
  if (!f.left) pad(f.zero ? '0' : ' ', f.width - length);
  for (int i = 0; i < length; i++) console_put(text[i]);
  if (f.left) pad(' ', f.width - length);
}

static void put_number(u64 value, unsigned base, bool negative, struct field f) {
  char digits[24];
  int at = sizeof digits;
  do digits[--at] = "0123456789abcdef"[value % base];
  while ((value /= base) != 0);
  if (negative) digits[--at] = '-';
  put_text(digits + at, sizeof digits - at, f);
}

void print_list(const char *format, va_list arguments) {
  for (const char *p = format; *p; p++) {
    if (*p != '%') {
      console_put(*p);
      continue;
    }
    struct field f = {0};
    for (p++; *p == '-' || *p == '0'; p++) *(*p == '-' ? &f.left : &f.zero) = true;
    for (; *p >= '0' && *p <= '9'; p++) f.width = f.width * 10 + (*p - '0');

    bool is_long = *p == 'l';
    if (is_long) p++;

    if (*p == 's') {
      const char *text = va_arg(arguments, const char *);
      int length = 0;
      while (text[length]) length++;
      put_text(text, length, f);
    } else if (*p == 'd') {
      long value = is_long ? va_arg(arguments, long) : va_arg(arguments, int);
      put_number(value < 0 ? -(u64)value : (u64)value, 10, value < 0, f);
    } else if (*p == 'u' || *p == 'x') {
      put_number(is_long ? va_arg(arguments, u64) : va_arg(arguments, unsigned), *p == 'u' ? 10 : 16, false, f);
    } else {
      console_put(*p);
    }
  }
}

void print(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  print_list(format, arguments);
  va_end(arguments);
}
