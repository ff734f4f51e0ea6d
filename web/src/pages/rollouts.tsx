import type { Rollout } from "../api/types.ts";
import { useLive } from "../live.ts";
import { Page, Problem, Waiting } from "../parts/page.tsx";
import { Status } from "../parts/status.tsx";
import { Ago, count, Hash } from "../parts/text.tsx";
import { hrefTo } from "../route.ts";
import { mayDo } from "../session.ts";
import { selectorWords, stateWords } from "../text/rollout-words.ts";

export function RolloutsPage() {
  const { data, problem } = useLive<{ rollouts: Rollout[] }>("/api/v1/rollouts", {
    wants: ({ type }) => type === "rollout.changed" || type === "offer.answered",
  });
  return (
    <Page
      title="Rollouts"
      aside={
        mayDo("operator") && (
          <a class="button primary" href={hrefTo(["rollouts", "new"])}>
            New rollout
          </a>
        )
      }
    >
      <Problem text={problem} />
      {data === undefined && problem === undefined && <Waiting />}
      {data?.rollouts.length === 0 && (
        <p class="empty">
          Nothing was rolled out yet. A rollout brings a configuration to the agents of a selector, stage by
          stage, and takes it back where it hurts.
        </p>
      )}
      <ul class="cards">
        {data?.rollouts.map((rollout) => (
          <li key={rollout.id}>
            <Card rollout={rollout} />
          </li>
        ))}
      </ul>
    </Page>
  );
}

function Card({ rollout }: { rollout: Rollout }) {
  const { changes, created_at, created_by, id, message, progress, selector, stage, stages, state, strategy } =
    rollout;
  const { kind, text } = stateWords[state];
  return (
    <a class="card" href={hrefTo(["rollouts", id])}>
      <span class="card-head">
        <Status kind={kind}>{text}</Status>
        {stage !== null && (
          <span>
            stage {stage + 1} of {stages.length}, {stages[stage]?.name}
          </span>
        )}
        <span class="faint">
          <Ago at={created_at} /> by {created_by}
        </span>
      </span>
      <strong class="card-title">{message === "" ? titleOf(rollout) : message}</strong>
      <span class="faint">
        {changes.map(({ hash, kind: what }) => (
          <span key={hash}>
            {what} <Hash value={hash} />{" "}
          </span>
        ))}
        to <span class="mono">{selectorWords(selector)}</span> by strategy {strategy}
      </span>
      <span>
        {count(progress.applied)} of {count(progress.members)} have it
        {progress.failed > 0 && <b class="bad">, {count(progress.failed)} failed</b>}
        {progress.unreachable > 0 && `, ${count(progress.unreachable)} unreachable`}
      </span>
    </a>
  );
}

export function titleOf({ changes, selector }: Pick<Rollout, "changes" | "selector">): string {
  const kinds = changes.map(({ kind }) => kind).join(" and ");
  return `${kinds[0]?.toUpperCase() ?? ""}${kinds.slice(1)} for ${selectorWords(selector)}`;
}
