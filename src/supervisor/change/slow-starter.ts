import { watchForProof } from "./proof.ts";
import type { Road } from "./road.ts";
import { tidySnapshots } from "./tidy-snapshots.ts";
import type { WayBack } from "./way-back.ts";
import type { Workshop } from "./workshop.ts";

/** Longest wait for one that was given up waiting for; liveness ends what hangs long before. */
const patienceMs = 24 * 60 * 60_000;

/**
 * A Collector that was reported FAILED because it was slow, and left running because what it would be taken
 * back to is the empty configuration. If it proves itself after all it is kept; if it ends before, it makes
 * room for what ran before it.
 */
export class SlowStarter {
  readonly #deps: { workshop: Workshop; road: Road; wayBack: WayBack };
  #mark: string | undefined;

  constructor(deps: { workshop: Workshop; road: Road; wayBack: WayBack }) {
    this.#deps = deps;
  }

  /** Of the one that is waited for; its exits are nobody else's concern. */
  get mark(): string | undefined {
    return this.#mark;
  }

  wait(mark: string, keep: () => Promise<void>): void {
    const { workshop, road, wayBack } = this.#deps;
    const { collector, clock } = workshop;
    this.#mark = mark;
    const finish = () => {
      stop();
      watch.cancel();
      if (this.#mark === mark) this.#mark = undefined;
    };
    const end = (next: () => Promise<void>) =>
      road.urgent(async () => {
        if (this.#mark !== mark) return;
        finish();
        await next();
      });
    const giveUp = async () => {
      await wayBack.go("it ended before it was healthy", { orElse: "bootstrap" });
      await tidySnapshots(workshop);
    };
    const watch = watchForProof(collector, { mark, clock, onKilled: () => end(giveUp) });
    const stop = collector.observe((event) => {
      if (event.t !== "state") return;
      const { state } = event;
      // Another configuration is run, or none: this one's time is over.
      if ("launch" in state ? state.launch.mark !== mark : state.t === "stopping") finish();
    });
    void watch.within(patienceMs).then((proof) => end(proof.t === "proven" ? keep : giveUp));
  }
}
