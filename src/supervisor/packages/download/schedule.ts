import { Backoff } from "../../../foundation/backoff.ts";
import type { Clock } from "../../../foundation/clock.ts";
import { maxRetryAfterMs } from "../../../opamp/agent/retry-after.ts";
import type { Refusal } from "./answer.ts";
import type { Source } from "./sources.ts";

const slowMs = 60_000;
/** A mirror with another file may be mended while the others are out of reach. */
const wrongMs = 3_600_000;
/** Tries without a byte after which it is worth telling, and a mirror no longer a hope. */
const vainTries = 3;
/** How often bytes that may have been mixed up on the way are fetched again before the source is to blame. */
const maxDoubts = 1;

interface Place {
  readonly source: Source;
  readonly backoff: Backoff;
  notBefore: number;
  /** Most bytes that a try at it ended with; only more than that is progress. */
  best: number;
  doubts: number;
  inVain: number;
  isWrong: boolean;
  reason: string | undefined;
}

/** Which source is to be tried when: in order, but one that just gave something is gone on with. */
export class Schedule {
  readonly #places: readonly Place[];
  readonly #clock: Clock;
  readonly #random: () => number;
  #favourite: Place | undefined;

  /** The last source is the one that was offered. */
  constructor(sources: readonly Source[], clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
    this.#places = sources.map((source) => ({
      source,
      backoff: new Backoff({ initialMs: 1_000, maxMs: 600_000, factor: 2, jitter: 0.5, random }),
      notBefore: clock.monotonic(),
      best: 0,
      doubts: 0,
      inVain: 0,
      isWrong: false,
      reason: undefined,
    }));
  }

  /** The next source, and how long to wait before it is tried. */
  get next(): { source: Source; waitMs: number } {
    const now = this.#clock.monotonic();
    const ready = this.#places.find(({ notBefore }) => notBefore <= now);
    const { source, notBefore } = this.#favourite ?? ready ?? this.#places.reduce(sooner);
    return { source, waitMs: Math.max(0, notBefore - now) };
  }

  /**
   * A try ended early. `bytes` are in the file if it brought any of them, else 0. Returns how long the source
   * is left alone, in milliseconds.
   */
  failed(source: Source, { reason, pace, retryAfterMs = 0 }: Refusal, bytes: number): number {
    const place = this.#of(source);
    const progressed = bytes > place.best;
    if (progressed) {
      place.best = bytes;
      place.backoff.reset();
    }
    this.#favourite = progressed ? place : undefined;
    place.inVain = progressed ? 0 : place.inVain + (pace === "slow" ? vainTries : 1);
    place.reason = reason;
    const least = pace === "slow" ? slowMs * (1 - this.#random() / 2) : 0;
    return this.#leave(place, Math.max(place.backoff.next(), least, Math.min(retryAfterMs, maxRetryAfterMs)));
  }

  /** The file was thrown away. True if its bytes may have been mixed up on the way, so that the source is tried again. */
  startedOver(source: Source, certain: boolean): boolean {
    const place = this.#of(source);
    for (const each of this.#places) each.best = 0;
    place.doubts += 1;
    const again = !certain && place.doubts <= maxDoubts;
    this.#favourite = again ? place : undefined;
    return again;
  }

  /** The source has another file. */
  wrong(source: Source, reason: string): void {
    const place = this.#of(source);
    this.#favourite = undefined;
    place.isWrong = true;
    place.reason = reason;
    this.#leave(place, wrongMs);
  }

  /** Why it is worth telling that nothing arrives; undefined while there is hope that it is a matter of seconds. */
  get problem(): string | undefined {
    const now = this.#clock.monotonic();
    const hopeless = this.#places.every((place) => place.notBefore > now && isHopeless(place));
    return hopeless ? this.#reasons() : undefined;
  }

  /**
   * Why no source can mend it: the offered URL itself gives another file, and no mirror gives any. undefined
   * while one might.
   */
  get verdict(): string | undefined {
    const given = this.#places.at(-1)?.isWrong === true && this.#places.every(isHopeless);
    return given ? this.#reasons() : undefined;
  }

  #reasons(): string {
    return this.#places
      .filter(({ reason }) => reason !== undefined)
      .map(({ source, reason }) => `${source.name}: ${reason}`)
      .join("; ");
  }

  #leave(place: Place, ms: number): number {
    place.notBefore = this.#clock.monotonic() + ms;
    return ms;
  }

  #of(source: Source): Place {
    const place = this.#places.find((each) => each.source === source);
    if (place === undefined) throw new Error("a source that is not on the schedule");
    return place;
  }
}

function sooner(a: Place, b: Place): Place {
  return b.notBefore < a.notBefore ? b : a;
}

function isHopeless({ isWrong, inVain }: Place): boolean {
  return isWrong || inVain >= vainTries;
}
