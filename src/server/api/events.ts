import * as z from "zod";
import type { Clock } from "../../foundation/clock.ts";
import { type ServerEvents, type ServerEventType, serverEventTypes } from "../events.ts";
import type { Api } from "./api.ts";
import { usualHeaders } from "./errors.ts";
import { EventStream } from "./event-stream.ts";
import { ProblemError } from "./problem.ts";

export interface EventsApi {
  events: ServerEvents;
  clock: Clock;
}

const keepAliveMs = 15_000;
const maxWaitingBytes = 64 * 1024;
/** Each is a connection that stays. */
const maxStreams = 500;

export function eventRoutes(api: Api, { events, clock }: EventsApi): void {
  const open = new Set<EventStream>();

  api.get(
    "/api/v1/events",
    {
      // Its answer never ends, so that there is nothing to say to HEAD.
      exposeHeadRoute: false,
      schema: {
        tags: ["events"],
        summary: "What happens from now on, as server-sent events",
        description:
          `Types: ${serverEventTypes.join(", ")}. With Last-Event-ID it goes on where it broke off; ` +
          "an event reset says that events were missed.",
        produces: ["text/event-stream"],
        querystring: z.strictObject({
          types: z
            .string()
            .optional()
            .describe("Only these: types or, for all that begin with it, rooms, such as agent,offer.made"),
        }),
        headers: z.object({ "last-event-id": z.string().max(200).optional() }),
      },
    },
    (request, reply) => {
      const types = typesFrom(request.query.types);
      if (open.size >= maxStreams) {
        const detail = `${maxStreams} event streams are open already`;
        throw new ProblemError("too-many-streams", detail, { headers: { "retry-after": "30" } });
      }
      reply.hijack();
      reply.raw.writeHead(200, {
        ...usualHeaders,
        "content-type": "text/event-stream",
        "x-request-id": request.id,
        // Proxies are not to keep events back.
        "x-accel-buffering": "no",
      });
      const lastEventId = request.headers["last-event-id"];
      const stream = new EventStream(reply.raw, {
        events,
        clock,
        types,
        lastEventId,
        keepAliveMs,
        maxWaitingBytes,
      });
      open.add(stream);
      reply.raw.once("close", () => open.delete(stream));
    },
  );
}

/** @throws ProblemError 400 for what is no type: a mistyped one would never come */
function typesFrom(text: string | undefined): ReadonlySet<ServerEventType> | undefined {
  if (text === undefined) return undefined;
  const wanted = text.split(",").map((each) => each.trim());
  const known = wanted.map((name) =>
    serverEventTypes.filter((type) => type === name || type.startsWith(`${name}.`)),
  );
  const unknown = wanted.filter((_, index) => known[index]?.length === 0);
  if (unknown.length === 0) return new Set(known.flat());
  const message = `has unknown types ${unknown.map((each) => JSON.stringify(each)).join(", ")} (known: ${serverEventTypes.join(", ")})`;
  throw new ProblemError("bad-query-parameter", `types ${message}`, {
    errors: [{ in: "query", field: "types", message }],
  });
}
