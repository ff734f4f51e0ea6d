import * as z from "zod";
import type { PackageCatalogue } from "../packages/catalogue.ts";
import { choosePackages, PackageChoiceError } from "../packages/choice.ts";
import type { PackageSet } from "../packages/package-set.ts";
import type { Started } from "../rollouts/rollouts.ts";
import { identityOf } from "./access-control.ts";
import type { Api } from "./api.ts";
import { ProblemError } from "./problem.ts";
import { pushedTo, pushedView, rolloutOf, startedRollout, strategyParameter } from "./push-schema.ts";
import { orProblem } from "./rollout-problems.ts";
import type { RolloutsApi } from "./rollouts.ts";
import { selectorFromBody, selectorSchema } from "./selector-body.ts";
import { selectorFrom, selectorParameter } from "./selector-query.ts";

export interface PackagesApi {
  /** Undefined: this server has no packages. */
  catalogue: PackageCatalogue | undefined;
}

const offerBody = z
  .strictObject({ packages: z.record(z.string(), z.string()), selector: selectorSchema.optional() })
  .meta({ examples: [{ packages: { collector: "0.150.0" }, selector: "env=prod" }] });

const leftOut = z.array(z.object({ path: z.string(), reason: z.string() })).readonly();

const catalogueSchema = z.object({
  packages: z.array(
    z.object({
      name: z.string(),
      type: z.enum(["top-level", "addon"]).optional(),
      versions: z.array(
        z.object({
          version: z.string(),
          file: z.string(),
          size: z.int().describe("Bytes"),
          sha256: z.string(),
          signed: z.boolean(),
          modified: z.string().meta({ format: "date-time" }),
        }),
      ),
    }),
  ),
  problems: leftOut,
  waiting: leftOut,
});

/** What became of an offer of packages. */
export const packagesPushSchema = z.object({
  packages_hash: z.string(),
  packages: z.record(z.string(), z.string()).describe("Version of each"),
  ...pushedTo,
});

export function packageRoutes(
  api: Api,
  { catalogue, rollouts, strategies }: PackagesApi & RolloutsApi,
): void {
  api.get(
    "/api/v1/packages",
    {
      schema: {
        tags: ["packages"],
        summary: "What can be offered, and what of the folder cannot and why",
        response: { 200: catalogueSchema },
      },
    },
    async () => {
      const known = present(catalogue);
      await known.settled();
      return catalogueView(known);
    },
  );

  api.post(
    "/api/v1/packages/rescan",
    {
      schema: {
        tags: ["packages"],
        summary: "Reads the folder now, also what was changed a moment ago, and answers as the list does",
        response: { 200: catalogueSchema },
      },
    },
    async () => {
      const known = present(catalogue);
      await known.rescan();
      return catalogueView(known);
    },
  );

  api.post(
    "/api/v1/packages/offer",
    {
      schema: {
        tags: ["packages"],
        summary: "Makes the packages of the body, and no others, the desired ones of the selector",
        querystring: z.strictObject({ selector: selectorParameter, strategy: strategyParameter }),
        body: offerBody,
        response: {
          200: packagesPushSchema.extend({ selector: z.string(), matched: z.int(), ...startedRollout }),
        },
      },
    },
    async (request) => {
      const { query, body } = request;
      if (query.selector !== undefined && body.selector !== undefined) {
        const detail = "give selector in the query or in the body, not both";
        throw new ProblemError("repeated-selector", detail);
      }
      const selector =
        body.selector === undefined ? selectorFrom(query.selector) : selectorFromBody(body.selector);
      const set = await packageSet(catalogue, body.packages);
      const started = await orProblem(async () =>
        rollouts.start({
          contents: [{ kind: "packages", desired: set }],
          selector,
          strategy: await strategies.get(query.strategy),
          by: identityOf(request).name,
          message: "",
        }),
      );
      return {
        ...pushView(set, started),
        selector: selector.text,
        matched: started.matched,
        ...rolloutOf(started),
      };
    },
  );
}

/** The set of these versions by name. @throws ProblemError 400 for what is not in the catalogue, 409 without one. */
export async function packageSet(
  catalogue: PackageCatalogue | undefined,
  wanted: Readonly<Record<string, string>>,
): Promise<PackageSet> {
  const known = present(catalogue);
  await known.settled();
  try {
    return choosePackages(known, wanted);
  } catch (error) {
    if (error instanceof PackageChoiceError) throw new ProblemError("bad-packages", error.message);
    throw error;
  }
}

/** What became of an offer of packages; the same wherever it was made. */
export function pushView(
  { hashHex, packages }: PackageSet,
  { offers }: Started,
): z.infer<typeof packagesPushSchema> {
  return {
    packages_hash: hashHex,
    packages: Object.fromEntries(packages.map(({ name, version }) => [name, version])),
    ...pushedView(offers.get("packages")),
  };
}

function present(catalogue: PackageCatalogue | undefined): PackageCatalogue {
  if (catalogue !== undefined) return catalogue;
  throw new ProblemError("no-packages", "this server has no packages: set packages.directory");
}

function catalogueView(catalogue: PackageCatalogue): z.infer<typeof catalogueSchema> {
  const versions = [...catalogue.files].sort((a, b) => byVersion.compare(a.version, b.version));
  const byName = Map.groupBy(versions, ({ name }) => name);
  return {
    packages: [...byName].map(([name, files]) => ({
      name,
      type: files[0]?.type,
      versions: files.map(({ version, fileName, size, sha256, signature, modified }) => ({
        version,
        file: fileName,
        size,
        sha256,
        signed: signature.length > 0,
        modified: modified.toISOString(),
      })),
    })),
    problems: catalogue.problems,
    waiting: catalogue.waiting,
  };
}

/** 0.9.0 before 0.10.0. */
const byVersion = new Intl.Collator("en", { numeric: true });
