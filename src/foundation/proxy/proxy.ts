/** A proxy and how to be let through by it. */
export interface ForwardProxy {
  /** `http:`, `https:`, `socks5:` or `socks5h:`; may hold a user and a password. */
  readonly url: URL;
  /** Headers of the CONNECT request; secrets. SOCKS has none. */
  readonly connectHeaders: Readonly<Record<string, string>>;
}

/** Which proxy leads to a URL; undefined: none. */
export type ProxyFor = (target: URL) => ForwardProxy | undefined;

/** What a proxy may be. With both kinds of SOCKS the proxy resolves the name, as in Go. */
const schemes = ["http:", "https:", "socks5:", "socks5h:"];

/** A proxy's address; `host:port` alone means http. Undefined where it is none that can be used. */
export function parseProxyUrl(text: string): URL | undefined {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  return url !== null && schemes.includes(url.protocol) && url.hostname !== "" ? url : undefined;
}

/** Without brackets around an IPv6 address, as sockets want it. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, "");
}

/** Of a URL, also where it is that of its scheme. */
export function portOf({ port, protocol }: URL): number {
  return Number(port || defaultPorts[protocol]);
}

const defaultPorts: Readonly<Record<string, string>> = {
  ...{ "http:": "80", "ws:": "80", "https:": "443", "wss:": "443" },
  ...{ "socks5:": "1080", "socks5h:": "1080" },
};

/** User and password of a URL, decoded; undefined when it has neither. */
export function userinfoOf({ username, password }: URL): { user: string; password: string } | undefined {
  if (username === "" && password === "") return undefined;
  return { user: decoded(username), password: decoded(password) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
