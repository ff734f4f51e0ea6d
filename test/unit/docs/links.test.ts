import { describe, expect, it } from "vitest";
import { brokenLinks, readDocuments } from "../../support/documents.ts";

const documents = readDocuments();

describe("links", () => {
  it("are looked at in every document", () => {
    expect(documents.map(({ path }) => path)).toEqual(
      expect.arrayContaining(["README.md", "docs/runbook.md", "packaging/systemd/drop-ins/README.md"]),
    );
  });

  it.each(documents.map((document) => [document.path, document] as const))(
    "of %s lead somewhere",
    (_, document) => {
      expect(brokenLinks(document)).toEqual([]);
    },
  );

  it("are reported when the file or the heading is not there", () => {
    const text = "# A b\n[x](nowhere.md) [y](#a-b) [z](#a-c) [w](runbook.md#restrictions) [v](runbook.md#x)";
    expect(
      brokenLinks({ path: "docs/README.md", text: text.replaceAll("#a-", "install-edge.md#a-") }),
    ).toEqual(["nowhere.md", "install-edge.md#a-b", "install-edge.md#a-c", "runbook.md#x"]);
  });

  it("lead from the index to every document", () => {
    const index = documents.find(({ path }) => path === "docs/README.md")?.text ?? "";
    const others = documents.map(({ path }) => path).filter((path) => /^docs\/(?!README)/.test(path));
    expect(others.filter((path) => !index.includes(`(${path.slice("docs/".length)}`))).toEqual([]);
  });
});
