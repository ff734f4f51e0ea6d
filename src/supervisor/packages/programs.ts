import type { CollectorBinary } from "../collector/binary.ts";

/** What a package set brings, as far as running it is concerned. */
export interface SetOfPackages {
  /** A folder with one entry for each package, by name. */
  path: string;
  /** Of its top-level package; undefined where it has addons only. */
  executable: string | undefined;
}

/** The binary that is run as the Collector of this host. */
export interface Program {
  /** `local` is `agent.executable`; a server's package wins over it for as long as the server offers one. */
  source: "local" | "package";
  executable: string;
  binary: CollectorBinary;
  /** Where the packages of the set lie before they are switched to; undefined without a set. */
  packagesPath: string | undefined;
}

interface ProgramsDeps {
  /** `agent.executable` */
  local: string | undefined;
  /** Whether a package may bring what is not there yet. */
  acceptsPackages: boolean;
  /** Never rejects. */
  identify(executable: string, signal: AbortSignal): Promise<CollectorBinary>;
  /** Changes when the file is replaced; undefined where there is none. */
  identityOf(executable: string): Promise<string | undefined>;
  /** undefined when something of the set is missing or damaged. */
  loadSet: (id: string) => Promise<SetOfPackages | undefined>;
}

/** Which program belongs to which package set. Each file is identified once, and again when it was replaced. */
export class Programs {
  readonly #deps: ProgramsDeps;
  readonly #binaries = new Map<string, { identity: string | undefined; found: Promise<CollectorBinary> }>();

  readonly #stopping = new AbortController();

  constructor(deps: ProgramsDeps) {
    this.#deps = deps;
  }

  /** Leaves no command behind that is to tell what a program is. */
  stop(): void {
    this.#stopping.abort();
  }

  /** The program of a package set, or why there is none. */
  async find(packages: string | null): Promise<Program | { missing: string }> {
    const { local, loadSet } = this.#deps;
    const set = packages === null ? undefined : await loadSet(packages);
    if (packages !== null && set === undefined)
      return { missing: "a package that it needs is missing or damaged on disk" };
    if (set?.executable !== undefined) {
      const { executable, path: packagesPath } = set;
      return { source: "package", executable, binary: await this.#identify(executable), packagesPath };
    }
    if (local === undefined) {
      return { missing: "there is no Collector on this host yet: it waits for a package of the server" };
    }
    const binary = await this.#identify(local);
    if (this.#deps.acceptsPackages && !binary.identified && binary.problem === "not-found") {
      // An administrator may still put it there.
      this.#binaries.delete(local);
      const missing = `there is no Collector at agent.executable ${local} yet: it waits for a package of the server`;
      return { missing };
    }
    return { source: "local", executable: local, binary, packagesPath: set?.path };
  }

  async #identify(executable: string): Promise<CollectorBinary> {
    const identity = await this.#deps.identityOf(executable);
    const before = this.#binaries.get(executable);
    const known = before?.identity === identity ? before : undefined;
    const { found } = known ?? { found: this.#deps.identify(executable, this.#stopping.signal) };
    this.#binaries.set(executable, { identity, found });
    const binary = await found;
    // A host that is busy now may have time for it later.
    if (!binary.identified && binary.problem === "unresponsive") this.#binaries.delete(executable);
    return binary;
  }
}
