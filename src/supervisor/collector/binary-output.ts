import * as z from "zod/mini";

/** A component of a distribution; the Go module with its version where it is known. */
export interface Component {
  name: string;
  module?: string | undefined;
}

export const componentKinds = ["receivers", "processors", "exporters", "connectors", "extensions"] as const;
export type ComponentKind = (typeof componentKinds)[number];
export type Components = Record<ComponentKind, Component[]>;

export interface BuildInfo {
  command: string;
  description: string;
  version: string;
  components: Components;
}

const componentSchema = z.object({ name: z.string(), module: z.optional(z.string()) });
const componentsSchema = z.object({
  receivers: z.array(componentSchema),
  processors: z.array(componentSchema),
  exporters: z.array(componentSchema),
  connectors: z.array(componentSchema),
  extensions: z.array(componentSchema),
});

/** What {@link IdentifiedBinary} looks like in the cache. */
export const identifiedBinarySchema = z.object({
  identified: z.literal(true),
  path: z.string(),
  fileIdentity: z.string(),
  command: z.string(),
  description: z.string(),
  version: z.string(),
  components: componentsSchema,
  supportsNoPipelines: z.boolean(),
});

/** Older Collectors print bare names. */
const listSchema = z._default(
  z.nullable(
    z.array(z.union([z.string(), z.looseObject({ name: z.string(), module: z.optional(z.string()) })])),
  ),
  null,
);
const outputSchema = z.looseObject({
  buildinfo: z.looseObject({
    command: z.string(),
    description: z._default(z.string(), ""),
    version: z.union([z.string(), z.number()]),
  }),
  receivers: listSchema,
  processors: listSchema,
  exporters: listSchema,
  connectors: listSchema,
  extensions: listSchema,
});

/** Reads the YAML of `<collector> components`, or undefined if it is not that. */
export async function parseComponents(output: string): Promise<BuildInfo | undefined> {
  const { parse } = await import("yaml");
  let document: unknown;
  try {
    document = parse(output, { logLevel: "silent" });
  } catch {
    return undefined;
  }
  const result = z.safeParse(outputSchema, document);
  if (!result.success) return undefined;
  const { buildinfo, ...lists } = result.data;
  const list = (kind: ComponentKind): Component[] =>
    (lists[kind] ?? []).map((item) => {
      if (typeof item === "string") return { name: item };
      return item.module === undefined || item.module === ""
        ? { name: item.name }
        : { name: item.name, module: item.module };
    });
  return {
    command: buildinfo.command,
    description: buildinfo.description,
    version: String(buildinfo.version),
    components: {
      receivers: list("receivers"),
      processors: list("processors"),
      exporters: list("exporters"),
      connectors: list("connectors"),
      extensions: list("extensions"),
    },
  };
}

/** The ids in the first column of `<collector> featuregate`. */
export function parseFeatureGates(output: string): Set<string> {
  const ids = output
    .split("\n")
    .slice(1)
    .map((line) => line.split(/\s/, 1)[0] ?? "");
  return new Set(ids.filter((id) => id !== ""));
}

/** The names that `validate` says it would have accepted: `'receivers' unknown type: … (valid values: [a b])`. */
export function parseValidNames(output: string): Partial<Record<ComponentKind, string[]>> {
  const names: Partial<Record<ComponentKind, string[]>> = {};
  for (const kind of componentKinds) {
    const match = new RegExp(`^'${kind}' unknown type: .*\\(valid values: \\[([^\\]]*)\\]\\)`, "m").exec(
      output,
    );
    if (match !== null)
      names[kind] = (match[1] ?? "").split(" ").filter((name) => /^[a-zA-Z]\w*$/.test(name));
  }
  return names;
}
