import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { exitCode, UsageError } from "../command-line.ts";
import { plainLine, shortHash } from "../plain-text.ts";
import type { CtlCall, CtlCommand, CtlContext } from "./ctl-command.ts";
import { getMembers, hasEnded, type RolloutDetail, watchRollout } from "./rollout-watch.ts";
import { parseTimeout } from "./timeout.ts";

const wentBack = z.object({
  rollouts: z.array(z.string()),
  matched: z.int(),
  config_hash: z.string().nullable(),
});

export const rollbackCommand: CtlCommand = {
  usage: "rollback [LABEL=VALUE ...] --reason TEXT",
  summary: "take agents back to an earlier configuration; without labels every agent",
  options: {
    to: { type: "string", help: "HASH         of the configuration to go back to; default: the one before" },
    reason: { type: "string", help: "TEXT     why; kept in the rollout's story and the audit log" },
    gradual: { type: "boolean", help: "       in stages, by the default strategy" },
    wait: { type: "boolean", help: "          until all are back; tells who is not, and exits 1 then" },
    timeout: { type: "string", help: "DURATION with --wait: give up after it; default 300s" },
  },
  async run(context, call) {
    const reason = call.text("reason");
    if (reason === undefined) throw new UsageError("rollback: --reason TEXT is missing");
    const to = call.text("to");
    const answer = await context.api.call("/api/v1/rollback", {
      method: "POST",
      body: {
        selector: { labels: labelsIn(call.positionals) },
        ...(to === undefined || to === "previous" ? { to_version: "previous" } : { config_hash: to }),
        reason,
        method: call.has("gradual") ? "gradual" : "immediate",
      },
    });
    const { rollouts, matched, config_hash } = wentBack.parse(answer);
    if (context.json && !call.has("wait")) {
      context.print(JSON.stringify(answer));
      return exitCode.ok;
    }
    const target = config_hash === null ? "what each had before" : shortHash(config_hash);
    context.print(`${matched} agents go back to ${target}: rollout ${rollouts.join(", ")}`);
    return call.has("wait") ? await waitForAll(context, call, rollouts) : exitCode.ok;
  },
};

async function waitForAll(context: CtlContext, call: CtlCall, rollouts: readonly string[]): Promise<number> {
  const deadline = context.now() + (parseTimeout(call) ?? 300_000);
  const pause = (ms: number) => sleep(ms);
  let code: number = exitCode.ok;
  for (const id of rollouts) {
    const timeoutMs = Math.max(0, deadline - context.now());
    const until = (rollout: RolloutDetail) => hasEnded(rollout) || rollout.state === "paused";
    const end = await watchRollout({ ...context, pause }, id, { timeoutMs, until });
    const missing = await whoIsNotBack(context, id, end);
    if (end !== undefined && isGood(end) && missing.length === 0) continue;
    code = exitCode.failed;
    context.warn(`${missing.length} agents are not back${end === undefined ? " in time" : ""}:`);
    for (const line of missing) context.warn(`  ${line}`);
  }
  return code;
}

function isGood({ state }: RolloutDetail): boolean {
  return state === "rolled-back" || state === "done";
}

/** Each with the reason, whether the change was taken back or the old version was brought. */
async function whoIsNotBack(
  { api }: CtlContext,
  id: string,
  end: RolloutDetail | undefined,
): Promise<string[]> {
  const members = await getMembers(api, id);
  const isTakenBack = members.some(({ back }) => back !== null);
  return members.flatMap(({ answer, back, error, id: uid }) => {
    if (isTakenBack) return back === "back" ? [] : [plainLine(`${uid} ${back ?? "unknown"}`)];
    if (answer === "applied" && end !== undefined) return [];
    return answer === "applied" ? [] : [plainLine(`${uid} ${error ?? "has not answered"}`)];
  });
}

/** @throws UsageError */
function labelsIn(positionals: readonly string[]): Record<string, string> {
  const pairs = positionals.map((text) => {
    const [, key, value] = /^([^=]+)=(.*)$/.exec(text) ?? [];
    if (key === undefined || value === undefined) throw new UsageError(`${text}: expected LABEL=VALUE`);
    return [key, value] as const;
  });
  return Object.fromEntries(pairs);
}
