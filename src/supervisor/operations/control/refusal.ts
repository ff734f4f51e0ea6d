/** A request that an operator has to put differently; the message says how. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  /** HTTP status of the answer. */
  readonly status: 400 | 404 | 409 | 413;

  constructor(status: Refusal["status"], message: string) {
    super(message);
    this.status = status;
  }
}
