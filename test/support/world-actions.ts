import * as fc from "fast-check";
import { goodPackageOffers, packageOffers } from "./simulated-programs.ts";
import type { SimulatedOffer } from "./simulated-server.ts";
import type { World, WorldOptions } from "./world.ts";

/** One thing that happens to a {@link World}. */
export type Action =
  | { t: "offer"; offer: SimulatedOffer }
  | { t: "local"; files: Readonly<Record<string, string>> }
  | { t: "telemetry"; endpoint: string }
  | { t: "wait"; ms: number }
  | { t: "kill-collector"; signal: "SIGKILL" | "SIGTERM" }
  | { t: "freeze-collector" }
  | { t: "kill-supervisor" }
  | { t: "kill-supervisor-at"; effect: number; when: "before" | "after" }
  | { t: "start-supervisor" }
  | { t: "leave"; how: "stop" | "hand-over" }
  | { t: "restart-command" }
  | { t: "rollback" }
  | { t: "disk-full"; on: boolean }
  | { t: "port-taken"; on: boolean }
  | { t: "validate-hangs"; on: boolean }
  | { t: "packages"; packages: string; configuration?: SimulatedOffer }
  | { t: "online"; on: boolean }
  | { t: "install-local" };

/** Remote bodies by the offer's hash: two good ones have the same content under different hashes. */
const bodies: Readonly<Record<string, string | undefined>> = {
  good1: "good one",
  good2: "good two",
  twin1: "good one",
  recovers: "recovers",
  slow: "slow:2000",
  late: "slow:9000",
  malformed: "malformed",
  restricted: "restricted",
  refused: "refused",
  dead: "dies-at-start",
  bind: "port-in-use",
  hangs: "hangs",
  mute: "mute",
  dies: "dies-after:4000",
  segfaults: "segfaults-after:700",
  breaks: "breaks-after:3000",
  slowdies: "slow-dies:12000",
  stop: undefined,
};

/** Those that not every program, or not every set of addons, can run. */
const demanding: Readonly<Record<string, string>> = {
  modern: "good modern from-2",
  ancient: "good ancient until-2",
  ruled: "good ruled with-rules",
};

const hashes = Object.keys(bodies);
const goodHashes = ["good1", "good2", "twin1", "slow", "stop"];

export const offerOf = (hash: string): SimulatedOffer => ({
  hash,
  body: bodies[hash] ?? demanding[hash],
});

const offers = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(...goodHashes) },
  { weight: 3, arbitrary: fc.constantFrom(...hashes) },
);
const anOffer = offers.map((hash): Action => ({ t: "offer", offer: offerOf(hash) }));

const waits = fc
  .oneof(
    fc.integer({ min: 0, max: 60 }),
    fc.integer({ min: 60, max: 6_000 }),
    fc.integer({ min: 6_000, max: 100_000 }),
    fc.constant(310_000),
  )
  .map((ms): Action => ({ t: "wait", ms }));

const localFiles = fc.constantFrom<Readonly<Record<string, string>>>(
  {},
  { "local.yaml": "is: good local" },
  { "local.yaml": "is: good other" },
  { "local.yaml": "is: refused" },
  { "local.yaml": "is: dies-at-start" },
  { "local.yaml": "is: dies-after:3000" },
);

/** Offers and time only. */
export const peacefulActions = fc.array(
  fc.oneof({ weight: 3, arbitrary: anOffer }, { weight: 2, arbitrary: waits }),
  { maxLength: 10 },
);

