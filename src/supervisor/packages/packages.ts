import { statfs } from "node:fs/promises";
import type { Clock } from "../../foundation/clock.ts";
import type { Logger } from "../../foundation/logger.ts";
import { proxyFor } from "../settings/proxy-for.ts";
import type { PackageSettings } from "../settings/supervisor-settings.ts";
import { loadTrustKeys } from "../trust/trust-keys.ts";
import { type Acquired, acquire, type PackageProgress } from "./acquisition.ts";
import { download } from "./download/download.ts";
import type { PackagesOffer } from "./offer.ts";
import type { HeldPackage } from "./store/held-package.ts";
import type { PackageSet } from "./store/sets.ts";
import { PackageStore } from "./store/store.ts";
import { verifySignature } from "./verify/verify-signature.ts";

const trustKeysSetting = "packages.trust.keys";

interface PackagesDeps {
  clock: Clock;
  logger: Logger;
  random?: () => number;
}

/** The packages of this host: what is here, and how more of them come. */
export class Packages {
  readonly #store: PackageStore;
  readonly #settings: PackageSettings;
  readonly #deps: PackagesDeps;
  /** Contents of the last offer: their downloads stay, and while they are brought here nothing is tidied. */
  #wanted: ReadonlySet<string> = new Set();
  #acquiring = 0;
  /** Resolves when nothing is being deleted; an offer must not take up what is just going. */
  #tidied: Promise<unknown> = Promise.resolve();

  private constructor(store: PackageStore, settings: PackageSettings, deps: PackagesDeps) {
    this.#store = store;
    this.#settings = settings;
    this.#deps = deps;
  }

  /** @throws when the directory cannot be used, or a trust key cannot be read. */
  static async open(directory: string, settings: PackageSettings, deps: PackagesDeps): Promise<Packages> {
    // A host that trusts nobody because of a typing error must say so at once, not at the first offer.
    await loadTrustKeys(settings.trust.keys, trustKeysSetting);
    const limits = { maxBytes: settings.maxUnpackedBytes, maxMembers: settings.maxMembers };
    return new Packages(await PackageStore.open(directory, { ...deps, limits }), settings, deps);
  }

  /** The set in use, as a path that stays the same. */
  get path(): string {
    return this.#store.currentPath;
  }

  load(id: string): Promise<PackageSet | undefined> {
    return this.#store.loadSet(id);
  }

  async held(id: string | null): Promise<readonly HeldPackage[]> {
    return (id === null ? undefined : await this.#store.loadSet(id))?.packages ?? [];
  }

  /** Makes {@link path} this set; null is an empty folder. */
  async use(id: string | null): Promise<void> {
    await this.#store.flip(id === null ? undefined : { id });
  }

  /** Brings an offer onto this host. Nothing that runs is touched. */
  async acquire(
    offer: PackagesOffer,
    signal: AbortSignal,
    onProgress: (name: string, progress: PackageProgress) => void,
  ): Promise<Acquired> {
    const { clock, logger, random = Math.random } = this.#deps;
    const { trust } = this.#settings;
    this.#wanted = new Set(offer.packages.map(({ file }) => file.sha256));
    this.#acquiring += 1;
    await this.#tidied;
    return acquire(offer, {
      store: this.#store,
      signal,
      onProgress,
      download: (request, wanted, report) =>
        download(request, this.#settings, {
          clock,
          logger,
          random,
          signal: wanted,
          onProgress: report,
          freeBytes,
          proxyFor: proxyFor(this.#settings.proxy),
        }),
      mustBeSigned: trust.keys.length > 0,
      refuse: async (file, signature) => {
        // Again, for they may have been changed: one that is damaged by now is this host's failure.
        const trusted = await loadTrustKeys(trust.keys, trustKeysSetting);
        const verdict = await verifySignature(file, signature, trusted);
        return verdict.ok ? undefined : verdict.reason;
      },
    }).finally(() => {
      this.#acquiring -= 1;
    });
  }

  /** Deletes what nobody needs: neither one of these sets nor the last offer, as far as that is not in use. */
  async keepOnly(sets: ReadonlySet<string>): Promise<void> {
    // What an offer under way has unpacked belongs to no set yet.
    if (this.#acquiring > 0) return;
    const tidying = this.#keepOnly(sets);
    this.#tidied = Promise.allSettled([this.#tidied, tidying]);
    await tidying;
  }

  async #keepOnly(sets: ReadonlySet<string>): Promise<void> {
    const inUse = await this.held((await this.#store.currentId()) ?? null);
    const unpacked = new Set(inUse.map(({ sha256 }) => sha256));
    const wanted = new Set([...this.#wanted].filter((sha256) => !unpacked.has(sha256)));
    await this.#store.keepOnly(sets, wanted);
  }
}

async function freeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}
