// From the start-up code to a program's main, and out again.
#pragma once

#include "types.h"

// Every program defines this. `bootargs` is what the loader was given: /chosen/bootargs of the device tree, a Multiboot command line, or "".
int main(const char *bootargs);

// Whether `word` is one of the space-separated words of `text`.
bool has_word(const char *text, const char *word);

// The field's exit protocol: "\nEXIT: STATUS=%d" with (code << 1) | 1, then the machine's way out.
_Noreturn void exit(int code);

// What the platform provides. paging_on: the MMU on, every address of the program and its console mapped to itself.
_Noreturn void power_off(void);
void paging_on(void);
