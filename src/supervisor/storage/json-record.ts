import { firstLine } from "../../foundation/first-line.ts";
import type { StateDirectory } from "./state-directory.ts";

/** What a schema can do for a record. */
interface Schema<T> {
  parse(value: unknown): T;
}

/** One small JSON file whose content is always known and always valid. */
export class JsonRecord<T> {
  #value: T;
  readonly #name: string;
  readonly #directory: StateDirectory;

  private constructor(directory: StateDirectory, name: string, value: T) {
    this.#directory = directory;
    this.#name = name;
    this.#value = value;
  }

  /** A file that is not there, or was set aside because it is damaged, gives `initial`. */
  static async open<T>(
    directory: StateDirectory,
    name: string,
    schema: Schema<T>,
    initial: T,
  ): Promise<JsonRecord<T>> {
    const data = await directory.read(name);
    if (data === undefined) return new JsonRecord(directory, name, initial);
    try {
      return new JsonRecord(directory, name, schema.parse(parseJson(data)));
    } catch (error) {
      await directory.setAside(name, error instanceof Error ? firstLine(error.message) : String(error));
      return new JsonRecord(directory, name, initial);
    }
  }

  get value(): T {
    return this.#value;
  }

  /** The value counts at once; a disk that is full makes this reject, but not forget. */
  async save(value: T): Promise<void> {
    this.#value = value;
    await this.#directory.writeInTheEnd(this.#name, `${JSON.stringify(value)}\n`);
  }
}

function parseJson(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data));
  } catch {
    // JSON.parse quotes the text in its error, and that may be the link's token.
    throw new Error(data.length === 0 ? "it is empty" : "it is not JSON");
  }
}
