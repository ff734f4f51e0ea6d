import type { Point } from "./metric.ts";

/** How often values fell into each range, as Prometheus has it. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  /** `bounds` are the upper ends of the ranges, ascending; one without end is added. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  observe(value: number): void {
    this.#sum += value;
    this.#count += 1;
    for (const [index, bound] of this.#bounds.entries()) {
      if (value <= bound) this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    }
  }

  points(): readonly Point[] {
    const bucket = (le: string, value: number): Point => ({ value, labels: { le }, suffix: "_bucket" });
    return [
      ...this.#bounds.map((bound, index) => bucket(String(bound), this.#counts[index] ?? 0)),
      bucket("+Inf", this.#count),
      { value: this.#sum, labels: {}, suffix: "_sum" },
      { value: this.#count, labels: {}, suffix: "_count" },
    ];
  }
}
