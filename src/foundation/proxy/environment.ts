import { BlockList, isIP } from "node:net";
import { isLoopback } from "../loopback.ts";
import { type ForwardProxy, hostOf, type ProxyFor, parseProxyUrl, portOf } from "./proxy.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxies that `HTTPS_PROXY` (https, wss), `HTTP_PROXY` (http, ws) and `NO_PROXY` name, in capitals or not, read
 * as Go programs read them: this machine itself is never reached by a proxy, and `NO_PROXY` lists hosts (with all below
 * them), `.domains`, addresses and networks, each with or without a port, or `*`.
 */
export function proxyOfEnvironment(environment: Environment): ProxyFor {
  return (target) => {
    const isSecure = target.protocol === "https:" || target.protocol === "wss:";
    const text = variable(environment, isSecure ? "HTTPS_PROXY" : "HTTP_PROXY");
    if (text === "" || isExcepted(target, variable(environment, "NO_PROXY"))) return undefined;
    return proxyAt(text);
  };
}

/** @throws when it is no address of a proxy; the message does not show it, since it may hold a password. */
function proxyAt(text: string): ForwardProxy {
  const url = parseProxyUrl(text);
  if (url !== undefined) return { url, connectHeaders: {} };
  throw new Error(
    "HTTPS_PROXY or HTTP_PROXY is no address of a proxy: expected http, https, socks5 or socks5h, such as http://proxy.example.com:3128",
  );
}

function variable(environment: Environment, name: string): string {
  return (environment[name] || environment[name.toLowerCase()] || "").trim();
}

function isExcepted(target: URL, noProxy: string): boolean {
  const host = hostOf(target).toLowerCase().replace(/\.$/, "");
  if (isLoopback(host)) return true;
  return noProxy.split(",").some((entry) => matches(entry.trim().toLowerCase(), host, portOf(target)));
}

function matches(entry: string, host: string, port: number): boolean {
  if (entry === "*") return true;
  if (entry.includes("/")) return isInNetwork(entry, host);
  const [, name = entry, wanted] = isIP(entry) === 6 ? [] : (/^(.*?)(?::(\d+))?$/.exec(entry) ?? []);
  if (wanted !== undefined && Number(wanted) !== port) return false;
  const bare = name.replace(/^\[|\]$/g, "").replace(/^\*(?=\.)/, "");
  if (bare === "") return false;
  if (isIP(bare) !== 0) return bare === host;
  return bare.startsWith(".") ? host.endsWith(bare) : host === bare || host.endsWith(`.${bare}`);
}

function isInNetwork(entry: string, host: string): boolean {
  const [address = "", length = ""] = entry.split("/");
  const family = isIP(address);
  if (family === 0 || isIP(host) !== family || !/^\d{1,3}$/.test(length)) return false;
  if (Number(length) > (family === 4 ? 32 : 128)) return false;
  const networks = new BlockList();
  const name = family === 4 ? "ipv4" : "ipv6";
  networks.addSubnet(address, Number(length), name);
  return networks.check(host, name);
}
