import { errorCode } from "../../foundation/errors.ts";
import type { LocalLink } from "./local-link.ts";

/**
 * Opens the local link on the port of the last time, so that a running Collector finds its way back; on
 * another one if that is taken and nobody has fixed it, or if it is fixed but a Collector would stay down for it.
 * @throws Error that names the port.
 */
export async function openLocalLink(
  make: (port: number) => LocalLink,
  { port, isFixed }: { port: number; isFixed: boolean },
): Promise<{ link: LocalLink; port: number }> {
  const usual = make(port);
  try {
    return { link: usual, port: await usual.listen() };
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    if (isFixed || errorCode(cause) !== "EADDRINUSE") throw error;
  }
  const other = make(0);
  return { link: other, port: await other.listen() };
}
