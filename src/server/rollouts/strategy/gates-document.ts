import * as z from "zod";
import {
  type FigureGate,
  type FigureGateName,
  figureGateNames,
  type Gates,
  queryOperators,
  type ShareGate,
  type ShareGateName,
  shareGateNames,
} from "./gates.ts";
import { duration, percentage } from "./values.ts";

const minute = 60_000;

/** What a gate is when a strategy does not speak of it. */
const defaultShares: Readonly<Record<ShareGateName, ShareGate>> = {
  // An Agent's own verdict: there is nothing to wait for.
  failed: { thresholds: { warning: 0.001, critical: 0.005 }, holdMs: 0 },
  crash_looping: { thresholds: { warning: 0.001, critical: 0.005 }, holdMs: 0 },
  unhealthy: { thresholds: { warning: 0.005, critical: 0.01 }, holdMs: minute / 2 },
  disconnected: { thresholds: { warning: 0.02, critical: 0.05 }, holdMs: minute },
  other_hash: { thresholds: { warning: 0.005, critical: 0.01 }, holdMs: minute / 2 },
  silent: { thresholds: { warning: 0.02, critical: 0.05 }, holdMs: 0 },
};

const nowhere = { warning: undefined, critical: undefined };

const defaultFigures: Readonly<Record<FigureGateName, FigureGate>> = {
  cpu: { increase: { warning: 0.05, critical: 0.1 }, limit: nowhere, holdMs: 2 * minute },
  memory: { increase: { warning: 0.1, critical: 0.25 }, limit: nowhere, holdMs: 2 * minute },
  send_failures: { increase: { warning: 0.01, critical: 0.05 }, limit: nowhere, holdMs: minute / 2 },
  refused: { increase: { warning: 0.01, critical: 0.05 }, limit: nowhere, holdMs: minute / 2 },
  error_logs: { increase: { warning: 0.5, critical: 2 }, limit: nowhere, holdMs: minute },
  latency: { increase: { warning: 0.25, critical: 1 }, limit: nowhere, holdMs: minute },
};

const off = z.literal("off", { error: "expected the settings of a gate, or off" });

const shareGate = z.union([
  off,
  z.strictObject({
    warning: percentage({ example: "0.1%", max: 1 }).optional(),
    critical: percentage({ example: "0.5%", max: 1 }).optional(),
    hold: duration().optional(),
  }),
]);

const increase = z.strictObject({
  warning: percentage({ example: "5%" }).optional(),
  critical: percentage({ example: "10%" }).optional(),
});
const limit = z.strictObject({
  warning: z.number().nonnegative().optional(),
  critical: z.number().nonnegative().optional(),
});
const figureGate = z.union([
  off,
  z.strictObject({
    increase: z.union([off, increase]).optional(),
    limit: limit.optional(),
    hold: duration().optional(),
  }),
]);

const queryGate = z
  .strictObject({
    name: z.string().min(1),
    query: z.string().min(1),
    operator: z.enum(queryOperators),
    warning: z.number().optional(),
    critical: z.number().optional(),
    for: duration().default(0),
  })
  .refine(({ warning, critical }) => warning !== undefined || critical !== undefined, {
    error: "needs warning, critical or both: the number the result is compared with",
  });

/** The `gates:` of a strategy or of a stage. */
export const gatesDocument = z.union([
  off,
  z.strictObject({
    ...record(shareGateNames, shareGate),
    ...record(figureGateNames, figureGate),
    queries: z.array(queryGate).optional(),
    confidence: percentage({ example: "95%", max: 0.9999 }).optional(),
  }),
]);

type GatesDocument = z.output<typeof gatesDocument>;

export const defaultGates: Gates = {
  shares: defaultShares,
  figures: defaultFigures,
  queries: [],
  confidence: 0.95,
};

const noGates: Gates = { ...defaultGates, shares: {}, figures: {} };

/** What a document changes of `base`: gates it does not name stay as they are. */
export function gatesFrom(document: GatesDocument | undefined, base: Gates): Gates {
  if (document === undefined) return base;
  if (document === "off") return noGates;
  const shares: Partial<Record<ShareGateName, ShareGate>> = { ...base.shares };
  for (const name of shareGateNames) {
    const given = document[name];
    if (given === undefined) continue;
    if (given === "off") delete shares[name];
    else shares[name] = shareGateFrom(given, base.shares[name] ?? defaultShares[name]);
  }
  const figures: Partial<Record<FigureGateName, FigureGate>> = { ...base.figures };
  for (const name of figureGateNames) {
    const given = document[name];
    if (given === undefined) continue;
    if (given === "off") delete figures[name];
    else figures[name] = figureGateFrom(given, base.figures[name] ?? defaultFigures[name]);
  }
  const queries = document.queries?.map(({ name, query, operator, warning, critical, for: holdMs }) => ({
    name,
    query,
    operator,
    thresholds: { warning, critical },
    holdMs,
  }));
  return {
    shares,
    figures,
    queries: queries ?? base.queries,
    confidence: document.confidence ?? base.confidence,
  };
}

function shareGateFrom(given: Exclude<z.output<typeof shareGate>, "off">, base: ShareGate): ShareGate {
  const { warning = base.thresholds.warning, critical = base.thresholds.critical, hold } = given;
  return { thresholds: { warning, critical }, holdMs: hold ?? base.holdMs };
}

function figureGateFrom(given: Exclude<z.output<typeof figureGate>, "off">, base: FigureGate): FigureGate {
  return {
    increase: given.increase === "off" ? nowhere : { ...base.increase, ...given.increase },
    limit: { ...base.limit, ...given.limit },
    holdMs: given.hold ?? base.holdMs,
  };
}

function record<const Name extends string, S extends z.ZodType>(names: readonly Name[], schema: S) {
  return Object.fromEntries(names.map((name) => [name, schema.optional()])) as Record<Name, z.ZodOptional<S>>;
}
