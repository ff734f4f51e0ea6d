import { PackageProblem } from "./package-problem.ts";

/** Reads a stream in pieces of wanted sizes, never more of it than asked for. */
export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #left: number;
  #rest: Uint8Array = new Uint8Array(0);

  /** @param maxBytes of the whole stream, whatever it is made of. */
  constructor(source: AsyncIterable<Uint8Array>, maxBytes: number) {
    this.#source = source[Symbol.asyncIterator]();
    this.#left = maxBytes;
  }

  /**
   * Exactly `size` bytes, in one piece, or undefined where the stream has ended.
   * @throws PackageProblem when it ends within them.
   */
  async read(size: number): Promise<Buffer | undefined> {
    if (!(await this.#fill())) return undefined;
    const parts: Uint8Array[] = [];
    // The source may use its buffer again.
    for await (const part of this.take(size)) parts.push(Uint8Array.from(part));
    return Buffer.concat(parts);
  }

  /** The next `size` bytes as they come. */
  async *take(size: number): AsyncGenerator<Uint8Array> {
    for (let missing = size; missing > 0; ) {
      if (!(await this.#fill())) throw new PackageProblem("the archive ends in the middle of a member");
      const part = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(part.length);
      missing -= part.length;
      yield part;
    }
  }

  /** Reads to the end, where a compressed stream has its checksum. */
  async drain(): Promise<void> {
    while (await this.#fill()) this.#rest = new Uint8Array(0);
  }

  /** False at the end of the stream. */
  async #fill(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const next = await this.#source.next();
      if (next.done === true) return false;
      this.#left -= next.value.length;
      if (this.#left < 0)
        throw new PackageProblem("the package unpacks to more bytes than packages.max_unpacked_size allows");
      this.#rest = next.value;
    }
    return true;
  }
}
