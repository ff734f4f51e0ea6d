import { Client, type Pool } from "pg";
import { Backoff } from "../../foundation/backoff.ts";
import type { Clock, Timer } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { DatabaseMessages, MessageListener } from "./database.ts";

/** The channel of LISTEN and NOTIFY. */
const channel = "opamp_server";

/** Short texts to all that share a database, by LISTEN and NOTIFY. */
export function postgresMessages(
  url: string,
  { clock, log, pool }: { clock: Clock; log: Logger; pool: Pool },
): DatabaseMessages {
  return {
    async send(text) {
      await pool.query("select pg_notify($1, $2)", [channel, text]);
    },
    listen: (listener) => listenOn(url, { clock, log, listener }),
  };
}

interface ListenOptions {
  clock: Clock;
  log: Logger;
  listener: MessageListener;
}

/** A connection of its own, dialled again whenever it is lost. */
function listenOn(
  url: string,
  { clock, log, listener }: ListenOptions,
): ReturnType<DatabaseMessages["listen"]> {
  const backoff = new Backoff({ initialMs: 500, maxMs: 10_000, factor: 2, jitter: 0.5 });
  const state: { client?: Client | undefined; timer?: Timer; connected: boolean; closed: boolean } = {
    connected: false,
    closed: false,
  };

  const dial = async () => {
    const client = new Client({ connectionString: url, application_name: "opamp-server", keepAlive: true });
    state.client = client;
    client.on("notification", ({ payload }) => listener.onMessage(payload ?? ""));
    client.on("error", (error) => lost(client, error));
    client.on("end", () => lost(client, new Error("PostgreSQL closed the connection")));
    try {
      await client.connect();
      await client.query(`listen ${channel}`);
    } catch (error) {
      lost(client, error);
      return;
    }
    if (state.client !== client) return;
    state.connected = true;
    backoff.reset();
    listener.onGap();
  };

  const lost = (client: Client, error: unknown) => {
    if (state.client !== client) return;
    state.client = undefined;
    void client.end().catch(() => undefined);
    if (state.closed) return;
    if (state.connected) {
      const fields = { event: "database_messages_lost", error: describeError(error) };
      log.warn(fields, "other servers are not heard at once until PostgreSQL is reached again");
    }
    state.connected = false;
    state.timer = clock.setTimer(backoff.next(), () => void dial());
  };

  void dial();
  return {
    get connected() {
      return state.connected;
    },
    async close() {
      state.closed = true;
      state.timer?.cancel();
      const { client } = state;
      state.client = undefined;
      await client?.end().catch(() => undefined);
    },
  };
}
