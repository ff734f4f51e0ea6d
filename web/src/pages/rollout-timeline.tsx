import { useEffect, useRef } from "preact/hooks";
import type { RolloutDetail, StoryEntry } from "../api/types.ts";
import { Clock } from "../parts/text.tsx";
import { hrefTo } from "../route.ts";
import { FindingTable } from "./rollout-gates.tsx";

export interface TimelineProps {
  id: string;
  story: readonly StoryEntry[];
  stages: RolloutDetail["stages"];
  /** Number of the entry that was linked to. */
  entry: string | undefined;
}

/** What was decided, by whom and on which figures; every entry has an address of its own. */
export function Timeline({ id, story, stages, entry }: TimelineProps) {
  return (
    <ol class="timeline">
      {story.map((each, index) => (
        <Entry
          key={index}
          entry={each}
          stage={each.stage === undefined ? undefined : stages[each.stage]?.name}
          href={hrefTo(["rollouts", id], { entry: String(index + 1) })}
          isWanted={entry === String(index + 1)}
        />
      ))}
    </ol>
  );
}

interface EntryProps {
  entry: StoryEntry;
  stage: string | undefined;
  href: string;
  isWanted: boolean;
}

function Entry({ entry, stage, href, isWanted }: EntryProps) {
  const item = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (isWanted) item.current?.scrollIntoView({ block: "center" });
  }, [isWanted]);
  const { at, by, event, findings, text } = entry;
  return (
    <li ref={item} class={isWanted ? "wanted" : undefined}>
      <p class="timeline-head">
        <a href={href} class="faint">
          <Clock at={at} />
          <span class="unseen">, link to this entry, {event}</span>
        </a>{" "}
        <strong>{event.replaceAll("-", " ")}</strong>
        {stage !== undefined && ` · stage ${stage}`} <span class="faint">by {by}</span>
      </p>
      <p class="wrap">{text}</p>
      {findings.length > 0 && (
        <details open={isWanted}>
          <summary>{findings.length === 1 ? "1 figure" : `${findings.length} figures`}</summary>
          <FindingTable findings={findings} />
        </details>
      )}
    </li>
  );
}
