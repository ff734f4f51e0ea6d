import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import { digestFields } from "../../foundation/field-digest.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { AgentRemoteConfig } from "../../opamp/messages.ts";
import type { Selectable } from "../../opamp/selector.ts";
import type { TrustSettings } from "../settings/supervisor-settings.ts";
import { type Authentic, authenticate, keysOf } from "./authenticate.ts";
import { judge } from "./judge.ts";
import { toVerificationKey, type VerificationKey } from "./jws.ts";
import type { Entries } from "./signed-entries.ts";
import type { RotationClaims } from "./statement.ts";
import { loadTrustKeys } from "./trust-keys.ts";
import { overAnchor, type TrustRecord } from "./trust-record.ts";
import { UntrustedError } from "./untrusted-error.ts";

const trustKeysSetting = "agent.trust.config_keys";

export interface ConfigurationTrustDeps {
  clock: Clock;
  logger: Logger;
  /** What is saved counts at once, also where that rejects because the disk cannot be written yet. */
  file: { readonly value: TrustRecord; save(record: TrustRecord): Promise<void> };
  /** What was kept last when this process began: it was trusted then. */
  kept: AgentRemoteConfig | undefined;
  /** Keys that cannot be read are waited for, and nothing is trusted meanwhile, for the sake of what runs. */
  mayWait: boolean;
}

/**
 * Which remote configurations this host trusts, with `agent.trust.config_keys` set. What it has kept it goes on
 * trusting, also when the signature has expired since; whoever can write to the state directory is trusted with it.
 */
export class ConfigurationTrust {
  readonly #settings: TrustSettings;
  readonly #deps: ConfigurationTrustDeps;
  /** Of the configuration that was kept last, signature included. */
  #kept: string | undefined;

  private constructor(settings: TrustSettings, deps: ConfigurationTrustDeps) {
    this.#settings = settings;
    this.#deps = deps;
    this.#kept = deps.kept && wholeDigest(deps.kept);
  }

  /** @throws when a key cannot be read and nothing `mayWait` for it; the message names setting and file. */
  static async open(settings: TrustSettings, deps: ConfigurationTrustDeps): Promise<ConfigurationTrust> {
    try {
      await loadTrustKeys(settings.configKeys, trustKeysSetting);
    } catch (error) {
      if (!deps.mayWait) throw error;
      const fields = { event: "trust_keys_unreadable", error: describeError(error) };
      deps.logger.error(fields, "no remote configuration is trusted until the keys can be read");
    }
    const trust = new ConfigurationTrust(settings, deps);
    // A record that was damaged: what was kept last still tells how far this host had come.
    if (deps.file.value.anchor === "" && deps.kept !== undefined) await trust.kept(deps.kept);
    return trust;
  }

  /** What somebody should do something about: without its keys this host takes no configuration. */
  async concerns(): Promise<string[]> {
    const keys = loadTrustKeys(this.#settings.configKeys, trustKeysSetting);
    return await keys.then(
      () => [],
      (error: unknown) => [`no remote configuration is trusted: ${describeError(error)}`],
    );
  }

  /** Why a configuration of the server is not to be used by this Agent; undefined: it is. */
  async check(offer: AgentRemoteConfig, agent: Selectable): Promise<UntrustedError | undefined> {
    if (wholeDigest(offer) === this.#kept) return undefined;
    try {
      const { record, authentic } = await this.#authenticate(offer);
      const clock = Math.floor(this.#deps.clock.now() / 1_000);
      const skew = Math.floor(this.#settings.clockSkewMs / 1_000);
      judge(authentic.claims, record, agent, { clock, skew });
      return undefined;
    } catch (error) {
      if (error instanceof UntrustedError) return error;
      return new UntrustedError("keys unreadable", describeError(error), { passing: true });
    }
  }

  /** Notes what was kept, or gone back to: serial and issue time never go back, and a rotation counts from now on. */
  async kept(remote: AgentRemoteConfig | undefined): Promise<void> {
    this.#kept = remote && wholeDigest(remote);
    const next = remote && (await this.#recordWith(remote));
    const { file, logger } = this.#deps;
    if (next === undefined || isDeepStrictEqual(next, file.value)) return;
    await file.save(next).catch((error: unknown) => {
      const fields = { event: "state_not_saved", what: "config_trust.json", error: describeError(error) };
      logger.error(fields, "cannot write down how far signed configurations have come");
    });
  }

  async #recordWith(remote: AgentRemoteConfig): Promise<TrustRecord | undefined> {
    try {
      const { record, authentic } = await this.#authenticate(remote);
      const { claims, rotation } = authentic;
      if (rotation !== undefined) this.#logRotation(rotation);
      return {
        ...record,
        ...(rotation && { keys: rotation.keys, rotation: rotation.serial }),
        ...(claims.serial > record.serial && { serial: claims.serial, digest: claims.digest }),
        issued_at: Math.max(record.issued_at, claims.iat, rotation?.iat ?? 0),
      };
    } catch (error) {
      // It was taken before there were keys, or while there were others, and says nothing about them.
      const fields = { event: "trust_unchanged", reason: describeError(error) };
      this.#deps.logger.debug(fields, "what is kept is not signed by a key that counts now");
      return undefined;
    }
  }

  async #authenticate(remote: AgentRemoteConfig): Promise<{ record: TrustRecord; authentic: Authentic }> {
    const { configKeys } = this.#settings;
    const anchors = await loadTrustKeys(configKeys, trustKeysSetting);
    const own = await Promise.all(anchors.map(({ key }) => toVerificationKey(key)));
    const record = overAnchor(this.#deps.file.value, anchorOf(own));
    const keys = record.keys === null ? own : await keysOf({ keys: record.keys });
    return { record, authentic: await authenticate(entriesOf(remote), keys, record) };
  }

  #logRotation({ keys, serial }: RotationClaims): void {
    const fields = { event: "trust_keys_rotated", serial, keys: keys.length };
    this.#deps.logger.warn(fields, "a rotation has replaced the keys of agent.trust.config_keys");
  }
}

const entriesOf = ({ config }: AgentRemoteConfig): Entries => config?.configMap ?? {};

/** Of every entry, the signature included. */
function wholeDigest(remote: AgentRemoteConfig): string {
  const entries = Object.entries(entriesOf(remote)).sort(([a], [b]) => (a < b ? -1 : 1));
  return digestFields(entries.flatMap(([name, { contentType, body }]) => [name, contentType, body])).toString(
    "hex",
  );
}

function anchorOf(keys: readonly VerificationKey[]): string {
  const ids = keys.map(({ id }) => id).sort();
  return createHash("sha256").update(JSON.stringify(ids)).digest("hex");
}
