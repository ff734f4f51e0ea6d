import type { ComponentChildren } from "preact";

/** Told by colour, by shape and by words. */
export type StatusKind = "ok" | "warning" | "bad" | "busy" | "idle";

export function Status({ kind, children }: { kind: StatusKind; children: ComponentChildren }) {
  return (
    <span class={`status status-${kind}`}>
      <span class="mark" aria-hidden="true" />
      {children}
    </span>
  );
}
