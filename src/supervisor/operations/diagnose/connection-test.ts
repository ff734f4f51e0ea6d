import { lookup } from "node:dns/promises";
import { type IncomingMessage, request } from "node:http";
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls, type DetailedPeerCertificate, type TLSSocket } from "node:tls";
import { describeError } from "../../../foundation/errors.ts";
import type { ClientTls } from "../../../opamp/agent/settings.ts";

/** Bound of each step. Milliseconds. */
const stepMs = 5_000;
/** A chain longer than this is no chain. */
const maxChain = 10;

interface Target {
  endpoint: URL;
  /** Undefined where the scheme has no TLS. */
  tls: ClientTls | undefined;
}

/**
 * Tries how far one gets towards a server: name, TCP, TLS with the certificates it shows, answer to an upgrade. Sends
 * neither headers of the settings nor the query of the address, follows nothing, and says nothing to a server that
 * TLS does not trust. Lines for people; never rejects.
 */
export async function testConnection({ endpoint, tls }: Target): Promise<string[]> {
  const host = endpoint.hostname.replace(/^\[|\]$/g, "");
  const isSecure = endpoint.protocol === "wss:" || endpoint.protocol === "https:";
  const port = Number(endpoint.port || (isSecure ? 443 : 80));
  const lines = [`${endpoint.protocol}//${endpoint.host}${endpoint.pathname}`];
  const step = async <T>(name: string, run: () => Promise<[T, string]>): Promise<T | undefined> => {
    const began = performance.now();
    try {
      const [result, text] = await run();
      lines.push(`${name}  ok, ${Math.round(performance.now() - began)} ms: ${text}`);
      return result;
    } catch (error) {
      lines.push(`${name}  FAILED: ${describeError(error)}`);
      return undefined;
    }
  };
  const known = await step("DNS ", async () => {
    const found = isIP(host) === 0 ? await bounded(lookup(host, { all: true })) : [{ address: host }];
    return [true, found.map(({ address }) => address).join(", ")];
  });
  if (known === undefined) return lines;
  const plain = await step("TCP ", async () => {
    const socket = connect({ host, port });
    // What comes after the step is of no interest.
    socket.on("error", () => undefined);
    await opened(socket, "connect");
    return [socket as Socket, `${socket.remoteAddress} port ${socket.remotePort}`];
  });
  if (plain === undefined) return lines;
  let socket: Socket | undefined = plain;
  try {
    if (isSecure) socket = await step("TLS ", () => secure(plain, { host, tls, lines }));
    if (socket !== undefined) await step("HTTP", () => upgrade(socket as Socket, endpoint));
  } finally {
    socket?.destroy();
    plain.destroy();
  }
  return lines;
}

async function secure(
  socket: Socket,
  { host, tls, lines }: { host: string; tls: Target["tls"]; lines: string[] },
): Promise<[Socket, string]> {
  const settings = tls ?? {};
  // One that is not trusted is to be shown too; nothing is said to it.
  const secured = connectTls({
    ...(isIP(host) === 0 && { servername: host }),
    ...settings,
    socket,
    rejectUnauthorized: false,
  });
  secured.on("error", () => undefined);
  await opened(secured, "secureConnect");
  const chain = chainOf(secured);
  lines.push(...chain.map((certificate, index) => `      ${index}: ${describeCertificate(certificate)}`));
  const [leaf] = chain;
  const wrong =
    settings.rejectUnauthorized === false || leaf === undefined
      ? undefined
      : settings.checkServerIdentity?.(settings.servername ?? host, leaf);
  const isTrusted = secured.authorized || settings.rejectUnauthorized === false;
  if (!isTrusted || wrong !== undefined) {
    secured.destroy();
    throw new Error(`not trusted: ${wrong?.message ?? describeError(secured.authorizationError)}`);
  }
  return [secured, `${secured.getProtocol()}, ${secured.getCipher().name}`];
}

function chainOf(socket: TLSSocket): DetailedPeerCertificate[] {
  const chain: DetailedPeerCertificate[] = [];
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (next?.fingerprint256 !== undefined && chain.length < maxChain) {
    if (chain.some(({ fingerprint256 }) => fingerprint256 === next?.fingerprint256)) break;
    chain.push(next);
    next = next.issuerCertificate;
  }
  return chain;
}

function describeCertificate({ subject, issuer, valid_to, subjectaltname }: DetailedPeerCertificate): string {
  const leftMs = Date.parse(valid_to) - Date.now();
  const days = Math.floor(Math.abs(leftMs) / 86_400_000);
  const expiry = leftMs < 0 ? `EXPIRED ${days} days ago` : `expires in ${days} days`;
  const names = subjectaltname === undefined ? "" : `, for ${subjectaltname}`;
  const name = (of: typeof subject) => [of.CN ?? "(no name)"].flat().join(" ");
  return `${name(subject)} by ${name(issuer)}, ${expiry} (${valid_to})${names}`;
}

async function upgrade(socket: Socket, endpoint: URL): Promise<[true, string]> {
  const isWebSocket = endpoint.protocol.startsWith("ws");
  const sent = request({
    createConnection: () => socket,
    method: "GET",
    path: endpoint.pathname,
    headers: {
      host: endpoint.host,
      ...(isWebSocket && {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": Buffer.from("connection test!").toString("base64"),
      }),
    },
  });
  const answer = new Promise<[true, string]>((resolve, reject) => {
    sent.on("upgrade", (response) => resolve([true, describeAnswer(response)]));
    sent.on("response", (response) => {
      response.resume();
      resolve([true, describeAnswer(response)]);
    });
    sent.on("error", reject);
  });
  sent.end();
  return bounded(answer);
}

function describeAnswer({ statusCode = 0, statusMessage = "", headers }: IncomingMessage): string {
  const status = `${statusCode} ${statusMessage}`.trim();
  const meaning: Readonly<Record<number, string>> = {
    101: "it speaks WebSocket",
    401: "it asks for credentials, which this test does not send",
    403: "it refuses without credentials, which this test does not send",
    404: "there is nothing at this path: check server.endpoint",
    405: "it takes no GET, as a server of OpAMP over plain HTTP",
  };
  const details = [meaning[statusCode], headers.server && `server ${String(headers.server)}`].filter(Boolean);
  if (headers.location !== undefined) details.push("a redirect, which is not followed");
  return details.length === 0 ? status : `${status} (${details.join("; ")})`;
}

function opened(socket: Socket, event: "connect" | "secureConnect"): Promise<unknown> {
  return bounded(
    new Promise((resolve, reject) => {
      socket.once(event, resolve);
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("the connection was closed")));
    }),
  );
}

function bounded<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${stepMs} ms`)), stepMs);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
