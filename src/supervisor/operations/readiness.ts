import type { BookContent } from "../change/configuration-book.ts";
import type { CollectorState, LinkView } from "../collector/collector-state.ts";

/** What readiness is told from. */
interface ReadinessFacts {
  collector: { readonly state: CollectorState; readonly link: Pick<LinkView, "mark"> | undefined };
  book: Pick<BookContent, "current">;
}

/**
 * Why this host is not ready; undefined where it is: a Collector has been healthy on what we told it and its
 * link is up, or it was told to stop. The OpAMP server has no say in it.
 */
export function notReadyBecause({ collector, book }: ReadinessFacts): string | undefined {
  const { state, link } = collector;
  if (state.t === "stopped" && book.current?.id === null) return undefined;
  if (state.t !== "running") return `the Collector is ${state.t}`;
  if (link?.mark !== state.launch.mark) return "the Collector has no link to the supervisor";
  return undefined;
}
