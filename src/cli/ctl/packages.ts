import * as z from "zod";
import { exitCode, UsageError } from "../command-line.ts";
import { plainLine, shortHash } from "../plain-text.ts";
import type { CtlCall, CtlCommand, CtlContext } from "./ctl-command.ts";
import { formatTable } from "./table.ts";

const catalogue = z.object({
  packages: z.array(
    z.object({
      name: z.string(),
      type: z.string().optional(),
      versions: z.array(
        z.object({
          version: z.string(),
          file: z.string(),
          size: z.number(),
          sha256: z.string(),
          signed: z.boolean(),
        }),
      ),
    }),
  ),
  problems: z.array(z.object({ path: z.string(), reason: z.string() })),
});

const offer = z.object({
  packages_hash: z.string(),
  matched: z.int(),
  offered: z.int(),
  rollout: z.string(),
});

export const packagesCommand: CtlCommand = {
  usage: "packages [offer NAME:VERSION...]",
  summary: "list the packages that can be offered, or make these, and no others, the desired ones",
  options: {
    selector: { type: "string", help: "SELECTOR  offer: to these agents only" },
    strategy: { type: "string", help: "NAME      offer: the rollout's; immediate: all at once" },
  },
  async run(context, call) {
    const [what, ...wanted] = call.positionals;
    if (what === undefined) return await list(context);
    if (what !== "offer") throw new UsageError(`packages: unknown command ${what}`);
    return await offerThem(context, call, wanted);
  },
};

async function list({ api, json, print, warn }: CtlContext) {
  const answer = await api.call("/api/v1/packages");
  if (json) {
    print(JSON.stringify(answer));
    return exitCode.ok;
  }
  const { packages, problems } = catalogue.parse(answer);
  const rows = packages.flatMap(({ name, type = "", versions }) =>
    versions.map(({ version, file, size, sha256, signed }) => [
      name,
      version,
      type,
      file,
      String(size),
      shortHash(sha256),
      signed ? "signed" : "-",
    ]),
  );
  const heading = ["PACKAGE", "VERSION", "TYPE", "FILE", "BYTES", "SHA-256", "SIGNATURE"];
  for (const line of formatTable(heading, rows)) print(line);
  for (const { path, reason } of problems) warn(`left out: ${plainLine(path)}: ${plainLine(reason)}`);
  return exitCode.ok;
}

async function offerThem({ api, json, print }: CtlContext, call: CtlCall, wanted: readonly string[]) {
  const pairs = wanted.map((each) => {
    const [, name, version] = /^([^:]+):(.+)$/.exec(each) ?? [];
    if (name === undefined || version === undefined) throw new UsageError(`${each}: expected NAME:VERSION`);
    return [name, version] as const;
  });
  if (pairs.length === 0) throw new UsageError("packages offer: expected NAME:VERSION");
  const answer = await api.call("/api/v1/packages/offer", {
    method: "POST",
    query: { selector: call.text("selector"), strategy: call.text("strategy") },
    body: { packages: Object.fromEntries(pairs) },
  });
  if (json) {
    print(JSON.stringify(answer));
    return exitCode.ok;
  }
  const { matched, offered, packages_hash, rollout } = offer.parse(answer);
  print(`packages ${shortHash(packages_hash)}, rollout ${plainLine(rollout)}`);
  print(`${offered} of ${matched} agents have the offer now`);
  return exitCode.ok;
}
