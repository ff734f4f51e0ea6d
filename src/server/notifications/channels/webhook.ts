import { createHmac } from "node:crypto";
import type { Clock } from "../../../foundation/clock.ts";
import type { Channel } from "../delivery.ts";
import type { WebhookSettings } from "../settings.ts";
import { postJson } from "./post-json.ts";

export interface WebhookOptions {
  name: string;
  settings: WebhookSettings;
  fetch: typeof fetch;
  clock: Clock;
}

/** Posts each notification as JSON, signed as https://www.standardwebhooks.com has it. */
export function webhook({ name, settings: { url, secret }, fetch, clock }: WebhookOptions): Channel {
  return {
    name,
    async send({ at, ...notification }, signal) {
      const body = JSON.stringify({ ...notification, at: new Date(at).toISOString() });
      const headers = signatureHeaders(secret, notification.id, clock.now(), body);
      await postJson({ fetch, url, headers, body, signal });
    },
  };
}

/** The time is that of the attempt, so that a receiver can refuse what somebody recorded. */
function signatureHeaders(secret: string | undefined, id: string, now: number, body: string) {
  const timestamp = String(Math.floor(now / 1000));
  const named = { "webhook-id": id, "webhook-timestamp": timestamp };
  if (secret === undefined) return named;
  const hmac = createHmac("sha256", keyOf(secret)).update(`${id}.${timestamp}.${body}`);
  return { ...named, "webhook-signature": `v1,${hmac.digest("base64")}` };
}

/** `whsec_` and base64, or the text itself. */
function keyOf(secret: string): Buffer {
  const prefix = "whsec_";
  return secret.startsWith(prefix)
    ? Buffer.from(secret.slice(prefix.length), "base64")
    : Buffer.from(secret, "utf8");
}
