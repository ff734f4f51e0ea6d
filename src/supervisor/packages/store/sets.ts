import { lstat, readlink, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { isMissing } from "../../../foundation/errors.ts";
import { syncDirectory } from "../../storage/atomic-file.ts";
import { clearUnfinished, linkTo, listFolder, makeFolder, removeWhole, setAside } from "./folder.ts";
import { folderOf, type HeldPackage, idPattern, setIdOf } from "./held-package.ts";
import { keyOf, type Versions } from "./versions.ts";

/** The packages that a Collector runs with. Never changed once made. */
export interface PackageSet {
  id: string;
  packages: readonly HeldPackage[];
  /** A folder with a link to each package, by its name (`_` for ""). */
  path: string;
  /** The Collector of its top-level package; undefined where it has addons only. */
  executable: string | undefined;
}

/** Name of the set that has nothing in it. */
const emptySetId = "empty";

/** The folder `sets`: one of links for each set. A set's id is made from its links, so it proves itself. */
export class Sets {
  readonly #root: string;
  readonly #versions: Versions;

  constructor(root: string, versions: Versions) {
    this.#root = root;
    this.#versions = versions;
  }

  /** @throws Error when one of the packages is damaged. */
  async make(packages: readonly HeldPackage[]): Promise<PackageSet> {
    const id = setIdOf(packages);
    const path = join(this.#root, id);
    await makeFolder(path);
    const links = new Map(packages.map((each) => [folderOf(each.name), targetOf(keyOf(each))]));
    if (links.size !== packages.length) throw new Error("two packages of one name cannot be in one set");
    for (const name of await listFolder(path)) {
      if (!links.has(name)) await rm(join(path, name), { recursive: true, force: true });
    }
    for (const [name, target] of links) {
      if ((await readLink(join(path, name))) !== target) await linkTo(target, join(path, name));
    }
    await syncDirectory(path);
    await syncDirectory(this.#root);
    const set = await this.load(id);
    if (set === undefined) throw new Error("a package that was to be used is damaged; it is fetched again");
    return set;
  }

  /** undefined when anything of it is missing or damaged. */
  async load(id: string): Promise<PackageSet | undefined> {
    const keys = await linkedKeys(join(this.#root, id));
    const packages: HeldPackage[] = [];
    for (const key of keys) {
      const held = await this.#versions.intact(key);
      if (held === undefined) return undefined;
      packages.push(held);
    }
    if (packages.length === 0 || setIdOf(packages) !== id) return undefined;
    const executable = packages.find(({ type }) => type === "top-level")?.executable;
    return { id, packages, path: join(this.#root, id), executable };
  }

  /** Deletes every other set; the result is what the remaining ones need, as `FOLDER/ID`. */
  async keepOnly(ids: ReadonlySet<string>): Promise<Set<string>> {
    const needed = new Set<string>();
    for (const id of await listFolder(this.#root)) {
      if (!idPattern.test(id)) continue;
      if (!ids.has(id)) await removeWhole(join(this.#root, id));
      else for (const key of await linkedKeys(join(this.#root, id))) needed.add(key);
    }
    return needed;
  }
}

/** The one link that says which set is in use. */
export class CurrentLink {
  readonly path: string;
  readonly #sets: string;

  constructor(root: string) {
    this.path = join(root, "current");
    this.#sets = join(root, "sets");
  }

  /** Sees to the folders it may point to, and to the link itself. */
  async prepare(deps: Parameters<typeof setAside>[2]): Promise<void> {
    await makeFolder(this.#sets);
    await makeFolder(join(this.#sets, emptySetId));
    for (const set of await listFolder(this.#sets)) await clearUnfinished(join(this.#sets, set));
    await clearUnfinished(this.#sets);
    const found = await lstat(this.path).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    if (found?.isSymbolicLink() === true) return;
    if (found !== undefined) await setAside(this.path, "it is no symbolic link", deps);
    await this.pointTo(undefined);
  }

  async pointTo(id: string | undefined): Promise<void> {
    await linkTo(join("sets", id ?? emptySetId), this.path);
  }

  /** Id of the set in use; undefined for none. */
  async target(): Promise<string | undefined> {
    const id = basename((await readLink(this.path)) ?? emptySetId);
    return idPattern.test(id) ? id : undefined;
  }

  /** What the set in use consists of, as `FOLDER/ID`, whether it is whole or not. */
  async keys(): Promise<ReadonlySet<string>> {
    const id = await this.target();
    return new Set(id === undefined ? [] : await linkedKeys(join(this.#sets, id)));
  }
}

const targetOf = (key: string) => join("..", "..", "versions", key);

/** `FOLDER/ID` of each link in a set's folder; a link of another kind gives a key that nothing has. */
async function linkedKeys(path: string): Promise<string[]> {
  const keys: string[] = [];
  for (const name of await listFolder(path)) {
    const target = (await readLink(join(path, name))) ?? "";
    keys.push(target === targetOf(`${name}/${basename(target)}`) ? `${name}/${basename(target)}` : "");
  }
  return keys;
}

/** undefined when there is none, or something else. */
async function readLink(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch {
    return undefined;
  }
}
