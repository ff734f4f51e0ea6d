import type { ProxyConnectionSettings } from "../../opamp/messages.ts";
import { UnusableOfferError } from "./unusable-offer.ts";

/**
 * The URL of an offered proxy, with what it needs to know to let this host through (AN13).
 * @throws UnusableOfferError for what cannot be done here: SOCKS, a proxy for `ws:`, headers of one's own.
 */
export function offeredProxy({ url, connectHeaders }: ProxyConnectionSettings, endpoint: URL): string {
  if (url === "") throw new UnusableOfferError("its proxy has no URL");
  const proxy = URL.parse(/^[a-z0-9+.-]+:\/\//i.test(url) ? url : `http://${url}`);
  if (proxy === null || !/^https?:$/.test(proxy.protocol)) {
    throw new UnusableOfferError("its proxy is not an http or https URL");
  }
  if (endpoint.protocol === "ws:") throw new UnusableOfferError("a proxy cannot be used for a ws endpoint");
  for (const { key, value } of connectHeaders?.headers ?? []) {
    const [, credentials] = /^basic +([a-z0-9+/]+=*)$/i.exec(value) ?? [];
    if (key.toLowerCase() !== "proxy-authorization" || credentials === undefined) {
      throw new UnusableOfferError(
        "of headers for its proxy, only a Proxy-Authorization of type Basic can be sent",
      );
    }
    const [user = "", ...password] = Buffer.from(credentials, "base64").toString("utf8").split(":");
    proxy.username = encodeURIComponent(user);
    proxy.password = encodeURIComponent(password.join(":"));
  }
  return proxy.href;
}
