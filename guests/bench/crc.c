// crc: CRC-32 (ISO-HDLC, reflected 0x04c11db7) of 64 KiB, bit by bit: a tight loop of shifts and conditional selects.
#include "bench.h"

#define SIZE 65536
#define POLYNOMIAL 0xedb88320u

static u8 data[SIZE];

void prepare(void) {
  for (u32 i = 0; i < SIZE; i++) data[i] = (u8)(i * 7 + 3);
}

u32 work(u32 sum) {
  u32 crc = ~sum;
  for (u32 i = 0; i < SIZE; i++) {
    crc ^= data[i];
    for (unsigned bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
  }
  return ~crc;
}
