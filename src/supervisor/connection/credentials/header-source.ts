/** Headers that came from somewhere, and for how long they are good. */
export interface FetchedHeaders {
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds from now; undefined: not known. */
  readonly lifetimeMs: number | undefined;
}

/** Where headers come from that may change. */
export interface HeaderSource {
  /** The key of supervisor.yaml. */
  readonly name: string;
  /** Milliseconds after which what was fetched is fetched again, where its lifetime is not known. 0: for every connect. */
  readonly intervalMs: number;
  /** Milliseconds before its end that it is fetched again. */
  readonly expiryBufferMs: number;
  /** Rejects with an error that holds no secret. */
  fetch(): Promise<FetchedHeaders>;
}
