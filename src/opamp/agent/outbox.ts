import type { ConnectionSettingsRequest, CustomMessage } from "../messages.ts";

/** A message of its own: unlike a status it is not replaced by a newer one, and it is sent once. */
export type Letter =
  | { customMessage: CustomMessage }
  | { connectionSettingsRequest: ConnectionSettingsRequest };

/** Letters that wait to be sent, oldest first, one for each AgentToServer (AX4). Bounded. */
export class Outbox {
  readonly #capacity: number;
  #letters: Letter[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#letters.length;
  }

  /** Whether a custom message of this capability waits. */
  holds(capability: string): boolean {
    return this.#letters.some(
      (letter) => "customMessage" in letter && letter.customMessage.capability === capability,
    );
  }

  /** False when it is full. */
  put(letter: Letter): boolean {
    if (this.#letters.length >= this.#capacity) return false;
    this.#letters.push(letter);
    return true;
  }

  /** The newest connection settings request replaces one that still waits. */
  putRequest(letter: { connectionSettingsRequest: ConnectionSettingsRequest }): void {
    this.#letters = this.#letters.filter((waiting) => !("connectionSettingsRequest" in waiting));
    this.#letters.unshift(letter);
  }

  take(): Letter | undefined {
    return this.#letters.shift();
  }

  /** Letters that were sent but not answered go first again, in their order. */
  putBack(letters: readonly Letter[]): void {
    this.#letters.unshift(...letters);
  }
}
