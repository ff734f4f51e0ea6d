import * as z from "zod/mini";
import { roles } from "../collector/role.ts";

const causes = ["remote", "local", "packages", "remote+packages"] as const;

export const referenceSchema = z.object({
  /** Snapshot id; null stands for "stopped", the explicit empty configuration. */
  id: z.nullable(z.string()),
  /** SHA-256 of the merged text without its mark. */
  contentHash: z.string(),
  /** Hexadecimal config_hash of the remote configuration in it, if there is one. */
  remoteHash: z.nullable(z.string()),
  role: z.enum(roles),
  /** What brought it here: offers of the server have a status, what changed on this host has none. */
  cause: z.enum(causes),
  /** The package set that it runs with; null where nothing of the server's packages is in use. */
  packages: z._default(z.nullable(z.string()), null),
  /** Of one on the way back: the next change came before its probation was over. */
  untried: z.optional(z.boolean()),
});

/** One configuration that is known: what runs, or what to go back to. */
export type Reference = z.infer<typeof referenceSchema>;

/** Whether it is what somebody wanted and was seen to run, not a stand-in for want of it. */
export function hasWorked({ role }: Pick<Reference, "role">): boolean {
  return role === "desired" || role === "last-known-good";
}

const quarantinedSchema = z.object({
  /** See {@link faultHash}. */
  hash: z.string(),
  reason: z.string(),
  /** Milliseconds since the Unix epoch. */
  at: z.number(),
  /** What had brought it. */
  cause: z.optional(z.enum(causes)),
  /**
   * It had worked, for longer than a probation: no offer makes it run, but while nothing better does the host
   * itself comes back to it from time to time.
   */
  worked: z.optional(z.boolean()),
});
export type Quarantined = z.infer<typeof quarantinedSchema>;

export const bookSchema = z.object({
  current: z.nullable(referenceSchema),
  onProbation: z.boolean(),
  wayBack: z.array(referenceSchema),
  quarantined: z.array(quarantinedSchema),
  /** Package sets that ran before the present one, newest first; null is `agent.executable` and no addons. */
  olderPackages: z._default(z.array(z.nullable(z.string())), []),
});
export type BookContent = z.infer<typeof bookSchema>;

export const emptyBook: BookContent = {
  current: null,
  onProbation: false,
  wayBack: [],
  quarantined: [],
  olderPackages: [],
};

/**
 * What is quarantined when this turns out bad: the remote config_hash, the content hash of a merge that no
 * offer caused, or the packages; both together where both came in one message, for either may be innocent.
 */
export function faultHash({
  cause,
  remoteHash,
  contentHash,
  packages,
}: Pick<Reference, "cause" | "remoteHash" | "contentHash" | "packages">): string {
  switch (cause) {
    case "remote":
      return remoteHash ?? contentHash;
    case "local":
      return contentHash;
    case "packages":
      return packagesFaultHash(packages);
    case "remote+packages":
      return `${remoteHash ?? contentHash}+${packagesFaultHash(packages)}`;
  }
}

const packagesFaultHash = (packages: string | null) => `packages:${packages ?? "none"}`;

const isSame = (a: Reference, b: Reference) => a.contentHash === b.contentHash && a.packages === b.packages;

/** As it is put on the way back. */
function leave(reference: Reference, onProbation: boolean): Reference {
  return { ...reference, ...(onProbation && { untried: true }) };
}

/** Bound of the list, so that a server that offers a bad hash a minute does not fill the disk. */
const maxQuarantined = 100;

/**
 * Which configuration runs, whether it is still on probation, where the way back leads, and which
 * hashes may not run. A change of it is written before it is acted on; one that cannot be written counts
 * all the same in this process, for the host must not be worse off for a full disk.
 */
export class ConfigurationBook {
  #content: BookContent;
  #saved: BookContent;
  readonly #save: (content: BookContent) => Promise<boolean>;
  readonly #keptPackages: number;

  /** `keptPackages` is how many older package sets stay. `save` must not reject: it is to log a failure, to try again, and to say whether it worked at once. */
  constructor(content: BookContent, save: (content: BookContent) => Promise<boolean>, keptPackages = 1) {
    this.#content = content;
    this.#keptPackages = keptPackages;
    this.#saved = content;
    this.#save = save;
  }

  get current(): Reference | null {
    return this.#content.current;
  }

  get onProbation(): boolean {
    return this.#content.onProbation;
  }

  /** Nearest first: the configuration on probation before this one, then last-known-good. */
  get wayBack(): readonly Reference[] {
    return this.#content.wayBack;
  }

  /** Package sets to go back to when the present program itself is at fault, newest first. */
  get olderPackages(): readonly (string | null)[] {
    return this.#content.olderPackages;
  }

