import { request } from "node:http";

export type OtlpSignal = "logs" | "traces";

/** What became of one numbered record. */
export interface SendResult {
  readonly number: number;
  /** Milliseconds of `performance.now()`. */
  readonly sentAt: number;
  readonly doneAt: number;
  readonly accepted: boolean;
  /** The HTTP status, or the system's error code (`ECONNREFUSED`). */
  readonly outcome: number | string;
}

/** The results of a sender that was stopped, in the order of their numbers. */
export interface SendReport {
  readonly results: readonly SendResult[];
  readonly accepted: readonly number[];
  readonly refused: readonly number[];
  /** Longest time from one accepted record to the next; what a user would call the gap. */
  readonly longestGapMs: number;
}

/** Sends one record after the other, numbered from 0, each on a connection of its own. */
export interface OtlpSender {
  /** Resolves when a record sent from now on is accepted. */
  accepted(): Promise<SendResult>;
  /** Sends no more, waits for the answers to what was sent. */
  stop(): Promise<SendReport>;
}

export interface SenderOptions {
  /** Of an otlp receiver's http protocol: `http://127.0.0.1:4318`. */
  endpoint: string;
  signal?: OtlpSignal;
  /** Spacing of the records, milliseconds. */
  everyMs?: number;
}

/** How long an answer may take. */
const timeoutMs = 5_000;

/** Starts at once; records are sent on time whatever became of those before. */
export function startOtlpSender({ endpoint, signal = "logs", everyMs = 10 }: SenderOptions): OtlpSender {
  const url = new URL(`/v1/${signal}`, endpoint);
  const pending: Promise<SendResult>[] = [];
  const waiting = new Set<(result: SendResult) => void>();
  const send = () => {
    const sending = sendRecord(url, signal, pending.length);
    pending.push(sending);
    void sending.then((result) => {
      if (result.accepted) for (const notify of waiting) notify(result);
    });
  };
  send();
  const timer = setInterval(send, everyMs);
  return {
    accepted() {
      const first = pending.length;
      return new Promise((resolve) => {
        const notify = (result: SendResult) => {
          if (result.number < first) return;
          waiting.delete(notify);
          resolve(result);
        };
        waiting.add(notify);
      });
    },
    async stop() {
      clearInterval(timer);
      return summarize(await Promise.all(pending));
    },
  };
}

/** Sends one record; resolves also when nobody listens. */
function sendRecord(url: URL, signal: OtlpSignal, number: number): Promise<SendResult> {
  const body = JSON.stringify(signal === "logs" ? logRequest(number) : traceRequest(number));
  const sentAt = performance.now();
  return new Promise((resolve) => {
    const finish = (outcome: number | string) =>
      resolve({ number, sentAt, doneAt: performance.now(), accepted: outcome === 200, outcome });
    // A connection of its own: one that is kept would hide for how long nobody listened.
    const options = { method: "POST", agent: false, timeout: timeoutMs };
    const sending = request(url, { ...options, headers: { "content-type": "application/json" } });
    sending.on("response", (response) => {
      response.resume().on("end", () => finish(response.statusCode ?? 0));
      response.on("error", (error: NodeJS.ErrnoException) => finish(error.code ?? error.message));
    });
    sending.on("timeout", () => sending.destroy(Object.assign(new Error("timeout"), { code: "ETIMEDOUT" })));
    sending.on("error", (error: NodeJS.ErrnoException) => finish(error.code ?? error.message));
    sending.end(body);
  });
}

function summarize(results: readonly SendResult[]): SendReport {
  const accepted = results.filter((result) => result.accepted);
  const gaps = accepted.slice(1).map((result, index) => result.doneAt - accepted[index]!.doneAt);
  return {
    results,
    accepted: accepted.map(({ number }) => number),
    refused: results.filter((result) => !result.accepted).map(({ number }) => number),
    longestGapMs: Math.max(0, ...gaps),
  };
}

function attributes(number: number) {
  return [{ key: "number", value: { intValue: String(number) } }];
}

function now(): string {
  return String(BigInt(Date.now()) * 1_000_000n);
}

function logRequest(number: number) {
  const record = { timeUnixNano: now(), body: { stringValue: "test" }, attributes: attributes(number) };
  return { resourceLogs: [{ scopeLogs: [{ logRecords: [record] }] }] };
}

function traceRequest(number: number) {
  const id = (number + 1).toString(16);
  const span = {
    traceId: id.padStart(32, "0"),
    spanId: id.padStart(16, "0"),
    name: "test",
    kind: 1,
    startTimeUnixNano: now(),
    endTimeUnixNano: now(),
    attributes: attributes(number),
  };
  return { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] };
}
