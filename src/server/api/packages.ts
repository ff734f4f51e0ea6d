import * as z from "zod/mini";
import type { Offering, PushResult } from "../offers/offering.ts";
import type { PackageCatalogue } from "../packages/catalogue.ts";
import { choosePackages, PackageChoiceError } from "../packages/choice.ts";
import type { PackageSet } from "../packages/package-set.ts";
import { type ApiRequest, type ApiResult, knownQuery, ProblemError } from "./http.ts";
import { selectorFrom } from "./selector-query.ts";

export interface PackagesApi {
  offering: Offering;
  /** Undefined: this server has no packages. */
  catalogue: PackageCatalogue | undefined;
}

/** `GET /packages`: what can be offered, and what of the folder cannot and why. */
export async function listPackages({ catalogue }: PackagesApi, request: ApiRequest): Promise<ApiResult> {
  knownQuery(request.query, []);
  const known = present(catalogue);
  await known.settled();
  return { status: 200, body: catalogueView(known) };
}

/** `POST /packages/rescan`: reads the folder now, also what was changed a moment ago, and answers as the list does. */
export async function rescanPackages({ catalogue }: PackagesApi, request: ApiRequest): Promise<ApiResult> {
  knownQuery(request.query, []);
  const known = present(catalogue);
  await known.rescan();
  return { status: 200, body: catalogueView(known) };
}

/** `POST /packages/offer`: the packages of the body, and no others, become the desired ones of the selector. */
export async function offerPackages(
  { offering, catalogue }: PackagesApi,
  request: ApiRequest,
): Promise<ApiResult> {
  const query = knownQuery(request.query, ["selector"]);
  const body = parseBody(request.body);
  if (query.selector !== undefined && body.selector !== undefined) {
    throw new ProblemError(400, "Repeated selector", "give selector in the query or in the body, not both");
  }
  const selector = selectorFrom(query.selector ?? body.selector);
  const set = await packageSet(catalogue, body.packages);
  const result = offering.pushPackages(selector, set);
  const { matched, assignment } = result;
  return { status: 200, body: { ...pushView(result), selector: assignment.selector.text, matched } };
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
    if (error instanceof PackageChoiceError) throw new ProblemError(400, "Bad packages", error.message);
    throw error;
  }
}

/** What became of an offer of packages; the same wherever it was made. */
export function pushView({ assignment, offered, pending, skipped }: PushResult<PackageSet>) {
  const { hashHex, packages } = assignment.desired;
  return {
    packages_hash: hashHex,
    packages: Object.fromEntries(packages.map(({ name, version }) => [name, version])),
    offered: offered.length,
    pending,
    skipped,
  };
}

function present(catalogue: PackageCatalogue | undefined): PackageCatalogue {
  if (catalogue !== undefined) return catalogue;
  throw new ProblemError(409, "No packages", "this server has no packages: set packages.directory");
}

function catalogueView(catalogue: PackageCatalogue) {
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

const offerBody = z.strictObject({
  packages: z.record(z.string(), z.string()),
  selector: z.optional(z.string()),
});

const expected = 'expected JSON such as {"packages": {"collector": "0.150.0"}, "selector": "env=prod"}';

function parseBody(body: Uint8Array): z.infer<typeof offerBody> {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(body).toString());
  } catch {
    throw new ProblemError(400, "Bad body", `the body is not JSON: ${expected}`);
  }
  const parsed = z.safeParse(offerBody, json);
  if (parsed.success) return parsed.data;
  const places = parsed.error.issues.map((issue) =>
    issue.code === "unrecognized_keys" ? issue.keys.join(", ") : issue.path.join("."),
  );
  const wrong = places.some((place) => place !== "") ? ` (wrong: ${places.join(", ")})` : "";
  throw new ProblemError(400, "Bad body", `${expected}${wrong}`);
}
