import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { toBinary } from "@bufbuild/protobuf";
import type { Clock } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import { decodeBody } from "../framing.ts";
import { formatInstanceUid } from "../instance-uid.ts";
import { MalformedMessageError } from "../malformed-message.ts";
import {
  type AgentToServer,
  AgentToServerSchema,
  type ServerToAgent,
  ServerToAgentSchema,
} from "../messages.ts";
import { readBody } from "./http-body.ts";
import { HttpPost } from "./http-post.ts";
import { callerHeaders, requestTimeoutMs, statusFailure } from "./http-request.ts";
import type { Link, LinkEvents, LinkFailure, Transport } from "./link.ts";
import type { AgentSessionSettings } from "./settings.ts";

const compressAboveBytes = 1024;
const contentType = "application/x-protobuf";

/** OpAMP over plain HTTP (AH1-AH15). `instanceUid` is asked for every request, since it may change (AH4). */
export function httpTransport(
  settings: AgentSessionSettings,
  clock: Clock,
  instanceUid: () => Uint8Array,
): Transport {
  return {
    startsAfresh: false,
    polls: true,
    open: (events) => new HttpLink(settings, clock, instanceUid, events),
  };
}

class HttpLink implements Link {
  readonly #settings: AgentSessionSettings;
  readonly #clock: Clock;
  readonly #instanceUid: () => Uint8Array;
  readonly #events: LinkEvents;
  readonly #post: HttpPost;
  readonly #abort = new AbortController();
  #inFlight: Promise<void> | undefined;
  #limit = new AbortController();
  #closing = false;

  constructor(
    settings: AgentSessionSettings,
    clock: Clock,
    instanceUid: () => Uint8Array,
    events: LinkEvents,
  ) {
    this.#settings = settings;
    this.#clock = clock;
    this.#instanceUid = instanceUid;
    this.#events = events;
    this.#post = new HttpPost(settings);
    queueMicrotask(() => {
      if (!this.#abort.signal.aborted) events.onOpen();
    });
  }

  /** One request in flight at a time (AH7). */
  get ready(): boolean {
    return this.#inFlight === undefined && !this.#abort.signal.aborted;
  }

  encode(message: AgentToServer): Uint8Array {
    return toBinary(AgentToServerSchema, message);
  }

  send(encoded: Uint8Array): void {
    this.#inFlight = this.#exchange(encoded).then(
      (outcome) => {
        this.#inFlight = undefined;
        this.#report(outcome);
      },
      (error: unknown) => this.#fail({ error: asError(error), pace: "at-once" }),
    );
  }

  async close(lastMessage: Uint8Array | undefined, timeoutMs: number): Promise<void> {
    this.#closing = true;
    // A request that hangs leaves half of the time to the last message.
    const patience = this.#clock.setTimer(timeoutMs / 2, () => this.#limit.abort(new Error("closing")));
    const timer = this.#clock.setTimer(timeoutMs, () => this.abort());
    try {
      await this.#inFlight;
      patience.cancel();
      if (lastMessage !== undefined && !this.#abort.signal.aborted) await this.#exchange(lastMessage);
    } catch {
      // The server is away, and learns of the end by the missing polls.
    } finally {
      patience.cancel();
      timer.cancel();
      this.abort();
    }
  }

  abort(): void {
    this.#abort.abort(new Error("closed by this side"));
    this.#post.destroy();
  }

  #report(outcome: Outcome): void {
    if (this.#closing || this.#abort.signal.aborted) return;
    switch (outcome.t) {
      case "answer":
        this.#events.onMessage(outcome.message);
        if (this.ready) this.#events.onReady();
        return;
      case "too-large":
        this.#events.onTooLarge(new Error("the message is too large for the server (HTTP 413)"));
        if (this.ready) this.#events.onReady();
        return;
      case "failed":
        this.#fail(outcome.failure);
    }
  }

  #fail(failure: LinkFailure): void {
    if (this.#closing || this.#abort.signal.aborted) return;
    this.abort();
    this.#events.onClosed(failure);
  }

  async #exchange(encoded: Uint8Array): Promise<Outcome> {
    const limit = new AbortController();
    this.#limit = limit;
    const timer = this.#clock.setTimer(requestTimeoutMs, () =>
      limit.abort(new Error(`the server did not answer within ${requestTimeoutMs / 1000} s`)),
    );
    const signal = AbortSignal.any([this.#abort.signal, limit.signal]);
    try {
      return await this.#outcome(await this.#respond(encoded, signal));
    } catch (error) {
      // An aborted request fails with its own error; the reason is the one worth reading.
      if (signal.aborted) throw asError(signal.reason);
      throw error;
    } finally {
      timer.cancel();
    }
  }

  async #respond(encoded: Uint8Array, signal: AbortSignal): Promise<IncomingMessage> {
    const zipped = encoded.length > compressAboveBytes;
    const body = zipped ? await promisify(gzip)(encoded) : encoded;
    const configured = callerHeaders(await abortable(this.#settings.headers(), signal));
    const protocol = {
      "Content-Type": contentType,
      "Content-Length": String(body.length),
      "Accept-Encoding": "gzip",
      "OpAMP-Instance-UID": formatInstanceUid(this.#instanceUid()),
      ...(zipped ? { "Content-Encoding": "gzip" } : {}),
    };
    // A request whose connection is still being made by a proxy does not hear of an abort.
    return abortable(this.#post.post({ configured, protocol }, body, signal), signal);
  }

  async #outcome(response: IncomingMessage): Promise<Outcome> {
    const { endpoint, maxMessageBytes } = this.#settings;
    const status = response.statusCode ?? 0;
    if (status === 200) {
      const message = decode(await readBody(response, maxMessageBytes), response.headers["content-type"]);
      return { t: "answer", message };
    }
    // An error page is of no use and may be endless.
    response.destroy();
    if (status === 413) return { t: "too-large" };
    if (status === 401) this.#settings.onUnauthorized?.();
    return { t: "failed", failure: statusFailure(status, response.headers, endpoint, this.#clock.now()) };
  }
}

type Outcome =
  | { t: "answer"; message: ServerToAgent }
  | { t: "too-large" }
  | { t: "failed"; failure: LinkFailure };

function decode(body: Uint8Array, type: string | undefined): ServerToAgent {
  try {
    return decodeBody(ServerToAgentSchema, body);
  } catch (cause) {
    throw new MalformedMessageError(`the server's answer of type ${type ?? "unknown"} is not OpAMP`, {
      cause,
    });
  }
}

function abortable<T>(value: T | Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(asError(signal.reason));
    signal.addEventListener("abort", onAbort, { once: true });
    Promise.resolve(value)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", onAbort));
  });
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(describeError(error));
}
