import { type Acquired, acquire, type PackageProgress } from "../../src/supervisor/packages/acquisition.ts";
import type { DownloadOutcome, DownloadProgress } from "../../src/supervisor/packages/download/contract.ts";
import type { OfferedPackage, PackagesOffer } from "../../src/supervisor/packages/offer.ts";
import type { HeldPackage } from "../../src/supervisor/packages/store/held-package.ts";
import type { PackageSet } from "../../src/supervisor/packages/store/sets.ts";
import type { DiskOfLife, SimulatedDisk } from "./simulated-disk.ts";
import type { Life } from "./simulated-life.ts";
import { executableOf, setOf } from "./simulated-programs.ts";

const versions = "packages/versions/";
const sets = "packages/sets/";
const currentLink = "packages/current";

/** Id of the set in use, by what is on the disk. */
export function currentSet({ files }: SimulatedDisk): string | null {
  const id = new TextDecoder().decode(files.get(currentLink));
  return id === "" ? null : id;
}

/** Whether all of a set is there. */
export function isWhole(disk: SimulatedDisk, id: string): boolean {
  return loadSet(disk, id) !== undefined;
}

function loadSet(disk: SimulatedDisk, id: string): PackageSet | undefined {
  if (!disk.files.has(sets + id)) return undefined;
  const contents = id.split("+");
  const packages = contents.flatMap((each) => disk.json<HeldPackage | null>(versions + each, null) ?? []);
  if (packages.length < contents.length) return undefined;
  return { id, packages, path: sets + id, executable: executableOf(contents) };
}

interface StoreDeps {
  disk: SimulatedDisk;
  ofLife: DiskOfLife;
  life: Life;
  /** Whether the network works at this moment. */
  online: () => boolean;
  /** Told of every set that goes. */
  deleted: (id: string) => void;
}

/** `Packages` with its store, on the simulated disk and without a network; acquiring an offer is the real thing. */
export class SimulatedStore {
  readonly #deps: StoreDeps;
  #acquiring = 0;

  constructor(deps: StoreDeps) {
    this.#deps = deps;
  }

  async load(id: string): Promise<PackageSet | undefined> {
    return loadSet(this.#deps.disk, id);
  }

  async held(id: string | null): Promise<readonly HeldPackage[]> {
    return (id === null ? undefined : loadSet(this.#deps.disk, id))?.packages ?? [];
  }

  /** A link needs no space. */
  use(id: string | null): Promise<void> {
    const { life, disk } = this.#deps;
    return life.perform(() => void disk.files.set(currentLink, new TextEncoder().encode(id ?? "")));
  }

  acquire(
    offer: PackagesOffer,
    signal: AbortSignal,
    onProgress: (name: string, progress: PackageProgress) => void,
  ): Promise<Acquired> {
    const { disk, ofLife } = this.#deps;
    this.#acquiring += 1;
    return acquire(offer, {
      store: {
        find: async ({ file }) =>
          disk.json<HeldPackage | null>(versions + contentAt(file.url), null) ?? undefined,
        downloadPath: (sha256) => `packages/downloads/${sha256}`,
        admit: async (offered) => {
          const held = toHeld(offered);
          await ofLife.write(versions + contentAt(offered.file.url), JSON.stringify(held));
          return held;
        },
        makeSet: async (packages) => {
          const id = setOf(packages.map((each) => each.id));
          if (id === null) return undefined;
          await ofLife.write(sets + id, "");
          const set = loadSet(disk, id);
          if (set === undefined)
            throw new Error("a package that was to be used is damaged; it is fetched again");
          return set;
        },
      },
      download: ({ url }, wanted, report) => this.#download(contentAt(url), wanted, report),
      mustBeSigned: false,
      refuse: async () => undefined,
      signal,
      onProgress,
    }).finally(() => {
      this.#acquiring -= 1;
    });
  }

  /** As `Packages.keepOnly` does it. */
  async keepOnly(needed: ReadonlySet<string>): Promise<void> {
    if (this.#acquiring > 0) return;
    const { disk, ofLife } = this.#deps;
    const kept = new Set([...needed, currentSet(disk) ?? ""]);
    const contents = new Set([...kept].flatMap((id) => id.split("+")));
    for (const name of namesUnder(disk, sets)) {
      if (kept.has(name)) continue;
      this.#deps.deleted(name);
      await ofLife.remove(sets + name);
    }
    for (const name of namesUnder(disk, versions))
      if (!contents.has(name)) await ofLife.remove(versions + name);
  }

  async #download(
    content: string,
    wanted: AbortSignal,
    report: (progress: DownloadProgress) => void,
  ): Promise<DownloadOutcome> {
    const totalBytes = content === "large" ? 12 : 3;
    const stepMs = content === "large" ? 5_000 : 100;
    for (let receivedBytes = 0; receivedBytes < totalBytes; receivedBytes += 1) {
      if (wanted.aborted) return { t: "aborted" };
      if (!this.#deps.online()) return { t: "failed", fault: "host", reason: "no route to host" };
      report({ receivedBytes, totalBytes, bytesPerSecond: 10, problem: undefined });
      await this.#deps.life.sleep(stepMs);
    }
    if (content === "forged") return { t: "failed", fault: "own", reason: "it has another hash" };
    return { t: "done", bytes: totalBytes };
  }
}

const contentAt = (url: string) => url.slice(url.lastIndexOf("/") + 1);

function toHeld({ name, type, version, hash, file }: OfferedPackage): HeldPackage {
  const id = contentAt(file.url);
  const executable = executableOf([id]);
  const directory = versions + id;
  return { name, type, version, hash, sha256: file.sha256, id, directory, executable, signed: false };
}

function namesUnder({ files }: SimulatedDisk, prefix: string): string[] {
  return [...files.keys()].filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
}
