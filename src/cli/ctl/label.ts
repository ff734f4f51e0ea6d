import * as z from "zod";
import { exitCode, UsageError } from "../command-line.ts";
import { plainLine } from "../plain-text.ts";
import type { CtlCommand } from "./ctl-command.ts";

const answer = z.object({ labels: z.record(z.string(), z.string()), shadowed: z.array(z.string()) });

export const labelCommand: CtlCommand = {
  usage: "label UID [NAME=VALUE... NAME-...]",
  summary: "show the labels that operators gave an agent, give it some, or take some away (NAME-)",
  async run({ api, json, print, warn }, { positionals }) {
    const [uid, ...changes] = positionals;
    if (uid === undefined) throw new UsageError("UID is missing");
    const path = `/api/v1/agents/${encodeURIComponent(uid)}/labels`;
    const labels = Object.fromEntries(changes.map(changeOf));
    const body = await api.call(path, changes.length === 0 ? {} : { method: "PATCH", body: { labels } });
    if (json) {
      print(JSON.stringify(body));
      return exitCode.ok;
    }
    const now = answer.parse(body);
    for (const [name, value] of Object.entries(now.labels)) print(plainLine(`${name}=${value}`));
    for (const name of now.shadowed) warn(`${plainLine(name)}: without effect, the agent says its own`);
    return exitCode.ok;
  },
};

function changeOf(text: string): [string, string | null] {
  const at = text.indexOf("=");
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  if (text.length > 1 && text.endsWith("-")) return [text.slice(0, -1), null];
  throw new UsageError(`${text}: expected NAME=VALUE, or NAME- to take it away`);
}
