import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { agentSummarySchema } from "../../server/api/agent-schema.ts";
import { exitCode, UsageError } from "../command-line.ts";
import { formatDuration } from "../plain-text.ts";
import type { CtlCall, CtlCommand, CtlContext } from "./ctl-command.ts";
import { hasEnded, type RolloutDetail, watchRollout } from "./rollout-watch.ts";
import { parseTimeout } from "./timeout.ts";

const agentsSchema = z.object({ agents: z.array(agentSummarySchema.loose()) });

/** All at once, with gates, and no longer than a drill may take. */
const strategy = {
  name: "drill",
  stages: [{ name: "all", share: "100%", dwell: "5s" }],
  gates: {
    cpu: "off",
    memory: "off",
    send_failures: "off",
    refused: "off",
    error_logs: "off",
    latency: "off",
  },
};

export const drillCommand: CtlCommand = {
  usage: "drill rollout|rollback SELECTOR",
  summary:
    "bring a test selector what it has under a new hash, and with rollback take it back, against the clock",
  options: { timeout: { type: "string", help: "DURATION give up after it; default 300s" } },
  async run(context, call) {
    const [what, ...selector] = call.positionals;
    if ((what !== "rollout" && what !== "rollback") || selector.length === 0) {
      throw new UsageError(
        "drill: expected rollout or rollback, and the SELECTOR of hosts that are there for it",
      );
    }
    const began = context.now();
    const id = await begin(context, selector.join(" "));
    const isThere = ({ state, phase }: RolloutDetail) =>
      state === "done" || (what === "rollback" && phase === "dwelling");
    if (!(await reaches(context, call, id, isThere))) return exitCode.failed;
    context.print(`brought in ${formatDuration((context.now() - began) / 1000)}`);
    if (what === "rollout") return exitCode.ok;
    const back = context.now();
    const path = `/api/v1/rollouts/${encodeURIComponent(id)}/rollback`;
    await context.api.call(path, { method: "POST", body: { reason: "a drill" } });
    if (!(await reaches(context, call, id, ({ state }) => state === "rolled-back"))) return exitCode.failed;
    context.print(`taken back in ${formatDuration((context.now() - back) / 1000)}`);
    return exitCode.ok;
  },
};

async function begin({ api }: CtlContext, selector: string): Promise<string> {
  const answer = agentsSchema.parse(await api.call("/api/v1/agents", { query: { selector } }));
  const hashes = new Set(answer.agents.map((agent) => agent.desired_config_hash));
  const [config_hash] = hashes;
  if (hashes.size !== 1 || config_hash === null || config_hash === undefined) {
    throw new UsageError(
      `drill: ${answer.agents.length} agents with ${hashes.size} configurations; it takes one`,
    );
  }
  const body = { config_hash, selector, strategy, reissue: true, message: "a drill" };
  const started = await api.call("/api/v1/rollouts", { method: "POST", body });
  return z.object({ id: z.string() }).parse(started).id;
}

async function reaches(
  context: CtlContext,
  call: CtlCall,
  id: string,
  isThere: (rollout: RolloutDetail) => boolean,
): Promise<boolean> {
  const timeoutMs = parseTimeout(call) ?? 300_000;
  const until = (each: RolloutDetail) => isThere(each) || hasEnded(each) || each.state === "paused";
  const pause = (ms: number) => sleep(ms);
  const end = await watchRollout({ ...context, pause }, id, { timeoutMs, until });
  if (end !== undefined && isThere(end)) return true;
  context.warn(
    end === undefined ? "the drill has not come to its end in time" : `the drill failed: ${end.state}`,
  );
  return false;
}
