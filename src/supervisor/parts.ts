import type { Clock } from "../foundation/clock.ts";
import type { Logger } from "../foundation/logger.ts";
import type { ReportedState } from "../opamp/agent/reported-state.ts";
import type { Failure } from "./change/change.ts";
import type { CollectorConnections } from "./change/collector-connections.ts";
import type { ConfigurationBook } from "./change/configuration-book.ts";
import type { ConfigurationIntake } from "./change/configuration-intake.ts";
import type { Connections } from "./change/connections.ts";
import type { Guard } from "./change/guard.ts";
import type { Journal } from "./change/journal.ts";
import type { PackageIntake } from "./change/package-intake.ts";
import type { Road } from "./change/road.ts";
import type { Rollback } from "./change/rollback.ts";
import type { WayBack } from "./change/way-back.ts";
import type { Workshop } from "./change/workshop.ts";
import type { AgentLog } from "./collector/agent-log.ts";
import type { CollectorBinary } from "./collector/binary.ts";
import type { Collector } from "./collector/collector.ts";
import type { LinkedCollector } from "./collector/linked-collector.ts";
import type { MemoryLimit } from "./collector/memory-limit.ts";
import type { RunAs } from "./collector/run-as.ts";
import type { Upstream } from "./connection/upstream.ts";
import type { FiguresReporter } from "./figures/figures-reporter.ts";
import type { Packages } from "./packages/packages.ts";
import type { Program, Programs } from "./packages/programs.ts";
import type { Attributes } from "./report/agent-description.ts";
import type { Reporter } from "./report/reporter.ts";
import type { Verdicts } from "./report/verdicts.ts";
import type { Observation } from "./telemetry/observation.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";
import type { ConfigurationTrust } from "./trust/configuration-trust.ts";

export interface SupervisorDeps {
  /** Of this program. */
  version: string;
  clock: Clock;
  logger: Logger;
  /** Takes the Collector's own lines, with `agent.passthrough_logs`. */
  collectorLogger: Logger;
  /** Values of the settings that must not appear anywhere. */
  secrets: ReadonlySet<string>;
  telemetry: Telemetry;
}

/** What a supervisor is made of. */
export interface Parts {
  log: AgentLog;
  collector: Collector;
  linked: LinkedCollector;
  programs: Programs;
  book: ConfigurationBook;
  state: ReportedState;
  reporter: Reporter;
  verdicts: Verdicts;
  workshop: Workshop;
  journal: Journal;
  road: Road;
  wayBack: WayBack;
  intake: ConfigurationIntake;
  collectorConnections: CollectorConnections;
  figures: FiguresReporter;
  /** Undefined where packages are not accepted. */
  packageIntake: PackageIntake | undefined;
  guard: Guard;
  /** Takes back what runs, as an operator asks; resolves to why that was not kept. */
  rollBack: (rollback: Rollback & { reason: string }) => Promise<Failure | undefined>;
  upstream: Upstream;
  connections: Connections;
  trust: ConfigurationTrust | undefined;
  observation: Observation;
  /** What this host says of an agent that is this binary. */
  describe: (binary: CollectorBinary | undefined) => Attributes;
  /** The program of what runs, or why there is none. */
  program: () => Promise<Program | { missing: string }>;
  /** Writes something down; what counts in this process counts even when the disk cannot be written. */
  saved: (what: string, saving: Promise<void>) => Promise<boolean>;
}

/** What was found out about this host before. */
export interface Surroundings {
  /** `agent.run_as`. */
  runAs: RunAs | undefined;
  /** The Collector ends when this process dies. */
  endsWithUs: boolean;
  packages: Packages | undefined;
  /** `agent.memory_limit`. */
  memory: MemoryLimit | undefined;
  /** `agent.trust`; undefined where it names no keys. */
  trust: ConfigurationTrust | undefined;
}
