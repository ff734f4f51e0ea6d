import { chmod, type FileHandle, mkdir, open, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncDirectory } from "../../storage/atomic-file.ts";
import { memberPath } from "./member-path.ts";
import { PackageProblem } from "./package-problem.ts";

export interface UnpackLimits {
  /** Of all files together, as they are written. */
  maxBytes: number;
  /** Files and folders, those included that are only named as part of a path. */
  maxMembers: number;
}

/** What the Collector's own queues and the supervisor's state are left of the disk. */
const reservedBytes = 64 * 1024 * 1024;
const bytesBetweenLooks = 16 * 1024 * 1024;

/** Writes an archive's members into a fresh folder and refuses what an honest package does not hold. */
export class UnpackedTree {
  readonly #root: string;
  readonly #limits: UnpackLimits;
  /** By the path in one spelling, so that a file system that ignores case cannot merge two of them. */
  readonly #members = new Map<string, { path: string; isFile: boolean }>();
  #bytes = 0;
  #bytesAtLook = 0;

  constructor(root: string, limits: UnpackLimits) {
    this.#root = root;
    this.#limits = limits;
  }

  /** Relative paths of the files, in the archive's order. */
  get files(): readonly string[] {
    return [...this.#members.values()].filter(({ isFile }) => isFile).map(({ path }) => path);
  }

  async addDirectory(name: string): Promise<void> {
    const path = memberPath(name);
    if (path !== "") await this.#makeDirectory(path);
  }

  /**
   * @param mode permission bits; undefined where the archive has none: then what begins like a program
   *   may be executed.
   * @returns how many bytes came.
   */
  async addFile(name: string, mode: number | undefined, content: AsyncIterable<Uint8Array>): Promise<number> {
    const path = memberPath(name);
    if (path === "") throw new PackageProblem("a file of the archive has no name");
    if (path.includes("/")) await this.#makeDirectory(dirname(path));
    this.#claim(path, true);
    const file = await open(join(this.#root, path), "wx", 0o600);
    try {
      const { bytes, head } = await this.#write(file, content);
      // No setuid, no setgid, nothing that others may write to; umask has no say.
      await file.chmod(0o644 | ((mode ?? (beginsLikeProgram(head) ? 0o755 : 0)) & 0o755));
      return bytes;
    } finally {
      await file.close();
    }
  }

  /** Makes all of it survive a power cut. */
  async sync(): Promise<void> {
    for (const { path, isFile } of this.#members.values()) {
      if (!isFile) await syncDirectory(join(this.#root, path));
      else await syncFile(join(this.#root, path));
    }
    await syncDirectory(this.#root);
  }

  async #makeDirectory(path: string): Promise<void> {
    const known = this.#members.get(spelling(path));
    if (known?.path === path && !known.isFile) return;
    if (path.includes("/")) await this.#makeDirectory(dirname(path));
    this.#claim(path, false);
    const full = join(this.#root, path);
    await mkdir(full);
    await chmod(full, 0o755);
  }

  #claim(path: string, isFile: boolean): void {
    const known = this.#members.get(spelling(path));
    if (known !== undefined)
      throw new PackageProblem(
        known.path === path
          ? `two members are named ${JSON.stringify(path)}`
          : `the members ${JSON.stringify(known.path)} and ${JSON.stringify(path)} differ only in case`,
      );
    if (this.#members.size >= this.#limits.maxMembers)
      throw new PackageProblem(
        `the package has more than ${this.#limits.maxMembers} members (packages.max_members)`,
      );
    this.#members.set(spelling(path), { path, isFile });
  }

  async #write(
    file: FileHandle,
    content: AsyncIterable<Uint8Array>,
  ): Promise<{ bytes: number; head: string }> {
    let bytes = 0;
    let head = "";
    for await (const chunk of content) {
      this.#bytes += chunk.length;
      if (this.#bytes > this.#limits.maxBytes)
        throw new PackageProblem(
          `the package unpacks to more than ${this.#limits.maxBytes} bytes (packages.max_unpacked_size)`,
        );
      if (this.#bytes - this.#bytesAtLook >= bytesBetweenLooks) await this.#needSpace();
      if (head.length < 4) head += Buffer.from(chunk.subarray(0, 4)).toString("latin1");
      bytes += chunk.length;
      await file.writeFile(chunk);
    }
    return { bytes, head };
  }

  async #needSpace(): Promise<void> {
    this.#bytesAtLook = this.#bytes;
    const { bavail, bsize } = await statfs(this.#root);
    if (bavail * bsize >= reservedBytes) return;
    const message = `the disk is full: ${bavail * bsize} bytes are free while unpacking a package, ${reservedBytes} are kept for the Collector`;
    throw Object.assign(new Error(message), { code: "ENOSPC", syscall: "statfs" });
  }
}

function spelling(path: string): string {
  return path.normalize("NFC").toLowerCase();
}

function beginsLikeProgram(head: string): boolean {
  return head.startsWith("\x7fELF") || head.startsWith("#!");
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
