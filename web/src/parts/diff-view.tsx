import { useMemo } from "preact/hooks";
import { type DiffLine, lineDiff } from "../text/line-diff.ts";

/** Lines around a change that are shown with it. */
const context = 3;

type Shown = DiffLine | { readonly t: "skipped"; readonly lines: number };

const signs = { same: " ", added: "+", removed: "−" } as const;
const words = { added: "only desired: ", removed: "only running: " } as const;

/** What has to be done to the first text to get the second. */
export function DiffView({ before, after }: { before: string; after: string }) {
  const lines = useMemo(() => shorten(lineDiff(before, after)), [before, after]);
  if (lines.every(({ t }) => t === "skipped")) return <p>Line by line the same.</p>;
  return (
    <div
      class="code diff"
      role="region"
      aria-label="Difference between what runs and what is desired"
      tabIndex={0}
    >
      {lines.map((line, index) =>
        line.t === "skipped" ? (
          <div key={index} class="diff-skipped">
            {line.lines} lines are the same
          </div>
        ) : (
          <div key={index} class={`diff-${line.t}`}>
            <span class="diff-sign" aria-hidden="true">
              {signs[line.t]}
            </span>
            {line.t !== "same" && <span class="unseen">{words[line.t]}</span>}
            {line.text}
          </div>
        ),
      )}
    </div>
  );
}

function shorten(lines: readonly DiffLine[]): Shown[] {
  const near = new Set<number>();
  for (const [index, { t }] of lines.entries()) {
    if (t === "same") continue;
    for (let each = index - context; each <= index + context; each += 1) near.add(each);
  }
  const shown: Shown[] = [];
  let skipped = 0;
  const flush = () => {
    if (skipped > 0) shown.push({ t: "skipped", lines: skipped });
    skipped = 0;
  };
  for (const [index, line] of lines.entries()) {
    if (!near.has(index)) {
      skipped += 1;
      continue;
    }
    flush();
    shown.push(line);
  }
  flush();
  return shown;
}
