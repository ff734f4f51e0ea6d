import { once } from "node:events";
import { createServer } from "node:http";
import { describe, expect, it, onTestFinished } from "vitest";
import { Prometheus } from "../../../../src/server/rollouts/prometheus.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

/** A Prometheus that answers every query with this text. */
async function answering(body: string, status = 200) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    request.on("data", (chunk: Buffer) => asked.push(`${request.url} ${chunk.toString()}`));
    request.on("end", () => response.writeHead(status).end(body));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  const url = `http://127.0.0.1:${port}/prom`;
  return { asked, prometheus: new Prometheus({ url, fetch, clock: new ManualClock(), timeoutMs: 1_000 }) };
}

const vector = (...values: string[]) =>
  JSON.stringify({
    status: "success",
    data: { resultType: "vector", result: values.map((value) => ({ metric: {}, value: [1, value] })) },
  });

describe("a query to Prometheus", () => {
  it("comes to one number", async () => {
    const { asked, prometheus } = await answering(vector("0.25"));
    expect(await prometheus.ask("sum(rate(lost[1m]))")).toMatchObject({ t: "value", value: 0.25 });
    expect(asked).toEqual(["/prom/api/v1/query query=sum%28rate%28lost%5B1m%5D%29%29"]);
    const scalar = { status: "success", data: { resultType: "scalar", result: [1, "7"] } };
    expect(await (await answering(JSON.stringify(scalar))).prometheus.ask("7")).toMatchObject({ value: 7 });
  });

  it.each([
    ["nothing", vector(), 200, "the query has no result"],
    ["several series", vector("1", "2"), 200, "2 results: make it one"],
    ["no number", vector("NaN"), 200, "the result is NaN"],
    ["an error", JSON.stringify({ status: "error", error: "parse error" }), 400, "parse error"],
    ["something else", JSON.stringify({ hello: 1 }), 200, "HTTP 200 without a number"],
    ["no JSON", "<html>", 502, "JSON"],
  ])("has failed with %s for an answer", async (_, body, status, reason) => {
    const { prometheus } = await answering(body, status);
    expect(await prometheus.ask("x")).toEqual({ t: "failed", reason: expect.stringContaining(reason) });
  });

  it("has failed where nobody answers, or none is set", async () => {
    const clock = new ManualClock();
    const asking = (url: string | undefined) =>
      new Prometheus({ url, fetch, clock, timeoutMs: 1_000 }).ask("x");
    expect(await asking("http://127.0.0.1:1")).toMatchObject({ t: "failed" });
    expect(await asking(undefined)).toMatchObject({
      reason: expect.stringContaining("rollouts.prometheus_url"),
    });
  });
});
