import { link, lstat, mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../../foundation/clock.ts";
import { describeError, isMissing } from "../../../foundation/errors.ts";
import { firstLine } from "../../../foundation/first-line.ts";
import type { Logger } from "../../../foundation/logger.ts";
import { syncDirectory, writeFileAtomically } from "../../storage/atomic-file.ts";
import type { OfferedPackage } from "../offer.ts";
import { bareFileOf } from "../unpack/bare-file.ts";
import { architectureProblem, findExecutable } from "../unpack/find-executable.ts";
import { PackageProblem } from "../unpack/package-problem.ts";
import { unpackPackage } from "../unpack/unpack.ts";
import type { UnpackLimits } from "../unpack/unpacked-tree.ts";
import { clearUnfinished, listFolder, makeFolder, removeWhole, setAside, temporaryName } from "./folder.ts";
import {
  folderOf,
  type HeldPackage,
  idPattern,
  type PackageLabel,
  type PackageRecord,
  packageIdOf,
  recordSchema,
} from "./held-package.ts";

export interface StoreDeps {
  clock: Clock;
  logger: Logger;
  limits: UnpackLimits;
}

interface Entry {
  held: HeldPackage;
  record: PackageRecord;
}

/** The folder `versions`: every unpacked package of this host, `FOLDER/ID/` with `FOLDER/ID.json` beside it. */
export class Versions {
  readonly #root: string;
  readonly #deps: StoreDeps;
  /** By `FOLDER/ID`. */
  readonly #entries = new Map<string, Entry>();
  /** Under way, by `FOLDER/ID`. */
  readonly #making = new Map<string, Promise<HeldPackage>>();

  private constructor(root: string, deps: StoreDeps) {
    this.#root = root;
    this.#deps = deps;
  }

  /** @param inUse keys `FOLDER/ID` that stay where they are even if damaged: a Collector may run from there. */
  static async open(root: string, deps: StoreDeps, inUse: ReadonlySet<string>): Promise<Versions> {
    await makeFolder(root);
    const versions = new Versions(root, deps);
    for (const folder of await readdir(root)) await versions.#openFolder(folder, inUse);
    return versions;
  }

  /** The package under `FOLDER/ID`, unless something of it is missing on disk by now. */
  async intact(key: string): Promise<HeldPackage | undefined> {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const damage = await damageOf(entry);
    if (damage === undefined) return entry.held;
    this.#entries.delete(key);
    const fields = { event: "package_damaged", package: entry.held.name, path: entry.held.directory };
    this.#deps.logger.error({ ...fields, reason: damage }, "a package on disk is damaged");
    return undefined;
  }

  /**
   * What satisfies the offer without anything being fetched. The same package hash says that it is the same
   * package (AP3). Else the same content counts (AP5), and is taken over under the offered label: as files
   * are linked, nothing is copied.
   */
  async find(offered: OfferedPackage): Promise<HeldPackage | undefined> {
    const label = labelOf(offered);
    const exact = await this.intact(keyOf(label));
    if (exact !== undefined) return exact;
    const entries = [...this.#entries].filter(([, { held }]) => held.name === offered.name);
    // Without a hash the server says nothing of that kind.
    const same = entries.filter(([, { held }]) => offered.hash !== "" && held.hash === offered.hash);
    for (const [key] of same) {
      const held = await this.intact(key);
      if (held !== undefined) return held;
    }
    for (const [key, { held, record }] of entries) {
      const fits =
        held.sha256 === label.sha256 &&
        held.type === offered.type &&
        record.bare_name === bareFileOf(offered).name;
      const source = fits ? await this.intact(key) : undefined;
      if (source === undefined) continue;
      return this.#make(offered, async (directory) => {
        await linkTree(source.directory, directory);
        return { executable: record.executable, sizes: record.sizes, signed: record.signed };
      });
    }
    return undefined;
  }

  /** Unpacks a file that is verified; `signed` says that a trusted key signed it. */
  async admit(offered: OfferedPackage, file: string, { signed }: { signed: boolean }): Promise<HeldPackage> {
    const held = await this.intact(keyOf(labelOf(offered)));
    if (held !== undefined && (held.signed || !signed)) return held;
    return this.#make(offered, async (directory) => {
      const { files } = await unpackPackage(file, directory, this.#deps.limits, bareFileOf(offered));
      if (offered.type === "addon")
        return { executable: null, sizes: await sizesOf(directory, files), signed };
      const executable = await findExecutable(directory, offered.name);
      const problem = architectureProblem(join(directory, executable));
      if (problem !== undefined) throw new PackageProblem(problem);
      return { executable, sizes: await sizesOf(directory, [executable]), signed };
    });
  }

  /** Deletes every version but those under these keys. */
  async keepOnly(keys: ReadonlySet<string>): Promise<void> {
    for (const [key] of [...this.#entries].filter(([key]) => !keys.has(key))) {
      this.#entries.delete(key);
      // First what makes it a package.
      await rm(join(this.#root, `${key}.json`), { force: true });
      await removeWhole(join(this.#root, key));
    }
  }

  #make(
    offered: OfferedPackage,
    fill: (directory: string) => Promise<Pick<PackageRecord, "executable" | "sizes" | "signed">>,
  ): Promise<HeldPackage> {
    const key = keyOf(labelOf(offered));
    const making = this.#making.get(key) ?? this.#makeNow(key, offered, fill);
    this.#making.set(key, making);
    return making.finally(() => this.#making.delete(key));
  }

  /** Everything under another name, then a rename, then the record: a crash leaves a whole package or none. */
  async #makeNow(
    key: string,
    offered: OfferedPackage,
    fill: (directory: string) => Promise<Pick<PackageRecord, "executable" | "sizes" | "signed">>,
  ): Promise<HeldPackage> {
    const directory = join(this.#root, key);
    const folder = join(this.#root, folderOf(offered.name));
    await makeFolder(folder);
    await syncDirectory(this.#root);
    const temporary = temporaryName(directory);
    try {
      const content = await fill(temporary);
      const { version, hash, sha256, name } = labelOf(offered);
      const record: PackageRecord = {
        name,
        type: offered.type,
        version,
        hash,
        sha256,
        ...content,
        bare_name: bareFileOf(offered).name,
        installed_at: new Date(this.#deps.clock.now()).toISOString(),
      };
      await rm(`${directory}.json`, { force: true });
      await removeWhole(directory);
      await rename(temporary, directory);
      await syncDirectory(folder);
      await writeFileAtomically(`${directory}.json`, `${JSON.stringify(record)}\n`);
      const entry = toEntry(directory, record);
      this.#entries.set(key, entry);
      return entry.held;
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      throw error;
    }
  }

  async #openFolder(folder: string, inUse: ReadonlySet<string>): Promise<void> {
    const path = join(this.#root, folder);
    await clearUnfinished(path);
    const ids = (await listFolder(path)).map((name) => name.replace(/\.json$/, ""));
    for (const id of new Set(ids.filter((each) => idPattern.test(each)))) {
      const key = `${folder}/${id}`;
      const directory = join(path, id);
      try {
        const record = await readRecord(directory);
        if (record === undefined) {
          // Written last, so a crash came before it.
          if (!inUse.has(key)) await removeWhole(directory);
          continue;
        }
        if (key !== keyOf(record)) throw new Error("its record is of another package");
        const entry = toEntry(directory, record);
        const damage = await damageOf(entry);
        if (damage !== undefined) throw new Error(damage);
        this.#entries.set(key, entry);
      } catch (error) {
        const reason = firstLine(describeError(error));
        if (inUse.has(key)) {
          const fields = { event: "package_damaged", path: directory, reason };
          this.#deps.logger.error(fields, "the package in use is damaged; it has to be fetched again");
          continue;
        }
        await setAside(`${directory}.json`, reason, this.#deps);
        await setAside(directory, reason, this.#deps);
      }
    }
  }
}

/** `FOLDER/ID` */
export function keyOf(label: PackageLabel): string {
  return `${folderOf(label.name)}/${packageIdOf(label)}`;
}

function labelOf({ name, version, hash, file }: OfferedPackage): PackageLabel {
  return { name, version, hash, sha256: file.sha256 };
}

function toEntry(directory: string, record: PackageRecord): Entry {
  const { name, type, version, hash, sha256, executable: relative, signed } = record;
  const executable = relative === null ? undefined : join(directory, relative);
  const id = packageIdOf(record);
  return { record, held: { name, type, version, hash, sha256, id, directory, executable, signed } };
}

/** undefined when there is none. */
async function readRecord(directory: string): Promise<PackageRecord | undefined> {
  let text: string;
  try {
    text = await readFile(`${directory}.json`, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error("its record is not JSON");
  }
  const result = recordSchema.safeParse(value);
  if (!result.success) throw new Error("its record is not one of a package");
  return result.data;
}

async function sizesOf(directory: string, files: readonly string[]): Promise<Record<string, number>> {
  const sizes: [string, number][] = [];
  for (const file of files) sizes.push([file, (await lstat(join(directory, file))).size]);
  return Object.fromEntries(sizes);
}

/** What is wrong with a package on disk; its content is not read. */
async function damageOf({ held: { directory, type }, record }: Entry): Promise<string | undefined> {
  if (type === "top-level" && record.executable === null) return "its record names no executable";
  try {
    if (!(await lstat(directory)).isDirectory()) return "its folder is none";
    for (const [file, size] of Object.entries(record.sizes)) {
      const found = await lstat(join(directory, file));
      if (!found.isFile() || found.size !== size) return `${file} has ${found.size} bytes instead of ${size}`;
      if (file === record.executable && (found.mode & 0o111) === 0)
        return `${file} is not executable any more`;
    }
    return undefined;
  } catch (error) {
    return describeError(error);
  }
}

async function linkTree(from: string, to: string): Promise<void> {
  await mkdir(to);
  await makeFolder(to);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await linkTree(source, target);
    else await link(source, target);
  }
  await syncDirectory(to);
}
