import type { ContentRows } from "../offers/contents.ts";
import { type ConnectionOffer, connectionSettingsSchema } from "./connection-settings.ts";

/** Connection settings by hash, secrets by their names. */
export const connectionRows: ContentRows<ConnectionOffer> = {
  async save(transaction, { settings, hashHex }, now) {
    await transaction
      .insertInto("connection_settings")
      .values({ hash: hashHex, settings: JSON.stringify(settings), created_at: now })
      .onConflict((conflict) => conflict.column("hash").doNothing())
      .execute();
  },
  async load(query, hashHex) {
    const row = await query
      .selectFrom("connection_settings")
      .select("settings")
      .where("hash", "=", hashHex)
      .executeTakeFirst();
    if (row === undefined) return undefined;
    const settings = connectionSettingsSchema.parse(JSON.parse(row.settings));
    return { settings, hash: new Uint8Array(Buffer.from(hashHex, "hex")), hashHex };
  },
};
