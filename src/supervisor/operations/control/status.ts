import { stat } from "node:fs/promises";
import type { Clock } from "../../../foundation/clock.ts";
import { toHex } from "../../../foundation/hex.ts";
import type { ReportedState } from "../../../opamp/agent/reported-state.ts";
import { formatInstanceUid } from "../../../opamp/instance-uid.ts";
import { RemoteConfigStatuses } from "../../../opamp/messages.ts";
import type { ConfigurationBook } from "../../change/configuration-book.ts";
import type { Journal } from "../../change/journal.ts";
import type { Snapshots } from "../../change/snapshots.ts";
import type { Collector } from "../../collector/collector.ts";
import type { MemoryLimit } from "../../collector/memory-limit.ts";
import { readProcess } from "../../collector/process-identity.ts";
import type { CertificateWatch } from "../../connection/certificate/certificate-watch.ts";
import type { Credentials } from "../../connection/credentials/credentials.ts";
import type { Upstream } from "../../connection/upstream.ts";
import type { Reporter } from "../../report/reporter.ts";
import type { StorageFacts } from "../../telemetry/supervisor-metrics.ts";
import type { CollectorExits } from "./collector-exits.ts";
import type { StatusView } from "./status-view.ts";
import { findFaults } from "./verdict.ts";

/** The program that runs as the Collector. */
export interface RunningProgram {
  source: "local" | "package";
  path: string;
  version: string | null;
}

/** What the status is put together from, as it is at that moment. */
export interface StatusSources {
  clock: Clock;
  /** Of the supervisor. */
  version: string;
  /** Monotonic time of the start. */
  startedAt: number;
  state: ReportedState;
  collector: Collector;
  exits: CollectorExits;
  book: ConfigurationBook;
  snapshots: Pick<Snapshots, "path">;
  journal: Pick<Journal, "entry">;
  reporter: Pick<Reporter, "running">;
  upstream: Pick<Upstream, "presence">;
  /** `missing` says why there is none. */
  program: () => Promise<RunningProgram | { missing: string }>;
  mask: (text: string) => string;
  certificates: Pick<CertificateWatch, "certificates" | "concerns">;
  credentials: Pick<Credentials, "concerns">;
  trust?: { concerns: () => Promise<readonly string[]> } | undefined;
  storage: () => StorageFacts;
  memory: MemoryLimit | undefined;
}

/** Everything an operator asks first, secrets masked. */
export async function describeStatus(sources: StatusSources): Promise<StatusView> {
  const { clock, version, startedAt, state, book } = sources;
  const program = await sources.program();
  const facts = {
    collector: describeCollector(sources),
    configuration: await describeConfiguration(sources),
    remote_config: describeRemoteConfig(sources),
    change: describeChange(sources),
    storage: describeStorage(sources),
  };
  const faults = "missing" in program ? [program.missing] : findFaults(facts);
  const { certificates, credentials, trust } = sources;
  const concerns = [...certificates.concerns, ...credentials.concerns, ...((await trust?.concerns()) ?? [])];
  const reasons = [...faults, ...concerns];
  return {
    verdict: reasons.length === 0 ? "healthy" : "degraded",
    reasons,
    supervisor: { version, pid: process.pid, uptime_seconds: seconds(clock.monotonic() - startedAt) },
    instance_uid: formatInstanceUid(state.instanceUid),
    server: describeServer(sources),
    program: "missing" in program ? null : program,
    quarantined: book.quarantined.length,
    certificates: describeCertificates(sources),
    ...facts,
  };
}

function describeServer({ upstream, mask }: StatusSources): StatusView["server"] {
  const { endpoint, connected, since, lastError } = upstream.presence;
  const last_error = lastError === undefined ? null : mask(lastError);
  return { endpoint, connected, since: isoTime(since), last_error };
}

function describeCollector({ collector, state, exits, memory }: StatusSources): StatusView["collector"] {
  const pid = collector.process?.pid;
  const ageMs = pid === undefined ? undefined : readProcess(pid)?.ageMs;
  // The reporter has masked it.
  const health = state.get("health");
  return {
    state: collector.state.t,
    pid: pid ?? null,
    uptime_seconds: ageMs === undefined ? null : seconds(ageMs),
    healthy: health?.healthy ?? false,
    status: health?.status ?? "",
    last_error: health?.lastError || null,
    exits: exits.count,
    memory_limit:
      memory === undefined
        ? null
        : { bytes: memory.bytes, gomemlimit: memory.goMemLimit, not_held_by_cgroup: memory.notHeld ?? null },
    last_exit: exits.last === undefined ? null : { at: isoTime(exits.last.at), how: exits.last.how },
  };
}

async function describeConfiguration({
  book,
  snapshots,
  reporter,
}: StatusSources): Promise<StatusView["configuration"]> {
  const { current, onProbation } = book;
  const id = current?.id ?? null;
  const file = id === null ? undefined : await stat(snapshots.path(id)).catch(() => undefined);
  return {
    role: reporter.running,
    remote_hash: current?.remoteHash ?? null,
    content_hash: id === null ? null : (current?.contentHash ?? null),
    since: file === undefined ? null : file.mtime.toISOString(),
    on_probation: onProbation,
  };
}

function describeRemoteConfig({ state }: StatusSources): StatusView["remote_config"] {
  const { status = 0, lastRemoteConfigHash, errorMessage = "" } = state.get("remoteConfigStatus") ?? {};
  const hash = toHex(lastRemoteConfigHash ?? new Uint8Array());
  return {
    status: (RemoteConfigStatuses[status] ?? "UNSET").replace("RemoteConfigStatuses_", ""),
    hash: hash || null,
    error: errorMessage || null,
  };
}

function describeChange({ journal }: StatusSources): StatusView["change"] {
  const { entry } = journal;
  if (entry === undefined) return null;
  const { trigger, what } = entry.detail;
  return { kind: entry.kind, step: entry.step, trigger: typeof what === "string" ? what : String(trigger) };
}

function describeCertificates({ certificates }: StatusSources): StatusView["certificates"] {
  return certificates.certificates.map(({ use, validUntil }) => ({ use, expires: isoTime(validUntil) }));
}

function describeStorage({ storage }: StatusSources): StatusView["storage"] {
  const { unwritten, freeBytes } = storage();
  return { free_bytes: freeBytes ?? null, unwritten: [...unwritten] };
}

const seconds = (ms: number) => Math.round(ms / 1_000);
const isoTime = (ms: number) => new Date(ms).toISOString();
