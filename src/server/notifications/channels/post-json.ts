import { describeError } from "../../../foundation/errors.ts";
import { DeliveryError } from "../delivery.ts";

export interface JsonPost {
  fetch: typeof fetch;
  url: string;
  headers?: Readonly<Record<string, string>>;
  body: string;
  signal: AbortSignal;
}

/**
 * Posts JSON; any 2xx is taken for a yes. Redirects are not followed: a signature is for whom it was made for.
 * @throws DeliveryError that does not name the URL, which may be a secret.
 */
export async function postJson({ fetch, url, headers, body, signal }: JsonPost): Promise<void> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body,
    redirect: "manual",
    signal,
  }).catch((error: unknown) => {
    const { cause } = error as { cause?: unknown };
    throw new DeliveryError(`not reached: ${describeError(cause ?? error)}`, { worthRetrying: true });
  });
  await response.body?.cancel();
  if (response.ok) return;
  const { status } = response;
  // What is wrong with the request stays wrong; the rest may pass.
  const worthRetrying = status >= 500 || status === 408 || status === 425 || status === 429;
  throw new DeliveryError(`answered with ${status}`, { worthRetrying });
}
