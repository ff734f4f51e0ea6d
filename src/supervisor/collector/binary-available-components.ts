import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { type AvailableComponents, AvailableComponentsSchema } from "../../opamp/messages.ts";
import type { IdentifiedBinary } from "./binary.ts";
import type { Component, ComponentKind } from "./binary-output.ts";

/** In the order in which the opamp extension hashes them. */
const hashOrder: readonly ComponentKind[] = [
  "receivers",
  "processors",
  "exporters",
  "extensions",
  "connectors",
];

/**
 * The binary's components as its own opamp extension would report them (AX2), for the time before it has:
 * where every module is known the hash is the same too. What the extension says replaces it.
 */
export function availableComponents({ components }: IdentifiedBinary): AvailableComponents {
  const sorted = (kind: ComponentKind) => [...components[kind]].sort((a, b) => (a.name < b.name ? -1 : 1));
  const text = hashOrder.map((kind) => {
    const members = sorted(kind).map(({ name, module }) => `${name}=${module ?? ""};`);
    return `${kind.slice(0, -1)}:${members.join("")}`;
  });
  return create(AvailableComponentsSchema, {
    hash: createHash("sha256").update(text.join("")).digest(),
    components: Object.fromEntries(
      hashOrder.map((kind) => [
        kind,
        {
          subComponentMap: Object.fromEntries(
            sorted(kind).map((component) => [component.name, detailsOf(component)]),
          ),
        },
      ]),
    ),
  });
}

function detailsOf({ module }: Component) {
  if (module === undefined) return {};
  return {
    metadata: [{ key: "code.namespace", value: { value: { case: "stringValue" as const, value: module } } }],
  };
}
