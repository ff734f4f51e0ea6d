import { closeSync, openSync, readdirSync, readSync } from "node:fs";
import { arch } from "node:os";
import { assertNever } from "../../foundation/assert-never.ts";
import { describeError, errorCode } from "../../foundation/errors.ts";

/** What kind of file an executable is, by its first bytes. */
export type ExecutableKind =
  | { kind: "native" }
  | { kind: "script" }
  /** A program for another processor, e.g. `arm64`. */
  | { kind: "foreign"; builtFor: string }
  | {
      kind: "unknown";
      /** The system it was built for, where that can be told. */
      system?: string;
    }
  | { kind: "unreadable" };

/** `e_machine` of the ELF header by Node's name of the architecture; each runs its 32-bit sibling too. */
const machines: Record<string, readonly number[]> = {
  x64: [62, 3],
  ia32: [3],
  arm64: [183, 40],
  arm: [40],
  ppc64: [21],
  s390x: [22],
  riscv64: [243],
};

/** Those of `EI_OSABI` that Linux does not run. */
const elfSystems: Record<number, string> = { 2: "NetBSD", 6: "Solaris", 9: "FreeBSD", 12: "OpenBSD" };

/** How programs of other systems begin: PE, and Mach-O for one or for several processors. */
const otherFormats: readonly (readonly [magic: string, system: string])[] = [
  ["MZ", "Windows"],
  ["\xcf\xfa\xed\xfe", "macOS"],
  ["\xce\xfa\xed\xfe", "macOS"],
  ["\xca\xfe\xba\xbe", "macOS"],
];

/** Looks at the first bytes of an executable; never fails. */
export function executableKind(path: string): ExecutableKind {
  const header = readHeader(path);
  if (header === undefined) return { kind: "unreadable" };
  if (header.toString("latin1", 0, 2) === "#!") return { kind: "script" };
  if (header.toString("latin1", 0, 4) === "\x7fELF") {
    const machine = header[5] === 2 ? header.readUInt16BE(18) : header.readUInt16LE(18);
    const system = elfSystems[header[7] ?? 0];
    if (system !== undefined && process.platform === "linux") return { kind: "unknown", system };
    if (machines[arch()]?.includes(machine) ?? true) return { kind: "native" };
    const builtFor = Object.entries(machines).find(([, [first]]) => first === machine)?.[0];
    return { kind: "foreign", builtFor: builtFor ?? `ELF machine ${machine}` };
  }
  // Mach-O and PE are not looked into further.
  if (process.platform !== "linux") return { kind: "native" };
  const system = otherFormats.find(([magic]) => header.toString("latin1").startsWith(magic))?.[1];
  return system === undefined ? { kind: "unknown" } : { kind: "unknown", system };
}

/** Why a file is no program of this host: `what` continues a sentence about it, `wanted` names what would do. */
export interface ExecutableFault {
  what: string;
  wanted: string | undefined;
}

/**
 * Why the file cannot be a program of this host, or undefined if it may be one. To be asked before an
 * exec: what the kernel refuses with ENOEXEC, execvp(3) feeds to a shell.
 */
export function executableFault(path: string): ExecutableFault | undefined {
  const found = executableKind(path);
  switch (found.kind) {
    case "foreign":
      if (hasEmulators()) return undefined;
      return {
        what: `is built for ${found.builtFor}, this host is ${arch()}`,
        wanted: `the build for ${arch()}`,
      };
    case "unknown":
      if (found.system !== undefined)
        return { what: `is built for ${found.system}, this host runs Linux`, wanted: "the build for Linux" };
      return { what: "is not a program (neither an ELF file nor a script with #!)", wanted: undefined };
    case "native":
    case "script":
    case "unreadable":
      return undefined;
    default:
      return assertNever(found);
  }
}

/** The same as a sentence about `agent.executable`, with what to do. */
export function executableProblem(path: string): string | undefined {
  const fault = executableFault(path);
  if (fault === undefined) return undefined;
  const { what, wanted } = fault;
  return `${path} ${what}; ${wanted === undefined ? "set agent.executable to a Collector binary" : `install ${wanted}`}`;
}

/** The failure to execute `executable`, as something an operator can act on. */
export function startError(executable: string, cwd: string | undefined, error: unknown): Error {
  return new Error(`cannot start ${executable}: ${startAdvice(executable, cwd, error)}`, { cause: error });
}

function startAdvice(executable: string, cwd: string | undefined, error: unknown): string {
  const code = errorCode(error) ?? "";
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return cwd === undefined
        ? "no such file; install the Collector there or correct agent.executable"
        : `the file or its working directory ${cwd} does not exist`;
    case "EACCES":
      return "not allowed to execute it; make it an executable file (chmod +x) on a file system without noexec, in directories this user may enter";
    case "ENOEXEC":
      return executableProblem(executable) ?? "not in a format that this host can execute";
    case "ETXTBSY":
      return "the file is still open for writing; finish installing it";
    case "EAGAIN":
    case "ENOMEM":
    case "EMFILE":
    case "ENFILE":
      return `the host is out of processes, memory or file descriptors (${code})`;
    default:
      return describeError(error);
  }
}

/** binfmt_misc may hand another processor's programs to an emulator. */
function hasEmulators(): boolean {
  try {
    return readdirSync("/proc/sys/fs/binfmt_misc").some((name) => name.startsWith("qemu"));
  } catch {
    return false;
  }
}

function readHeader(path: string): Buffer | undefined {
  const header = Buffer.alloc(20);
  try {
    const file = openSync(path, "r");
    try {
      readSync(file, header, 0, header.length, 0);
    } finally {
      closeSync(file);
    }
  } catch {
    // Missing, or unreadable and yet perhaps executable.
    return undefined;
  }
  return header;
}
