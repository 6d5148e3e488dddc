/** Reproducible randomness: the same seed gives the same cases on every machine. */

export class Random {
  #state: number;

  /** `seed` is 32 bits. */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 32 bits, unsigned. A Weyl sequence through a mixing function (splitmix32). */
  u32(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }

  /** 0 to limit - 1. */
  below(limit: number): number {
    return this.u32() % limit;
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  one<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  /** 64 bits that stand where arithmetic turns: around 0, the signs, the halves; or few ones, or anything. */
  edge(): bigint {
    const near = BigInt(this.below(5) - 2);
    switch (this.below(8)) {
      case 0:
        return BigInt.asUintN(64, near);
      case 1:
        return BigInt.asUintN(64, (1n << BigInt(this.below(64))) + near);
      case 2:
        return BigInt.asUintN(64, this.one([1n << 31n, 1n << 32n, 1n << 63n, 1n << 15n, 1n << 7n]) + near);
      case 3:
        return BigInt.asUintN(64, -(1n << BigInt(this.below(64))));
      case 4:
        return BigInt(this.below(256));
      case 5:
        // Each half its own edge.
        return ((this.u64() & 1n) << 63n) | ((this.u64() & 3n) << 31n) | BigInt(this.below(4));
      default:
        return this.u64();
    }
  }
}
