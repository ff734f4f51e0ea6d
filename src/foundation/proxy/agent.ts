import { type AgentOptions, type ClientRequestArgs, Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent, type AgentOptions as HttpsAgentOptions } from "node:https";
import type { Duplex } from "node:stream";
import { connectTunnel, type ProxyTls, type TunnelTarget } from "./connect-tunnel.ts";
import type { ForwardProxy } from "./proxy.ts";
import { socksTunnel } from "./socks-tunnel.ts";

/**
 * The agent of `node:http` or `node:https` for requests to `target`, WebSockets too, by way of a proxy if one is given.
 * A proxy that does not answer is waited for until `destroy`, which ends what is under way.
 */
export function agentFor(
  target: URL,
  proxy: ForwardProxy | undefined,
  options: HttpsAgentOptions = {},
): HttpAgent {
  const isSecure = target.protocol === "https:" || target.protocol === "wss:";
  // Plain HTTP is what a proxy expects to pass on rather than to tunnel, and many tunnel to port 443 alone.
  if (target.protocol === "http:" && proxy !== undefined && passesOn(proxy)) {
    return new HttpAgent({ ...options, proxyEnv: { HTTP_PROXY: proxy.url.href } } as AgentOptions);
  }
  const agent = isSecure ? new HttpsAgent(options) : new HttpAgent(options);
  if (proxy !== undefined) tunnel(agent, proxy, isSecure);
  return agent;
}

function passesOn({ url, connectHeaders }: ForwardProxy): boolean {
  return url.protocol.startsWith("http") && Object.keys(connectHeaders).length === 0;
}

type Created = (error: Error | null, socket: Duplex) => void;

/** Makes every connection of an agent one through a proxy. */
function tunnel(agent: HttpAgent, proxy: ForwardProxy, isSecure: boolean): void {
  const abort = new AbortController();
  const secure = agent.createConnection.bind(agent);
  const destroy = agent.destroy.bind(agent);
  agent.createConnection = (options: ClientRequestArgs, created?: Created) => {
    const target = { host: options.host ?? "localhost", port: Number(options.port) };
    open(proxy, target, options as ProxyTls, abort.signal)
      .then((socket) => {
        try {
          created?.(null, (isSecure ? secure({ ...options, socket } as object) : socket) as Duplex);
        } catch (error) {
          // TLS settings that cannot be used.
          socket.destroy();
          throw error;
        }
      })
      .catch((error: Error) => created?.(error, undefined as never));
    return undefined;
  };
  agent.destroy = () => {
    abort.abort(new Error("closed by this side"));
    destroy();
  };
}

function open(proxy: ForwardProxy, target: TunnelTarget, options: ProxyTls, signal: AbortSignal) {
  if (proxy.url.protocol.startsWith("socks")) return socksTunnel(proxy, target, signal);
  // A proxy is trusted by the same authorities, but it is not the server: no pins, no expected name.
  const { ca, cert, key, minVersion, rejectUnauthorized } = options;
  const tls = Object.fromEntries(
    Object.entries({ ca, cert, key, minVersion, rejectUnauthorized }).filter(
      ([, value]) => value !== undefined,
    ),
  );
  return connectTunnel(proxy, target, { tls, signal });
}
