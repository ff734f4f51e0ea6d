import { describe, expect, it } from "vitest";
import { createConfiguration } from "../../../../src/server/configurations/configuration.ts";
import { everyAgent, parseSelector } from "../../../../src/server/fleet/selector.ts";
import { Assignments } from "../../../../src/server/offers/assignments.ts";

const configuration = (text: string) =>
  createConfiguration({ "": { body: Buffer.from(text), contentType: "text/yaml" } });
const prod = { id: "1", labels: { env: "prod" } };
const dev = { id: "2", labels: { env: "dev" } };

describe("Assignments", () => {
  it("has nothing for an Agent nobody pushed to", () => {
    const assignments = new Assignments();
    assignments.push(parseSelector("env=prod"), configuration("a: 1"));
    expect(assignments.desiredFor(dev)).toBeUndefined();
  });

  it("lets the newest matching push win", () => {
    const assignments = new Assignments();
    const all = assignments.push(everyAgent, configuration("a: 1"));
    const some = assignments.push(parseSelector("env=prod"), configuration("a: 2"));
    expect(assignments.desiredFor(prod)).toBe(some);
    expect(assignments.desiredFor(dev)).toBe(all);
    const later = assignments.push(everyAgent, configuration("a: 3"));
    expect(assignments.desiredFor(prod)).toBe(later);
  });

  it("tells a push from an earlier one of the same content", () => {
    const assignments = new Assignments();
    const first = assignments.push(everyAgent, configuration("a: 1"));
    const second = assignments.push(everyAgent, configuration("a: 1"));
    expect(second.number).toBeGreaterThan(first.number);
    expect(assignments.desiredFor(dev)).toBe(second);
  });
});
