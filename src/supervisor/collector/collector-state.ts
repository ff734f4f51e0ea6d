import type { Timer } from "../../foundation/clock.ts";
import type { ComponentHealth, EffectiveConfig } from "../../opamp/messages.ts";
import type { Launch } from "./launch.ts";
import type { CollectorExit, CollectorProcess } from "./process.ts";

/**
 * Where the one Collector is in its life. Only {@link Collector} writes it.
 * `starting` lasts until the first healthy report of this launch or reload.
 */
export type CollectorState =
  | { t: "stopped" }
  | { t: "starting"; launch: Launch; process: CollectorProcess; everHealthy: boolean; logPosition: number }
  | { t: "running"; launch: Launch; process: CollectorProcess; logPosition: number }
  | { t: "stopping"; process: CollectorProcess }
  | { t: "backing-off"; launch: Launch; reason: string; timer: Timer }
  | { t: "held"; launch: Launch; reason: string; timer: Timer };

/** What an observer of the Collector is told. */
export type CollectorEvent =
  | { t: "state"; state: CollectorState }
  | { t: "linked"; mark: string }
  | { t: "unlinked" }
  | { t: "health"; mark: string; health: ComponentHealth }
  | { t: "effective-config"; mark: string; effectiveConfig: EffectiveConfig }
  /**
   * It ended without having been asked to. `excerpt` is what it logged since its start or reload;
   * `claimed` says that somebody has taken the next step upon himself; `hung`, that it was killed by
   * us, and why.
   */
  | {
      t: "exited";
      exit: CollectorExit;
      launch: Launch;
      excerpt: Promise<string>;
      claimed: boolean;
      hung: string | undefined;
    }
  /** A restart after an exit could not be done; nothing runs. */
  | { t: "start-failed"; launch: Launch; error: Error };

/** What the extension has said on the newest link, if there is one. */
export interface LinkView {
  linkId: number;
  mark: string;
  health: ComponentHealth | undefined;
  effectiveConfig: EffectiveConfig | undefined;
}
