import { useState } from "preact/hooks";
import type { StreamEvent } from "../api/events.ts";
import type { RolloutDetail } from "../api/types.ts";
import { useLive } from "../live.ts";
import { Page, Problem, Section, Waiting } from "../parts/page.tsx";
import { Status } from "../parts/status.tsx";
import { Clock, Hash } from "../parts/text.tsx";
import { hrefTo } from "../route.ts";
import { isUnderWay, selectorWords, stateWords } from "../text/rollout-words.ts";
import { RolloutActions } from "./rollout-actions.tsx";
import { Gates } from "./rollout-gates.tsx";
import { RolloutMembers } from "./rollout-members.tsx";
import { WhatNext } from "./rollout-next.tsx";
import { StageBars, type Stages } from "./rollout-stages.tsx";
import { Timeline } from "./rollout-timeline.tsx";
import { titleOf } from "./rollouts.tsx";

/** Gates are judged once a second, without an event for it. */
const watchMs = 2_000;

export function RolloutPage({ id, entry }: { id: string; entry: string | undefined }) {
  const path = `/api/v1/rollouts/${encodeURIComponent(id)}`;
  const [live, setLive] = useState(true);
  const wants = (event: StreamEvent) =>
    (event.type === "rollout.changed" && event.rollout === id) || (live && event.type === "offer.answered");
  const everyMs = live ? watchMs : undefined;
  const rollout = useLive<RolloutDetail>(path, { wants, everyMs });
  const stages = useLive<Stages>(`${path}/stages`, { wants, everyMs });
  const [said, setSaid] = useState<string>();
  const { data } = rollout;
  if (data !== undefined && live !== isUnderWay(data)) setLive(isUnderWay(data));
  return (
    <Page title={data === undefined ? "Rollout" : data.message || titleOf(data)}>
      <Problem text={rollout.problem} />
      {data === undefined ? (
        rollout.problem === undefined && <Waiting />
      ) : (
        <>
          <div class="rollout-head">
            <div>
              <p class="rollout-state" aria-live="polite">
                <Status kind={stateWords[data.state].kind}>{stateWords[data.state].text}</Status>
                {data.reason !== null && <span class="wrap"> {data.reason}</span>}
              </p>
              <WhatNext rollout={data} stages={stages.data} />
            </div>
            <RolloutActions
              rollout={data}
              onDone={(text) => {
                setSaid(text);
                rollout.reload();
                stages.reload();
              }}
            />
          </div>
          {said !== undefined && (
            <p class="notice" role="status">
              {said}
            </p>
          )}
          <Facts rollout={data} />
          <Section title="Stages">
            <StageBars rollout={data} stages={stages.data} />
          </Section>
          <Section title="Gates">
            <Gates findings={data.findings} isUnderWay={isUnderWay(data)} />
          </Section>
          <div class="columns">
            <Section title="Story">
              <Timeline id={id} story={data.story} stages={data.stages} entry={entry} />
            </Section>
            <Section title="Agents">
              <RolloutMembers path={`${path}/agents`} rollout={data} />
            </Section>
          </div>
        </>
      )}
    </Page>
  );
}

function Facts({ rollout }: { rollout: RolloutDetail }) {
  const { changes, created_at, created_by, selector, strategy } = rollout;
  return (
    <dl class="facts facts-top">
      <div>
        <dt>Brings</dt>
        <dd>
          {changes.map(({ hash, kind }) => (
            <span key={hash}>
              {kind} <Hash value={hash} />{" "}
            </span>
          ))}
        </dd>
      </div>
      <div>
        <dt>To</dt>
        <dd>
          <a class="mono wrap" href={hrefTo([], { selector })}>
            {selectorWords(selector)}
          </a>
        </dd>
      </div>
      <div>
        <dt>Strategy</dt>
        <dd>{strategy}</dd>
      </div>
      <div>
        <dt>Started</dt>
        <dd>
          <Clock at={created_at} /> by {created_by}
        </dd>
      </div>
    </dl>
  );
}
