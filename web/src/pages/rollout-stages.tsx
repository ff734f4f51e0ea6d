import type { RolloutDetail } from "../api/types.ts";
import { Status, type StatusKind } from "../parts/status.tsx";
import { count, counted, duration } from "../parts/text.tsx";
import { isUnderWay } from "../text/rollout-words.ts";

/** How far each stage is, as the server answers it. */
export interface Stages {
  since: string | null;
  dwell_ends_at: string | null;
  stages: {
    name: string;
    planned: number;
    state: "to-come" | "waiting" | "releasing" | "dwelling" | "passed" | "left";
    members: number;
    released: number;
    applied: number;
    failed: number;
    waiting: number;
    unreachable: number;
  }[];
}

type Stage = Stages["stages"][number];

const words: Readonly<Record<Stage["state"], { kind: StatusKind; text: string }>> = {
  "to-come": { kind: "idle", text: "to come" },
  waiting: { kind: "warning", text: "waits for a person" },
  releasing: { kind: "busy", text: "being offered" },
  dwelling: { kind: "busy", text: "being watched" },
  passed: { kind: "ok", text: "passed" },
  left: { kind: "idle", text: "ended here" },
};

export function StageBars({ rollout, stages }: { rollout: RolloutDetail; stages: Stages | undefined }) {
  if (stages === undefined) return <p class="faint">Loading…</p>;
  return (
    <ol class="stages">
      {stages.stages.map((stage, index) => (
        <li key={`${index} ${stage.name}`} class={`stage stage-${stage.state}`}>
          <div class="stage-head">
            <strong>
              {index + 1}. {stage.name}
            </strong>
            {(stage.state !== "to-come" || isUnderWay(rollout)) && (
              <Status kind={words[stage.state].kind}>{words[stage.state].text}</Status>
            )}
            <span class="faint">{sizeOf(rollout.stages[index])}</span>
          </div>
          <Bar stage={stage} />
          <p class="stage-counts">{countsOf(stage, !isUnderWay(rollout))}</p>
        </li>
      ))}
    </ol>
  );
}

function sizeOf(stage: RolloutDetail["stages"][number] | undefined): string {
  if (stage === undefined) return "";
  const size =
    stage.share === null
      ? counted(stage.count ?? 0, "agent")
      : `up to ${Number((stage.share * 100).toPrecision(3))} %`;
  const among = stage.selector === "" ? "" : ` of ${stage.selector}`;
  return `${size}${among}, watched for ${duration(stage.dwell_seconds)}`;
}

function Bar({ stage }: { stage: Stage }) {
  const all = Math.max(1, stage.planned, stage.members);
  const parts = [
    ["applied", stage.applied],
    ["failed", stage.failed],
    ["waiting", stage.waiting],
    ["unreachable", stage.unreachable],
  ] as const;
  return (
    <div class="stage-bar" aria-hidden="true">
      {parts.map(
        ([name, value]) =>
          value > 0 && (
            <span key={name} class={`part-${name}`} style={{ width: `${(100 * value) / all}%` }} />
          ),
      )}
    </div>
  );
}

function countsOf(
  { applied, failed, members, planned, released, unreachable, waiting }: Stage,
  isOver: boolean,
): string {
  if (members === 0 && isOver) return "was not begun";
  if (members === 0) return planned === 0 ? "adds nobody" : `adds ${counted(planned, "agent")}`;
  const parts = [
    `${count(applied)} of ${counted(Math.max(planned, members), "agent")} applied`,
    failed > 0 && `${count(failed)} failed`,
    waiting > 0 && `${count(waiting)} not answered yet`,
    unreachable > 0 && `${count(unreachable)} unreachable`,
    members > released && `${count(members - released)} wait for their turn`,
  ];
  return parts.filter(Boolean).join(", ");
}
