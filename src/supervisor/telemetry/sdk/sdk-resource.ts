import { type Resource, resourceFromAttributes } from "@opentelemetry/resources";
import type { TextMap } from "../../settings/supervisor-settings.ts";

/**
 * What the supervisor is. Its `service.instance.id` is the instance UID, by which the OpAMP server knows this
 * host's agent, and which stays the same over restarts; it is not known before the state directory is open.
 */
export function supervisorResource(options: {
  version: string;
  instanceId: Promise<string | undefined>;
  /** `telemetry.resource`; it wins. */
  given: TextMap;
}): Resource {
  const { version, instanceId, given } = options;
  const named = Object.hasOwn(given, "service.instance.id");
  return resourceFromAttributes({
    "service.name": "opamp-supervisor",
    "service.version": version,
    ...(!named && { "service.instance.id": instanceId }),
    ...given,
  });
}
