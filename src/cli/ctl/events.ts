import type { IncomingMessage } from "node:http";
import { setTimeout } from "node:timers/promises";
import { plainLine } from "../plain-text.ts";
import { ApiError } from "./api-client.ts";
import type { CtlCommand, CtlContext } from "./ctl-command.ts";

/** How long to wait before the stream is opened again, in milliseconds. */
const reopenMs = 2000;

export const eventsCommand: CtlCommand = {
  usage: "events",
  summary: "follow what happens, until stopped",
  options: {
    follow: { type: "boolean", help: "        as it always does", short: "f" },
    types: { type: "string", help: "LIST      only these: agent,offer.made,..." },
  },
  async run(context, call) {
    const position: { last: string | undefined } = { last: undefined };
    for (;;) {
      try {
        const response = await context.api.open("/api/v1/events", {
          query: { types: call.text("types") },
          headers: position.last === undefined ? {} : { "last-event-id": position.last },
        });
        context.warn("following what happens");
        await follow(response, context, position);
      } catch (error) {
        // A refusal stays one; a server that restarts comes back.
        const isRefused = error instanceof ApiError && error.status !== undefined && error.status < 500;
        if (isRefused || position.last === undefined) throw error;
      }
      context.warn("the stream broke off: opening it again");
      await setTimeout(reopenMs);
    }
  },
};

async function follow(
  response: IncomingMessage,
  { json, print }: CtlContext,
  position: { last: string | undefined },
): Promise<void> {
  let text = "";
  for await (const chunk of response as AsyncIterable<Buffer>) {
    text += chunk.toString();
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const fields = new Map(block.split("\n").map(fieldOf));
      position.last = fields.get("id") ?? position.last;
      const data = fields.get("data");
      if (data !== undefined) print(json ? data : describeEvent(JSON.parse(data) as Record<string, unknown>));
    }
  }
}

function fieldOf(line: string): [string, string] {
  const at = line.indexOf(":");
  return [line.slice(0, at), line.slice(at + 1).trimStart()];
}

function describeEvent({ time, type, ...rest }: Record<string, unknown>): string {
  const text = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
  const known = Object.entries(rest).filter(([, value]) => value !== null);
  const fields = known.map(([name, value]) => `${name}=${text(value)}`);
  return plainLine([...(time === undefined ? [] : [text(time)]), text(type), ...fields].join(" "));
}
