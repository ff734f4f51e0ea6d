import { close as closeFd, constants, open as openFd } from "node:fs";
import { truncate } from "node:fs/promises";
import { promisify } from "node:util";
import { type Clock, systemClock, type Timer } from "../../foundation/clock.ts";
import { describeError, isMissing } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import { type ExcerptOptions, makeExcerpt } from "./agent-log-excerpt.ts";
import { LogFollower, sizeOf } from "./agent-log-follow.ts";
import { copyAside, readRange } from "./agent-log-rotate.ts";

export interface AgentLogOptions {
  path: string;
  logger: Logger;
  /** Rotate when larger. Bytes, default 10 MiB. */
  maxBytes?: number;
  /** How many rotated copies stay (`agent.log.1` is the newest). Default 3. */
  keep?: number;
  clock?: Clock;
}

/** How often the size is looked at. */
const checkMs = 10_000;
/** An excerpt is made of this much at most; what is older has not to do with the end. */
const excerptScanBytes = 262_144;

const openDescriptor = promisify(openFd);
const closeDescriptor = promisify(closeFd);

/**
 * The file that the Collector writes its output to. The Collector holds its descriptor for as long as it
 * lives, longer than this process, so the file is truncated in place and never replaced.
 *
 * A position counts the bytes written since this object was made, plus what the file held then: it stays
 * good over a truncation.
 */
export class AgentLog {
  readonly path: string;
  readonly #logger: Logger;
  readonly #maxBytes: number;
  readonly #keep: number;
  readonly #clock: Clock;
  readonly #followers = new Set<LogFollower>();
  /** Position of the file's first byte. */
  #base = 0;
  #lastSize = 0;
  /** Position at which the newest rotated copy ends. */
  #copyEnd: number | undefined;
  #timer: Timer | undefined;
  #started = false;
  #busy: Promise<unknown> = Promise.resolve();

  constructor({ path, logger, maxBytes = 10_485_760, keep = 3, clock = systemClock }: AgentLogOptions) {
    this.path = path;
    this.#logger = logger;
    this.#maxBytes = maxBytes;
    this.#keep = keep;
    this.#clock = clock;
  }

  /** A descriptor for the Collector's stdout and stderr; close it with {@link release} after the spawn. */
  async openForAppend(): Promise<number> {
    const { O_APPEND, O_CREAT, O_WRONLY } = constants;
    return await openDescriptor(this.path, O_APPEND | O_CREAT | O_WRONLY, 0o640);
  }

  /** Closes a descriptor of {@link openForAppend} on our side. */
  async release(descriptor: number): Promise<void> {
    await closeDescriptor(descriptor);
  }

  /** Where the next byte will be. */
  position(): Promise<number> {
    return this.#exclusively(() => this.#measure());
  }

  /** The first error since `position` and the last lines, without control characters; empty if nothing came. */
  excerptSince(position: number, options?: ExcerptOptions): Promise<string> {
    return this.#exclusively(async () => {
      const end = await this.#measure();
      const start = Math.max(position, end - excerptScanBytes);
      const pieces = [
        await this.#readCopy(start),
        await readRange(this.path, Math.max(0, start - this.#base), end - this.#base).catch(emptyIfMissing),
      ];
      return makeExcerpt(Buffer.concat(pieces).toString(), options);
    });
  }

  /** Hands each line written from now on to `onLine`, which must not throw. `pollMs` may keep it waiting. */
  async follow(onLine: (line: string) => void, pollMs?: number): Promise<{ close(): Promise<void> }> {
    return await this.#exclusively(async () => {
      const from = (await this.#measure()) - this.#base;
      const follower = new LogFollower({ path: this.path, from, onLine, clock: this.#clock, pollMs });
      this.#followers.add(follower);
      return {
        close: async () => {
          this.#followers.delete(follower);
          await follower.close();
        },
      };
    });
  }

  /** Begins to watch the size. */
  start(): void {
    this.#started = true;
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(checkMs, () => {
      void this.rotateIfLarge().finally(() => {
        if (this.#started) this.start();
      });
    });
  }

  /** Stops watching and following. The file stays. */
  async close(): Promise<void> {
    this.#started = false;
    this.#timer?.cancel();
    await Promise.all([...this.#followers].map((follower) => follower.close()));
    this.#followers.clear();
    await this.#busy;
  }

  /** Copies the file aside and empties it when it is too large. A failure is logged, never thrown. */
  rotateIfLarge(): Promise<boolean> {
    return this.#exclusively(async () => {
      try {
        if ((await sizeOf(this.path)) <= this.#maxBytes) return false;
        await this.#rotate();
        return true;
      } catch (error) {
        this.#logger.warn(
          { event: "agent_log_rotation_failed", path: this.path, error: describeError(error) },
          `cannot rotate ${this.path}; it keeps growing, check its directory's permissions and space`,
        );
        return false;
      }
    });
  }

  async #rotate(): Promise<void> {
    const copied = await copyAside(this.path, this.#keep);
    if (!copied) {
      this.#logger.warn(
        { event: "agent_log_discarded", path: this.path },
        `the disk is full: ${this.path} was emptied without a copy; free some space`,
      );
    }
    await Promise.all([...this.#followers].map((follower) => follower.drain()));
    const end = await this.#measure();
    await truncate(this.path, 0);
    for (const follower of this.#followers) follower.truncated();
    this.#base = end;
    this.#lastSize = 0;
    this.#copyEnd = copied && this.#keep > 0 ? end : undefined;
  }

  /** What the newest copy holds from `start` on. */
  async #readCopy(start: number): Promise<Buffer> {
    if (start >= this.#base || this.#copyEnd !== this.#base) return Buffer.alloc(0);
    const copy = `${this.path}.1`;
    const size = await sizeOf(copy);
    return await readRange(copy, Math.max(0, size - (this.#base - start)), size).catch(emptyIfMissing);
  }

  /** Position of the end; notices when somebody else has truncated the file. */
  async #measure(): Promise<number> {
    const size = await sizeOf(this.path);
    if (size < this.#lastSize) this.#base += this.#lastSize;
    this.#lastSize = size;
    return this.#base + size;
  }

  #exclusively<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#busy.then(action, action);
    this.#busy = result.catch(() => undefined);
    return result;
  }
}

function emptyIfMissing(error: unknown): Buffer {
  if (isMissing(error)) return Buffer.alloc(0);
  throw error;
}
