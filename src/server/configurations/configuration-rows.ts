import { fromBinary, toBinary } from "@bufbuild/protobuf";
import * as z from "zod";
import { AgentConfigMapSchema } from "../../opamp/messages.ts";
import type { ContentRows } from "../offers/contents.ts";
import type { Configuration } from "./configuration.ts";

const names = z.array(z.string());

/** Configurations as they go over the wire, by hash. */
export const configurationRows: ContentRows<Configuration> = {
  async save(transaction, { map, hashHex, secrets }, now) {
    await transaction
      .insertInto("configurations")
      .values({
        hash: hashHex,
        body: toBinary(AgentConfigMapSchema, map),
        created_at: now,
        secrets: secrets.length === 0 ? null : JSON.stringify(secrets),
      })
      .onConflict((conflict) => conflict.column("hash").doNothing())
      .execute();
  },
  async load(query, hashHex) {
    const row = await query
      .selectFrom("configurations")
      .select(["body", "secrets"])
      .where("hash", "=", hashHex)
      .executeTakeFirst();
    if (row === undefined) return undefined;
    const map = fromBinary(AgentConfigMapSchema, row.body);
    const secrets = names.parse(JSON.parse(row.secrets ?? "[]"));
    return { map, hash: new Uint8Array(Buffer.from(hashHex, "hex")), hashHex, secrets };
  },
};
