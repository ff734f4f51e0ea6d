import * as z from "zod/mini";
import type { Failure } from "./change.ts";
import {
  type ConfigurationBook,
  faultHash,
  hasWorked,
  type Reference,
  referenceSchema,
} from "./configuration-book.ts";
import { ConfigurationChange } from "./configuration-change.ts";
import type { Road } from "./road.ts";
import type { Trigger } from "./trigger.ts";
import type { WayBack } from "./way-back.ts";
import type { NewMark, Workshop } from "./workshop.ts";

/** An operator wants what ran before in the place of what runs. */
export interface Rollback {
  from: Reference;
  /** Has a snapshot: its id is not null. */
  to: Reference;
}

/** The part of the book that says what there is to go back to. */
export type KnownConfigurations = Pick<ConfigurationBook, "current" | "wayBack" | "quarantined">;

/** What a configuration is called by: the server's hash, or its own where none of the server's is in it. */
export const hashOf = ({ remoteHash, contentHash }: Reference) => remoteHash ?? contentHash;

/**
 * What a rollback of what runs would go back to: the nearest on the way back that is not itself refused, or the one
 * whose hash begins with `wanted`. Otherwise why there is none.
 */
export function chooseRollback(
  { current, wayBack, quarantined }: KnownConfigurations,
  wanted?: string,
): Rollback | { refused: string } {
  if (current === null) return { refused: "no configuration has come to run on this host yet" };
  if (!hasWorked(current)) {
    const refused = `only a ${current.role} configuration runs: the supervisor itself goes back to what worked as soon as that starts`;
    return { refused };
  }
  const refusalOf = (reference: Reference): string | undefined => {
    if (reference.id === null) return "it was the order to run no Collector";
    const entry = quarantined.find(({ hash }) => hash === faultHash(reference));
    return entry && `it is quarantined (${entry.reason.split("\n", 1)[0]}); see opamp-supervisor quarantine`;
  };
  if (wayBack.length === 0) return { refused: "nothing ran before what runs that is still known to work" };
  const matches = ({ remoteHash, contentHash }: Reference) =>
    wanted === undefined ||
    [remoteHash, contentHash].some((hash) => hash?.startsWith(wanted.toLowerCase()) === true);
  const meant = wayBack.filter(matches);
  const [first] = meant;
  const known = wayBack.map((reference) => hashOf(reference).slice(0, 12)).join(", ");
  if (first === undefined) return { refused: `${wanted} is not known to have worked; known: ${known}` };
  const to = meant.find((reference) => refusalOf(reference) === undefined);
  if (to !== undefined) return { from: blamed(current, to), to };
  return { refused: `${hashOf(first).slice(0, 12)} cannot be gone back to: ${refusalOf(first)}` };
}

/** What both have in common is not what is wrong with the first: the server's configuration is in force still. */
function blamed(from: Reference, to: Reference): Reference {
  if (from.remoteHash !== to.remoteHash || !from.cause.startsWith("remote")) return from;
  return { ...from, cause: from.packages === to.packages ? "local" : "packages" };
}

/** For the server, the quarantine and the log. */
export function rollbackReason(text: string): string {
  const said = text.trim();
  return said === "" ? "rolled back by an operator" : `rolled back by an operator: ${said}`;
}

interface RollbackDeps {
  workshop: Workshop;
  road: Road;
  wayBack: WayBack;
  newMark: NewMark;
}

/**
 * Puts a rollback on the road and resolves when it has ended; undefined when it was kept. What it goes back to is
 * merged anew, checked and proven like an offer; when it fails, what runs stays or is brought back.
 */
export function rollBack(
  { from, to, reason }: Rollback & { reason: string },
  { workshop, road, wayBack, newMark }: RollbackDeps,
): Promise<Failure | undefined> {
  return new Promise((settled) => {
    road.offer("rollback", async () => {
      const { current } = workshop.book;
      if (current?.id !== from.id || current?.remoteHash !== from.remoteHash) {
        settled({ fault: "host", reason: "another configuration has come to run meanwhile" });
        return undefined;
      }
      const inputs = to.id === null ? undefined : (await workshop.snapshots.load(to.id))?.inputs;
      if (inputs === undefined) {
        settled({ fault: "host", reason: "its snapshot in the state directory is missing or damaged" });
        return undefined;
      }
      const trigger: Trigger = { t: "rollback", from, cause: to.cause, reason };
      return new ConfigurationChange(newMark(), trigger, inputs, { workshop, wayBack, settled });
    });
  });
}

const detailSchema = z.object({
  trigger: z.literal("rollback"),
  from: referenceSchema,
  cause: referenceSchema.shape.cause,
  reason: z.string(),
});

/** The trigger of a rollback that an earlier process left in the journal; undefined when that is something else. */
export function readRollback(detail: Readonly<Record<string, unknown>>): Trigger | undefined {
  const read = z.safeParse(detailSchema, detail);
  if (!read.success) return undefined;
  const { from, cause, reason } = read.data;
  return { t: "rollback", from, cause, reason };
}
