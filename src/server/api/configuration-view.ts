import { stringify } from "yaml";
import type * as z from "zod";
import type { Configurations } from "../configurations/configurations.ts";
import { renderLayers } from "../configurations/rendering.ts";
import { sampleValues } from "../configurations/variables.ts";
import type { Version, VersionContent, VersionSummary } from "../configurations/versions.ts";
import type { addedSchema, versionSchema } from "./configuration-schema.ts";
import { isoTime } from "./iso-time.ts";

export function versionView(version: VersionSummary): z.infer<typeof versionSchema> {
  const { author, createdAt, digest, isTemplate, message, name, number } = version;
  return {
    name,
    version: number,
    digest,
    author,
    message,
    created_at: isoTime(createdAt),
    template: isTemplate,
  };
}

/** All that a version says as one text, to compare it by. */
export function versionText({ entries, variables }: Version): string {
  const head = variables === undefined ? [] : [stringify({ variables }).trimEnd(), "---"];
  const parts = Object.entries(entries).flatMap(([name, { body }]) => {
    const text = new TextDecoder().decode(body);
    return name === "" ? [text] : [`# entry ${name}`, text];
  });
  return [...head, ...parts].join("\n");
}

export interface PostedVersion {
  name: string;
  body: Uint8Array;
  contentType?: string | undefined;
  author: string;
  /** Instead of the document's own. */
  message?: string | undefined;
}

/** @throws ConfigurationBodyError, TemplateError */
export async function addVersion(
  configurations: Configurations,
  { name, body, contentType, author, message }: PostedVersion,
): Promise<z.infer<typeof addedSchema>> {
  const { content, message: own } = configurations.read(name, body, contentType);
  const check = checkOf(content);
  const { version, isNew } = await configurations.versions.add({
    name,
    content,
    author,
    message: message ?? own,
  });
  return {
    ...versionView({ ...version, isTemplate: version.variables !== undefined }),
    status: isNew ? "created" : "unchanged",
    ...check,
  };
}

/**
 * Of a template whose defaults are not enough to make it, it is only looked at whether it can be made at all.
 * @throws TemplateError
 */
function checkOf(content: VersionContent) {
  const values = sampleValues(content.variables ?? {});
  const { problems, warnings } = renderLayers([{ version: content, values }]).check;
  const isKnown = Object.keys(values).length === 0;
  return { problems: isKnown ? [...problems] : [], warnings: isKnown ? [...warnings] : [] };
}
