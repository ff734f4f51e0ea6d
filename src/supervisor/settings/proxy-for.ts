import type { ProxyFor } from "../../foundation/proxy/proxy.ts";
import type { ProxySettings } from "./supervisor-settings.ts";

/** The proxy of a section, for every target; undefined where it names none and the environment decides. */
export function proxyFor({ url, connectHeaders }: ProxySettings): ProxyFor | undefined {
  if (url === undefined) return undefined;
  const joined = Object.entries(connectHeaders).map(([name, values]) => [name, values.join(", ")]);
  const proxy = { url: new URL(url), connectHeaders: Object.fromEntries(joined) as Record<string, string> };
  return () => proxy;
}
