import * as z from "zod";
import { exitCode, UsageError } from "../command-line.ts";
import { formatDuration, plainLine } from "../plain-text.ts";
import { type CtlCommand, selectorArgument } from "./ctl-command.ts";

const begun = z.object({
  matched: z.int(),
  restarting: z.int(),
  seconds: z.number(),
  skipped: z.array(z.object({ id: z.string(), reason: z.string() })),
});

export const restartCommand: CtlCommand = {
  usage: "restart SELECTOR | --all",
  summary: "have agents restart their Collectors, a few in a second (one agent: uid=UID)",
  options: {
    all: { type: "boolean", help: "           every agent" },
    rate: { type: "string", help: "NUMBER     agents in a second; default 10" },
  },
  async run({ api, json, print }, call) {
    const selector = selectorArgument(call);
    const all = call.has("all");
    if ((selector === undefined) !== all) throw new UsageError("restart: expected SELECTOR, or --all");
    const answer = await api.call("/api/v1/agents/restart", {
      method: "POST",
      query: { selector, all: all ? "true" : undefined, rate: call.text("rate") },
    });
    if (json) {
      print(JSON.stringify(answer));
      return exitCode.ok;
    }
    const { matched, restarting, seconds, skipped } = begun.parse(answer);
    print(`${restarting} of ${matched} agents restart, the last one in ${formatDuration(seconds)}`);
    for (const { id, reason } of skipped) print(`  ${plainLine(id)} ${plainLine(reason)}`);
    return exitCode.ok;
  },
};
