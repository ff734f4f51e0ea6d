import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { eventually } from "./eventually.ts";
import { makeTempDir } from "./temp-dir.ts";

/** What is needed on this machine, and the Debian packages that have it. */
const tools = { debootstrap: "debootstrap", "systemd-nspawn": "systemd-container", nsenter: "util-linux" };
const bootMs = 60_000;

/** Lays a file system in memory over the one of $1, in the folder $2, and starts the container in it. */
const layers = `
  base=$1 folder=$2
  shift 2
  mount -t tmpfs none "$folder"
  mkdir "$folder/upper" "$folder/work" "$folder/root"
  mount -t overlay -o "lowerdir=$base,upperdir=$folder/upper,workdir=$folder/work" none "$folder/root"
  exec systemd-nspawn "$@" --directory "$folder/root"`;

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

/**
 * A clean Debian 12 with a booted systemd of its own, in a container that shares this machine's network: what a
 * test serves on loopback is there too.
 */
export class DebianMachine implements AsyncDisposable {
  /** Its files, as seen from here. */
  readonly root: string;
  readonly #folder: Disposable;
  readonly #container: ChildProcess;
  readonly #leader: number;

  /** Why a machine cannot be had here; undefined if it can. */
  static get obstacle(): string | undefined {
    if (process.getuid?.() !== 0) return "only root can boot a machine";
    const folders = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    const missing = Object.entries(tools).filter(
      ([tool]) => !folders.some((folder) => existsSync(join(folder, tool))),
    );
    if (missing.length === 0) return undefined;
    return `apt-get install ${missing.map(([, debianPackage]) => debianPackage).join(" ")}`;
  }

  /** Gets what {@link boot} needs: a minute or two at first, for a hook with time. */
  static async prepare(): Promise<void> {
    if (DebianMachine.obstacle !== undefined) throw new Error(DebianMachine.obstacle);
    await baseSystem();
  }

  static async boot(): Promise<DebianMachine> {
    const base = await baseSystem();
    const folder = makeTempDir();
    // In memory and in a mount namespace of its own: it costs nothing to make, and is gone with the container.
    const nspawn = [
      "--quiet",
      "--boot",
      "--register=no",
      "--keep-unit",
      "--link-journal=no",
      "--console=pipe",
    ];
    const container = spawn(
      "unshare",
      [
        "--mount",
        "sh",
        "-ec",
        layers,
        "sh",
        base,
        folder.path,
        ...nspawn,
        `--machine=${basename(folder.path)}`,
      ],
      { env: { ...process.env, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1" }, stdio: "ignore" },
    );
    await once(container, "spawn");
    try {
      const leader = await eventually("the machine's first process", () => firstOf(container.pid), bootMs);
      const machine = new DebianMachine({ folder, container, leader });
      const state = () => machine.run("systemctl is-system-running");
      await eventually(
        "the machine is up",
        async () => /running|degraded/.test((await state()).stdout),
        bootMs,
      );
      return machine;
    } catch (error) {
      container.kill("SIGKILL");
      folder[Symbol.dispose]();
      throw error;
    }
  }

  private constructor(parts: { folder: Disposable; container: ChildProcess; leader: number }) {
    this.root = `/proc/${parts.leader}/root`;
    this.#folder = parts.folder;
    this.#container = parts.container;
    this.#leader = parts.leader;
  }

  /** Runs a shell command as root and resolves when it has ended, however. */
  async run(command: string): Promise<CommandResult> {
    const into = ["-t", String(this.#leader), "-m", "-u", "-i", "-p", "-C", "-r", "-w"];
    const env = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C.UTF-8" };
    const child = spawn("nsenter", [...into, "sh", "-c", command], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const output = { stdout: "", stderr: "" };
    child.stdout.on("data", (chunk: Buffer) => (output.stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (output.stderr += chunk.toString()));
    await once(child, "close");
    return { code: child.exitCode ?? 128, ...output };
  }

  /** The output of a command that has to go well. */
  async sh(command: string): Promise<string> {
    const { code, stdout, stderr } = await this.run(command);
    if (code !== 0) throw new Error(`${command}: exit code ${code}\n${stdout}${stderr}`);
    return stdout.trim();
  }

  /** Puts a file of this machine there. */
  copyIn(source: string, target: string): void {
    copyFileSync(source, join(this.root, target));
  }

  /** Turns it off, with everything that runs there. */
  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#container, "exit");
    process.kill(this.#leader, "SIGKILL");
    await ended;
    this.#folder[Symbol.dispose]();
  }
}

/** A fresh Debian that no test has touched, made on first use (a minute) and kept. */
async function baseSystem(): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "opamp-supervisor");
  const kept = join(cache, "debian-12-systemd-rpm");
  if (existsSync(kept)) return kept;
  mkdirSync(cache, { recursive: true });
  // Made aside and renamed: what is there is whole.
  const fresh = `${kept}.${process.pid}`;
  try {
    const include = "--include=systemd,systemd-sysv,procps,rpm";
    await promisify(execFile)("debootstrap", ["--variant=minbase", include, "bookworm", fresh], {
      maxBuffer: 2 ** 26,
    });
    // Another test may have been faster.
    if (!existsSync(kept)) renameSync(fresh, kept);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return kept;
}

/** The child of a process that is the first one of a machine, which counts processes anew. */
function firstOf(container: number | undefined): number | undefined {
  const name = readdirSync("/proc").find((entry) => {
    const status = /^\d+$/.test(entry) ? readStatus(entry) : "";
    return new RegExp(`^PPid:\\s+${container}$`, "m").test(status) && /^NSpid:.*\s1$/m.test(status);
  });
  return name === undefined ? undefined : Number(name);
}

function readStatus(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    // It has ended.
    return "";
  }
}
