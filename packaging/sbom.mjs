// What a release is made of, as a CycloneDX 1.6 document: https://cyclonedx.org/docs/1.6/json/
import { createHash } from "node:crypto";

/** A UUID that follows from the text, so that the same commit gives the same document. */
function uuidOf(text) {
  const hex = createHash("sha256").update(text).digest("hex");
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join("-");
}

/** A package of npm, by its package URL. */
function component({ name, version, license }) {
  // A scope's @ is percent-encoded: https://github.com/package-url/purl-spec
  const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
  return { type: "library", "bom-ref": purl, name, version, licenses: [{ expression: license }], purl };
}

/** `packages` are those whose code is in the bundles; `node` is the version of the Node.js that goes with them. */
export function billOfMaterials({ version, mtime, packages, node }) {
  const program = { type: "application", "bom-ref": "opamp-supervisor", name: "opamp-supervisor", version };
  const runtime = `pkg:generic/node@${node}`;
  const components = [
    {
      type: "platform",
      "bom-ref": runtime,
      name: "node",
      version: node,
      licenses: [{ license: { id: "MIT" } }],
      purl: runtime,
    },
    ...packages.map(component),
  ];
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify({ version, components }))}`,
    version: 1,
    metadata: {
      timestamp: mtime.toISOString(),
      component: { ...program, licenses: [{ license: { id: "Apache-2.0" } }] },
    },
    components,
    dependencies: [
      { ref: program["bom-ref"], dependsOn: components.map((each) => each["bom-ref"]) },
      ...components.map((each) => ({ ref: each["bom-ref"] })),
    ],
  };
}
