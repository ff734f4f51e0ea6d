/** A frame or body that is not a well-formed OpAMP message. */
export class MalformedMessageError extends Error {
  override readonly name = "MalformedMessageError";
}
