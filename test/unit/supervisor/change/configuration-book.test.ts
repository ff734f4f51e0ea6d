import { describe, expect, it } from "vitest";
import {
  type BookContent,
  bookSchema,
  ConfigurationBook,
  emptyBook,
  faultHash,
  type Reference,
} from "../../../../src/supervisor/change/configuration-book.ts";

const ref = (id: string | null, more: Partial<Reference> = {}): Reference => ({
  id,
  contentHash: `content of ${id}`,
  remoteHash: id === null ? "stop" : `hash of ${id}`,
  role: "desired",
  cause: "remote",
  packages: null,
  ...more,
});

function open(content: BookContent = emptyBook) {
  const disk = { full: false, saved: content };
  const book = new ConfigurationBook(content, async (next) => {
    if (!disk.full) disk.saved = next;
    return !disk.full;
  });
  return { book, disk, wayBack: () => book.wayBack.map(({ id }) => id) };
}

const bad = (hash: string) => ({ hash, reason: "it died", at: 1 });

describe("ConfigurationBook", () => {
  it("puts what is kept on probation, and what ran before on the way back", async () => {
    const { book, disk, wayBack } = open();
    await book.keep(ref("a"));
    expect([book.current?.id, book.onProbation, wayBack()]).toEqual(["a", true, []]);
    await book.endProbation();
    await book.keep(ref("b"));
    expect([book.current?.id, wayBack()]).toEqual(["b", ["a"]]);
    expect(bookSchema.parse(disk.saved)).toEqual(disk.saved);
  });

  it("leads back over the one on probation to the last one that passed it", async () => {
    const { book, wayBack } = open();
    await book.keep(ref("a"));
    await book.endProbation();
    await book.keep(ref("b"));
    await book.keep(ref("c"));
    expect(wayBack()).toEqual(["b", "a"]);
    await book.endProbation();
    expect(wayBack()).toEqual(["a"]);
  });

  it.each(["bootstrap", "fallback"] as const)("never leads back to a %s configuration", async (role) => {
    const { book, wayBack } = open();
    await book.keep(ref("a"));
    await book.endProbation();
    await book.makeDoWith(ref("m", { role, cause: "local", remoteHash: null }));
    await book.keep(ref("b"));
    expect(wayBack()).toEqual(["a"]);
  });

  it("keeping the same one again changes nothing", async () => {
    const { book, wayBack } = open();
    await book.keep(ref("a"));
    await book.endProbation();
    await book.keep(ref("b"));
    await book.keep(ref("b"));
    expect(wayBack()).toEqual(["a"]);
  });

  it("begins a probation again that the next change cut short, and no other", async () => {
    const { book, wayBack } = open();
    await book.keep(ref("a"));
    await book.endProbation();
    await book.keep(ref("b"));
    await book.keep(ref("c"));
    await book.goneBackTo(book.wayBack[0]!);
    expect([book.current, book.onProbation, wayBack()]).toEqual([
      ref("b", { role: "last-known-good" }),
      true,
      ["a"],
    ]);
    await book.goneBackTo(book.wayBack[0]!);
    expect([book.current?.id, book.onProbation, wayBack()]).toEqual(["a", false, []]);
  });

  it("an order to stop has no probation, and is not gone back to once the next one has passed its own", async () => {
    const { book, wayBack } = open();
    await book.keep(ref(null));
    expect(book.onProbation).toBe(false);
    await book.keep(ref("a"));
    expect(wayBack()).toEqual([null]);
    await book.endProbation();
    expect(wayBack()).toEqual([]);
  });

  it("blames the offer for what it brought, and the merge for what this host brought", () => {
    expect(faultHash(ref("a"))).toBe("hash of a");
    expect(faultHash(ref("a", { cause: "local" }))).toBe("content of a");
    expect(faultHash(ref("a", { remoteHash: null }))).toBe("content of a");
  });

  it("knows a current configuration that failed, until it is proven once more", async () => {
    const { book } = open();
    await book.keep(ref("a"));
    await book.quarantine(bad("hash of a"));
    expect(book.currentIsQuarantined).toBe(true);
    await book.release(ref("a"));
    expect(book.currentIsQuarantined).toBe(false);
  });

  it("keeps the reason of the newest failure, and no more than a hundred of them", async () => {
    const { book } = open();
    for (let index = 0; index < 130; index += 1) await book.quarantine(bad(`h${index}`));
    await book.quarantine({ ...bad("h129"), reason: "again" });
    expect(book.quarantined).toHaveLength(100);
    expect(book.quarantineOf("h129")?.reason).toBe("again");
    expect(book.quarantineOf("h0")).toBeUndefined();
  });

  it("keeping a hash, or going back to it, clears it", async () => {
    const { book } = open();
    await book.quarantine(bad("hash of a"));
    await book.keep(ref("a"));
    expect(book.quarantined).toEqual([]);
    await book.keep(ref("b"));
    await book.quarantine(bad("hash of a"));
    await book.goneBackTo(book.wayBack[0]!);
    expect(book.quarantined).toEqual([]);
  });

  it("makes do without losing what worked, but for what failed", async () => {
    const stopgap = ref("m", { role: "fallback", cause: "local", remoteHash: null });
    const worked = open();
    await worked.book.keep(ref("a"));
    await worked.book.endProbation();
    await worked.book.makeDoWith(stopgap);
    expect(worked.wayBack()).toEqual(["a"]);
    const failed = open();
    await failed.book.keep(ref("a"));
    await failed.book.quarantine(bad("hash of a"));
    await failed.book.makeDoWith(stopgap);
    expect(failed.wayBack()).toEqual([]);
  });

  it("counts on a full disk too, and needs the snapshots of what is still written there", async () => {
    const { book, disk } = open();
    await book.keep(ref("a"));
    disk.full = true;
    await book.keep(ref("b"));
    await book.goneBackTo(ref("c"));
    expect(book.current?.id).toBe("c");
    expect(book.snapshotIds).toContain("a");
    disk.full = false;
    await book.keep(ref("d"));
    expect([...book.snapshotIds].sort()).not.toContain("b");
  });
});
