import type { FastifyReply, FastifyRequest } from "fastify";
import * as z from "zod";
import { ProblemError } from "./problem.ts";

/** `?limit=` and `?cursor=` of a list; without a limit it is answered whole. */
export const pageParameters = {
  limit: z.coerce.number().int().min(1).max(10_000).optional().describe("At most that many; default: all"),
  cursor: z.string().optional().describe("Goes on where a page ended: its next"),
};

/** Of a list's answer. */
export const nextPage = z.string().optional().describe("There is more: the cursor of the next page");

export interface Page {
  limit?: number | undefined;
  cursor?: string | undefined;
}

/** Where an item stands in its list: ordered by these, the first one that differs counts. Never changes. */
export type Position = readonly (number | string)[];

/**
 * One page of a list that is in the order of its positions; items that come or go between two pages move no other.
 * @throws ProblemError 400 for a cursor that no page ended with
 */
export function pageOf<T>(
  items: readonly T[],
  { limit, cursor }: Page,
  positionOf: (item: T) => Position,
): { items: readonly T[]; next: string | undefined } {
  const after = cursor === undefined ? undefined : decodeCursor(cursor);
  const rest =
    after === undefined ? items : items.filter((item) => comparePositions(positionOf(item), after) > 0);
  if (limit === undefined || rest.length <= limit) return { items: rest, next: undefined };
  const page = rest.slice(0, limit);
  const last = page.at(-1);
  return { items: page, next: last === undefined ? undefined : encodeCursor(positionOf(last)) };
}

/** Negative: `a` stands before `b`. */
export function comparePositions(a: Position, b: Position): number {
  for (const [index, one] of a.entries()) {
    const other = b[index];
    if (other === undefined || one > other) return 1;
    if (one < other) return -1;
  }
  return a.length - b.length;
}

/** Names the next page in a Link header as well (RFC 8288). */
export function linkNext(request: FastifyRequest, reply: FastifyReply, next: string | undefined): void {
  if (next === undefined) return;
  const [path, query] = request.url.split("?", 2);
  const parameters = new URLSearchParams(query);
  parameters.set("cursor", next);
  reply.header("link", `<${path}?${parameters.toString()}>; rel="next"`);
}

const cursorSchema = z.array(z.union([z.number(), z.string()])).min(1);

function encodeCursor(position: Position): string {
  return Buffer.from(JSON.stringify(position)).toString("base64url");
}

function decodeCursor(cursor: string): Position {
  try {
    return cursorSchema.parse(JSON.parse(Buffer.from(cursor, "base64url").toString()));
  } catch {
    const message = "is not the next of a page";
    throw new ProblemError("bad-query-parameter", `cursor ${message}`, {
      errors: [{ in: "query", field: "cursor", message }],
    });
  }
}
