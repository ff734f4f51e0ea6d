import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { agentFor } from "../../../foundation/proxy/agent.ts";
import type { ForwardProxy } from "../../../foundation/proxy/proxy.ts";
import { readBody } from "../../../opamp/agent/http-body.ts";
import type { ClientTls } from "../../../opamp/agent/settings.ts";

const maxAnswerBytes = 64 * 1024;

interface FormPost {
  url: URL;
  form: URLSearchParams;
  headers: Readonly<Record<string, string>>;
  timeoutMs: number;
  tls: ClientTls;
  proxy: ForwardProxy | undefined;
}

/**
 * Posts a form and reads the whole answer. Redirects are not followed: they would lead the secrets elsewhere.
 */
export async function postForm({
  url,
  form,
  headers,
  timeoutMs,
  tls,
  proxy,
}: FormPost): Promise<{ status: number; text: string }> {
  const body = form.toString();
  const agent = agentFor(url, proxy, {});
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const start = url.protocol === "https:" ? httpsRequest : httpRequest;
      const all = {
        ...headers,
        Accept: "application/json",
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": String(Buffer.byteLength(body)),
      };
      const request = start(url, { ...tls, method: "POST", agent, headers: all, signal }, resolve);
      request.on("error", reject);
      request.end(body);
    });
    const answer = await readBody(response, maxAnswerBytes);
    return { status: response.statusCode ?? 0, text: Buffer.from(answer).toString() };
  } catch (error) {
    if (signal.aborted) throw new Error(`the token endpoint did not answer within ${timeoutMs / 1_000} s`);
    throw new Error("the token endpoint was not reached", { cause: error });
  } finally {
    agent.destroy();
  }
}
