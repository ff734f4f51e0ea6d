import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { isMissing } from "../../foundation/errors.ts";

/** A state directory that somebody else may be using: nothing in it is changed, damaged files least of all. */
export class ReadOnlyDirectory {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  path(name: string): string {
    return join(this.#path, name);
  }

  /**
   * undefined when there is no such file.
   * @throws system errors
   */
  async read(name: string): Promise<Uint8Array | undefined> {
    try {
      return new Uint8Array(await readFile(this.path(name)));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  list(): Promise<string[]> {
    return readdir(this.#path);
  }

  /** It counts as missing, and is left for the supervisor to set aside. */
  async setAside(): Promise<void> {}

  write(name: string): Promise<never> {
    return Promise.reject(new Error(`${name} is not to be written here`));
  }

  remove(name: string): Promise<never> {
    return this.write(name);
  }
}
