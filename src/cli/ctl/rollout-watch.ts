import type * as z from "zod";
import { memberSchema, rolloutDetailSchema } from "../../server/api/rollout-schema.ts";
import { formatDuration, plainLine } from "../plain-text.ts";
import type { ApiClient } from "./api-client.ts";
import type { CtlContext } from "./ctl-command.ts";

export type RolloutDetail = z.infer<typeof rolloutDetailSchema>;
type Member = z.infer<typeof memberSchema>;

const pollMs = 1_000;

/** States after which nothing happens by itself any more. */
const ends: ReadonlySet<RolloutDetail["state"]> = new Set(["done", "rolled-back", "aborted", "superseded"]);

export function hasEnded({ state }: Pick<RolloutDetail, "state">): boolean {
  return ends.has(state);
}

/** @throws ApiError */
export async function getRollout(api: ApiClient, id: string): Promise<RolloutDetail> {
  return rolloutDetailSchema.parse(await api.call(`/api/v1/rollouts/${encodeURIComponent(id)}`));
}

/** @throws ApiError */
export async function getMembers(api: ApiClient, id: string): Promise<Member[]> {
  const answer = (await api.call(`/api/v1/rollouts/${encodeURIComponent(id)}/agents`)) as {
    agents: unknown[];
  };
  return answer.agents.map((member) => memberSchema.parse(member));
}

export interface Watching {
  /** Milliseconds; undefined: for as long as it takes. */
  timeoutMs: number | undefined;
  /** Whether there is no need to look any longer. */
  until: (rollout: RolloutDetail) => boolean;
}

/** Prints every decision as it is made; resolves to the rollout at the end, or to undefined when time is up. */
export async function watchRollout(
  { api, now, pause, print }: Pick<CtlContext, "api" | "now" | "print"> & { pause: Pause },
  id: string,
  { timeoutMs, until }: Watching,
): Promise<RolloutDetail | undefined> {
  const began = now();
  let told = 0;
  let line = "";
  for (;;) {
    const rollout = await getRollout(api, id);
    for (const { at, by, event, text } of rollout.story.slice(told)) {
      print(plainLine(`${at}  ${event}  ${text} (${by})`));
    }
    told = rollout.story.length;
    const progress = progressLine(rollout);
    if (progress !== line && !hasEnded(rollout)) print(progress);
    line = progress;
    if (until(rollout)) return rollout;
    if (timeoutMs !== undefined && now() - began >= timeoutMs) return undefined;
    await pause(pollMs);
  }
}

export type Pause = (milliseconds: number) => Promise<void>;

/** How far it is, in one line. */
export function progressLine({ phase, progress, reason, stage, stages, state }: RolloutDetail): string {
  const at = stage === null ? undefined : stages[stage];
  const where =
    at === undefined ? "" : `, stage ${at.name} (${(stage ?? 0) + 1} of ${stages.length}) ${phase}`;
  const dwell = at !== undefined && phase === "dwelling" ? ` for ${formatDuration(at.dwell_seconds)}` : "";
  const { applied, failed, released, unreachable, waiting } = progress;
  const counts = [
    `${released} released`,
    `${applied} applied`,
    ...(failed > 0 ? [`${failed} FAILED`] : []),
    ...(waiting > 0 ? [`${waiting} not answered`] : []),
    ...(unreachable > 0 ? [`${unreachable} not reachable`] : []),
  ];
  const why = reason === null ? "" : `: ${reason}`;
  return plainLine(`${state}${where}${dwell}; ${counts.join(", ")}${why}`);
}
