import * as z from "zod";
import { isTrustEntry } from "../../opamp/trust-entries.ts";
import { type Configuration, createConfiguration } from "./configuration.ts";
import { type BodyOptions, ConfigurationBodyError, mappingProblem } from "./yaml-body.ts";

/** A configuration entry by entry, as `opamp-supervisor keys sign --body` writes it. */
export const configMapType = "application/vnd.opamp-supervisor.config-map+json";

const schema = z.strictObject({
  entries: z.record(
    z.string(),
    z.strictObject({ content_type: z.string().default("text/yaml"), body: z.string() }),
  ),
});

export function isConfigMap(contentType = ""): boolean {
  return contentType.split(";", 1)[0]?.trim().toLowerCase() === configMapType;
}

/**
 * Makes a configuration of the entries that were posted, each byte for byte. Those about trust pass through.
 * @throws ConfigurationBodyError when it is no such map, has no configuration by accident, or one that is no YAML mapping.
 */
export function configurationFromEntries(body: Uint8Array, { empty }: BodyOptions): Configuration {
  const { entries } = parse(body);
  const read = Object.entries(entries).map(([name, { content_type, body: text }]) => {
    return [name, { body: new TextEncoder().encode(text), contentType: content_type }] as const;
  });
  const configured = read.filter(([, entry]) => !isTrustEntry(entry));
  if (configured.length === 0 && !empty) {
    throw new ConfigurationBodyError(
      "no entry is a configuration: add one, or ?empty=true to tell the Agents to stop their Collector",
    );
  }
  if (configured.length > 0 && empty) {
    throw new ConfigurationBodyError(
      "empty=true means no configuration at all, but there is one: leave one of them out",
    );
  }
  for (const [name] of configured) {
    const problem = mappingProblem(entries[name]?.body ?? "", `the entry ${JSON.stringify(name)}`);
    if (problem !== undefined) throw new ConfigurationBodyError(problem);
  }
  return createConfiguration(Object.fromEntries(read));
}

function parse(body: Uint8Array): z.infer<typeof schema> {
  let content: unknown;
  try {
    content = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw new ConfigurationBodyError(`the body is not JSON, which ${configMapType} has to be`);
  }
  const { data, error } = schema.safeParse(content);
  if (data !== undefined) return data;
  const [issue] = error.issues;
  const where = issue?.path.join(".") ?? "";
  throw new ConfigurationBodyError(
    `the body is no map of entries: ${where === "" ? "" : `${where}: `}${issue?.message}`,
  );
}
