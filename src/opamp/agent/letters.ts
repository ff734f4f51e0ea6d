import type { Logger } from "../../foundation/logger.ts";
import { hasBits, ServerCapability } from "../bits.ts";
import type { ConnectionSettingsRequest, CustomMessage, ServerToAgent } from "../messages.ts";
import type { Outbox } from "./outbox.ts";
import type { ReportedState } from "./reported-state.ts";

/** Takes messages of their own into the outbox, if they are such as the server announced that it understands. */
export class Letters {
  readonly #outbox: Outbox;
  readonly #state: ReportedState;
  readonly #logger: Logger;
  #serverCapabilities = 0n;
  /** Undefined: it never announced any list, as many servers do not. */
  #serverCustomCapabilities: readonly string[] | undefined;

  constructor(outbox: Outbox, state: ReportedState, logger: Logger) {
    this.#outbox = outbox;
    this.#state = state;
    this.#logger = logger;
  }

  /** What the server announced it can do; 0 before its first answer (AT11). */
  get serverCapabilities(): bigint {
    return this.#serverCapabilities;
  }

  /** The server said something; what it leaves out is as before. */
  heard({ capabilities, customCapabilities }: ServerToAgent): void {
    if (capabilities !== 0n) this.#serverCapabilities = capabilities;
    if (customCapabilities !== undefined) this.#serverCustomCapabilities = customCapabilities.capabilities;
  }

  /** Whether the server announced this custom capability, and no message of it waits. */
  wantsCustomMessage(capability: string): boolean {
    return this.#serverCustomCapabilities?.includes(capability) === true && !this.#outbox.holds(capability);
  }

  /** Only what both sides announced (SX2); `full` means that it was dropped. */
  putCustomMessage(customMessage: CustomMessage): "queued" | "unsupported" | "full" {
    const own = this.#state.get("customCapabilities")?.capabilities ?? [];
    const { capability } = customMessage;
    const theirs = this.#serverCustomCapabilities;
    if (!own.includes(capability) || theirs?.includes(capability) === false) return "unsupported";
    if (this.#outbox.put({ customMessage })) return "queued";
    const fields = { event: "message_dropped", capability };
    this.#logger.warn(fields, "a custom message was dropped: too many wait");
    return "full";
  }

  /** Only where the server issues certificates (AN20). The newest request wins. */
  putRequest(connectionSettingsRequest: ConnectionSettingsRequest): "queued" | "unsupported" {
    if (!hasBits(this.#serverCapabilities, ServerCapability.AcceptsConnectionSettingsRequest)) {
      return "unsupported";
    }
    this.#outbox.putRequest({ connectionSettingsRequest });
    return "queued";
  }
}
