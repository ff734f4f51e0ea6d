import type { Clock } from "../../foundation/clock.ts";
import type { Point } from "../../foundation/metrics/metric.ts";
import type { PackagesView } from "../packages/statuses.ts";

/** How long the last attempt to install each package took, from the offer or the retry to its end. */
export class InstallDurations {
  readonly #clock: Clock;
  /** Monotonic, by name of the package. */
  readonly #began = new Map<string, number>();
  readonly #ended = new Map<string, Point>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** To be told of every change. */
  changed({ packages }: PackagesView): void {
    const present = new Set(packages.map(({ name }) => name));
    for (const known of [this.#began, this.#ended]) {
      for (const name of known.keys()) if (!present.has(name)) known.delete(name);
    }
    for (const { name, state } of packages) {
      const began = this.#began.get(name);
      if (state.t !== "installed" && state.t !== "failed") {
        if (began === undefined) this.#began.set(name, this.#clock.monotonic());
      } else if (began !== undefined) {
        this.#began.delete(name);
        const value = (this.#clock.monotonic() - began) / 1_000;
        this.#ended.set(name, { value, labels: { package: name, status: state.t } });
      }
    }
  }

  points(): readonly Point[] {
    return [...this.#ended.values()];
  }
}
