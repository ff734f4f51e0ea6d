import { readFileSync } from "node:fs";
import { arch, hostname, platform, release } from "node:os";
import { create } from "@bufbuild/protobuf";
import { type AgentDescription, AgentDescriptionSchema, type KeyValue } from "../../opamp/messages.ts";

/** Attributes by key; identifying ones name the agent, the others describe its host. */
export interface Attributes {
  identifying: Readonly<Record<string, string>>;
  nonIdentifying: Readonly<Record<string, string>>;
}

/** What this host and this binary say of themselves, with the settings' own attributes over it (AS7, AS8). */
export function describeAgent(options: {
  instanceId: string;
  serviceName: string;
  serviceVersion: string;
  overrides: Attributes;
}): Attributes {
  return {
    identifying: {
      "service.instance.id": options.instanceId,
      "service.name": options.serviceName,
      "service.version": options.serviceVersion,
      ...options.overrides.identifying,
    },
    nonIdentifying: {
      "host.arch": goArchitecture(arch()),
      "host.name": hostname(),
      "os.description": describeOs(),
      "os.type": platform() === "win32" ? "windows" : platform(),
      ...options.overrides.nonIdentifying,
    },
  };
}

/** The same as a message, sorted by key; `reported` is what the Collector's extension adds to it. */
export function toAgentDescription(
  own: Attributes,
  overrides: Attributes,
  reported?: AgentDescription,
): AgentDescription {
  return create(AgentDescriptionSchema, {
    identifyingAttributes: merge(own.identifying, reported?.identifyingAttributes, overrides.identifying),
    nonIdentifyingAttributes: merge(
      own.nonIdentifying,
      reported?.nonIdentifyingAttributes,
      overrides.nonIdentifying,
    ),
  });
}

function merge(
  own: Readonly<Record<string, string>>,
  reported: readonly KeyValue[] | undefined,
  overrides: Readonly<Record<string, string>>,
): KeyValue[] {
  const values = new Map<string, KeyValue>();
  const add = (key: string, text: string) =>
    values.set(key, {
      $typeName: "opamp.v1.KeyValue",
      key,
      value: { $typeName: "opamp.v1.AnyValue", value: { case: "stringValue", value: text } },
    });
  for (const [key, text] of Object.entries(own)) add(key, text);
  for (const attribute of reported ?? []) values.set(attribute.key, attribute);
  for (const [key, text] of Object.entries(overrides)) add(key, text);
  return [...values.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** Go's names, which OpenTelemetry's `host.arch` uses too. */
function goArchitecture(node: string): string {
  const names: Record<string, string> = { x64: "amd64", ia32: "386" };
  return names[node] ?? node;
}

function describeOs(): string {
  try {
    const name = /^PRETTY_NAME="?(.*?)"?$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1];
    if (name !== undefined) return name;
  } catch {
    // Not every system has the file; the kernel's release is the next best name.
  }
  return `${platform()} ${release()}`;
}
