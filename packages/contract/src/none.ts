/** Absence with a reason: what an architecture exports where another one has something. */
export interface None {
  readonly none: string;
}

export function none(why: string): None {
  return Object.freeze({ none: why });
}

export function isNone(thing: unknown): thing is None {
  return typeof thing === 'object' && thing !== null && typeof (thing as None).none === 'string';
}
