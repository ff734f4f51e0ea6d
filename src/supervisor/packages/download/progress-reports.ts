import type { Clock, Timer } from "../../../foundation/clock.ts";
import type { DownloadProgress } from "./contract.ts";

const intervalMs = 1_000;

/** Tells how far a download is, at most once a second; the newest state is never kept back for longer. */
export class ProgressReports {
  readonly #clock: Clock;
  readonly #report: (progress: DownloadProgress) => void;
  #receivedBytes: number;
  #totalBytes: number | undefined;
  #problem: string | undefined;
  #furthest: number;
  #arrived = 0;
  #reportedAt = 0;
  #timer: Timer | undefined;

  /** Reports at once; `receivedBytes` were there before. */
  constructor(clock: Clock, report: (progress: DownloadProgress) => void, receivedBytes: number) {
    this.#clock = clock;
    this.#report = report;
    this.#receivedBytes = receivedBytes;
    this.#furthest = receivedBytes;
    this.#tell(0);
  }

  /** The most bytes there have been since the start or the last {@link startedOver}. */
  get furthest(): number {
    return this.#furthest;
  }

  /** `arrived` bytes came in, and the file now has `receivedBytes`. A byte further than ever ends a problem. */
  advanced(receivedBytes: number, totalBytes: number | undefined, arrived: number): void {
    this.#receivedBytes = receivedBytes;
    this.#totalBytes = totalBytes;
    this.#arrived += arrived;
    if (receivedBytes > this.#furthest) {
      this.#furthest = receivedBytes;
      this.#problem = undefined;
    }
    this.#changed();
  }

  /** What was there is worth nothing. */
  startedOver(): void {
    this.#receivedBytes = 0;
    this.#furthest = 0;
    this.#changed();
  }

  /** Nothing arrives for now, and why that is worth saying. */
  pausedBy(problem: string | undefined): void {
    this.#problem = problem;
    this.#changed();
  }

  finish(): void {
    this.#tell(this.#rate());
    this.#timer?.cancel();
  }

  #changed(): void {
    const due = this.#reportedAt + intervalMs - this.#clock.monotonic();
    if (due <= 0) this.#tell(this.#rate());
    else {
      this.#timer ??= this.#clock.setTimer(due, () => this.#tell(this.#rate()));
    }
  }

  #rate(): number {
    const elapsedMs = this.#clock.monotonic() - this.#reportedAt;
    return elapsedMs <= 0 ? 0 : (this.#arrived * 1_000) / elapsedMs;
  }

  #tell(bytesPerSecond: number): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#reportedAt = this.#clock.monotonic();
    // Once more without news, so that a rate does not stand when nothing arrives any longer.
    if (this.#arrived > 0) this.#timer = this.#clock.setTimer(intervalMs, () => this.#tell(this.#rate()));
    this.#arrived = 0;
    this.#report({
      receivedBytes: this.#receivedBytes,
      totalBytes: this.#totalBytes,
      bytesPerSecond,
      problem: this.#problem,
    });
  }
}
