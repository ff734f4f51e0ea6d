import type { FastifySchemaCompiler } from "fastify";
import * as z from "zod";
import { expectedBody } from "./bodies.ts";
import { type FieldError, ProblemError, type ProblemName } from "./problem.ts";

/** Checks a part of a request by its zod schema; what is wrong becomes the problem that is answered. */
export const validateBySchema: FastifySchemaCompiler<z.ZodType> =
  ({ schema, httpPart }) =>
  (data: unknown) => {
    const parsed = schema.safeParse(data);
    if (parsed.success) return { value: parsed.data };
    return { error: problemOf(httpPart ?? "body", schema, parsed.error.issues, data) };
  };

function problemOf(
  part: string,
  schema: z.ZodType,
  issues: readonly z.core.$ZodIssue[],
  data: unknown,
): ProblemError {
  switch (part) {
    case "querystring":
      return queryProblem(schema, issues, data);
    case "body":
      return bodyProblem(schema, issues);
    case "params":
      return partProblem("bad-path", "path", issues);
    default:
      return partProblem("bad-request", "header", issues);
  }
}

function queryProblem(schema: z.ZodType, issues: readonly z.core.$ZodIssue[], data: unknown): ProblemError {
  const unknown = issues.flatMap((issue) => (issue.code === "unrecognized_keys" ? issue.keys : []));
  const [first] = unknown;
  if (first !== undefined) {
    const names = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
    const known = names.length === 0 ? "none" : names.join(", ");
    // A mistyped `selector` must not mean "every Agent".
    const detail = `${JSON.stringify(first)} is not a parameter of this request (known: ${known}); an & inside a value is written %26`;
    return new ProblemError("unknown-query-parameter", detail, {
      errors: unknown.map((field) => ({ in: "query", field, message: "is not a parameter of this request" })),
    });
  }
  const given = (name: string) =>
    (Object.entries(data ?? {}) as [string, unknown][]).find(([key]) => key === name)?.[1];
  const repeated = issues.find(({ path }) => Array.isArray(given(String(path[0]))));
  if (repeated !== undefined) {
    const field = String(repeated.path[0]);
    const errors: FieldError[] = [{ in: "query", field, message: "may be given once" }];
    return new ProblemError("repeated-query-parameter", `${field} may be given once`, { errors });
  }
  const errors = issues.map((issue): FieldError => {
    const field = issue.path.join(".");
    const value = given(field);
    const found = value === undefined ? "" : `, not ${JSON.stringify(value)}`;
    if (issue.code !== "invalid_value") return { in: "query", field, message: `${issue.message}${found}` };
    return { in: "query", field, message: `must be ${issue.values.map(String).join(" or ")}${found}` };
  });
  return new ProblemError("bad-query-parameter", sentence(errors), { errors });
}

function bodyProblem(schema: z.ZodType, issues: readonly z.core.$ZodIssue[]): ProblemError {
  const errors = fieldErrors("body", issues);
  const wrong = sentence(errors);
  const expected = expectedBody(schema);
  const detail = expected === undefined ? wrong : `${expected} (wrong: ${wrong})`;
  return new ProblemError("bad-body", detail, { errors });
}

function partProblem(problem: ProblemName, part: FieldError["in"], issues: readonly z.core.$ZodIssue[]) {
  const errors = fieldErrors(part, issues);
  return new ProblemError(problem, sentence(errors), { errors });
}

function fieldErrors(part: FieldError["in"], issues: readonly z.core.$ZodIssue[]): FieldError[] {
  return issues.flatMap((issue): FieldError[] => {
    if (issue.code !== "unrecognized_keys") {
      return [{ in: part, field: issue.path.join("."), message: issue.message }];
    }
    return issue.keys.map((key) => ({
      in: part,
      field: [...issue.path, key].join("."),
      message: "is not known here",
    }));
  });
}

function sentence(errors: readonly FieldError[]): string {
  return errors.map(({ field, message }) => (field === "" ? message : `${field} ${message}`)).join("; ");
}
