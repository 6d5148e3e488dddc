// The one property of a flattened device tree that these programs read (Devicetree Specification 0.4, chapter 5).
#pragma once

#include "types.h"

// Copies /chosen/bootargs into `out`, cut to `size` with its zero; an absent property or tree gives "".
void fdt_bootargs(const void *tree, char *out, size_t size);
