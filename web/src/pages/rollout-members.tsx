import { useState } from "preact/hooks";
import type { Member, RolloutDetail } from "../api/types.ts";
import { useLive } from "../live.ts";
import { Problem } from "../parts/page.tsx";
import { Status, type StatusKind } from "../parts/status.tsx";
import { count } from "../parts/text.tsx";
import { hrefTo } from "../route.ts";
import { isUnderWay } from "../text/rollout-words.ts";

/** Shown before one asks for more. */
const few = 20;
const many = 500;

const answers: Readonly<Record<Member["answer"], { kind: StatusKind; text: string }>> = {
  applied: { kind: "ok", text: "applied" },
  failed: { kind: "bad", text: "failed" },
  none: { kind: "idle", text: "no answer yet" },
};

const order: readonly Member["answer"][] = ["failed", "none", "applied"];

/** The agents of the stages begun so far; those that need somebody first. */
export function RolloutMembers({ path, rollout }: { path: string; rollout: RolloutDetail }) {
  const { data, problem } = useLive<{ agents: Member[] }>(path, {
    wants: ({ type }) => type === "rollout.changed" || type === "offer.answered",
    everyMs: isUnderWay(rollout) ? 5_000 : undefined,
  });
  const [isLong, setLong] = useState(false);
  const members = data?.agents.toSorted((a, b) => order.indexOf(a.answer) - order.indexOf(b.answer)) ?? [];
  const shown = members.slice(0, isLong ? many : few);
  return (
    <>
      <Problem text={problem} />
      {data !== undefined && members.length === 0 && <p class="faint">No agent is in a stage yet.</p>}
      <ul class="members">
        {shown.map(({ answer, error, id, stage }) => (
          <li key={id}>
            <a class="mono" href={hrefTo(["agents", id])}>
              {id}
            </a>{" "}
            <Status kind={answers[answer].kind}>{answers[answer].text}</Status>{" "}
            <span class="faint">stage {rollout.stages[stage]?.name ?? stage + 1}</span>
            {error !== null && <pre class="words">{error}</pre>}
          </li>
        ))}
      </ul>
      {members.length > few && (
        <button type="button" class="quiet" onClick={() => setLong(!isLong)}>
          {isLong ? "Fewer" : `Show ${count(Math.min(many, members.length))} of ${count(members.length)}`}
        </button>
      )}
    </>
  );
}
