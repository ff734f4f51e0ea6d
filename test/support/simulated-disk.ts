import type { SnapshotDirectory } from "../../src/supervisor/change/snapshots.ts";
import type { Life } from "./simulated-life.ts";

/** What survives a kill -9 of the supervisor: the files of its state directory. Faults are switched by the test. */
export class SimulatedDisk {
  readonly files = new Map<string, Uint8Array>();
  /** Writing fails with ENOSPC; linking, removing and reading go on. */
  full = false;

  /** A JSON file, or `initial` when there is none. */
  json<T>(name: string, initial: T): T {
    const data = this.files.get(name);
    return data === undefined ? initial : (JSON.parse(new TextDecoder().decode(data)) as T);
  }

  put(name: string, data: string | Uint8Array): void {
    if (this.full) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
    this.files.set(name, typeof data === "string" ? new TextEncoder().encode(data) : data);
  }
}

/** The disk as one life of the supervisor sees it; like the real one, it keeps the writes of one file in order. */
export class DiskOfLife {
  readonly #disk: SimulatedDisk;
  readonly #life: Life;
  readonly #pending = new Map<string, Promise<unknown>>();
  readonly #newest = new Map<string, string | Uint8Array>();

  constructor(disk: SimulatedDisk, life: Life) {
    this.#disk = disk;
    this.#life = life;
  }

  write(name: string, data: string | Uint8Array): Promise<void> {
    return this.#inOrder(name, () => this.#life.perform(() => this.#disk.put(name, data)));
  }

  /** As `StateDirectory.writeInTheEnd` does it. */
  async writeInTheEnd(name: string, data: string | Uint8Array): Promise<void> {
    this.#newest.set(name, data);
    try {
      await this.write(name, data);
    } catch (error) {
      this.#life.clock.setTimer(5_000, () => {
        if (this.#newest.get(name) === data) this.writeInTheEnd(name, data).catch(() => undefined);
      });
      throw error;
    }
  }

  saveJson(name: string, value: unknown): Promise<void> {
    return this.writeInTheEnd(name, JSON.stringify(value));
  }

  remove(name: string): Promise<void> {
    this.#newest.delete(name);
    return this.#inOrder(name, () => this.#life.perform(() => void this.#disk.files.delete(name)));
  }

  /** A hard link, and a rename over what was there: needs no space. */
  linkOver(source: string, name: string): Promise<void> {
    return this.#life.perform(() => {
      const data = this.#disk.files.get(source);
      if (data === undefined) throw Object.assign(new Error(`no such file: ${source}`), { code: "ENOENT" });
      this.#disk.files.set(name, data);
    });
  }

  /** The folder of the snapshots. */
  folder(prefix: string): SnapshotDirectory {
    const disk = this.#disk;
    return {
      path: (name) => prefix + name,
      read: async (name) => disk.files.get(prefix + name),
      write: (name, data) => this.write(prefix + name, data),
      remove: (name) => this.remove(prefix + name),
      list: async () =>
        [...disk.files.keys()]
          .filter((name) => name.startsWith(prefix))
          .map((name) => name.slice(prefix.length)),
      setAside: (name) => this.remove(prefix + name),
    };
  }

  #inOrder(name: string, action: () => Promise<void>): Promise<void> {
    const result = (this.#pending.get(name) ?? Promise.resolve()).then(action);
    this.#pending.set(
      name,
      result.catch(() => undefined),
    );
    return result;
  }
}
