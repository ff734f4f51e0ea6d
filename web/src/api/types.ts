import type * as z from "zod";
import type { agentDetailSchema, HealthView as ServerHealth } from "../../../src/server/api/agent-schema.ts";
import type { overviewSchema, rowSchema } from "../../../src/server/api/overview-schema.ts";
import type {
  memberSchema,
  rolloutDetailSchema,
  rolloutSchema,
  storyEntrySchema,
} from "../../../src/server/api/rollout-schema.ts";

// What the server answers, by the schemas that it answers by.
export type AgentDetail = z.infer<typeof agentDetailSchema>;
export type HealthView = ServerHealth;
export type Overview = z.infer<typeof overviewSchema>;
export type AgentRow = z.infer<typeof rowSchema>;
export type Rollout = z.infer<typeof rolloutSchema>;
export type RolloutDetail = z.infer<typeof rolloutDetailSchema>;
export type Member = z.infer<typeof memberSchema>;
export type StoryEntry = z.infer<typeof storyEntrySchema>;
export type Finding = StoryEntry["findings"][number];
