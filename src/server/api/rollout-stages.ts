import * as z from "zod";
import type { Member } from "../rollouts/course/rollout.ts";
import { stageOf } from "../rollouts/course/state.ts";
import type { Api } from "./api.ts";
import { isoTime } from "./iso-time.ts";
import { orProblem } from "./rollout-problems.ts";
import { progressSchema } from "./rollout-schema.ts";
import { progressOf } from "./rollout-view.ts";
import type { RolloutsApi } from "./rollouts.ts";

const stagesSchema = z
  .object({
    since: z.string().nullable().describe("When the phase or the pause began"),
    dwell_ends_at: z
      .string()
      .nullable()
      .describe("While it is watched: when the stage passes at the earliest"),
    stages: z.array(
      progressSchema.extend({
        name: z.string(),
        planned: z.int().describe("Agents that it has or is to add, as far as can be told now"),
        state: z.enum(["to-come", "waiting", "releasing", "dwelling", "passed", "left"]),
      }),
    ),
  })
  .meta({ id: "RolloutStages" });

type StageView = z.infer<typeof stagesSchema>["stages"][number];

/** How far each stage of a rollout is, and what is waited for. */
export function rolloutStageRoutes(api: Api, { rollouts }: Pick<RolloutsApi, "rollouts">): void {
  api.get(
    "/api/v1/rollouts/:rollout/stages",
    {
      schema: {
        tags: ["rollouts"],
        summary: "How far each stage is, and what is waited for",
        params: z.object({ rollout: z.string().describe("The rollout's id") }),
        response: { 200: stagesSchema },
      },
    },
    ({ params }) =>
      orProblem(() => {
        const entry = rollouts.get(params.rollout);
        const { rollout, members } = entry;
        const { begun, state, strategy } = rollout;
        const running = state.t === "paused" ? state.was : state;
        const phase = running.t === "running" ? running.phase : undefined;
        const dwellMs = strategy.stages[stageOf(state) ?? 0]?.dwellMs ?? 0;
        const ended = stageOf(state) === undefined && state.t !== "pending";
        const places = ended ? new Map() : rollouts.places(entry);
        const byStage = Map.groupBy(members.values(), ({ stage }) => stage);
        const planned = Map.groupBy(places.values(), ({ stage }) => stage);
        const stateOf = (index: number): StageView["state"] => {
          if (state.t === "done") return "passed";
          const current = stageOf(state) ?? (begun === undefined ? -1 : begun.index);
          if (ended || running.t === "rolling-back")
            return begun !== undefined && index <= begun.index ? "left" : "to-come";
          if (index !== current) return index < current ? "passed" : "to-come";
          return phase?.t ?? "left";
        };
        return {
          since: sinceOf(
            state.t === "paused"
              ? state.since
              : phase !== undefined && "since" in phase
                ? phase.since
                : undefined,
          ),
          dwell_ends_at:
            state.t === "running" && phase?.t === "dwelling" ? isoTime(phase.since + dwellMs) : null,
          stages: strategy.stages.map(({ name }, index) => {
            const own: readonly Member[] = byStage.get(index) ?? [];
            return {
              name,
              planned: Math.max(own.length, planned.get(index)?.length ?? 0),
              state: stateOf(index),
              ...progressOf(own),
            };
          }),
        };
      }),
  );
}

function sinceOf(at: number | undefined): string | null {
  return at === undefined ? null : isoTime(at);
}
