import { AgentCapability, hasBits } from "./bits.ts";
import type { Selectable } from "./selector.ts";

/** What a key means for an Agent; undefined: it has no such thing. */
export type KeyReader = (agent: Selectable) => string | undefined;

/** The key that means the instance UID instead of a label. */
export const uidKey = "uid";

const capabilityPrefix = "capability:";
const componentPrefix = "component:";

/** Whether a key means something else than a label, so that no label can be called so. */
export function isReservedKey(key: string): boolean {
  return key === uidKey || asksState(key);
}

/** Whether a key asks for what an Agent said it can do. */
export function asksState(key: string): boolean {
  return key.startsWith(capabilityPrefix) || key.startsWith(componentPrefix);
}

/** What is expected of a key that can never mean anything, such as a capability that does not exist. */
export function problemOfKey(key: string): string | undefined {
  if (key.startsWith(capabilityPrefix) && capabilityOf(key) === undefined) {
    return `one of ${Object.keys(AgentCapability).join(", ")} after ${capabilityPrefix}`;
  }
  const isComponent = key.startsWith(componentPrefix);
  return isComponent && !/^[^/]+(\/.+)?$/.test(key.slice(componentPrefix.length))
    ? `a component such as ${componentPrefix}receiver/otlp`
    : undefined;
}

/** `uid`, `capability:AcceptsPackages`, `component:receiver/otlp` (of any kind: `component:otlp`), or a label. */
export function keyReader(key: string): KeyReader {
  if (key === uidKey) return ({ id }) => id;
  const capability = capabilityOf(key);
  if (capability !== undefined) {
    return ({ state }) => (hasBits(state?.capabilities ?? 0n, capability) ? "" : undefined);
  }
  if (key.startsWith(componentPrefix)) return componentReader(key.slice(componentPrefix.length));
  return ({ labels }) => (Object.hasOwn(labels, key) ? labels[key] : undefined);
}

function capabilityOf(key: string): bigint | undefined {
  if (!key.startsWith(capabilityPrefix)) return undefined;
  const name = key.slice(capabilityPrefix.length);
  return Object.entries(AgentCapability).find(([each]) => each === name)?.[1];
}

/** Agents name the kinds in the plural: receivers, processors. */
function componentReader(component: string): KeyReader {
  const [first = "", ...rest] = component.split("/");
  const name = rest.length === 0 ? first : rest.join("/");
  const isWanted = (kind: string) => rest.length === 0 || kind === first || kind === `${first}s`;
  return ({ state }) => {
    const kinds = Object.entries(state?.availableComponents?.components ?? {});
    const has = kinds.some(
      ([kind, { subComponentMap }]) => isWanted(kind) && Object.hasOwn(subComponentMap, name),
    );
    return has ? "" : undefined;
  };
}