const faults = [
  { weight: 2, arbitrary: localFiles.map((files): Action => ({ t: "local", files })) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom("http://a", "http://b")
      .map((endpoint): Action => ({ t: "telemetry", endpoint })),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom("SIGKILL" as const, "SIGTERM" as const)
      .map((signal): Action => ({ t: "kill-collector", signal })),
  },
  { weight: 1, arbitrary: fc.constant<Action>({ t: "freeze-collector" }) },
  { weight: 1, arbitrary: fc.constant<Action>({ t: "kill-supervisor" }) },
  {
    weight: 4,
    arbitrary: fc
      .record({
        effect: fc.integer({ min: 1, max: 25 }),
        when: fc.constantFrom("before" as const, "after" as const),
      })
      .map((point): Action => ({ t: "kill-supervisor-at", ...point })),
  },
  { weight: 6, arbitrary: fc.constant<Action>({ t: "start-supervisor" }) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom("stop" as const, "hand-over" as const)
      .map((how): Action => ({ t: "leave", how })),
  },
  { weight: 1, arbitrary: fc.constant<Action>({ t: "restart-command" }) },
  { weight: 2, arbitrary: fc.boolean().map((on): Action => ({ t: "disk-full", on })) },
  { weight: 1, arbitrary: fc.boolean().map((on): Action => ({ t: "port-taken", on })) },
  { weight: 1, arbitrary: fc.boolean().map((on): Action => ({ t: "validate-hangs", on })) },
];

/** Everything but packages. */
export const actions = fc.array(
  fc.oneof({ weight: 8, arbitrary: anOffer }, { weight: 8, arbitrary: waits }, ...faults, {
    weight: 2,
    arbitrary: fc.constant<Action>({ t: "rollback" }),
  }),
  { maxLength: 16 },
);

const demands = fc.constantFrom("good1", ...Object.keys(demanding)).map(offerOf);
const configurations = fc.oneof(offers.map(offerOf), demands);
const packages = fc.oneof(fc.constantFrom(...goodPackageOffers), fc.constantFrom(...packageOffers));
const packageActions = [
  {
    weight: 8,
    arbitrary: packages.map((each): Action => ({ t: "packages", packages: each })),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(packages, configurations)
      .map(([each, configuration]): Action => ({ t: "packages", packages: each, configuration })),
  },
  { weight: 3, arbitrary: demands.map((offer): Action => ({ t: "offer", offer })) },
];

export const peacefulPackageActions = fc.array(
  fc.oneof(...packageActions, { weight: 3, arbitrary: anOffer }, { weight: 8, arbitrary: waits }),
  { maxLength: 8 },
);

/** Everything, with packages. */
export const actionsWithPackages = fc.array(
  fc.oneof(
    ...packageActions,
    { weight: 4, arbitrary: anOffer },
    { weight: 10, arbitrary: waits },
    ...faults,
    { weight: 2, arbitrary: fc.boolean().map((on): Action => ({ t: "online", on })) },
    { weight: 1, arbitrary: fc.constant<Action>({ t: "install-local" }) },
  ),
  { maxLength: 16 },
);

export const worldOptions: fc.Arbitrary<WorldOptions> = fc.record({
  mayReload: fc.boolean(),
  fallback: fc.constantFrom(undefined, "is: good fallback"),
  localFiles: fc.constantFrom<Readonly<Record<string, string>>>({}, { "local.yaml": "is: good local" }),
  local: fc.constant("there"),
});

export const worldOptionsWithPackages: fc.Arbitrary<WorldOptions> = fc
  .tuple(worldOptions, fc.constantFrom("there" as const, "later" as const, "none" as const))
  .map(([options, local]) => ({ ...options, local }));

export async function perform(world: World, action: Action): Promise<void> {
  switch (action.t) {
    case "offer":
      return world.offer(action.offer);
    case "local":
      return world.editLocal(action.files);
    case "telemetry":
      return world.offerOwnTelemetry(action.endpoint);
    case "wait":
      return world.advance(action.ms);
    case "kill-collector":
      return world.killCollector(action.signal);
    case "freeze-collector":
      return world.freezeCollector();
    case "kill-supervisor":
      return world.killSupervisor();
    case "kill-supervisor-at":
      return world.killSupervisor({ effect: action.effect, when: action.when });
    case "start-supervisor":
      return world.startSupervisor();
    case "leave":
      return world.leave(action.how);
    case "restart-command":
      return world.restartCommand();
    case "rollback":
      return world.rollBack();
    case "disk-full":
      world.disk.full = action.on;
      return;
    case "port-taken":
      world.host.portTaken = action.on;
      return;
    case "validate-hangs":
      world.validateHangs = action.on;
      return;
    case "packages":
      return world.offerPackages(action.packages, action.configuration);
    case "online":
      world.online = action.on;
      return;
    case "install-local":
      return world.installLocal();
  }
}
