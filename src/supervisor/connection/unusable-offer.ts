/** An offer that is bad in itself, in words for the log and the server. */
export class UnusableOfferError extends Error {
  override readonly name = "UnusableOfferError";
}
