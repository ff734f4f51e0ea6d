import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";

/** Writes state down, and says whether that worked: what runs is not to end for a disk that is full. */
export async function stateSaved(logger: Logger, write: () => Promise<unknown>): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (error) {
    const fields = { event: "state_not_saved", error: describeError(error) };
    logger.error(fields, "the state directory cannot be written");
    return false;
  }
}
