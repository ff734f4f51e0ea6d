import * as z from "zod";
import { exitCode, UsageError } from "../command-line.ts";
import type { CtlCommand, CtlContext } from "./ctl-command.ts";
import { formatTable } from "./table.ts";

const groupsSchema = z.object({
  groups: z.array(
    z.object({ name: z.string(), selector: z.string(), priority: z.int(), description: z.string() }),
  ),
});

export const groupsCommand: CtlCommand = {
  usage: "groups [put NAME SELECTOR | delete NAME]",
  summary: "list the groups, make or change one, or end one",
  options: {
    priority: {
      type: "string",
      help: "NUMBER     put: of several groups that pick an agent, the highest is its group",
    },
    description: { type: "string", help: "TEXT    put: what it is for" },
  },
  async run(context, call) {
    const [what, name, ...rest] = call.positionals;
    const path = `/api/v1/groups/${encodeURIComponent(name ?? "")}`;
    if (what === undefined) return await list(context);
    if (what === "delete" && name !== undefined && rest.length === 0) {
      await context.api.call(path, { method: "DELETE" });
      return exitCode.ok;
    }
    if (what !== "put" || name === undefined || rest.length === 0) {
      throw new UsageError("groups: expected nothing, put NAME SELECTOR or delete NAME");
    }
    const priority = call.text("priority");
    const description = call.text("description");
    const group = await context.api.call(path, {
      method: "PUT",
      body: {
        selector: rest.join(" "),
        ...(priority === undefined ? {} : { priority: Number(priority) }),
        ...(description === undefined ? {} : { description }),
      },
    });
    if (context.json) context.print(JSON.stringify(group));
    return exitCode.ok;
  },
};

async function list({ api, json, print }: CtlContext) {
  const answer = await api.call("/api/v1/groups");
  if (json) {
    print(JSON.stringify(answer));
    return exitCode.ok;
  }
  const { groups } = groupsSchema.parse(answer);
  const rows = groups.map((each) => [each.name, String(each.priority), each.selector, each.description]);
  for (const line of formatTable(["GROUP", "PRIORITY", "SELECTOR", "DESCRIPTION"], rows)) print(line);
  return exitCode.ok;
}
