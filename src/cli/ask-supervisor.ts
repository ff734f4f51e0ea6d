import * as z from "zod/mini";
import { askSupervisor, type Question } from "../supervisor/operations/control/client.ts";
import { forbiddenMessage } from "./operator-command.ts";

/** The supervisor's answer, or undefined when it is not running. @throws an Error for people otherwise. */
export async function askIfRunning<T>(
  directory: string,
  question: Question,
  schema: { parse(value: unknown): T },
): Promise<T | undefined> {
  const reply = await askSupervisor(directory, question);
  switch (reply.t) {
    case "not-running":
      return undefined;
    case "forbidden":
      throw new Error(forbiddenMessage(directory));
    case "silent":
      throw new Error(`the supervisor of ${directory} runs but gives no answer: ${reply.why}`);
    case "answered": {
      const body: unknown = JSON.parse(reply.text);
      if (reply.status === 200) return schema.parse(body);
      throw new Error(z.object({ error: z.string() }).parse(body).error);
    }
  }
}

/** For a command that waits behind a change under way. */
export function sayThatItWaits(): void {
  process.stderr.write("waiting for the change that is under way to end\n");
}
