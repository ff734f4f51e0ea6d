import { create } from "@bufbuild/protobuf";
import type { Logger } from "../../foundation/logger.ts";
import { AgentToServerFlag } from "../bits.ts";
import { type AgentToServer, AgentToServerSchema } from "../messages.ts";
import { Acknowledgements, type Report } from "./acknowledgements.ts";
import type { Link } from "./link.ts";
import { type Letter, Outbox } from "./outbox.ts";
import type { ReportedState } from "./reported-state.ts";

const outboxCapacity = 10;

/** Answers that a silent WebSocket server may owe before the oldest is no longer waited for. */
const maxInFlight = 64;

interface InFlight {
  uid: Uint8Array;
  report?: Report;
  letter?: Letter;
}

/**
 * Writes the messages of one session and remembers which of them are still without an answer. Answers carry
 * no reference to what they answer, so each is counted for the oldest message in flight.
 */
export class Outbound {
  /** What this session's server knows. */
  readonly known: Acknowledgements;
  readonly outbox = new Outbox(outboxCapacity);
  readonly #state: ReportedState;
  readonly #maxMessageBytes: number;
  readonly #logger: Logger;
  #sequenceNum = 0n;
  #inFlight: InFlight[] = [];

  constructor(state: ReportedState, maxMessageBytes: number, logger: Logger) {
    this.#state = state;
    this.#maxMessageBytes = maxMessageBytes;
    this.#logger = logger;
    this.known = new Acknowledgements(state);
  }

  get due(): boolean {
    return this.known.pending || this.outbox.size > 0;
  }

  /** The next message that is due, a status before a letter; undefined when none is. */
  next(link: Link): Uint8Array | undefined {
    if (this.known.pending) return this.#status(link, {});
    for (let letter = this.outbox.take(); letter !== undefined; letter = this.outbox.take()) {
      const encoded = link.encode(this.#message(letter));
      if (encoded.length <= this.#maxMessageBytes) return this.#commit(encoded, { letter });
      this.#dropped(letter, `it takes ${encoded.length} bytes, the limit is ${this.#maxMessageBytes}`);
    }
    return undefined;
  }

  /** A message that says nothing but that the Agent is there (AW11, AH5, D2). */
  heartbeat(link: Link): Uint8Array {
    return this.#commit(link.encode(this.#message({})), {});
  }

  /** The last message of a connection, with what is still due (AT15). */
  farewell(link: Link): Uint8Array {
    return this.#status(link, { agentDisconnect: {} });
  }

  /** Whether a message with this uid is for this Agent, also when answering what it sent under its last uid (AI7). */
  addresses(uid: Uint8Array): boolean {
    if (uid.length === 0) return true;
    const ours = [this.#state.instanceUid, ...this.#inFlight.map((sent) => sent.uid)];
    return ours.some((own) => Buffer.compare(own, uid) === 0);
  }

  /** The server took the oldest message in flight. */
  answered(): void {
    const sent = this.#inFlight.shift();
    if (sent?.report !== undefined) this.known.settled(sent.report);
  }

  /** The server refused the oldest message in flight for its content, which is not sent again (AE2, AE3). */
  refused(): void {
    const sent = this.#inFlight[0];
    this.answered();
    if (sent?.letter !== undefined) this.#dropped(sent.letter, "the server refused it");
  }

  /** The oldest message in flight was too large for the server: its largest part stays behind (AH10). */
  tooLarge(): void {
    const sent = this.#inFlight.shift();
    if (sent?.letter !== undefined) this.#dropped(sent.letter, "it is too large for the server");
    if (sent?.report !== undefined) this.#withhold(sent.report, "it is too large for the server");
    this.lost();
  }

  /** Nothing in flight will be answered any more: all of it is due again (AT14). */
  lost(): void {
    this.outbox.putBack(this.#inFlight.flatMap(({ letter }) => letter ?? []));
    this.#inFlight = [];
    this.known.lost();
  }

  #status(link: Link, extra: { agentDisconnect?: object }): Uint8Array {
    for (;;) {
      const report = this.known.compose();
      const encoded = link.encode(this.#message({ ...report.fields, ...extra }));
      const fits = encoded.length <= this.#maxMessageBytes;
      const why = `with it the message takes ${encoded.length} bytes, the limit is ${this.#maxMessageBytes}`;
      if (fits || !this.#withhold(report, why)) {
        this.known.sent(report);
        return this.#commit(encoded, { report });
      }
    }
  }

  #message(content: object): AgentToServer {
    return create(AgentToServerSchema, {
      ...content,
      instanceUid: this.#state.instanceUid,
      sequenceNum: this.#sequenceNum,
      capabilities: this.#state.capabilities,
      flags: this.#state.requestInstanceUid ? AgentToServerFlag.RequestInstanceUid : 0n,
    });
  }

  #commit(encoded: Uint8Array, content: { report?: Report; letter?: Letter }): Uint8Array {
    this.#sequenceNum += 1n;
    this.#inFlight.push({ uid: this.#state.instanceUid, ...content });
    if (this.#inFlight.length > maxInFlight) this.answered();
    return encoded;
  }

  #withhold(report: Report, why: string): boolean {
    const kind = this.known.withholdLargest(report);
    if (kind === undefined) return false;
    this.#logger.error(
      { event: "report_too_large", kind, why },
      `${kind} is not reported until it changes: ${why}`,
    );
    return true;
  }

  #dropped(letter: Letter, why: string): void {
    const what = "customMessage" in letter ? "custom message" : "connection settings request";
    this.#logger.warn({ event: "message_dropped", what, why }, `a ${what} was dropped: ${why}`);
  }
}
