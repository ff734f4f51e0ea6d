import { readFile } from "node:fs/promises";
import * as z from "zod/mini";
import type { ProxyFor } from "../../../foundation/proxy/proxy.ts";
import type { OAuth2Settings } from "../../settings/supervisor-settings.ts";
import { clientTls } from "../client-tls.ts";
import type { FetchedHeaders, HeaderSource } from "./header-source.ts";
import { postForm } from "./post-form.ts";

/** The codes of RFC 6749 section 5.2. Any other text of a server may be anything, a secret that it repeats among it. */
const knownErrors: ReadonlySet<string> = new Set([
  ...["invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type"],
  ...["invalid_scope", "temporarily_unavailable", "server_error"],
]);

/** How the client says who it is (RFC 6749 section 2.3.1). */
type AuthStyle = "header" | "params";

/** `server.oauth2`: client credentials (RFC 6749 section 4.4). */
export function oauth2Source(settings: OAuth2Settings, proxyFor: ProxyFor): HeaderSource {
  /** What the server has taken before. */
  let known: AuthStyle | undefined;
  const ask = async (style: AuthStyle): Promise<FetchedHeaders> => {
    const id = await secretOf("client_id", settings.clientId, settings.clientIdFile);
    const secret = await secretOf("client_secret", settings.clientSecret, settings.clientSecretFile);
    const form = new URLSearchParams({ grant_type: "client_credentials" });
    if (settings.scopes.length > 0) form.set("scope", settings.scopes.join(" "));
    for (const [name, values] of Object.entries(settings.endpointParams))
      for (const value of values) form.append(name, value);
    if (style === "params") {
      form.set("client_id", id);
      form.set("client_secret", secret);
    }
    const url = new URL(settings.tokenUrl);
    const answer = await postForm({
      url,
      proxy: proxyFor(url),
      form,
      headers: style === "header" ? { Authorization: basic(id, secret) } : {},
      timeoutMs: settings.timeoutMs,
      tls: clientTls(settings.tls, "server.oauth2.tls"),
    });
    if (answer.status !== 200) throw new RefusedError(answer.status, errorCodeOf(answer.text));
    return toHeaders(answer.text);
  };
  return {
    name: "server.oauth2",
    intervalMs: settings.refreshIntervalMs,
    expiryBufferMs: settings.expiryBufferMs,
    async fetch() {
      const style = known ?? "header";
      try {
        const headers = await ask(style);
        known = style;
        return headers;
      } catch (error) {
        if (!(error instanceof RefusedError) || known !== undefined) throw error;
        // Many servers know only one of both ways, and none says which.
        const headers = await ask("params");
        known = "params";
        return headers;
      }
    },
  };
}

class RefusedError extends Error {
  constructor(status: number, code: string | undefined) {
    super(`the token endpoint answered HTTP ${status}${code === undefined ? "" : ` (${code})`}`);
  }
}

async function secretOf(key: string, text: string | undefined, file: string | undefined): Promise<string> {
  if (file === undefined) return text ?? "";
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (cause) {
    throw new Error(`${key}_file cannot be read`, { cause });
  }
}

/** Both parts form-encoded before they are joined (RFC 6749 section 2.3.1). */
function basic(id: string, secret: string): string {
  const [encodedId = "", encodedSecret = ""] = [id, secret].map((text) =>
    new URLSearchParams({ t: text }).toString().slice(2),
  );
  return `Basic ${Buffer.from(`${encodedId}:${encodedSecret}`).toString("base64")}`;
}

function errorCodeOf(text: string): string | undefined {
  const { data } = z.object({ error: z.string() }).safeParse(parseJson(text));
  return data !== undefined && knownErrors.has(data.error) ? data.error : undefined;
}

function toHeaders(text: string): FetchedHeaders {
  const schema = z.object({
    access_token: z.string().check(z.regex(/^[\x21-\x7e]+$/)),
    token_type: z.optional(z.string()),
    expires_in: z.optional(z.coerce.number().check(z.positive())),
  });
  const { data } = schema.safeParse(parseJson(text));
  if (data === undefined) throw new Error("the token endpoint's answer holds no access token");
  if (data.token_type !== undefined && data.token_type.toLowerCase() !== "bearer")
    throw new Error("the token endpoint's token is not of the type Bearer");
  const lifetimeMs = data.expires_in === undefined ? undefined : data.expires_in * 1_000;
  return { headers: { Authorization: `Bearer ${data.access_token}` }, lifetimeMs };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
