/** Numbers that look random and are the same every time: xorshift32 (Marsaglia, 2003). */
export class Random {
  #state: number;

  /** @param seed any whole number but 0 modulo 2^32 */
  constructor(seed: number) {
    this.#state = seed >>> 0 || 1;
  }

  /** 0 to 2^32 - 1. */
  word(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state;
  }

  /** 0 to n - 1. */
  below(n: number): number {
    return this.word() % n;
  }

  /** 64 bits. */
  long(): bigint {
    return (BigInt(this.word()) << 32n) | BigInt(this.word());
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}
