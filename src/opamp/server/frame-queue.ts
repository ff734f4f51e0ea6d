import { setImmediate as nextTurn } from "node:timers/promises";

/** Frames beyond which reading stops until some are handled. */
const pauseFrames = 32;

/** What may have been read before a pause takes effect, with room to spare. Bytes. */
const readAhead = 1024 * 1024;

interface FrameQueueActions {
  /** Must not reject. */
  handle(frame: Buffer, isBinary: boolean): Promise<void>;
  pause(): void;
  resume(): void;
  /** More is queued than back-pressure explains; the rest is dropped. */
  overflow(): void;
}

/**
 * Handles the frames of one WebSocket one after the other and in order, and stops reading while many wait.
 * INVARIANT: one frame is under way at most; `#waiting` holds those behind it.
 */
export class FrameQueue {
  readonly #maxMessageBytes: number;
  readonly #actions: FrameQueueActions;
  #waiting: { frame: Buffer; isBinary: boolean }[] = [];
  #frames = 0;
  #bytes = 0;
  #paused = false;
  #running: Promise<void> | undefined;
  #overflown = false;

  constructor(maxMessageBytes: number, actions: FrameQueueActions) {
    this.#maxMessageBytes = maxMessageBytes;
    this.#actions = actions;
  }

  /** Whether a frame is under way or waits. */
  get busy(): boolean {
    return this.#running !== undefined;
  }

  /** Resolves when all that was pushed is handled. */
  drained(): Promise<void> {
    return this.#running ?? Promise.resolve();
  }

  push(frame: Buffer, isBinary: boolean): void {
    if (this.#overflown) return;
    this.#waiting.push({ frame, isBinary });
    this.#frames += 1;
    this.#bytes += frame.length;
    this.#running ??= this.#run();
    if (this.#bytes > 2 * this.#maxMessageBytes + readAhead) {
      this.#overflown = true;
      this.#waiting = [];
      this.#actions.overflow();
    } else if (!this.#paused && this.#isLong()) {
      this.#paused = true;
      this.#actions.pause();
    }
  }

  #isLong(): boolean {
    return this.#frames > pauseFrames || this.#bytes > this.#maxMessageBytes;
  }

  async #run(): Promise<void> {
    let handled = 0;
    for (;;) {
      const batch = this.#waiting;
      this.#waiting = [];
      for (const { frame, isBinary } of batch) {
        if (this.#overflown) break;
        handled += 1;
        // Other connections get their turn between the frames of one.
        if (handled % pauseFrames === 0) await nextTurn();
        await this.#actions.handle(frame, isBinary);
        this.#frames -= 1;
        this.#bytes -= frame.length;
      }
      if (this.#waiting.length === 0) break;
    }
    this.#running = undefined;
    if (this.#paused) {
      this.#paused = false;
      this.#actions.resume();
    }
  }
}
