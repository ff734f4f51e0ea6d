import { validateHeaderName, validateHeaderValue } from "node:http";
import * as z from "zod/mini";
import type { FetchedHeaders } from "./header-source.ts";

/**
 * Reads headers as a file or a command gives them: lines `Name: value` as curl reads them, or JSON,
 * `{"headers": {"Name": "value"}, "expires_in": 3600}` with a lifetime in seconds. Without one, that of a JSON Web Token
 * in `Authorization: Bearer` counts.
 * @param now milliseconds since the Unix epoch.
 * @throws Error that quotes nothing of it.
 */
export function parseHeaderText(text: string, now: number): FetchedHeaders {
  const isJson = text.trimStart().startsWith("{");
  const { headers, expiresIn } = isJson ? fromJson(text) : { headers: fromLines(text), expiresIn: undefined };
  for (const [name, value] of Object.entries(headers)) check(name, value);
  if (Object.keys(headers).length === 0) throw new Error("it holds no header");
  return { headers, lifetimeMs: expiresIn === undefined ? tokenLifetime(headers, now) : expiresIn * 1_000 };
}

function fromLines(text: string): Record<string, string> {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "" && !line.startsWith("#"));
  return Object.fromEntries(
    lines.map((line, index) => {
      const [, name, value] = /^([^:\s]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
      if (name === undefined || value === undefined)
        throw new Error(`line ${index + 1} is not a header such as "Authorization: Bearer TOKEN"`);
      return [name, value];
    }),
  );
}

function fromJson(text: string): { headers: Record<string, string>; expiresIn: number | undefined } {
  const schema = z.object({
    headers: z.record(z.string(), z.string()),
    expires_in: z.optional(z.number().check(z.positive())),
  });
  const wrong = new Error(
    'it is not JSON such as {"headers": {"Authorization": "Bearer TOKEN"}, "expires_in": 3600}',
  );
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    // What JSON.parse says quotes the text.
    throw wrong;
  }
  const { data } = schema.safeParse(content);
  if (data === undefined) throw wrong;
  return { headers: data.headers, expiresIn: data.expires_in };
}

function check(name: string, value: string): void {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
  } catch {
    throw new Error("it has a header whose name or value cannot be sent in HTTP");
  }
}

/**
 * Until `exp` of a JSON Web Token (RFC 7519). Where it says when it was issued it cannot be good for longer than from
 * then on, which is what a host with a slow clock goes by.
 */
function tokenLifetime(headers: Readonly<Record<string, string>>, now: number): number | undefined {
  const value = Object.entries(headers).find(([name]) => name.toLowerCase() === "authorization")?.[1];
  const payload = /^Bearer +[\w-]+\.([\w-]+)\.[\w-]*$/i.exec(value ?? "")?.[1];
  if (payload === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString());
    const { exp, iat } = z.object({ exp: z.number(), iat: z.optional(z.number()) }).parse(claims);
    const left = exp * 1_000 - now;
    return Math.max(0, iat === undefined ? left : Math.min(left, (exp - iat) * 1_000));
  } catch {
    // Something else that has two dots.
    return undefined;
  }
}
