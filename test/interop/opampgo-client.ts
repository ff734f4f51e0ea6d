import { join } from "node:path";
import { buildGo } from "./build-go.ts";
import { LineProgram, type ProgramEvent } from "./line-program.ts";

interface Started extends ProgramEvent {
  event: "started";
  instanceUid: string;
}

/** A remote configuration that the server offered. */
export interface ConfigOffer extends ProgramEvent {
  event: "config";
  /** Hexadecimal. */
  hash: string;
  files: Record<string, string>;
}

interface Command extends ProgramEvent {
  event: "command";
  type: string;
}

interface Other extends ProgramEvent {
  event: "connected" | "connect-failed" | "error-response" | "new-uid" | "opamp-settings" | "custom-message";
  error?: string;
}

export type ClientEvent = Started | ConfigOffer | Command | Other;

/** opamp-go's client as a process that plays an agent; WebSocket or polling, by the scheme of the URL. */
export class OpampGoClient implements AsyncDisposable {
  readonly program: LineProgram<ClientEvent>;
  readonly instanceUid: string;

  private constructor(program: LineProgram<ClientEvent>, instanceUid: string) {
    this.program = program;
    this.instanceUid = instanceUid;
  }

  /** Builds the program if need be and starts it; `name` is its `service.name`. */
  static async start(url: string, name: string): Promise<OpampGoClient> {
    const programs = await buildGo(join(import.meta.dirname, "go"), ["./opampgo-client"]);
    const executable = programs.get("opampgo-client") ?? "";
    const program = new LineProgram<ClientEvent>("opampgo-client", executable, ["-url", url, "-name", name]);
    const started = await program.waitFor("start", (event) => event.event === "started");
    return new OpampGoClient(program, started.instanceUid);
  }

  /** How it answers configurations from now on. */
  answer(status: "APPLIED" | "FAILED", error = ""): void {
    this.program.order({ cmd: "answer", status, error });
  }

  /** Reports a new `service.name`. */
  rename(name: string): void {
    this.program.order({ cmd: "description", name });
  }

  /** Reports its health. */
  health(healthy: boolean, error = ""): void {
    this.program.order({ cmd: "health", healthy, error });
  }

  /** The offers received so far. */
  get offers(): ConfigOffer[] {
    return this.program.events.filter((event) => event.event === "config");
  }

  /** The offer of this hash. */
  offer(hash: string): Promise<ConfigOffer> {
    return this.program.waitFor(
      `offer of ${hash}`,
      (event): event is ConfigOffer => event.event === "config" && event.hash === hash,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program.stop();
  }
}
