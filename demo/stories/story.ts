import type { Stage } from "../stage.ts";

/** What the demo can show. */
export interface Story {
  /** Whether the server has a folder of packages and the supervisor takes them. */
  usesPackages: boolean;
  /** Throws at the first step that does not truly happen. */
  tell(stage: Stage): Promise<void>;
  /** What to type while everything stays up. */
  whatNext(stage: Stage): Promise<string>;
}
