import type { Clock } from "../../foundation/clock.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { AgentRemoteConfig } from "../../opamp/messages.ts";
import type { Collector } from "../collector/collector.ts";
import type { Launch } from "../collector/launch.ts";
import type { Role } from "../collector/role.ts";
import type { Failure } from "./change.ts";
import type { ConfigurationBook } from "./configuration-book.ts";
import type { ConfigurationInputs, Snapshots } from "./snapshots.ts";

/** What can be run: a snapshot, with the program and the files of a package set. */
export interface Runnable {
  id: string;
  packages: string | null;
  role: Role;
}

/** A merged configuration that is not written anywhere yet. */
export interface Merged {
  text: string;
  /** Does not depend on the mark. */
  contentHash: string;
  /** Restrictions of this host that it breaks, a line each. */
  violations: readonly string[];
  /** References to connections that the server may offer and has not yet, without a default. */
  missingConnections?: readonly string[];
}

/** Something to run when nothing that was ever proven does. */
export interface LastResort {
  role: "fallback" | "bootstrap";
  name: string;
  merged: Merged;
}

/** What validating a file with the Collector's binary gave. `undecided` is the host's failure. */
export type Validation =
  | { verdict: "valid" }
  | { verdict: "invalid"; reason: string }
  | { verdict: "undecided"; reason: string };

/** Outcome of one offer, as the server is told. */
export type Verdict = { t: "applying" } | { t: "applied" } | { t: "failed"; reason: string };

/** Everything that changes of the configuration work with. */
export interface Workshop {
  clock: Clock;
  logger: Logger;
  collector: Collector;
  book: ConfigurationBook;
  snapshots: Snapshots;
  /** Longest wait for a proof, `agent.config_apply_timeout`, in milliseconds. */
  applyTimeoutMs: number;
  /** Whether `agent.startup_fallback_configs` names any. */
  hasFallback: boolean;
  /** Whether SIGHUP may be used at all. */
  mayReload: boolean;
  /** Why a remote configuration is not trusted, with `agent.trust.config_keys`; undefined: it may be tried. */
  distrust: (offer: AgentRemoteConfig) => Promise<Failure | undefined>;
  /** @throws ConfigurationError when the remote part is no valid configuration. */
  merge(inputs: ConfigurationInputs, mark: string): Promise<Merged>;
  /** The configurations of last resort, best first. The last one is the empty bootstrap configuration. */
  lastResorts(mark: string, packages: string | null): Promise<LastResort[]>;
  /** Why there is no program to run with these packages; undefined if there is one. */
  missingProgram(packages: string | null): Promise<string | undefined>;
  /** Finds out whether the program of these packages can be the Collector of this host, without running it as one. */
  checkProgram(packages: string | null): Promise<Failure | undefined>;
  /** Runs `<binary> validate` on a snapshot; nothing that runs is touched. */
  validate(what: Runnable, signal: AbortSignal): Promise<Validation>;
  /** Puts it where the Collector reads it, each file and link atomically. */
  install: (what: Runnable) => Promise<void>;
  /**
   * `configPath` is where it reads its configuration if not from where it is installed.
   * @throws when there is no program to run it with
   */
  launch(what: Runnable, configPath?: string): Promise<Launch>;
  /** The version that the program of these packages says it has, if it is known. */
  programVersion(packages: string | null): Promise<string | undefined>;
  /**
   * Takes over what was kept or gone back to, also into the files that the reference supervisor reads; without
   * a remote configuration it is to find none there.
   */
  saveKept: (inputs: ConfigurationInputs) => Promise<void>;
  /** Deletes every package set but these, and what only they needed. */
  keepPackages: (sets: ReadonlySet<string>) => Promise<void>;
  /** Tells the server, and the disk, what became of a remote configuration. */
  reportRemote: (config: AgentRemoteConfig, verdict: Verdict) => Promise<void>;
  /** Told when a package set is about to be put in place. */
  installingPackages: (packages: string | null) => void;
  /** Calls `keep` when the Collector, which was given up waiting for, proves that it runs `mark` after all. */
  provesLater: (mark: string, keep: () => Promise<void>) => void;
  /** Told when the same configuration goes on under another name. */
  labelChanged: () => void;
  /**
   * Told whenever another configuration, or none, has come to run; `because` of a failure, if it is one gone back to.
   * `forGood`: what ran is not to come back by being offered again.
   */
  runningChanged: (because?: string, how?: { forGood: boolean }) => void;
  /** Hides every secret of the settings and of the configuration in a text. */
  mask(text: string): string;
}

/** A fresh mark: unique to one change. */
export type NewMark = () => string;
