import { join } from "node:path";
import { buildGo } from "./build-go.ts";
import { LineProgram, type ProgramEvent } from "./line-program.ts";

interface RemoteConfigStatus {
  status: "UNSET" | "APPLIED" | "APPLYING" | "FAILED";
  /** Hexadecimal. */
  hash: string;
  error: string;
}

interface Health {
  healthy: boolean;
  status: string;
  error: string;
  startTime: number;
  components?: Record<string, Health>;
}

/** What one AgentToServer told; a field that was not sent is absent. */
export interface AgentReport {
  identifying?: Record<string, unknown>;
  nonIdentifying?: Record<string, unknown>;
  health?: Health;
  effectiveConfig?: Record<string, string>;
  remoteConfigStatus?: RemoteConfigStatus;
  connectionSettingsStatus?: RemoteConfigStatus;
  packageStatuses?: {
    hash: string;
    packages: Record<string, { status: string; version: string; offered: string; error: string }>;
  };
  customCapabilities?: string[];
  customMessage?: { capability: string; type: string; data: string };
  availableComponents?: { hash: string; count: number; nested: number };
  agentDisconnect?: true;
}

/** One AgentToServer as opamp-go read it. */
export interface AgentMessage extends ProgramEvent, AgentReport {
  event: "message";
  connection: number;
  instanceUid: string;
  sequenceNum: number;
  capabilities: number;
  flags: number;
  /** Whether it carries nothing but what every message carries: a heartbeat. */
  empty: boolean;
}

interface Listening extends ProgramEvent {
  event: "listening";
  address: string;
}

/** An order that went out, or waits for the next poll. */
interface Delivery extends ProgramEvent {
  event: "sent" | "queued";
  name: string;
  hash?: string;
}

interface Connecting extends ProgramEvent {
  event: "connecting";
  connection: number;
  accepted: boolean;
  webSocket: boolean;
  path: string;
  headers: Record<string, string[]>;
}

interface Connection extends ProgramEvent {
  event: "connected" | "closed" | "unreadable";
  connection: number;
  error?: string;
}

interface OrderFailed extends ProgramEvent {
  event: "order-failed";
  order: string;
  error: string;
}

export type ServerEvent = AgentMessage | Listening | Delivery | Connecting | Connection | OrderFailed;

type Order = { cmd: string } & Record<string, unknown>;

/** opamp-go's server as a process. It serves one agent at a time, over WebSocket and plain HTTP. */
export class OpampGoServer implements AsyncDisposable {
  readonly program: LineProgram<ServerEvent>;
  readonly address: string;

  private constructor(program: LineProgram<ServerEvent>, address: string) {
    this.program = program;
    this.address = address;
  }

  /** Builds the program if need be and waits until it listens. `listen` is host:port, port 0 for any. */
  static async start(listen = "127.0.0.1:0"): Promise<OpampGoServer> {
    const programs = await buildGo(join(import.meta.dirname, "go"), ["./opampgo-server"]);
    const executable = programs.get("opampgo-server") ?? "";
    const program = new LineProgram<ServerEvent>("opampgo-server", executable, ["-listen", listen]);
    const listening = await program.waitFor("listening", (event) => event.event === "listening");
    return new OpampGoServer(program, listening.address);
  }

  /** URL for an agent. */
  endpoint(scheme: "ws" | "http"): string {
    return `${scheme}://${this.address}/v1/opamp`;
  }

  mark(): number {
    return this.program.mark();
  }

  /** Gives an order and waits until it was sent, or queued for the next poll. */
  async send(order: Order): Promise<Delivery> {
    const from = this.mark();
    this.program.order(order);
    const answer = await this.program.waitFor(
      `delivery of ${order.cmd}`,
      (event) =>
        ((event.event === "sent" || event.event === "queued") && event.name === order.cmd) ||
        event.event === "order-failed",
      { from },
    );
    if (answer.event === "order-failed") throw new Error(`${order.cmd}: ${answer.error}`);
    return answer as Delivery;
  }

  /** The first message from position `from` on that matches. */
  message(
    what: string,
    match: (message: AgentMessage) => boolean,
    options?: { from?: number; timeoutMs?: number },
  ): Promise<AgentMessage> {
    return this.program.waitFor(
      what,
      (event): event is AgentMessage => event.event === "message" && match(event),
      options,
    );
  }

  /** The message that says this status for this hash. */
  status(
    status: RemoteConfigStatus["status"],
    hash: string | undefined,
    options?: { from?: number; timeoutMs?: number },
  ): Promise<AgentMessage> {
    return this.message(
      `status ${status} of ${hash}`,
      ({ remoteConfigStatus }) => remoteConfigStatus?.status === status && remoteConfigStatus.hash === hash,
      options,
    );
  }

  /** The message after which everything reported since position `from`, latest of each kind, matches. */
  async state(
    what: string,
    match: (report: AgentReport) => boolean,
    options?: { from?: number; timeoutMs?: number },
  ): Promise<AgentMessage> {
    let told: AgentReport = {};
    return this.message(
      what,
      (message) => {
        told = { ...told, ...message };
        return match(told);
      },
      options,
    );
  }

  stop(): Promise<void> {
    return this.program.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
