import { parseStrategy } from "./parse-strategy.ts";
import type { Strategy, StrategyDocument } from "./strategy.ts";

const documents: readonly StrategyDocument[] = [
  {
    kind: "RolloutStrategy",
    name: "default",
    description: "5, 20, 50 and 100 % of the agents, each watched for ten minutes",
    stages: ["5%", "20%", "50%", "100%"].map((share) => ({ share, dwell: "10m" })),
  },
  {
    kind: "RolloutStrategy",
    name: "standard",
    description: "a canary, then staging, then production when a person says so",
    stages: [
      { name: "canary", share: "10%", dwell: "15m" },
      { name: "staging", share: "30%", dwell: "30m" },
      { name: "production", share: "100%", dwell: "60m", auto_advance: false },
    ],
  },
  {
    kind: "RolloutStrategy",
    name: "progressive",
    description: "1, 5, 10, 25, 50 and 100 % of the agents, each watched for ten minutes",
    stages: ["1%", "5%", "10%", "25%", "50%", "100%"].map((share) => ({ share, dwell: "10m" })),
  },
  {
    kind: "RolloutStrategy",
    name: "immediate",
    description: "everybody at once and without gates: for when the time counts more than the risk",
    stages: [{ name: "everybody", share: "100%", dwell: "0s" }],
    gates: "off",
  },
];

/** The strategies that every server has, by name. */
export const readyMadeStrategies: ReadonlyMap<string, Strategy> = new Map(
  documents.map((document) => [parseStrategy(document).name, parseStrategy(document)] as const),
);
