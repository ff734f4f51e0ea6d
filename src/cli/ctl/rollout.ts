import { setTimeout as sleep } from "node:timers/promises";
import { exitCode, UsageError } from "../command-line.ts";
import { plainLine } from "../plain-text.ts";
import type { CtlCall, CtlCommand, CtlContext } from "./ctl-command.ts";
import { getRollout, hasEnded, progressLine, watchRollout } from "./rollout-watch.ts";
import { parseTimeout } from "./timeout.ts";

const decisions = ["approve", "pause", "resume", "promote", "abort", "rollback"] as const;

export const rolloutCommand: CtlCommand = {
  usage: `rollout show ID | watch ID | explain ID UID | ${decisions.join("|")} ID --reason TEXT`,
  summary: "show, watch or explain one rollout, or decide about it",
  options: {
    reason: { type: "string", help: "TEXT     why; kept in the rollout's story" },
    timeout: { type: "string", help: "DURATION watch: give up after it, such as 300s" },
  },
  async run(context, call) {
    const [what = "", id, ...more] = call.positionals;
    if (id === undefined) throw new UsageError(`rollout: expected ${rolloutCommand.usage}`);
    if (what === "explain") return await explain(context, id, more);
    if (more.length > 0) throw new UsageError(`unexpected ${more.join(" ")}`);
    if (what === "show") return await show(context, id);
    if (what === "watch") return await watch(context, call, id);
    const decision = decisions.find((each) => each === what);
    if (decision === undefined) throw new UsageError(`rollout: expected ${rolloutCommand.usage}`);
    return await decide(context, call, decision, id);
  },
};

async function show({ api, json, print }: CtlContext, id: string): Promise<number> {
  const rollout = await getRollout(api, id);
  if (json) {
    print(JSON.stringify(rollout));
    return exitCode.ok;
  }
  print(progressLine(rollout));
  for (const { text } of rollout.findings) print(`  ${plainLine(text)}`);
  for (const { at, by, event, text } of rollout.story) print(plainLine(`${at}  ${event}  ${text} (${by})`));
  return exitCode.ok;
}

async function watch(context: CtlContext, call: CtlCall, id: string): Promise<number> {
  const timeoutMs = parseTimeout(call);
  const pause = (ms: number) => sleep(ms);
  const end = await watchRollout({ ...context, pause }, id, { timeoutMs, until: hasEnded });
  if (end === undefined) context.warn("it has not come to an end in time");
  return end?.state === "done" ? exitCode.ok : exitCode.failed;
}

async function explain(
  { api, json, print }: CtlContext,
  id: string,
  rest: readonly string[],
): Promise<number> {
  const [uid, ...more] = rest;
  if (uid === undefined || more.length > 0) throw new UsageError("rollout explain: expected ID and UID");
  const path = `/api/v1/rollouts/${encodeURIComponent(id)}/explain/${encodeURIComponent(uid)}`;
  const answer = (await api.call(path)) as { text: string };
  print(json ? JSON.stringify(answer) : plainLine(answer.text));
  return exitCode.ok;
}

async function decide(
  { api, json, print }: CtlContext,
  call: CtlCall,
  decision: (typeof decisions)[number],
  id: string,
): Promise<number> {
  const reason = call.text("reason");
  if (reason === undefined) throw new UsageError(`rollout ${decision}: --reason TEXT is missing`);
  const path = `/api/v1/rollouts/${encodeURIComponent(id)}/${decision}`;
  const answer = await api.call(path, { method: "POST", body: { reason } });
  print(json ? JSON.stringify(answer) : progressLine(await getRollout(api, id)));
  return exitCode.ok;
}
