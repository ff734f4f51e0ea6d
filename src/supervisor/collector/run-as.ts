import { readFileSync } from "node:fs";
import { describeError } from "../../foundation/errors.ts";
import { runOneShot } from "./process-one-shot.ts";
import { isSelf, neededCapabilities, type RunAs } from "./run-as-command.ts";

export type { RunAs } from "./run-as-command.ts";

export type CapabilityName = (typeof neededCapabilities)[number]["name"];

export type RunAsCheck =
  | { ok: true; runAs: RunAs }
  | { ok: false; problem: "unknown-user"; message: string }
  | { ok: false; problem: "missing-capabilities"; missing: CapabilityName[]; message: string }
  | { ok: false; problem: "setpriv-fails"; message: string };

const lookupTimeoutMs = 5_000;

/**
 * Finds out, without starting a Collector, whether `agent.run_as` can work: the user exists, this
 * process holds the capabilities to become it, to signal it and to see it, and setpriv does the change.
 */
export async function checkRunAs(user: string): Promise<RunAsCheck> {
  const runAs = await lookUp(user);
  if (runAs === undefined) {
    const message = `agent.run_as: there is no user ${JSON.stringify(user)}; create it (useradd --system ${user}) or correct the name`;
    return { ok: false, problem: "unknown-user", message };
  }
  if (isSelf(runAs)) return { ok: true, runAs };
  if (process.platform !== "linux") {
    return {
      ok: false,
      problem: "setpriv-fails",
      message: "agent.run_as: works on Linux only; remove the key",
    };
  }
  const missing = missingCapabilities(readFileSync("/proc/self/status", "utf8"));
  if (missing.length > 0) {
    const message = `agent.run_as: the supervisor lacks ${missing.join(", ")} and cannot run the Collector as ${user}; start it as root or give it AmbientCapabilities=${missing.join(" ")}`;
    return { ok: false, problem: "missing-capabilities", missing, message };
  }
  const trial = await runOneShot({
    executable: "true",
    args: [],
    env: process.env,
    timeoutMs: lookupTimeoutMs,
    runAs,
  });
  if (trial.outcome === "exited" && trial.code === 0) return { ok: true, runAs };
  const why =
    trial.outcome === "not-started"
      ? describeError(trial.error)
      : trial.stderr.trim() || "it did not succeed";
  const message = `agent.run_as: setpriv cannot become ${user}: ${why}; install setpriv of util-linux`;
  return { ok: false, problem: "setpriv-fails", message };
}

/** Which of the capabilities that `run_as` needs are missing from CapEff of a /proc/PID/status text. */
export function missingCapabilities(status: string): CapabilityName[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/im.exec(status)?.[1] ?? "0"}`);
  return neededCapabilities.filter(({ bit }) => (effective & (1n << bit)) === 0n).map(({ name }) => name);
}

async function lookUp(user: string): Promise<RunAs | undefined> {
  // A name that starts with a dash would be an option of id.
  if (!/^[a-zA-Z0-9_.][a-zA-Z0-9_.@-]*\$?$/.test(user)) return undefined;
  const [uid, gid] = await Promise.all([askId("-u", user), askId("-g", user)]);
  return uid === undefined || gid === undefined ? undefined : { user, uid, gid };
}

/** `id` asks the name service, so that users of LDAP are found too. */
async function askId(option: "-u" | "-g", user: string): Promise<number | undefined> {
  const result = await runOneShot({
    executable: "id",
    args: [option, user],
    env: process.env,
    timeoutMs: lookupTimeoutMs,
  });
  if (result.outcome !== "exited" || result.code !== 0 || !/^\d+\s*$/.test(result.stdout)) return undefined;
  return Number(result.stdout);
}
