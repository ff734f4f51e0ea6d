import type { Stage, StageOptions } from "../stage.ts";

/** What the demo can show. */
export interface Story extends StageOptions {
  /** Throws at the first step that does not truly happen. */
  tell(stage: Stage): Promise<void>;
  /** What to type while everything stays up. */
  whatNext(stage: Stage): Promise<string>;
}
