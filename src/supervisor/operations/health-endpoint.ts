import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { SecureVersion } from "node:tls";
import type { Clock } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { Metric } from "../../foundation/metrics/metric.ts";
import { formatPrometheus, prometheusContentType } from "../../foundation/metrics/prometheus-text.ts";
import type { HealthcheckSettings, ListenerTlsSettings } from "../settings/supervisor-settings.ts";
import type { StatusView } from "./control/status-view.ts";
import { reloadListenerTls } from "./listener-tls-reload.ts";

/** What the endpoint answers from. */
export interface HealthSource {
  /** Whether the supervisor itself works: its state is loaded and its local link listens. */
  supervisorWorks(): boolean;
  /** Why the Collector does not do what it was told; undefined where it does. */
  notReady(): string | undefined;
  /** Without secrets. */
  status(): Promise<StatusView>;
  metrics(): readonly Metric[];
}

/**
 * Serves `GET /health`: 200 while the supervisor works, 503 otherwise, whatever the server or the
 * Collector do, as in the reference; and of ours `/ready`, `/status.json` and `/metrics`. undefined when no
 * endpoint is set.
 * @throws when the address cannot be bound or a certificate cannot be read; the message names the key.
 */
export async function serveHealth(
  settings: HealthcheckSettings,
  source: HealthSource,
  deps: { clock: Clock; logger: Logger },
): Promise<{ close(): Promise<void> } | undefined> {
  const { endpoint, tls } = settings;
  if (endpoint === undefined) return undefined;
  const answer = answerer(settings, source);
  const server = tls === undefined ? createServer(answer) : createTlsServer(tlsOptions(tls), answer);
  setTimeouts(server, settings);
  await listen(server, endpoint);
  const reload = tls && (await reloadListenerTls(tls, () => renew(server, tls), deps));
  return {
    close: async () => {
      await reload?.close();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

/** @throws when the files cannot be used as they are now. */
function renew(server: Server | TlsServer, tls: ListenerTlsSettings): void {
  const options = tlsOptions(tls);
  // An authority that is half written would be one that nobody has a certificate of.
  if (options.ca !== undefined) new X509Certificate(options.ca);
  if ("setSecureContext" in server) server.setSecureContext(options);
}

function answerer({ responseHeaders }: HealthcheckSettings, source: HealthSource): RequestListener {
  const headers = Object.fromEntries(
    Object.entries(responseHeaders).map(([name, values]) => [name, [...values]]),
  );
  const pages = pagesOf(source);
  return (request, response) => {
    const page = pages[URL.parse(request.url ?? "/", "http://localhost")?.pathname ?? "/"];
    const answer = page ?? (() => plainText(404, `this endpoint serves ${Object.keys(pages).join(", ")}`));
    Promise.resolve()
      .then(answer)
      .catch((error: unknown) => plainText(503, `no answer: ${describeError(error)}`))
      .then(({ status, contentType, body }) => {
        response.writeHead(status, { "content-type": contentType, ...headers });
        response.end(body);
      })
      .catch(() => response.destroy());
  };
}

interface Answer {
  status: number;
  contentType: string;
  body: string;
}

function pagesOf(source: HealthSource): Readonly<Record<string, () => Answer | Promise<Answer>>> {
  return {
    "/health": () => (source.supervisorWorks() ? plainText(200, "ok") : plainText(503, "unavailable")),
    "/ready": () => {
      const reason = source.supervisorWorks() ? source.notReady() : "the supervisor is stopping";
      return reason === undefined ? plainText(200, "ready") : plainText(503, `not ready: ${reason}`);
    },
    "/status.json": async () => ({
      status: 200,
      contentType: "application/json",
      body: `${JSON.stringify(await source.status(), undefined, 2)}\n`,
    }),
    "/metrics": () => ({
      status: 200,
      contentType: prometheusContentType,
      body: formatPrometheus(source.metrics()),
    }),
  };
}

const plainText = (status: number, text: string): Answer => ({
  status,
  contentType: "text/plain",
  body: `${text}\n`,
});

function setTimeouts(server: Server, settings: HealthcheckSettings): void {
  const { readTimeoutMs, readHeaderTimeoutMs, idleTimeoutMs } = settings;
  if (readTimeoutMs !== undefined) server.requestTimeout = readTimeoutMs;
  if (readHeaderTimeoutMs !== undefined) server.headersTimeout = readHeaderTimeoutMs;
  if (idleTimeoutMs !== undefined) server.keepAliveTimeout = idleTimeoutMs;
  if (settings.keepAlivesEnabled === false) server.maxRequestsPerSocket = 1;
}

const versions: Readonly<Record<string, SecureVersion>> = { "1.2": "TLSv1.2", "1.3": "TLSv1.3" };

function tlsOptions(tls: ListenerTlsSettings) {
  const clientCa = tls.clientCaFile === undefined ? undefined : read("client_ca_file", tls.clientCaFile);
  return {
    cert: tls.certPem ?? read("cert_file", tls.certFile),
    key: tls.keyPem ?? read("key_file", tls.keyFile),
    minVersion: versions[tls.minVersion] ?? "TLSv1.2",
    ...(clientCa !== undefined && { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
  };
}

function read(key: string, file: string | undefined): string {
  if (file === undefined) throw new Error(`healthcheck.tls.${key} is missing`);
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new Error(`healthcheck.tls.${key}: cannot read ${file}`, { cause });
  }
}

function listen(server: Server, address: NonNullable<HealthcheckSettings["endpoint"]>): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      const where = "path" in address ? address.path : `${address.host}:${address.port}`;
      const message = `healthcheck.endpoint: cannot listen on ${where}; is something else using it?`;
      reject(new Error(message, { cause }));
    });
    server.listen({ ...address }, () => resolve());
  });
}
