import type { ServerEvent } from "../../../src/server/events.ts";
import { authorization, session, signOut } from "../session.ts";
import { createStore } from "../store.ts";

export type StreamState = "connecting" | "live" | "lost";
/** `reset`: events were missed, what is shown has to be read again. */
export type StreamEvent = ServerEvent | { type: "reset" };

/** Whether what is shown is kept up to date. */
export const streamState = createStore<StreamState>("connecting");

const listeners = new Set<(event: StreamEvent) => void>();

export function onEvent(listener: (event: StreamEvent) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The server says something every 15 seconds. */
const silenceMs = 35_000;
const firstRetryMs = 500;
const maxRetryMs = 10_000;

let lastEventId: string | undefined;
let running: AbortController | undefined;

/** Reads the events for as long as somebody is signed in: by fetch, because an EventSource sends no key. */
export function followEvents(): void {
  session.subscribe(() => {
    const isIn = session.get().t === "signed-in";
    if (isIn && running === undefined) {
      running = new AbortController();
      void keepReading(running.signal);
    }
    if (!isIn && running !== undefined) {
      running.abort();
      running = undefined;
      lastEventId = undefined;
      streamState.set("connecting");
    }
  });
}

async function keepReading(signal: AbortSignal): Promise<void> {
  let retryMs = firstRetryMs;
  for (let isFirst = true; !signal.aborted; isFirst = false) {
    const attempt = new AbortController();
    const end = () => attempt.abort();
    signal.addEventListener("abort", end);
    try {
      await readOnce(attempt, () => {
        retryMs = firstRetryMs;
        streamState.set("live");
        // Without an id there is nothing to go on from.
        if (!isFirst && lastEventId === undefined) tell({ type: "reset" });
      });
    } catch {
      // The connection broke, or there was none: shown below, and tried again.
    }
    signal.removeEventListener("abort", end);
    if (signal.aborted) return;
    streamState.set("lost");
    await pause(retryMs, signal);
    retryMs = Math.min(maxRetryMs, retryMs * 2);
  }
}

async function readOnce(attempt: AbortController, onOpen: () => void): Promise<void> {
  const answer = await fetch("/api/v1/events", {
    headers: { ...authorization(), ...(lastEventId !== undefined && { "last-event-id": lastEventId }) },
    signal: attempt.signal,
    cache: "no-store",
  });
  if (answer.status === 401) {
    signOut("The key is not valid any more.");
    return;
  }
  if (!answer.ok || answer.body === null) return;
  onOpen();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const silence = window.setTimeout(() => attempt.abort(), silenceMs);
    const { done, value } = await reader.read();
    window.clearTimeout(silence);
    if (done) return;
    const blocks = (text + value).split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) takeBlock(block);
  }
}

function takeBlock(block: string): void {
  let data = "";
  for (const line of block.split("\n")) {
    if (line.startsWith("id: ")) lastEventId = line.slice(4);
    if (line.startsWith("data: ")) data += line.slice(6);
  }
  if (data !== "") tell(JSON.parse(data) as StreamEvent);
}

function tell(event: StreamEvent): void {
  for (const listener of listeners) listener(event);
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = window.setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      window.clearTimeout(timer);
      resolve();
    });
  });
}
