import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeError, errorCode } from "../../foundation/errors.ts";
import type { StorageSettings } from "../settings/server-settings.ts";
import type { Database } from "./database.ts";
import { defaultDirectory } from "./directory.ts";
import { StorageError } from "./storage-error.ts";

/** AES-256-GCM: bytes of its key, of a nonce, and of the tag that proves the text. */
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/** Secrets in the database, which nobody can read there without the master key. */
export class Secrets {
  readonly #database: Database;
  readonly #settings: StorageSettings;
  #key: Buffer | undefined;

  constructor({ database, settings }: { database: Database; settings: StorageSettings }) {
    this.#database = database;
    this.#settings = settings;
  }

  /**
   * The secret of that name. One that is not there is made, and kept; of several servers that make one at the
   * same time, all get the same.
   * @throws StorageError when there is no master key to be had, or another one than it was sealed with
   */
  async getOrMake(name: string, make: () => string | Promise<string>): Promise<string> {
    const found = await this.#find(name);
    if (found !== undefined) return found;
    await this.#database.query
      .insertInto("secrets")
      .values({ name, sealed: this.#seal(name, await make()) })
      .onConflict((conflict) => conflict.column("name").doNothing())
      .execute();
    const kept = await this.#find(name);
    if (kept === undefined) throw new StorageError(`the secret ${name} could not be kept`);
    return kept;
  }

  async #find(name: string): Promise<string | undefined> {
    const row = await this.#database.query
      .selectFrom("secrets")
      .select("sealed")
      .where("name", "=", name)
      .executeTakeFirst();
    return row && this.#open(name, row.sealed);
  }

  /** The name is part of what is proven, so that one secret cannot be put in another's place. */
  #seal(name: string, text: string): string {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv("aes-256-gcm", this.#masterKey(), nonce).setAAD(Buffer.from(name));
    const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString("base64");
  }

  #open(name: string, sealed: string): string {
    const bytes = Buffer.from(sealed, "base64");
    const nonce = bytes.subarray(0, nonceBytes);
    const key = this.#masterKey();
    try {
      const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: tagBytes })
        .setAAD(Buffer.from(name))
        .setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
      return (
        decipher.update(bytes.subarray(nonceBytes + tagBytes), undefined, "utf8") + decipher.final("utf8")
      );
    } catch {
      throw new StorageError(
        `the secret ${name} was sealed with another key: give this server the ${this.#source()} that it had`,
      );
    }
  }

  #masterKey(): Buffer {
    this.#key ??= this.#readKey();
    return this.#key;
  }

  #source(): string {
    return this.#settings.encryptionKeyFile === undefined
      ? "file encryption-key"
      : "storage.encryption_key_file";
  }

  #readKey(): Buffer {
    const { encryptionKeyFile, postgresUrl } = this.#settings;
    if (encryptionKeyFile !== undefined) return readKey(encryptionKeyFile, "storage.encryption_key_file");
    if (postgresUrl !== undefined) {
      throw new StorageError(
        "storage.encryption_key_file is needed: secrets in a database that servers share are sealed with a key that they all have (openssl rand -base64 32)",
      );
    }
    const directory = this.#settings.directory ?? defaultDirectory();
    // The database is gone with the process as well.
    if (directory === undefined) return randomBytes(keyBytes);
    const file = join(directory, "encryption-key");
    try {
      writeFileSync(file, `${randomBytes(keyBytes).toString("base64")}\n`, {
        mode: 0o600,
        flag: "wx",
        flush: true,
      });
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw new StorageError(`${file}: ${describeError(error)}`);
    }
    return readKey(file, "storage.directory");
  }
}

function readKey(file: string, setting: string): Buffer {
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new StorageError(`${setting}: cannot read ${file}: ${describeError(error)}`);
  }
  const key = Buffer.from(text, /^[0-9a-f]{64}$/i.test(text) ? "hex" : "base64");
  if (key.length === keyBytes) return key;
  throw new StorageError(
    `${setting}: ${file} holds no key of ${keyBytes} bytes in base64 or hexadecimal (openssl rand -base64 ${keyBytes})`,
  );
}
