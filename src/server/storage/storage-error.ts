/** The database cannot be used; the message names the setting and says what to do. */
export class StorageError extends Error {
  override readonly name = "StorageError";
}
