import { parseProxyUrl } from "../../foundation/proxy/proxy.ts";
import type { ProxyConnectionSettings } from "../../opamp/messages.ts";
import type { Overrides } from "./connection-record.ts";
import { offeredHeaders } from "./offered-headers.ts";
import { UnusableOfferError } from "./unusable-offer.ts";

/**
 * An offered proxy, with the headers that it is to be shown (AN13).
 * @throws UnusableOfferError
 */
export function offeredProxy({
  url,
  connectHeaders,
}: ProxyConnectionSettings): NonNullable<Overrides["proxy"]> {
  if (url === "") throw new UnusableOfferError("its proxy has no URL");
  const proxy = parseProxyUrl(url);
  if (proxy === undefined) {
    throw new UnusableOfferError("its proxy is not an http, https, socks5 or socks5h URL");
  }
  return { url: proxy.href, connectHeaders: offeredHeaders(connectHeaders?.headers ?? []) };
}
