import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Secrets } from "../../../../src/server/storage/secrets.ts";
import { testDatabase } from "../../../support/database.ts";
import { tempDir } from "../../../support/temp-dir.ts";

const inDirectory = (directory: string) => ({ directory, postgresUrl: undefined });

describe("Secrets", () => {
  it("keeps what was made first, and nothing of it can be read in the database", async () => {
    const database = await testDatabase();
    const directory = tempDir();
    const secrets = new Secrets({ database, settings: inDirectory(directory) });
    expect(await secrets.getOrMake("ca", () => "the key of all")).toBe("the key of all");
    const again = new Secrets({ database, settings: inDirectory(directory) });
    expect(await again.getOrMake("ca", () => "another")).toBe("the key of all");
    const rows = await database.query.selectFrom("secrets").selectAll().execute();
    expect(rows).toHaveLength(1);
    expect(Buffer.from(rows[0]?.sealed ?? "", "base64").toString("latin1")).not.toContain("the key");
    expect(statSync(join(directory, "encryption-key")).mode & 0o777).toBe(0o600);
  });

  it("gives none to another key, and none that was put in another's place", async () => {
    const database = await testDatabase();
    const settings = inDirectory(tempDir());
    const secrets = new Secrets({ database, settings });
    await secrets.getOrMake("ca", () => "one");
    const stranger = new Secrets({ database, settings: inDirectory(tempDir()) });
    await expect(stranger.getOrMake("ca", () => "x")).rejects.toThrow("sealed with another key");
    await database.query.updateTable("secrets").set({ name: "tokens" }).execute();
    await expect(secrets.getOrMake("tokens", () => "x")).rejects.toThrow("sealed with another key");
  });

  it("takes its key from a file in base64 or hexadecimal, and names a bad one", async () => {
    const database = await testDatabase();
    const encryptionKeyFile = join(tempDir(), "key");
    const open = () =>
      new Secrets({
        database,
        settings: { directory: undefined, postgresUrl: "postgres://db/x", encryptionKeyFile },
      });
    await expect(open().getOrMake("ca", () => "one")).rejects.toThrow(
      "storage.encryption_key_file: cannot read",
    );
    writeFileSync(encryptionKeyFile, "too short");
    await expect(open().getOrMake("ca", () => "one")).rejects.toThrow("holds no key of 32 bytes");
    writeFileSync(encryptionKeyFile, Buffer.alloc(32, 7).toString("base64"));
    expect(await open().getOrMake("ca", () => "one")).toBe("one");
    writeFileSync(encryptionKeyFile, Buffer.alloc(32, 7).toString("hex"));
    expect(await open().getOrMake("ca", () => "two")).toBe("one");
    expect(readFileSync(encryptionKeyFile, "utf8")).toHaveLength(64);
  });

  it("wants a key that is shared where the database is", async () => {
    const secrets = new Secrets({
      database: await testDatabase(),
      settings: { directory: tempDir(), postgresUrl: "postgres://db/x" },
    });
    await expect(secrets.getOrMake("ca", () => "one")).rejects.toThrow(
      "storage.encryption_key_file is needed",
    );
  });
});
