/** The user that Collector commands run as. */
export interface RunAs {
  user: string;
  uid: number;
  gid: number;
}

/** What it takes to become another user, to signal and to see its processes; bits of capabilities(7). */
export const neededCapabilities = [
  { name: "CAP_KILL", bit: 5n },
  { name: "CAP_SETGID", bit: 6n },
  { name: "CAP_SETUID", bit: 7n },
  { name: "CAP_SYS_PTRACE", bit: 19n },
] as const;

/**
 * The command that runs `executable` as `runAs`; without it, or as ourselves, the command itself. With
 * `endsWithUs` the kernel tells it to end (PR_SET_PDEATHSIG) when this process dies, however it dies.
 */
export function commandAs(
  executable: string,
  args: readonly string[],
  runAs: RunAs | undefined,
  { endsWithUs = false }: { endsWithUs?: boolean } = {},
): { file: string; args: string[] } {
  const bond = endsWithUs ? ["--pdeathsig=TERM"] : [];
  if (runAs === undefined || isSelf(runAs)) {
    if (!endsWithUs) return { file: executable, args: [...args] };
    return { file: "setpriv", args: [...bond, "--", executable, ...args] };
  }
  // Ambient capabilities would outlive the change of user and let the Collector become anyone.
  const dropped = neededCapabilities
    .map(({ name }) => `-${name.slice("CAP_".length).toLowerCase()}`)
    .join(",");
  const privileges = [
    `--reuid=${runAs.uid}`,
    `--regid=${runAs.gid}`,
    "--init-groups",
    `--inh-caps=${dropped}`,
    `--ambient-caps=${dropped}`,
    ...bond,
  ];
  return { file: "setpriv", args: [...privileges, "--", executable, ...args] };
}

/** Whether this process already is that user. */
export function isSelf({ uid, gid }: RunAs): boolean {
  return process.getuid?.() === uid && process.getgid?.() === gid;
}
