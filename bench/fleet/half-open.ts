import { once } from "node:events";
import { createConnection } from "node:net";

/** Connects that many TCP sockets and sends nothing on them. `allClosed` resolves when the server has closed every one. */
export async function openAndSayNothing(
  { hostname, port }: URL,
  count: number,
): Promise<{ allClosed: Promise<unknown> }> {
  const closed: Promise<unknown>[] = [];
  const atOnce = 500;
  for (let left = count; left > 0; left -= atOnce) {
    const connecting = Array.from({ length: Math.min(atOnce, left) }, async () => {
      const socket = createConnection({ host: hostname, port: Number(port) });
      // Reset or ended, it is closed.
      socket.on("error", () => undefined);
      socket.resume();
      closed.push(once(socket, "close"));
      await once(socket, "connect");
    });
    await Promise.all(connecting);
  }
  return { allClosed: Promise.all(closed) };
}
