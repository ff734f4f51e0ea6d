import { isDeepStrictEqual } from "node:util";
import { parseAllDocuments } from "yaml";
import * as z from "zod";
import { configurationName } from "../configurations/config-template.ts";
import { parseStrategy } from "../rollouts/strategy/parse-strategy.ts";
import { identityOf } from "./access-control.ts";
import type { Api } from "./api.ts";
import { rawBody } from "./bodies.ts";
import { orConfigurationProblem } from "./configuration-problems.ts";
import { addVersion } from "./configuration-view.ts";
import type { ConfigurationsApi } from "./configurations.ts";
import { ProblemError } from "./problem.ts";
import type { RolloutsApi } from "./rollouts.ts";

const applied = z.object({
  kind: z.string(),
  name: z.string(),
  status: z.enum(["created", "unchanged", "updated"]),
  version: z.int().nullable().describe("Of a ConfigTemplate"),
});
type Applied = z.infer<typeof applied>;

/** One document that can be applied. */
type Task = { check: () => void; apply: () => Promise<Applied> };

/** `POST /apply`: what is kept in Git, made so here. */
export function applyRoutes(api: Api, { configurations, strategies }: ConfigurationsApi & RolloutsApi): void {
  const templateTask = (name: string, text: string, author: string): Task => {
    const body = Buffer.from(text);
    return {
      check: () => void configurations.read(name, body),
      async apply() {
        const added = await addVersion(configurations, { name, body, author });
        const created = added.version === 1 ? "created" : "updated";
        const status = added.status === "unchanged" ? "unchanged" : created;
        return { kind: "ConfigTemplate", name, status, version: added.version };
      },
    };
  };

  const strategyTask = (name: string, document: unknown): Task => ({
    check: () => void parseStrategy(document),
    async apply() {
      const known = (await strategies.list()).find((each) => each.name === name);
      const isSame = known !== undefined && isDeepStrictEqual(known.document, document);
      if (!isSame) await strategies.put(document);
      const status = isSame ? "unchanged" : known === undefined ? "created" : "updated";
      return { kind: "RolloutStrategy", name, status, version: null };
    },
  });

  api.post(
    "/api/v1/apply",
    {
      schema: {
        tags: ["configurations", "rollouts"],
        summary:
          "Keeps documents of kind: ConfigTemplate and RolloutStrategy; what is there already stays as it is",
        description:
          "The body is YAML, one document or several. All are looked at before the first is kept. Nobody is offered anything by it.",
        consumes: ["application/yaml"],
        body: rawBody,
        response: { 200: z.object({ applied: z.array(applied) }) },
      },
    },
    (request) =>
      orConfigurationProblem(async () => {
        const author = identityOf(request).name;
        const tasks = documentsOf(request.body).map(({ kind, name, text, document }) =>
          kind === "ConfigTemplate" ? templateTask(name, text, author) : strategyTask(name, document),
        );
        for (const { check } of tasks) check();
        const results: Applied[] = [];
        for (const { apply } of tasks) results.push(await apply());
        return { applied: results };
      }),
  );
}

const head = z.looseObject({
  kind: z.enum(["ConfigTemplate", "RolloutStrategy"]),
  name: configurationName,
});

/** @throws ProblemError that counts the documents from 1. */
function documentsOf(body: Uint8Array) {
  const source = new TextDecoder().decode(body);
  const documents = parseAllDocuments(source);
  const all = Array.isArray(documents) ? documents : [];
  const read = all.flatMap((each, index) => {
    const [error] = each.errors;
    if (error !== undefined) throw bad(index, error.message.split("\n", 1)[0] ?? "");
    const document: unknown = each.toJS();
    // As a file that begins or ends with --- has it.
    if (document === null) return [];
    const parsed = head.safeParse(document);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw bad(index, `${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}`);
    }
    const [start, , end] = each.range;
    const { kind, name } = parsed.data;
    return [{ kind, name, document, text: source.slice(start, end) }];
  });
  if (read.length === 0) throw new ProblemError("bad-document", "the body has no document");
  return read;
}

function bad(index: number, message: string): ProblemError {
  return new ProblemError("bad-document", `document ${index + 1}: ${message}`);
}
