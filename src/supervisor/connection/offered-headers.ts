import { validateHeaderName, validateHeaderValue } from "node:http";
import { UnusableOfferError } from "./unusable-offer.ts";

/**
 * Headers of an offer, those of one name joined (AN7).
 * @throws UnusableOfferError when one cannot be sent.
 */
export function offeredHeaders(headers: readonly { key: string; value: string }[]): Record<string, string> {
  const result: Record<string, string> = {};
  for (const { key, value } of headers) {
    try {
      validateHeaderName(key);
      validateHeaderValue(key, value);
    } catch {
      // The error of node:http would quote what is wrong.
      throw new UnusableOfferError("it has a header whose name or value cannot be sent in HTTP");
    }
    const before = result[key];
    result[key] = before === undefined ? value : `${before}, ${value}`;
  }
  return result;
}
