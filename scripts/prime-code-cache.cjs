// Runs BUNDLE with ARGS and keeps beside it what V8 has compiled by its end: BUNDLE ARGS...
const { readFileSync, writeFileSync } = require("node:fs");
const path = require("node:path");
const { Script } = require("node:vm");

const [, , bundle] = process.argv;
process.argv.splice(1, 1);
const script = new Script(readFileSync(bundle, "latin1"), { filename: bundle });
process.on("exit", () => writeFileSync(bundle.replace(/\.js$/, ".cache"), script.createCachedData()));
script.runInThisContext()(exports, require, module, bundle, path.dirname(bundle));
