import { readFile as readStandardInput } from "node:fs/promises";
import * as z from "zod";
import { exitCode, UsageError } from "../command-line.ts";
import { plainLine } from "../plain-text.ts";
import type { CtlCommand } from "./ctl-command.ts";

const answer = z.object({
  applied: z.array(
    z.object({ kind: z.string(), name: z.string(), status: z.string(), version: z.int().nullable() }),
  ),
});

export const applyCommand: CtlCommand = {
  usage: "apply -f FILE",
  summary: "keep the ConfigTemplate and RolloutStrategy documents of a file (- is standard input)",
  options: { file: { type: "string", help: "FILE         one YAML document or several", short: "f" } },
  async run({ api, json, print, readFile }, call) {
    const file = call.text("file");
    if (file === undefined || call.positionals.length > 0) throw new UsageError("apply: expected -f FILE");
    const body = file === "-" ? await readStandardInput("/dev/stdin") : await readFile(file);
    const headers = { "content-type": "application/yaml" };
    const result = await api.call("/api/v1/apply", { method: "POST", headers, body });
    if (json) print(JSON.stringify(result));
    else {
      for (const { kind, name, status, version } of answer.parse(result).applied) {
        print(plainLine(`${kind} ${name}${version === null ? "" : ` version ${version}`}: ${status}`));
      }
    }
    return exitCode.ok;
  },
};
