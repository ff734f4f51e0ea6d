import { mapAt, withValue } from "../../foundation/collector-yaml/tree.ts";
import { YamlProblem } from "../../foundation/collector-yaml/yaml-problem.ts";
import { readYaml } from "../../foundation/collector-yaml/yaml-reader.ts";
import { writeYaml } from "../../foundation/collector-yaml/yaml-writer.ts";
import { redact } from "./redact.ts";

/**
 * What the Collector reports of itself, without the headers of `service.telemetry`: it hides secrets of its components,
 * but these it shows.
 */
export function redactTelemetry(reported: string): string {
  const service = reported.search(/^service:/m);
  if (service === -1 || !reported.includes("headers", service)) return reported;
  try {
    const tree = readYaml(reported);
    const path = ["service", "telemetry"];
    return writeYaml(withValue(tree, path, redact(mapAt(tree, path))));
  } catch (error) {
    if (!(error instanceof YamlProblem)) throw error;
    // Better a part than a secret.
    return reported.slice(0, service);
  }
}
