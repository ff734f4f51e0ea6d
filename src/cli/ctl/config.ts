import * as z from "zod";
import { diffLines } from "../../foundation/line-diff.ts";
import { exitCode, UsageError } from "../command-line.ts";
import { plain, plainLine, shortHash } from "../plain-text.ts";
import { getAgent } from "./agent.ts";
import type { CtlCall, CtlCommand, CtlContext } from "./ctl-command.ts";

const pushed = z.object({
  config_hash: z.string(),
  selector: z.string(),
  rollout: z.string(),
  strategy: z.string(),
  matched: z.int(),
  offered: z.int(),
  pending: z.array(z.object({ id: z.string(), reason: z.string() })),
  skipped: z.array(z.object({ id: z.string(), reason: z.string() })),
});

export const configCommand: CtlCommand = {
  usage: "config push FILE | show UID | diff UID FILE",
  summary: "push a configuration, show the one an agent runs, or what a file would change of it",
  options: {
    selector: { type: "string", help: "SELECTOR  push: to these agents only" },
    strategy: { type: "string", help: "NAME      push: the rollout's; immediate: all at once" },
    message: { type: "string", help: "TEXT       push: what it is for" },
    reissue: { type: "boolean", help: "           push: under a new hash, also to agents that refused it" },
    packages: { type: "string", help: "LIST      push: name:version,... with it, in one message" },
    empty: {
      type: "boolean",
      help: "             push: no configuration at all, which stops the Collectors",
    },
    "exit-code": { type: "boolean", help: "         diff: exit 1 when there is a difference" },
  },
  async run(context, call) {
    const [what = "", ...rest] = call.positionals;
    switch (what) {
      case "push":
        return await push(context, call, rest);
      case "show":
        return await show(context, rest);
      case "diff":
        return await diff(context, call, rest);
      default:
        throw new UsageError("config: expected push, show or diff");
    }
  },
};

async function push({ api, json, print, readFile }: CtlContext, call: CtlCall, rest: readonly string[]) {
  const empty = call.has("empty");
  const [file, ...more] = rest;
  if (more.length > 0 || (file === undefined) !== empty) {
    throw new UsageError("config push: expected FILE, or --empty");
  }
  const selector = call.text("selector");
  if (selector?.trim() === "") throw new UsageError("--selector is empty: leave it out to mean every agent");
  const answer = await api.call("/api/v1/config", {
    method: "POST",
    query: {
      selector,
      packages: call.text("packages"),
      strategy: call.text("strategy"),
      message: call.text("message"),
      reissue: call.has("reissue") ? "true" : undefined,
      empty: empty ? "true" : undefined,
    },
    headers: { "content-type": "application/yaml" },
    body: file === undefined ? new Uint8Array() : await readFile(file),
  });
  if (json) {
    print(JSON.stringify(answer));
    return exitCode.ok;
  }
  const { config_hash, matched, offered, pending, rollout, skipped, strategy } = pushed.parse(answer);
  print(`configuration ${shortHash(config_hash)}, rollout ${plainLine(rollout)} (${plainLine(strategy)})`);
  print(`${offered} of ${matched} agents have the offer now`);
  for (const { id, reason } of [...pending, ...skipped]) print(`  ${plainLine(id)} ${plainLine(reason)}`);
  return exitCode.ok;
}

async function show({ api, json, print }: CtlContext, [uid, ...more]: readonly string[]) {
  if (uid === undefined || more.length > 0) throw new UsageError("config show: expected UID");
  const { effective_config: entries } = await getAgent(api, uid);
  if (json) print(JSON.stringify(entries));
  else print(plainText(textOf(entries)));
  return exitCode.ok;
}

async function diff(context: CtlContext, call: CtlCall, [uid, file, ...more]: readonly string[]) {
  const { api, print, readFile } = context;
  if (uid === undefined || file === undefined || more.length > 0) {
    throw new UsageError("config diff: expected UID and FILE");
  }
  const wanted = Buffer.from(await readFile(file)).toString();
  const { effective_config: entries } = await getAgent(api, uid);
  const lines = diffLines(textOf(entries), wanted);
  for (const line of lines) print(plain(line));
  return lines.length > 0 && call.has("exit-code") ? exitCode.failed : exitCode.ok;
}

/** What an agent reported, entry after entry; one without a name is the usual only one. */
function textOf(entries: Readonly<Record<string, string>> | null): string {
  const parts = Object.entries(entries ?? {}).map(([name, text]) =>
    name === "" ? text : `# ${name}\n${text}`,
  );
  return parts.join("\n");
}

function plainText(text: string): string {
  return text.trimEnd().split("\n").map(plain).join("\n");
}
