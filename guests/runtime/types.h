// The few names every guest program shares. C11, freestanding.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
