// What a settings schema takes, found out by asking it: its own complaints name keys, types and choices, and a value
// that changes nothing is a default. So the programs carry no words for a reference that only readers need.
import { isDeepStrictEqual } from "node:util";
import { loadSettingsFile } from "../src/foundation/settings-file/load-settings-file.ts";
import { SettingsError } from "../src/foundation/settings-file/settings-error.ts";

/** A name that resembles no key, so that the complaint lists those there are. */
const unknown = "qqqqqqqq";

/** Over one schema; `base` is a file that it accepts, `companions` what a key needs beside it, by the section's path. */
export class SettingsProbe {
  #schema;
  #base;
  #companions;

  constructor(schema, base, companions) {
    this.#schema = schema;
    this.#base = base;
    this.#companions = companions;
  }

  /** The keys of a section; undefined where there is none, as in a map of free names. */
  keysOf(path) {
    const message = this.#complaint(path === "" ? unknown : `${path}.${unknown}`, null);
    return /^unknown key; known keys: (.*)$/
      .exec(message ?? "")?.[1]
      .split(", ")
      .filter(Boolean);
  }

  /** In the words of the error that a value of the wrong kind gets. */
  typeOf(path) {
    const expected = wordsOf(this.#complaint(path, {}));
    if (expected === undefined) return wordsOf(this.#complaint(path, [])) ?? "";
    if (!/^a list( or text)?$/.test(expected)) return expected;
    const item = wordsOf(this.#complaint(path, [{}], `${path}[0]`));
    return item === undefined || item === "text" ? "list" : `list of: ${item}`;
  }

  /** Whichever of the values means the same as no key; undefined where none does. */
  defaultOf(path, candidates) {
    const beside = this.#with(path);
    const without = this.#settings(beside);
    return candidates.find((value) => {
      const found = this.#settings(put(structuredClone(beside), path, value));
      return without !== undefined && isDeepStrictEqual(found, without);
    });
  }

  /** What stands at a path when all that its section needs is there. */
  #with(path) {
    const tree = structuredClone(this.#base);
    for (const [section, keys] of Object.entries(this.#companions)) {
      if (!path.startsWith(`${section}.`)) continue;
      for (const [key, value] of Object.entries(keys))
        if (!`${path}.`.startsWith(`${section}.${key}.`)) put(tree, `${section}.${key}`, value);
    }
    return tree;
  }

  #complaint(path, value, place = path) {
    const { problems } = this.#load(put(structuredClone(this.#base), path, value));
    return problems.find((problem) => problem.path === place)?.message;
  }

  #settings(tree) {
    const { settings } = this.#load(tree);
    // Of what an administrator wrote, also where it changes nothing.
    if (settings?.server) settings.server = { ...settings.server, digest: undefined };
    return settings;
  }

  #load(tree) {
    try {
      // JSON is YAML.
      const readFile = () => JSON.stringify(tree);
      const { settings } = loadSettingsFile("settings", this.#schema, { env: {}, readFile });
      return { settings: { ...settings }, problems: [] };
    } catch (error) {
      if (error instanceof SettingsError) return { settings: undefined, problems: error.problems };
      throw error;
    }
  }
}

/** Sets what stands at a path such as `a.b[0].c`; what is on the way and no map becomes one. */
function put(tree, path, value) {
  const steps = path.split(/\.|(?=\[)/);
  let node = tree;
  for (const [index, step] of steps.entries()) {
    const key = step.startsWith("[") ? Number(step.slice(1, -1)) : step;
    const next = steps[index + 1];
    if (next === undefined) node[key] = value;
    else if (typeof node[key] !== "object") node[key] = next.startsWith("[") ? [] : {};
    node = node[key];
  }
  return tree;
}

/** `expected a duration such as 5s, got a map`, or `agent::id must be a UUID`: what is wanted. */
function wordsOf(message) {
  return /(?:expected|must be) (.*?)(?:, got (?:an? (?:empty )?(?:map|list)|nothing))?$/.exec(
    message ?? "",
  )?.[1];
}
