import * as z from "zod";
import { isTree, type Tree, type Value } from "../../foundation/collector-yaml/tree.ts";
import { readYaml, YamlProblem } from "../../foundation/collector-yaml/yaml-reader.ts";
import { writeYaml } from "../../foundation/collector-yaml/yaml-writer.ts";
import { type Variables, variablesSchema } from "./variables.ts";
import { ConfigurationBodyError } from "./yaml-body.ts";

/** A document of `kind: ConfigTemplate`. */
export interface ConfigTemplate {
  readonly name: string | undefined;
  readonly message: string | undefined;
  readonly variables: Variables;
  /** YAML with `{{.name}}` in it, as it was written where it was written as text. */
  readonly text: string;
}

/** Of configurations and strategies alike. */
export const configurationName = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, {
  error: "expected a name of lower-case letters, digits, '.', '_' and '-'",
});

const schema = z.strictObject({
  kind: z.literal("ConfigTemplate"),
  name: configurationName.optional(),
  message: z.string().optional(),
  variables: variablesSchema.default({}),
  config: z.custom<Tree | string>((value) => typeof value === "string" || isTree(value as Value), {
    error: "expected the configuration, as a map or as text",
  }),
});

export function isConfigTemplate(tree: Tree): boolean {
  return tree.kind === "ConfigTemplate";
}

/** @throws ConfigurationBodyError that says what of the document is wrong, and where. */
export function parseConfigTemplate({ config, ...rest }: Tree): ConfigTemplate {
  const result = schema.safeParse({ ...(toPlain(rest) as object), config });
  if (!result.success) {
    const issues = result.error.issues.map(({ path, message }) => [path.map(String).join("."), message]);
    const text = issues.map(([place, message]) => (place === "" ? message : `${place}: ${message}`));
    throw new ConfigurationBodyError(`not a ConfigTemplate: ${text.join("; ")}`);
  }
  const { name, message, variables, config: written } = result.data;
  const text = typeof written === "string" ? written : writeYaml(written);
  readTemplate(text);
  return { name, message, variables, text };
}

/** @throws ConfigurationBodyError when it is no YAML mapping. */
export function readTemplate(text: string): Tree {
  try {
    return readYaml(text);
  } catch (error) {
    if (!(error instanceof YamlProblem)) throw error;
    const line = error.line === undefined ? "" : `line ${error.line}: `;
    throw new ConfigurationBodyError(`the configuration cannot be read: ${line}${error.message}`);
  }
}

/** For schemas, whose numbers are no bigints. */
function toPlain(value: Value): unknown {
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map((item: Value) => toPlain(item));
  if (!isTree(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toPlain(item)]));
}
