import { describeError } from "../../foundation/errors.ts";

/** The reference's names of spans, one for each thing the supervisor is told to do. */
export type SpanName =
  | "GetBootstrapInfo"
  | "onMessage"
  | "processRemoteConfigMessage"
  | "handleAgentOpAMPMessage";

export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** Something that is under way. */
export interface Span {
  set(attributes: SpanAttributes): void;
  /** Its status is Error with the text of `failure`, else Ok. Only the first call counts. */
  end(failure?: string): void;
}

export interface Tracer {
  /** Begins a span, below the one of the {@link during} that this is called in. */
  start(name: SpanName, attributes?: SpanAttributes): Span;
  /** Runs synchronous code as a span. */
  during<T>(name: SpanName, run: (span: Span) => T, attributes?: SpanAttributes): T;
}

const noSpan: Span = { set: () => undefined, end: () => undefined };

export const noTracer: Tracer = { start: () => noSpan, during: (_name, run) => run(noSpan) };

/** Runs asynchronous code as a span; what it throws is the span's failure. */
export async function traced<T>(tracer: Tracer, name: SpanName, run: (span: Span) => Promise<T>): Promise<T> {
  const span = tracer.start(name);
  try {
    const result = await run(span);
    span.end();
    return result;
  } catch (error) {
    span.end(describeError(error));
    throw error;
  }
}
