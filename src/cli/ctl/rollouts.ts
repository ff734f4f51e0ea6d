import * as z from "zod";
import { rolloutSchema } from "../../server/api/rollout-schema.ts";
import { exitCode } from "../command-line.ts";
import { formatDuration, shortHash } from "../plain-text.ts";
import type { CtlCommand } from "./ctl-command.ts";
import { formatTable } from "./table.ts";

const listSchema = z.object({ rollouts: z.array(rolloutSchema) });

export const rolloutsCommand: CtlCommand = {
  usage: "rollouts",
  summary: "list rollouts, the newest first",
  options: { state: { type: "string", help: "STATE     only those that are running, paused, done …" } },
  async run({ api, json, now, print }, call) {
    const answer = await api.call("/api/v1/rollouts", { query: { state: call.text("state") } });
    if (json) {
      print(JSON.stringify(answer));
      return exitCode.ok;
    }
    const rows = listSchema
      .parse(answer)
      .rollouts.map((each) => [
        each.id,
        each.state,
        each.stage === null ? "-" : `${each.stages[each.stage]?.name ?? ""} ${each.phase ?? ""}`,
        `${each.progress.applied}/${each.progress.members}`,
        each.changes.map(({ kind, hash }) => `${kind} ${shortHash(hash)}`).join(" + "),
        each.selector === "" ? "every agent" : each.selector,
        each.strategy,
        `${formatDuration((now() - Date.parse(each.created_at)) / 1000)} ago`,
      ]);
    const heading = ["ROLLOUT", "STATE", "STAGE", "APPLIED", "WHAT", "SELECTOR", "STRATEGY", "BEGUN"];
    for (const line of formatTable(heading, rows)) print(line);
    return exitCode.ok;
  },
};
