import { describeError, errorCode } from "../../../foundation/errors.ts";

/** This host cannot take the file: no source can mend that. */
export class DiskError extends Error {
  override readonly name = "DiskError";
  /** Whether it is for want of space, so that a partial file is in the way. */
  readonly full: boolean;

  constructor(message: string, options: { full: boolean; cause?: unknown }) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.full = options.full;
  }
}

/** Runs what only touches the disk, so that its errors cannot be taken for those of a source. */
export async function onDisk<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const full = /^(ENOSPC|EDQUOT)$/.test(errorCode(error) ?? "");
    const message = full
      ? `the disk is full: no space to write ${path}; free some on its file system`
      : `cannot write ${path}: ${describeError(error)}`;
    throw new DiskError(message, { full, cause: error });
  }
}
