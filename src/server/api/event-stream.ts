import type { ServerResponse } from "node:http";
import type { Clock, Timer } from "../../foundation/clock.ts";
import type { PublishedEvent, ServerEvents, ServerEventType } from "../events.ts";

export interface EventStreamOptions {
  events: ServerEvents;
  clock: Clock;
  /** Types that are wanted; undefined: all. */
  types: ReadonlySet<ServerEventType> | undefined;
  /** The `Last-Event-ID` of a reader that comes back. */
  lastEventId: string | undefined;
  /** A comment after so long without an event keeps proxies from closing the connection. */
  keepAliveMs: number;
  /** Bytes that may wait for a slow reader; more stay in the events' own buffer. */
  maxWaitingBytes: number;
}

/**
 * Writes events to one reader as server-sent events (HTML standard, section 9.2), until it goes. It reads from the
 * buffer that all readers share: one that is too slow for it is cut off, and told `reset` when it comes back.
 */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #options: EventStreamOptions;
  readonly #stopListening: () => void;
  /** The last event that was looked at. */
  #position: number;
  #keepAlive: Timer | undefined;
  /** Bytes wait since the last comment. */
  #waitedBefore = false;

  constructor(response: ServerResponse, options: EventStreamOptions) {
    this.#response = response;
    this.#options = options;
    const { events, lastEventId } = options;
    this.#position = events.last;
    this.#stopListening = events.onPublished(() => this.#writeOn());
    response.on("drain", () => this.#writeOn());
    response.on("close", () => this.#close());
    response.write(": this stream tells of what happens from now on\nretry: 2000\n\n");
    if (lastEventId !== undefined) this.#resume(lastEventId);
    this.#writeOn();
    this.#armKeepAlive();
  }

  #resume(lastEventId: string): void {
    const { events } = this.#options;
    const [run, number = ""] = lastEventId.split("-");
    const position = /^\d{1,15}$/.test(number) ? Number(number) : undefined;
    if (run === events.run && position !== undefined && events.reachesBackTo(position)) {
      this.#position = position;
      return;
    }
    const reason = "events were missed: read again what you show";
    this.#response.write(
      `id: ${events.run}-${events.last}\nevent: reset\ndata: ${JSON.stringify({ type: "reset", reason })}\n\n`,
    );
  }

  #writeOn(): void {
    const { events, maxWaitingBytes, types } = this.#options;
    if (!events.reachesBackTo(this.#position)) {
      this.#cutOff();
      return;
    }
    while (this.#position < events.last && this.#response.writableLength < maxWaitingBytes) {
      this.#position += 1;
      const published = events.get(this.#position);
      if (published === undefined || (types !== undefined && !types.has(published.event.type))) continue;
      this.#response.write(eventText(events.run, published));
    }
  }

  #armKeepAlive(): void {
    const { clock, keepAliveMs } = this.#options;
    this.#keepAlive = clock.setTimer(keepAliveMs, () => {
      const waits = this.#response.writableLength > 0;
      // It took nothing for a whole round.
      if (waits && this.#waitedBefore) {
        this.#cutOff();
        return;
      }
      this.#waitedBefore = waits;
      if (!waits) this.#response.write(": still here\n\n");
      this.#armKeepAlive();
    });
  }

  #cutOff(): void {
    this.#close();
    this.#response.destroy();
  }

  #close(): void {
    this.#stopListening();
    this.#keepAlive?.cancel();
  }
}

function eventText(run: string, { number, at, event }: PublishedEvent): string {
  const data = JSON.stringify({ ...event, time: new Date(at).toISOString() });
  return `id: ${run}-${number}\nevent: ${event.type}\ndata: ${data}\n\n`;
}
