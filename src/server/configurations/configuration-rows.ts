import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { AgentConfigMapSchema } from "../../opamp/messages.ts";
import type { ContentRows } from "../offers/contents.ts";
import type { Configuration } from "./configuration.ts";

/** Configurations as they go over the wire, by hash. */
export const configurationRows: ContentRows<Configuration> = {
  async save(transaction, { map, hashHex }, now) {
    await transaction
      .insertInto("configurations")
      .values({ hash: hashHex, body: toBinary(AgentConfigMapSchema, map), created_at: now })
      .onConflict((conflict) => conflict.column("hash").doNothing())
      .execute();
  },
  async load(query, hashHex) {
    const row = await query
      .selectFrom("configurations")
      .select("body")
      .where("hash", "=", hashHex)
      .executeTakeFirst();
    if (row === undefined) return undefined;
    const map = fromBinary(AgentConfigMapSchema, row.body);
    return { map, hash: new Uint8Array(Buffer.from(hashHex, "hex")), hashHex };
  },
};
