import type { StatusView } from "../supervisor/operations/control/status-view.ts";
import { formatDuration, formatTime, plain, plainLine, shortHash } from "./plain-text.ts";

/** What a terminal shows in colour. */
export type Paint = (colour: "green" | "yellow" | "red", text: string) => string;

interface Terminal {
  paint: Paint;
  /** Milliseconds since the Unix epoch. */
  now: number;
}

/** The status for people: the verdict first, then a line for each thing. */
export function formatStatus(status: StatusView, terminal: Terminal): string {
  const { supervisor, instance_uid } = status;
  return [
    ...formatVerdict(status, terminal.paint),
    "",
    ...formatLines([
      ["Configuration", describeConfiguration(status, terminal)],
      ["Last offer", describeOffer(status)],
      ["Change", describeChange(status)],
      ["Quarantine", describeQuarantined(status.quarantined)],
      ["Collector", describeCollector(status, terminal)],
      ["Health", describeHealth(status)],
      ...describeMemory(status),
      ["Program", describeProgram(status)],
      ["Server", describeServer(status, terminal)],
      ["Certificates", describeCertificates(status, terminal)],
      ["Agent", plain(instance_uid)],
      [
        "Supervisor",
        `${plain(supervisor.version)}, pid ${supervisor.pid}, up ${formatDuration(supervisor.uptime_seconds)}`,
      ],
    ]),
  ].join("\n");
}

/** Lines of a name and what there is to say of it, aligned. */
export function formatLines(lines: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...lines.map(([name]) => name.length));
  return lines.map(([name, text]) => `${name.padEnd(width)}  ${text}`);
}

/** What the summary of the quarantine says. */
export function describeQuarantined(count: number): string {
  return count === 0 ? "empty" : `${count} (see: opamp-supervisor quarantine list)`;
}

function formatVerdict({ verdict, reasons, collector, configuration }: StatusView, paint: Paint): string[] {
  if (verdict === "degraded") {
    const [worst = "", ...more] = reasons.map(plainLine);
    return [`${paint("yellow", "DEGRADED")}  ${worst}`, ...more.map((reason) => `          ${reason}`)];
  }
  const stopped = configuration.role === "stopped" && collector.pid === null;
  const what = stopped
    ? "no Collector runs, as the server ordered by an empty configuration"
    : `the Collector runs the ${plain(configuration.role)} configuration`;
  return [`${paint("green", "HEALTHY")}  ${what}`];
}

function describeConfiguration({ configuration }: StatusView, { now }: Terminal): string {
  const { role, remote_hash, content_hash, since, on_probation } = configuration;
  const parts = [plain(role)];
  if (remote_hash !== null) parts.push(`${shortHash(remote_hash)} of the server`);
  else if (content_hash !== null) parts.push(`${shortHash(content_hash)} of this host`);
  if (since !== null) parts.push(`here since ${formatTime(since, now)}`);
  if (on_probation) parts.push("on probation");
  return parts.join(", ");
}

function describeOffer({ remote_config }: StatusView): string {
  const { status, hash, error } = remote_config;
  if (hash === null) return "none, or none that was tried";
  return `${plain(status)} ${shortHash(hash)}${error === null ? "" : `: ${plainLine(error)}`}`;
}

function describeChange({ change }: StatusView): string {
  return change === null
    ? "none under way"
    : `${plain(change.kind)}, ${change.step} (${plain(change.trigger)})`;
}

function describeCollector({ collector }: StatusView, { now }: Terminal): string {
  const { state, pid, uptime_seconds, exits, last_exit } = collector;
  const parts = [plain(state)];
  if (pid !== null) parts.push(`pid ${pid}`);
  if (uptime_seconds !== null) parts.push(`up ${formatDuration(uptime_seconds)}`);
  if (last_exit !== null) {
    parts.push(`ended by itself ${exits}×, last ${formatTime(last_exit.at, now)} by ${plain(last_exit.how)}`);
  }
  return parts.join(", ");
}

function describeHealth({ collector }: StatusView): string {
  const { healthy, status, last_error } = collector;
  const text = `${healthy ? "healthy" : "unhealthy"}${status === "" ? "" : `, ${plain(status)}`}`;
  return last_error === null ? text : `${text}: ${plainLine(last_error)}`;
}

function describeMemory({ collector }: StatusView): [string, string][] {
  const limit = collector.memory_limit;
  if (limit === null) return [];
  const { bytes, gomemlimit, not_held_by_cgroup: reason } = limit;
  const kernel = reason === null ? "the kernel holds it" : `not held by the kernel: ${plain(reason)}`;
  return [["Memory", `at most ${bytes / 1_048_576} MiB, GOMEMLIMIT ${plain(gomemlimit)}; ${kernel}`]];
}

function describeProgram({ program }: StatusView): string {
  if (program === null) return "none on this host";
  const { path, version, source } = program;
  const origin = source === "local" ? "agent.executable" : "a package of the server";
  return `${plain(path)} ${version === null ? "of unknown version" : plain(version)} (${origin})`;
}

function describeCertificates({ certificates }: StatusView, { now }: Terminal): string {
  if (certificates.length === 0) return "none";
  return certificates.map(({ use, expires }) => `${use} until ${formatTime(expires, now)}`).join(", ");
}

function describeServer({ server }: StatusView, { now }: Terminal): string {
  const { endpoint, connected, since, last_error } = server;
  const state = `${connected ? "connected" : "not connected"} since ${formatTime(since, now)}`;
  return `${plain(endpoint)}, ${state}${last_error === null ? "" : `: ${plainLine(last_error)}`}`;
}