  /** Package sets that are still needed. */
  get packageSets(): Set<string> {
    const sets = [this.#content, this.#saved].flatMap(({ current, wayBack, olderPackages }) => [
      current?.packages,
      ...wayBack.map(({ packages }) => packages),
      ...olderPackages,
    ]);
    return new Set(sets.flatMap((set) => set ?? []));
  }

  get quarantined(): readonly Quarantined[] {
    return this.#content.quarantined;
  }

  /** Snapshots that are still needed. */
  get snapshotIds(): Set<string> {
    // On a full disk the next supervisor reads what was saved last.
    const references = [this.#content, this.#saved].flatMap(({ current, wayBack }) => [current, ...wayBack]);
    return new Set(references.flatMap((reference) => reference?.id ?? []));
  }

  /** Whether what runs has failed all the same, so that it must not be started again. */
  get currentIsQuarantined(): boolean {
    const { current, onProbation } = this.#content;
    if (current === null || (current.role !== "desired" && !onProbation)) return false;
    const entry = this.quarantineOf(faultHash(current));
    return entry !== undefined && entry.worked !== true;
  }

  quarantineOf(hash: string): Quarantined | undefined {
    return this.#content.quarantined.find((entry) => entry.hash === hash);
  }

  /** `reference` was proven: it runs, on probation, and what ran before is the way back. */
  async keep(reference: Reference): Promise<void> {
    const { current, wayBack, onProbation } = this.#content;
    if (current !== null && current.id === reference.id) {
      if (current.id === null) await this.relabel(reference);
      return;
    }
    // What ran unproven or only for want of something better is no place to go back to.
    const trusted = current !== null && hasWorked(current);
    const known = trusted ? [leave(current, onProbation), ...(onProbation ? wayBack : [])] : [...wayBack];
    // To go back to the same once more would be no way back.
    const before = known.filter((each) => each.id === null || !isSame(each, reference));
    await this.#write({
      ...this.#content,
      current: reference,
      onProbation: reference.id !== null,
      wayBack: before.slice(0, 2),
      quarantined: this.#quarantinedBut(reference),
      olderPackages: this.#olderThan(reference.packages),
    });
  }

  /** What is to be kept of older packages once `packages` runs. */
  #olderThan(packages: string | null): (string | null)[] {
    const { current, olderPackages } = this.#content;
    const before = current === null ? olderPackages : [current.packages, ...olderPackages];
    return [...new Set(before)].filter((set) => set !== packages).slice(0, this.#keptPackages);
  }

  /** Same content under a new remote hash: nothing was switched. */
  async relabel(reference: Reference): Promise<void> {
    await this.#write({ ...this.#content, current: reference });
  }

  /** The probation ended well. One older configuration stays as the way back from a later crash loop. */
  async endProbation(): Promise<void> {
    // An order to stop is over: to go back to it would leave the host dark.
    const wayBack = this.#content.wayBack.filter(({ id }) => id !== null).slice(-1);
    await this.#write({ ...this.#content, onProbation: false, wayBack });
  }

  /**
   * Went back to `reference`; what is nearer than it on the way back was tried and is dropped. A probation that
   * the next change had cut short begins again.
   */
  async goneBackTo(reference: Reference): Promise<void> {
    const { wayBack } = this.#content;
    const index = wayBack.findIndex((entry) => entry.id === reference.id);
    const { untried: onProbation = false, ...known } = reference;
    const current: Reference = {
      ...known,
      role: reference.id === null ? reference.role : "last-known-good",
    };
    await this.#write({
      ...this.#content,
      current,
      onProbation,
      wayBack: index < 0 ? wayBack : wayBack.slice(index + 1),
      quarantined: this.#quarantinedBut(reference),
      olderPackages: this.#content.olderPackages.filter((set) => set !== reference.packages),
    });
  }

  /** What was `tried` does not start with its packages: `reference` is the same with older ones. */
  async goneBackToPackages(reference: Reference, tried: readonly Reference[]): Promise<void> {
    const ids = new Set(tried.map(({ id }) => id));
    await this.#write({
      ...this.#content,
      current: reference.role === "bootstrap" ? reference : { ...reference, role: "last-known-good" },
      onProbation: false,
      wayBack: this.#content.wayBack.filter(({ id }) => !ids.has(id)),
      quarantined: this.#quarantinedBut(reference),
      olderPackages: this.#content.olderPackages.filter((set) => set !== reference.packages),
    });
  }

  /** Runs something only to run anything; what once worked stays on the way back, to be tried again. */
  async makeDoWith(reference: Reference): Promise<void> {
    const { current, wayBack, onProbation } = this.#content;
    const keepsCurrent = current !== null && hasWorked(current) && !this.currentIsQuarantined;
    await this.#write({
      ...this.#content,
      current: reference,
      onProbation: false,
      wayBack: (keepsCurrent ? [leave(current, onProbation), ...wayBack] : [...wayBack]).slice(0, 2),
    });
  }

  /** It was proven once more: what was said against it since does not hold. */
  async release(reference: Reference): Promise<void> {
    const quarantined = this.#quarantinedBut(reference);
    if (quarantined.length < this.#content.quarantined.length)
      await this.#write({ ...this.#content, quarantined });
  }

  async quarantine(entry: Quarantined): Promise<void> {
    const others = this.#content.quarantined.filter(({ hash }) => hash !== entry.hash);
    await this.#write({ ...this.#content, quarantined: [...others, entry].slice(-maxQuarantined) });
  }

  #quarantinedBut(reference: Reference): Quarantined[] {
    const { contentHash, remoteHash } = reference;
    const cleared = new Set([contentHash, remoteHash, faultHash(reference)]);
    return this.#content.quarantined.filter(({ hash }) => !cleared.has(hash));
  }

  /** Another offer of the server came: what it offered before may be tried again if it is offered again. */
  async forgetOffersBefore(hash: string): Promise<void> {
    const { current, wayBack, quarantined } = this.#content;
    const inUse = new Set([
      hash,
      ...[current, ...wayBack].flatMap((each) => (each === null ? [] : faultHash(each))),
    ]);
    const kept = quarantined.filter((entry) => entry.cause !== "remote" || inUse.has(entry.hash));
    if (kept.length < quarantined.length) await this.#write({ ...this.#content, quarantined: kept });
  }

  /** An operator lets these be tried again. */
  async clearQuarantine(hashes: ReadonlySet<string>): Promise<void> {
    const quarantined = this.#content.quarantined.filter(({ hash }) => !hashes.has(hash));
    await this.#write({ ...this.#content, quarantined });
  }

  async #write(content: BookContent): Promise<void> {
    this.#content = content;
    if (await this.#save(content)) this.#saved = content;
  }
}
