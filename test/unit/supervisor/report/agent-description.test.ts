import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { type AgentDescription, AgentDescriptionSchema } from "../../../../src/opamp/messages.ts";
import { describeAgent, toAgentDescription } from "../../../../src/supervisor/report/agent-description.ts";

const nothing = { identifying: {}, nonIdentifying: {} };

function texts(attributes: AgentDescription["identifyingAttributes"]) {
  return attributes.map(
    ({ key, value }) =>
      `${key}=${value?.value.case === "stringValue" || value?.value.case === "intValue" ? value.value.value : "?"}`,
  );
}

function reported(identifying: Record<string, string>, nonIdentifying: Record<string, string> = {}) {
  const list = (values: Record<string, string>) =>
    Object.entries(values).map(([key, value]) => ({
      key,
      value: { value: { case: "stringValue" as const, value } },
    }));
  return create(AgentDescriptionSchema, {
    identifyingAttributes: list(identifying),
    nonIdentifyingAttributes: list(nonIdentifying),
  });
}

describe("describeAgent", () => {
  const described = describeAgent({
    instanceId: "0192-id",
    serviceName: "otelcol",
    serviceVersion: "0.149.0",
    overrides: { identifying: { "service.name": "edge" }, nonIdentifying: { rack: "7" } },
  });

  it("AS7: names the agent by id, name and version; the settings have the last word", () => {
    expect(described.identifying).toEqual({
      "service.instance.id": "0192-id",
      "service.name": "edge",
      "service.version": "0.149.0",
    });
  });

  it("AS8: describes the host with OpenTelemetry's names for the architecture and the system", () => {
    const { nonIdentifying } = described;
    expect(Object.keys(nonIdentifying).sort()).toEqual([
      "host.arch",
      "host.name",
      "os.description",
      "os.type",
      "rack",
    ]);
    expect(nonIdentifying["host.arch"]).not.toBe("x64");
    expect(nonIdentifying["os.description"]).not.toBe("");
  });
});

describe("toAgentDescription", () => {
  const own = { identifying: { "service.name": "otelcol", id: "1" }, nonIdentifying: { "os.type": "linux" } };

  it("is sorted by key, so that the same attributes are the same message", () => {
    expect(texts(toAgentDescription(own, nothing).identifyingAttributes)).toEqual([
      "id=1",
      "service.name=otelcol",
    ]);
  });

  it("takes what the Collector's extension reports over its own, and the settings over both", () => {
    const overrides = { identifying: { id: "settings" }, nonIdentifying: {} };
    const message = toAgentDescription(
      own,
      overrides,
      reported({ "service.name": "otelcol-contrib", id: "extension" }, { "host.id": "h" }),
    );
    expect(texts(message.identifyingAttributes)).toEqual(["id=settings", "service.name=otelcol-contrib"]);
    expect(texts(message.nonIdentifyingAttributes)).toEqual(["host.id=h", "os.type=linux"]);
  });

  it("keeps values of the extension that are no text", () => {
    const description = create(AgentDescriptionSchema, {
      nonIdentifyingAttributes: [{ key: "cpus", value: { value: { case: "intValue", value: 4n } } }],
    });
    const { nonIdentifyingAttributes } = toAgentDescription(own, nothing, description);
    expect(texts(nonIdentifyingAttributes)).toEqual(["cpus=4", "os.type=linux"]);
  });
});
