import { crc32, deflateRawSync, gzipSync } from "node:zlib";
import { Header, type HeaderData } from "tar/header";

export interface TarMember extends HeaderData {
  content?: string | Buffer;
  /** Bytes that follow are fewer or more than the header says. */
  claimedSize?: number;
}

/** A tar archive of exactly these members, honest or not. */
export function tarOf(members: readonly TarMember[], { end = true } = {}): Buffer {
  const blocks = members.flatMap(({ content = "", claimedSize, ...data }) => {
    const body = Buffer.from(content);
    const block = Buffer.alloc(512);
    const size = claimedSize ?? body.length;
    new Header({ type: "File", mode: 0o644, mtime: new Date(0), size, ...data }).encode(block, 0);
    return [block, body, Buffer.alloc((512 - (body.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(end ? 1024 : 0)]);
}

export const tarGzOf = (members: readonly TarMember[]) => gzipSync(tarOf(members), { level: 1 });

/** A record of a pax header. */
export function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(rest) + 1;
  while (Buffer.byteLength(`${length}${rest}`) !== length) length += 1;
  return `${length}${rest}`;
}

export interface ZipMember {
  name: string | Buffer;
  content?: string | Buffer;
  /** Whole Unix mode; undefined makes the archive one of DOS. */
  mode?: number;
  stored?: boolean;
  claimedSize?: number;
  claimedCrc?: number;
  flags?: number;
  method?: number;
}

/** A zip archive of exactly these members, honest or not. */
export function zipOf(members: readonly ZipMember[]): Buffer {
  const bodies: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content = "", mode, stored = false, flags = 0x800, ...claims } of members) {
    const [rawName, raw] = [Buffer.from(name as string), Buffer.from(content as string)];
    const data = stored ? raw : deflateRawSync(raw);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(flags, 2);
    fields.writeUInt16LE(claims.method ?? (stored ? 0 : 8), 4);
    fields.writeUInt32LE(claims.claimedCrc ?? crc32(raw), 10);
    fields.writeUInt32LE(data.length, 14);
    fields.writeUInt32LE(claims.claimedSize ?? raw.length, 18);
    fields.writeUInt16LE(rawName.length, 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), fields, rawName, data]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(((mode ?? 0) << 16) >>> 0, 6);
    tail.writeUInt32LE(offset, 10);
    const madeBy = Buffer.from([20, mode === undefined ? 0 : 3]);
    directory.push(Buffer.concat([Buffer.from("PK\x01\x02"), madeBy, fields, tail, rawName]));
    bodies.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(members.length, 4);
  end.writeUInt16LE(members.length, 6);
  end.writeUInt32LE(central.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...bodies, central, Buffer.from("PK\x05\x06"), end]);
}
