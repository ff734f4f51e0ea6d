import { quoteText } from "../../foundation/collector-yaml/yaml-writer.ts";
import { describeError } from "../../foundation/errors.ts";

/** Where a secret of this server is. */
export type SecretSource = { readonly env: string } | { readonly file: string };

/** The text of a secret by its name. */
export type ReadSecret = (name: string) => { text: string } | { problem: string };

export interface SecretSources {
  sources: Readonly<Record<string, SecretSource>>;
  env: Readonly<Record<string, string | undefined>>;
  readFile: (path: string) => string;
}

/** Reads `secrets` of server.yaml, at each call anew. The end of a file's last line is no part of it. */
export function secretReader({ sources, env, readFile }: SecretSources): ReadSecret {
  return (name) => {
    const source = Object.hasOwn(sources, name) ? sources[name] : undefined;
    if (source === undefined) return { problem: `server.yaml has no secret ${name}: add secrets.${name}` };
    if ("env" in source) {
      const text = env[source.env];
      return text === undefined || text === ""
        ? { problem: `secret ${name}: ${source.env} is not set` }
        : { text };
    }
    try {
      return { text: readFile(source.file).replace(/\r?\n$/, "") };
    } catch (error) {
      return { problem: `secret ${name}: cannot read ${source.file}: ${describeError(error)}` };
    }
  };
}

/** Stands in a kept configuration for the secret. */
export function secretReference(name: string): string {
  return `\${secret:${name}}`;
}

/**
 * Puts secrets into YAML that `writeYaml` wrote, where every text with a reference is in double quotes. The Collector takes
 * them as they are.
 */
export function insertSecrets(yaml: string, secrets: ReadonlyMap<string, string>): string {
  return yaml.replaceAll(/\$\{secret:([\w.-]+)\}/g, (reference, name: string) => {
    const secret = secrets.get(name);
    return secret === undefined ? reference : quoteText(secret.replaceAll("$", "$$$$")).slice(1, -1);
  });
}
