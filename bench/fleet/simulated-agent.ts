import { WebSocket } from "ws";
import { toHex } from "../../src/foundation/hex.ts";
import { decodeFrame } from "../../src/opamp/framing.ts";
import { type ServerToAgent, ServerToAgentSchema } from "../../src/opamp/messages.ts";
import {
  configurationStatus,
  describedAgent,
  effectiveConfiguration,
  heartbeat,
  type ReportPart,
  reportFrame,
} from "./messages.ts";

/** What all agents of a fleet have in common, so that each of them is small. */
export interface Behaviour {
  url: URL;
  /** Whether the agent of that index can run the configuration of that hash. */
  canRun(index: number, hash: string): boolean;
  /** The effective configuration of whoever runs nothing of the server. */
  readonly ownConfiguration: ReportPart;
}

/** What an agent was offered last; times are of `performance.now()`. */
export interface LastOffer {
  readonly hash: string;
  readonly receivedAt: number;
  /** When the server had handled the answer to it. */
  confirmedAt: number | undefined;
  readonly applied: boolean;
}

/** One agent on a WebSocket: it reports, beats, and answers what it is offered with APPLYING and APPLIED or FAILED. */
export class SimulatedAgent {
  readonly index: number;
  readonly uid: Uint8Array;
  offer: LastOffer | undefined;
  /** Connections that were refused or ended before the first answer, and those lost later. */
  failures = 0;
  losses = 0;
  readonly #behaviour: Behaviour;
  #socket: WebSocket | undefined;
  #sequence = 0n;
  #dropped = false;
  /** Messages sent and answers received on this connection: every message gets one, in order. */
  #sent = 0;
  #answered = 0;
  #confirmedBy = 0;
  #running: { hash: Uint8Array; effective: ReportPart } | undefined;
  #onReady: (() => void) | undefined;

  constructor(index: number, uid: Uint8Array, behaviour: Behaviour) {
    this.index = index;
    this.uid = uid;
    this.#behaviour = behaviour;
  }

  /** Whether the server has answered its first report on this connection. */
  get isReady(): boolean {
    return this.#answered > 0 && this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Connects and reports; resolves to whether the report was answered. */
  async connect(): Promise<boolean> {
    this.#sent = 0;
    this.#answered = 0;
    this.#dropped = false;
    const socket = new WebSocket(this.#behaviour.url, {
      perMessageDeflate: false,
      handshakeTimeout: 60_000,
    });
    this.#socket = socket;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#onReady = () => resolve(true);
    socket.on("open", () => this.#reportAll());
    socket.on("message", (data: Buffer) => this.#receive(data));
    // The close event follows and says the same.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      if (this.#answered === 0) this.failures += 1;
      else if (!this.#dropped) this.losses += 1;
      resolve(false);
    });
    return await promise;
  }

  beat(): void {
    if (this.isReady) this.#send([heartbeat]);
  }

  /** Breaks the connection without a word, as a network does. */
  drop(): void {
    this.#dropped = true;
    this.#socket?.terminate();
  }

  #reportAll(): void {
    const running = this.#running;
    this.#send([
      describedAgent(this.index),
      running?.effective ?? this.#behaviour.ownConfiguration,
      configurationStatus(running?.hash ?? new Uint8Array(), running === undefined ? "unset" : "applied"),
    ]);
  }

  #send(parts: readonly ReportPart[]): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#socket.send(reportFrame(this.uid, this.#sequence, parts));
    this.#sequence += 1n;
    this.#sent += 1;
  }

  #receive(data: Buffer): void {
    const message = decodeFrame(ServerToAgentSchema, data);
    const { remoteConfig, flags } = message;
    // An offer that comes unasked answers nothing.
    const isAnswer = remoteConfig === undefined || this.#answered < this.#sent;
    if (isAnswer) this.#answered += 1;
    if (this.#answered === 1) this.#onReady?.();
    if (flags !== 0n) this.#reportAll();
    if (remoteConfig !== undefined) this.#take(remoteConfig);
    else if (this.offer !== undefined && this.#answered >= this.#confirmedBy) {
      this.offer.confirmedAt ??= performance.now();
    }
  }

  #take({ config, configHash }: NonNullable<ServerToAgent["remoteConfig"]>): void {
    const hash = configHash.slice();
    const name = toHex(hash);
    const applied = this.#behaviour.canRun(this.index, name);
    this.offer = { hash: name, receivedAt: performance.now(), confirmedAt: undefined, applied };
    this.#send([configurationStatus(hash, "applying")]);
    if (applied) {
      const body = Object.values(config?.configMap ?? {})[0]?.body ?? new Uint8Array();
      this.#running = { hash, effective: effectiveOf(name, body) };
      this.#send([configurationStatus(hash, "applied"), this.#running.effective]);
    } else {
      this.#send([configurationStatus(hash, "failed")]);
    }
    this.#confirmedBy = this.#sent;
  }
}

const effectives = new Map<string, ReportPart>();

/** The same bytes for all agents that run the same: thousands of copies would be the simulator's memory. */
function effectiveOf(hash: string, body: Uint8Array): ReportPart {
  const known = effectives.get(hash);
  if (known !== undefined) return known;
  const made = effectiveConfiguration(body);
  effectives.set(hash, made);
  return made;
}
