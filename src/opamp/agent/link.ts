import type { AgentToServer, ServerToAgent } from "../messages.ts";

/** Why a link is of no more use, and how soon another one may be tried. */
export interface LinkFailure {
  readonly error: Error;
  /**
   * `at-once`: it broke, a new one may work; `backoff`: the server or the network said no; `throttled`: the
   * server asked for a pause (AW8, AW9, AH12).
   */
  readonly pace: "at-once" | "backoff" | "throttled";
  /** The pause the server asked for, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
}

/** What a {@link Link} tells its session. Never called from within a call to the link, nor after `onClosed`. */
export interface LinkEvents {
  onOpen(): void;
  /** `ready` turned true again. */
  onReady(): void;
  onMessage(message: ServerToAgent): void;
  /** The last message was too large for the server, which is otherwise well (AH10). */
  onTooLarge(error: Error): void;
  /** The peer breaks the protocol; the link is still open and the session is to close it. */
  onFault(failure: LinkFailure): void;
  onClosed(failure: LinkFailure): void;
}

/** One connection to a server; over plain HTTP a run of requests without a failure. */
export interface Link {
  /** Whether {@link send} may be called now. */
  readonly ready: boolean;
  /** The bytes that count against the size limit. */
  encode(message: AgentToServer): Uint8Array;
  send(encoded: Uint8Array): void;
  /** Sends a last message, if given and possible, and closes in an orderly way; resolves within `timeoutMs`. */
  close(lastMessage: Uint8Array | undefined, timeoutMs: number): Promise<void>;
  /** Drops it without a word. */
  abort(): void;
}

/** How messages reach the server. */
export interface Transport {
  /** Whether a new link may end at a server that knows nothing of the last one (D10). */
  readonly startsAfresh: boolean;
  /** Whether the server can speak only when asked, so that the Agent has to poll (AH5). */
  readonly polls: boolean;
  open(events: LinkEvents): Link;
}
