import * as z from "zod/mini";
import type { ConfigurationBook } from "../../change/configuration-book.ts";
import type { ConfigurationIntake } from "../../change/configuration-intake.ts";
import type { PackageIntake } from "../../change/package-intake.ts";
import type { Road } from "../../change/road.ts";
import type { WayBack } from "../../change/way-back.ts";
import type { Collector } from "../../collector/collector.ts";
import type { Verdicts } from "../../report/verdicts.ts";
import { type Selection, selectQuarantined } from "./select-quarantined.ts";

/** Answer of `DELETE /v1/quarantine` and `DELETE /v1/quarantine/HASH`. */
export type QuarantineCleared = z.infer<ReturnType<typeof makeQuarantineClearedSchema>>;

/** Made by whoever reads one. */
export const makeQuarantineClearedSchema = () =>
  z.object({
    cleared: z.array(z.string()),
    /**
     * `asked-server`: its last offer was among them, and it is shown as not tried yet; `retrying`: what this host
     * has of it is tried again at once. Both may be; neither means that it counts from the next offer on.
     */
    next: z.array(z.enum(["asked-server", "retrying"])),
  });

export interface ClearDeps {
  book: ConfigurationBook;
  road: Pick<Road, "urgent">;
  verdicts: Pick<Verdicts, "forget">;
  intake: Pick<ConfigurationIntake, "presentContentHash" | "changeLocal">;
  /** undefined where packages are not accepted. */
  packages: Pick<PackageIntake, "forgive"> | undefined;
  wayBack: Pick<WayBack, "go">;
  collector: Pick<Collector, "state">;
}

/**
 * Lets what failed be tried again, on the road, so that no change is halfway through meanwhile.
 * @throws Refusal
 */
export async function clearQuarantine(selection: Selection, deps: ClearDeps): Promise<QuarantineCleared> {
  const { book } = deps;
  selectQuarantined(book.quarantined, selection);
  return onRoad(deps.road, async () => {
    // What was under way may have changed it.
    const cleared = selectQuarantined(book.quarantined, selection);
    if (cleared.length === 0) return { cleared, next: [] };
    await book.clearQuarantine(new Set(cleared));
    const next: QuarantineCleared["next"] = [];
    for (const hash of cleared) {
      if (await deps.verdicts.forget(remoteHashOf(hash))) next.push("asked-server");
    }
    const named = cleared.some(namesPackages);
    if (named) await deps.packages?.forgive();
    if ((await tryAgain(deps)) || named) next.push("retrying");
    return { cleared, next };
  });
}

/** Asks for what this host has itself; not awaited, for a proof takes its time. */
async function tryAgain({ book, road, intake, wayBack, collector }: ClearDeps): Promise<boolean> {
  const { current } = book;
  if (current !== null && current.id === null) return false;
  if (collector.state.t === "held") {
    road.urgent(async () => {
      if (collector.state.t === "held")
        await wayBack.go("an operator cleared the quarantine", { orElse: "hold" });
    });
    return true;
  }
  // Of local files that cannot be merged there is nothing to try.
  const present = await intake.presentContentHash().catch(() => undefined);
  if (present === undefined || present === current?.contentHash) return false;
  if (book.quarantineOf(present) !== undefined) return false;
  intake.changeLocal("quarantine cleared by an operator");
  return true;
}

/** Whether an entry is of packages, alone or with a configuration. */
export function namesPackages(hash: string): boolean {
  return /(?:^|\+)packages:/.test(hash);
}

/** Of an entry that stands for an offer with packages, the part that has a status. */
function remoteHashOf(hash: string): string {
  return hash.split("+", 1)[0] ?? hash;
}

function onRoad<T>(road: Pick<Road, "urgent">, task: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    road.urgent(() => task().then(resolve, reject));
  });
}
