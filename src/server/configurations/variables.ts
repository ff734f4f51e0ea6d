import * as z from "zod";
import type { Value } from "../../foundation/collector-yaml/tree.ts";
import { type PlacedProblem, TemplateError } from "./template-error.ts";

/** What may be given for a variable; of a secret it is the name under `secrets` of server.yaml. */
const given = z.union([z.string(), z.number(), z.boolean()]);
export const valuesSchema = z.record(z.string(), given);
export type Values = z.infer<typeof valuesSchema>;

const common = { description: z.string().optional(), required: z.boolean().optional() };

const variable = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("string"), default: z.string().optional(), ...common }),
  z.strictObject({
    type: z.literal("number"),
    default: z.number().optional(),
    min: z.number().optional(),
    max: z.number().optional(),
    ...common,
  }),
  z.strictObject({ type: z.literal("boolean"), default: z.boolean().optional(), ...common }),
  z.strictObject({
    type: z.literal("enum"),
    values: z.array(z.string()).min(1),
    default: z.string().optional(),
    ...common,
  }),
  z.strictObject({ type: z.literal("secret"), default: z.string().optional(), ...common }),
]);

/** A variable of a template. Unless it has a default or says `required: false`, it must be given. */
export type Variable = z.infer<typeof variable>;

const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** The variables of a template by name. */
export const variablesSchema = z
  .record(
    z.string().regex(variableName, { error: "expected a name of letters, digits and underscores" }),
    variable,
  )
  .superRefine((variables, context) => {
    for (const [name, each] of Object.entries(variables)) {
      if (each.default === undefined) continue;
      const problem = misfit(each, each.default);
      if (problem !== undefined) {
        context.addIssue({ code: "custom", message: problem, path: [name, "default"] });
      }
    }
  });
export type Variables = z.infer<typeof variablesSchema>;

/** What stands for a variable in a configuration. */
export type Resolved =
  | { readonly t: "value"; readonly value: Exclude<Value, null | object> }
  /** Its text is put in when the configuration is offered, and is kept nowhere. */
  | { readonly t: "secret"; readonly name: string }
  /** It may be left out, and was. */
  | { readonly t: "absent" };

/**
 * What each variable stands for.
 * @throws TemplateError with every value that is missing, of another type or out of bounds, or of no variable.
 */
export function resolveValues(variables: Variables, values: Values): ReadonlyMap<string, Resolved> {
  const problems: PlacedProblem[] = [];
  const resolved = new Map<string, Resolved>();
  for (const name of Object.keys(values)) {
    if (!Object.hasOwn(variables, name))
      problems.push({ place: name, message: "is no variable of this template" });
  }
  for (const [name, each] of Object.entries(variables)) {
    const value = Object.hasOwn(values, name) ? values[name] : each.default;
    if (value === undefined) {
      if (each.required !== false)
        problems.push({ place: name, message: `needs a value (${expected(each)})` });
      resolved.set(name, { t: "absent" });
      continue;
    }
    const problem = misfit(each, value);
    if (problem !== undefined) problems.push({ place: name, message: problem });
    else resolved.set(name, resolve(each, value));
  }
  if (problems.length > 0) throw new TemplateError(problems);
  return resolved;
}

/** Something that fits each variable that must be given, to try a template with before there are values. */
export function sampleValues(variables: Variables): Values {
  const needed = Object.entries(variables).filter(
    ([, each]) => each.default === undefined && each.required !== false,
  );
  return Object.fromEntries(needed.map(([name, each]) => [name, sampleOf(each)]));
}

function sampleOf(each: Variable): Values[string] {
  switch (each.type) {
    case "string":
    case "secret":
      return "sample";
    case "boolean":
      return true;
    case "enum":
      return each.values[0] ?? "";
    case "number":
      return each.min ?? each.max ?? 0;
  }
}

function resolve({ type }: Variable, value: Values[string]): Resolved {
  if (type === "secret") return { t: "secret", name: String(value) };
  // The Collector tells whole numbers from others.
  return {
    t: "value",
    value: typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : value,
  };
}

/** Why the value does not do; quotes no value of a secret, for somebody may have given the secret itself. */
function misfit(each: Variable, value: Values[string]): string | undefined {
  const wrong = `expected ${expected(each)}, got ${each.type === "secret" ? "something else" : JSON.stringify(value)}`;
  switch (each.type) {
    case "string":
      return typeof value === "string" ? undefined : wrong;
    case "boolean":
      return typeof value === "boolean" ? undefined : wrong;
    case "enum":
      return typeof value === "string" && each.values.includes(value) ? undefined : wrong;
    case "secret":
      return typeof value === "string" && secretName.test(value) ? undefined : wrong;
    case "number": {
      const { min = -Infinity, max = Infinity } = each;
      return typeof value === "number" && value >= min && value <= max ? undefined : wrong;
    }
  }
}

/** Names under `secrets` of server.yaml. */
export const secretName = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

function expected(each: Variable): string {
  switch (each.type) {
    case "string":
      return "text";
    case "boolean":
      return "true or false";
    case "enum":
      return `one of ${each.values.join(", ")}`;
    case "secret":
      return "the name of one of this server's secrets";
    case "number": {
      const { min, max } = each;
      if (min !== undefined && max !== undefined) return `a number from ${min} to ${max}`;
      if (min !== undefined) return `a number, ${min} or more`;
      return max === undefined ? "a number" : `a number, ${max} or less`;
    }
  }
}
