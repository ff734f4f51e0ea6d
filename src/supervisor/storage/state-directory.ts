import { randomBytes } from "node:crypto";
import { chmod, chown, link, mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Timer } from "../../foundation/clock.ts";
import { describeError, isMissing } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import { type FileReaders, syncDirectory, temporarySuffix, writeFileAtomically } from "./atomic-file.ts";

/** How long a disk that refused a write is left alone. */
const retryMs = 5_000;

/** Damaged files of one name that are kept for somebody to look at. */
const keptCorrupt = 3;

/** A directory of small files that only the supervisor may read. */
export class StateDirectory {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #pending = new Map<string, Promise<void>>();
  readonly #unwritten = new Map<string, string | Uint8Array>();
  #retry: Timer | undefined;
  #collector: FileReaders | undefined;

  private constructor(path: string, clock: Clock, logger: Logger) {
    this.#path = path;
    this.#clock = clock;
    this.#logger = logger;
  }

  /**
   * Creates the directory if need be and closes it to others.
   * @throws Error that names the directory and what to do.
   */
  static async open(
    path: string,
    { clock, logger }: { clock: Clock; logger: Logger },
  ): Promise<StateDirectory> {
    try {
      await mkdir(path, { recursive: true, mode: 0o700 });
      const { uid, mode } = await stat(path);
      if ((mode & 0o077) !== 0 && uid === process.getuid?.()) await chmod(path, 0o700);
      await readdir(path);
    } catch (cause) {
      const message = `storage.directory ${path} cannot be used: create it and let the supervisor's user write to it`;
      throw new Error(message, { cause });
    }
    return new StateDirectory(path, clock, logger);
  }

  /** Lets one group reach the files in here that are written for the Collector, and no others. */
  async letIn(gid: number): Promise<void> {
    this.#collector = { uid: process.getuid?.() ?? -1, gid };
    await chown(this.#path, this.#collector.uid, gid);
    await chmod(this.#path, 0o710);
  }

  /** Files whose newest content the disk has refused so far. */
  get unwritten(): readonly string[] {
    return [...this.#unwritten.keys()];
  }

  path(name: string): string {
    return join(this.#path, name);
  }

  /** undefined when there is no such file, or it cannot be read (that is logged). */
  async read(name: string): Promise<Uint8Array | undefined> {
    try {
      return new Uint8Array(await readFile(this.path(name)));
    } catch (error) {
      if (!isMissing(error)) {
        const fields = { event: "state_unreadable", file: name, error: describeError(error) };
        this.#logger.error(fields, `${name} in the state directory cannot be read`);
      }
      return undefined;
    }
  }

  /** Removes what a crash left unfinished. Only for the owner of the lock: it would end another's write. */
  async clearUnfinished(): Promise<void> {
    const unfinished = (await this.list()).filter((name) => name.endsWith(temporarySuffix));
    await Promise.all(unfinished.map((name) => rm(this.path(name), { force: true })));
  }

  /** Writes of one file take effect in the order of the calls. */
  write(name: string, data: string | Uint8Array, { forCollector = false } = {}): Promise<void> {
    return this.#inOrder(name, async () => {
      this.#unwritten.delete(name);
      await writeFileAtomically(this.path(name), data, forCollector ? this.#collector : undefined);
    });
  }

  /**
   * The same for a file whose content counts although the disk refuses it: it still rejects, but the newest
   * content is written again every few seconds until that works.
   */
  async writeInTheEnd(name: string, data: string | Uint8Array): Promise<void> {
    try {
      await this.write(name, data);
    } catch (error) {
      this.#unwritten.set(name, data);
      this.#retry ??= this.#clock.setTimer(retryMs, () => this.#writeAgain());
      throw error;
    }
  }

  /** Gives up what could not be written: another process may own the directory by now. */
  close(): void {
    this.#unwritten.clear();
    this.#retry?.cancel();
  }

  /** Survives a power cut; a file that is not there is fine. */
  remove(name: string): Promise<void> {
    return this.#inOrder(name, async () => {
      this.#unwritten.delete(name);
      await rm(this.path(name), { force: true });
      await syncDirectory(this.#path);
    });
  }

  list(): Promise<string[]> {
    return readdir(this.#path);
  }

  /** Makes `name` the same file as `source`, atomically; nothing is copied, so a full disk does not matter. */
  async linkOver(source: string, name: string): Promise<void> {
    const temporary = `${this.path(name)}.${randomBytes(4).toString("hex")}${temporarySuffix}`;
    await link(source, temporary);
    // Renaming a link onto another link of the same file does nothing, and would leave the first behind.
    await rename(temporary, this.path(name));
    await rm(temporary, { force: true });
    await syncDirectory(this.#path);
  }

  /** Moves a damaged file out of the way, for somebody to look at, and says so. */
  async setAside(name: string, reason: string): Promise<void> {
    const aside = `${name}.corrupt-${new Date(this.#clock.now()).toISOString().replaceAll(":", "")}`;
    const fields = { event: "state_corrupt", file: name, reason, set_aside: aside };
    this.#logger.error(fields, `${name} in the state directory is damaged and was set aside`);
    try {
      await rename(this.path(name), this.path(aside));
      const old = (await this.list()).filter((each) => each.startsWith(`${name}.corrupt-`)).sort();
      for (const each of old.slice(0, -keptCorrupt)) await this.remove(each);
    } catch (error) {
      this.#logger.error({ ...fields, error: describeError(error) }, `${name} cannot be set aside`);
    }
  }

  #writeAgain(): void {
    this.#retry = undefined;
    for (const [name, data] of this.#unwritten) this.writeInTheEnd(name, data).catch(() => undefined);
  }

  #inOrder(name: string, action: () => Promise<void>): Promise<void> {
    const result = (this.#pending.get(name) ?? Promise.resolve()).then(action);
    const settled = result
      .catch(() => undefined)
      .then(() => {
        if (this.#pending.get(name) === settled) this.#pending.delete(name);
      });
    this.#pending.set(name, settled);
    return result;
  }
}
