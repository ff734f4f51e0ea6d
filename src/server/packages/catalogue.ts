import type { Clock, Timer } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import { FileReader } from "./file-reader.ts";
import type { PackageFile, PackageProblem } from "./package-file.ts";
import { type Scan, scanFolder } from "./scan.ts";

/** Between two looks at the folder; each reads only what is new. */
export const scanIntervalMs = 10_000;

export interface CatalogueOptions {
  directory: string;
  clock: Clock;
  log: Logger;
}

/** The packages in the folder, as of the last look at it. */
export class PackageCatalogue {
  readonly #options: CatalogueOptions;
  readonly #reader: FileReader;
  readonly #stop = new AbortController();
  #scan: Scan = { files: [], problems: [], waiting: [] };
  /** Looks come strictly one after the other. */
  #lastLook: Promise<void>;
  #timer: Timer | undefined;

  /** Begins with a first look. */
  constructor(options: CatalogueOptions) {
    this.#options = options;
    this.#reader = new FileReader(options.clock);
    this.#lastLook = this.#lookAndGoOn();
  }

  get files(): readonly PackageFile[] {
    return this.#scan.files;
  }

  get problems(): readonly PackageProblem[] {
    return this.#scan.problems;
  }

  get waiting(): readonly PackageProblem[] {
    return this.#scan.waiting;
  }

  find(name: string, version: string): PackageFile | undefined {
    return this.#scan.files.find((file) => file.name === name && file.version === version);
  }

  /** Resolves when no look is under way, so that what was there at the start is known. */
  settled(): Promise<void> {
    return this.#lastLook;
  }

  /** Looks again, and takes what was changed a moment ago as well: the caller says that it is complete. */
  rescan(): Promise<void> {
    return this.#lookNext(true);
  }

  /** Looks again, soon: something in the folder is not what it was. */
  refresh(): void {
    void this.#lookNext(false);
  }

  /** Ends also a look that is under way. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#timer?.cancel();
    await this.#lastLook;
  }

  #lookNext(trustFresh: boolean): Promise<void> {
    this.#lastLook = this.#lastLook.then(() => this.#look(trustFresh));
    return this.#lastLook;
  }

  async #lookAndGoOn(): Promise<void> {
    await this.#look(false);
    if (this.#stop.signal.aborted) return;
    this.#timer = this.#options.clock.setTimer(scanIntervalMs, () => {
      this.#lastLook = this.#lastLook.then(() => this.#lookAndGoOn());
    });
  }

  async #look(trustFresh: boolean): Promise<void> {
    const { directory } = this.#options;
    const { signal } = this.#stop;
    if (signal.aborted) return;
    try {
      const scan = await scanFolder(directory, this.#reader, { trustFresh, signal });
      this.#logNews(scan);
      this.#scan = scan;
    } catch (error) {
      if (signal.aborted) return;
      this.#options.log.error(
        { event: "package_scan_failed", path: directory, error: describeError(error) },
        "the packages folder could not be read; what was known of it stands",
      );
    }
  }

  /** Only what is different from the last look. */
  #logNews({ files, problems }: Scan): void {
    const { log } = this.#options;
    const before = this.#scan;
    const key = (file: PackageFile) => `${file.path} ${file.sha256} ${file.type} ${file.signature.length}`;
    const known = new Set(before.files.map(key));
    const now = new Set(files.map(key));
    const fields = ({ name, version, path }: PackageFile) => ({ package: name, version, path });
    for (const file of before.files) {
      if (!now.has(key(file))) log.info({ event: "package_removed", ...fields(file) }, "package file gone");
    }
    for (const file of files) {
      if (known.has(key(file))) continue;
      const { type, size, sha256, signature } = file;
      log.info(
        { event: "package_added", ...fields(file), type, bytes: size, sha256, signed: signature.length > 0 },
        "package file can be offered",
      );
    }
    const isKnown = ({ path, reason }: PackageProblem) =>
      before.problems.some((each) => each.path === path && each.reason === reason);
    for (const { path, reason } of problems.filter((problem) => !isKnown(problem))) {
      log.warn({ event: "package_problem", path, reason }, "left out of the packages");
    }
  }
}
