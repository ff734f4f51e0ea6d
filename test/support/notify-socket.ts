import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { eventually } from "./eventually.ts";

/**
 * Binds the socket that systemd would, until the running test ends, and keeps what is sent there. In Perl, which
 * every Debian has: Node knows no datagrams on such sockets.
 */
export async function receiveDatagrams(path: string): Promise<{ lines: string[] }> {
  const program =
    'use Socket; $| = 1; socket(S, AF_UNIX, SOCK_DGRAM, 0) && bind(S, sockaddr_un($ARGV[0])) or die $!; print "bound\\n"; while (defined recv(S, $_, 4096, 0)) { print "$_\\n" }';
  const child: ChildProcess = spawn("perl", ["-e", program, path], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(async () => {
    const exited = once(child, "exit");
    child.kill();
    await exited;
  });
  const lines: string[] = [];
  if (child.stdout === null) throw new Error("no output");
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  await eventually("the socket", () => lines.includes("bound"));
  return { lines };
}
