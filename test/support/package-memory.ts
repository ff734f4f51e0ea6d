// A process of its own: verifies or unpacks one package and prints by how many bytes its memory has grown at
// the highest. Arguments: "verify" KEY SIGNATURE FILE, or "unpack" ARCHIVE INTO.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { filePieces } from "../../src/supervisor/packages/unpack/file-pieces.ts";
import { unpackPackage } from "../../src/supervisor/packages/unpack/unpack.ts";
import { verifySignature } from "../../src/supervisor/packages/verify/verify-signature.ts";
import { loadTrustKeys } from "../../src/supervisor/trust/trust-keys.ts";

const highest = () => 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);

const before = highest();
const [what, ...rest] = process.argv.slice(2);
if (what === "verify") {
  const [key = "", signature = "", path = ""] = rest;
  const hash = createHash("sha256");
  for await (const piece of filePieces(path)) hash.update(piece);
  const keys = await loadTrustKeys([key], "packages.trust.keys");
  const verdict = await verifySignature({ path, sha256: hash.digest("hex") }, readFileSync(signature), keys);
  if (!verdict.ok) throw new Error(verdict.reason);
} else {
  const [archive = "", into = ""] = rest;
  await unpackPackage(archive, into, { maxBytes: 1e9, maxMembers: 10 }, { name: "bare", mode: 0o755 });
}
process.stdout.write(`${highest() - before}\n`);
