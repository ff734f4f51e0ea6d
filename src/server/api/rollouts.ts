import * as z from "zod";
import type { Configuration } from "../configurations/configuration.ts";
import type { GoBackWish, WentBack } from "../rollouts/go-back.ts";
import type { Decision, Rollouts } from "../rollouts/rollouts.ts";
import type { Strategies } from "../rollouts/strategies.ts";
import { identityOf } from "./access-control.ts";
import type { Api } from "./api.ts";
import { orProblem } from "./rollout-problems.ts";
import { memberSchema, rolloutDetailSchema, rolloutSchema } from "./rollout-schema.ts";
import { memberView, rolloutView, storyView } from "./rollout-view.ts";

export interface RolloutsApi {
  rollouts: Rollouts;
  strategies: Strategies;
  goBack: (wish: GoBackWish) => Promise<WentBack>;
  /** By its hash in hexadecimal; undefined when none was ever pushed under it. */
  storedConfiguration: (hash: string) => Promise<Configuration | undefined>;
}

const oneRollout = z.object({ rollout: z.string().describe("The rollout's id") });

const reasonBody = z
  .strictObject({ reason: z.string().trim().min(1).describe("Why: it is kept in the rollout's story") })
  .meta({ examples: [{ reason: "looks good on the dashboards" }] });

const decisions = {
  approve: "Approves it as a second person, so that it starts",
  pause: "Reaches nobody else until it is resumed; gates go on to be judged",
  resume: "Goes on; warnings seen so far do not pause this stage again",
  promote: "Goes on to the next stage now, whatever the gates of this one lack",
  abort: "Stops it for good: who has it keeps it, nobody else gets it",
  rollback: "Takes it back from all that took it",
} as const;

export function rolloutRoutes(api: Api, { rollouts }: RolloutsApi): void {
  api.get(
    "/api/v1/rollouts",
    {
      schema: {
        tags: ["rollouts"],
        summary: "Rollouts, the newest first",
        querystring: z.strictObject({ state: rolloutSchema.shape.state.optional() }),
        response: { 200: z.object({ rollouts: z.array(rolloutSchema) }) },
      },
    },
    ({ query }) => {
      const wanted = rollouts
        .list()
        .filter(({ state }) => query.state === undefined || state.t === query.state);
      return { rollouts: wanted.map(({ id }) => rolloutView(rollouts.get(id))) };
    },
  );

  api.get(
    "/api/v1/rollouts/:rollout",
    {
      schema: {
        tags: ["rollouts"],
        summary: "One rollout, with what its gates say and what was decided on which figures",
        params: oneRollout,
        response: { 200: rolloutDetailSchema },
      },
    },
    ({ params }) =>
      orProblem(async () => ({
        ...rolloutView(rollouts.get(params.rollout)),
        findings: [...rollouts.findings(params.rollout)],
        story: (await rollouts.story(params.rollout)).map(storyView),
      })),
  );

  api.get(
    "/api/v1/rollouts/:rollout/agents",
    {
      schema: {
        tags: ["rollouts"],
        summary: "The agents of the stages begun so far, and what each made of it",
        params: oneRollout,
        response: { 200: z.object({ agents: z.array(memberSchema) }) },
      },
    },
    ({ params }) =>
      orProblem(() => {
        const returns = rollouts.returns(params.rollout);
        const members = [...rollouts.get(params.rollout).members.values()];
        return { agents: members.map((member) => memberView(member, returns?.get(member.id))) };
      }),
  );

  api.get(
    "/api/v1/rollouts/:rollout/explain/:instance_uid",
    {
      schema: {
        tags: ["rollouts"],
        summary: "In which stage an agent is or will be, and why",
        params: oneRollout.extend({ instance_uid: z.string() }),
        response: {
          200: z.object({
            id: z.string(),
            stage: z.int().nullable(),
            stage_name: z.string().nullable(),
            because: z.string().nullable(),
            blocked: z.string().nullable(),
            released: z.boolean(),
            text: z.string(),
          }),
        },
      },
    },
    ({ params }) => orProblem(() => rollouts.explain(params.rollout, params.instance_uid)),
  );

  for (const [name, summary] of Object.entries(decisions)) {
    const decision: Decision =
      name === "rollback" ? "roll-back" : (name as keyof typeof decisions & Decision);
    api.post(
      `/api/v1/rollouts/:rollout/${name}`,
      {
        schema: {
          tags: ["rollouts"],
          summary,
          params: oneRollout,
          body: reasonBody,
          response: { 200: rolloutSchema },
        },
      },
      (request) =>
        orProblem(async () => {
          const { rollout: id } = request.params;
          await rollouts.decide(id, decision, identityOf(request).name, request.body.reason);
          return rolloutView(rollouts.get(id));
        }),
    );
  }

  api.get(
    "/api/v1/quarantine",
    {
      schema: {
        tags: ["rollouts"],
        summary: "Hashes that were rolled back and are offered by nothing again",
        response: {
          200: z.object({
            hashes: z.array(
              z.object({
                kind: z.string(),
                hash: z.string(),
                at: z.string(),
                rollout: z.string(),
                reason: z.string(),
              }),
            ),
          }),
        },
      },
    },
    async () => ({
      hashes: (await rollouts.quarantined()).map(({ kind, hash, at, rollout_id, reason }) => ({
        kind,
        hash,
        at: new Date(at).toISOString(),
        rollout: rollout_id,
        reason,
      })),
    }),
  );
}
