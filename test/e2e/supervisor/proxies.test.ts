import { describe, expect, it } from "vitest";
import { OtlpReceiver } from "../../support/otlp-receiver.ts";
import { offerProgram, packageHost, packageTold, secondProgram } from "../../support/packages.ts";
import { nameBehindProxy, startHttpProxy, startSocksProxy } from "../../support/proxies.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";

const password = "pr0xy-s3cret";
const withCredentials = (url: string) => url.replace("//", `//agent:${password}@`);

/** A host that knows its server by a name that only proxies resolve. */
async function hostBehind(transport: "ws" | "http", server: object = {}) {
  const host = await supervisorHost({ transport, secrets: [password] });
  const endpoint = `${transport}://${nameBehindProxy}:${host.ports.opamp}/v1/opamp`;
  await host.writeSettings({}, {}, { server: { endpoint, ...server } });
  host.server.answer = () => ({ connectionSettings: { opamp: { heartbeatIntervalSeconds: 1n } } });
  return { host, target: `${nameBehindProxy}:${host.ports.opamp}` };
}

describe.each(["ws", "http"] as const)("a host that gets out by a proxy, over %s", (transport) => {
  it("is managed through the HTTP proxy of server.proxy", async () => {
    const proxy = await startHttpProxy();
    const connect_headers = { "Proxy-Authorization": `Bearer ${password}` };
    const { host, target } = await hostBehind(transport, { proxy: { url: proxy.url, connect_headers } });
    await host.startHealthy();
    await host.apply(host.remotePipeline());
    await host.expectDataFlows();
    expect(new Set(proxy.requests.map((request) => request.target))).toEqual(new Set([target]));
    expect(proxy.requests[0]?.headers["proxy-authorization"]).toBe(`Bearer ${password}`);
  });

  it("is managed through the SOCKS proxy that the environment names", async () => {
    const proxy = await startSocksProxy({ password });
    const { host, target } = await hostBehind(transport);
    const from = host.server.mark;
    await host.start({ HTTP_PROXY: withCredentials(proxy.url) });
    await host.server.reported("health", ({ healthy }) => healthy, from);
    await host.apply(host.remotePipeline());
    await host.expectDataFlows();
    expect(proxy.requests[0]).toEqual({ addressType: 3, target, user: "agent" });
  });
});

it.each(["http", "socks"])(
  "own telemetry goes through the %s proxy that the environment names",
  async (kind) => {
    const proxy = kind === "http" ? await startHttpProxy() : await startSocksProxy();
    await using receiver = await OtlpReceiver.start();
    const endpoint = receiver.endpoint.replace("127.0.0.1", nameBehindProxy);
    const exporter = { otlp: { protocol: "http/json", endpoint } };
    const telemetry = { logs: { processors: [{ batch: { schedule_delay: 100, exporter } }] } };
    const host = await supervisorHost({ settings: { telemetry } });
    await host.start({ HTTP_PROXY: proxy.url });
    await receiver.waitFor(receiver.logs, () => true);
    expect(proxy.requests[0]?.target).toContain(new URL(endpoint).host);
  },
);

it("a package comes through the proxy of packages.proxy", async () => {
  const proxy = await startSocksProxy();
  const rig = await packageHost({ settings: { packages: { proxy: { url: proxy.url } } } });
  const { host } = rig;
  const { packages } = await offerProgram(rig, secondProgram());
  expect(await packageTold(host.server, "", /^Install(ed|Failed)/)).toBe("Installed 2.0");
  const source = new URL(packages[""]?.file?.downloadUrl ?? "");
  expect(new Set(proxy.requests.map(({ target }) => target))).toEqual(new Set([source.host]));
});
