/** One number of a program, or one for each set of labels. Whoever exports it reads it when it likes. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly kind: "gauge" | "counter" | "up-down-counter" | "histogram";
  /** The present values; none where nothing is known yet. */
  readonly points: () => readonly Point[];
}

export interface Point {
  readonly value: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Appended to the metric's name: a histogram is made of `_bucket`, `_sum` and `_count`. */
  readonly suffix?: "_bucket" | "_sum" | "_count";
}

/** Counts by one label whose values are known beforehand: each is there from the start, with 0. */
export class Counts<K extends string> {
  readonly #label: string;
  readonly #counts: Map<K, number>;

  constructor(label: string, keys: readonly K[]) {
    this.#label = label;
    this.#counts = new Map(keys.map((key) => [key, 0]));
  }

  add(key: K): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  points(): readonly Point[] {
    return [...this.#counts].map(([key, value]) => ({ value, labels: { [this.#label]: key } }));
  }
}
