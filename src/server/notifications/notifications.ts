import { randomUUID } from "node:crypto";
import type { Clock, Timer } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { ServerEvents } from "../events.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { slack } from "./channels/slack.ts";
import { webhook } from "./channels/webhook.ts";
import type { Channel } from "./delivery.ts";
import { type Credential, Expiring } from "./expiring.ts";
import { LostAgents } from "./lost-agents.ts";
import type { News } from "./notification.ts";
import { Outbox } from "./outbox.ts";
import { rolloutNews } from "./rollout-news.ts";
import type { NotificationSettings } from "./settings.ts";

export interface NotificationsOptions {
  settings: NotificationSettings;
  events: ServerEvents;
  fleet: Pick<Fleet, "list">;
  /** Certificates and keys that end. */
  credentials: () => Promise<readonly Credential[]>;
  /** Of several servers one tells. */
  leads: () => boolean;
  fetch: typeof fetch;
  clock: Clock;
  log: Logger;
}

const lookMs = 30_000;
/** Looks between two at what expires. */
const looksPerExpiry = 120;

/** Tells people what they must know, on every channel that is set up. Nothing ever waits for it. */
export class Notifications {
  readonly #options: NotificationsOptions;
  readonly #outboxes: readonly Outbox[];
  readonly #lost: LostAgents;
  readonly #expiring = new Expiring();
  readonly #stopReading: () => void;
  #seen: number;
  #looks = 0;
  #timer: Timer | undefined;

  private constructor(options: NotificationsOptions, channels: readonly Channel[]) {
    const { clock, events, fleet, log, settings } = options;
    this.#options = options;
    this.#outboxes = channels.map((channel) => new Outbox({ channel, clock, log }));
    this.#lost = new LostAgents({ fleet, threshold: settings.lostAgents });
    this.#seen = events.last;
    this.#stopReading = events.onPublished(() => this.#readEvents());
    this.#lookAgain();
  }

  /** Undefined when nobody is to be told anything. */
  static async open(options: NotificationsOptions): Promise<Notifications | undefined> {
    const channels = await channelsOf(options);
    return channels.length === 0 ? undefined : new Notifications(options, channels);
  }

  /** Tells nothing more; what was not told is in the log. */
  async close(): Promise<void> {
    this.#stopReading();
    this.#timer?.cancel();
    await Promise.all(this.#outboxes.map((outbox) => outbox.close()));
  }

  #tell(news: News): void {
    const { clock, leads } = this.#options;
    if (!leads()) return;
    const notification = { ...news, id: randomUUID(), at: clock.now() };
    for (const outbox of this.#outboxes) outbox.post(notification);
  }

  #readEvents(): void {
    const { events } = this.#options;
    while (this.#seen < events.last) {
      this.#seen += 1;
      const event = events.get(this.#seen)?.event;
      if (event?.type !== "rollout.changed") continue;
      const news = rolloutNews(event);
      if (news !== undefined) this.#tell(news);
    }
  }

  #lookAgain(): void {
    this.#timer = this.#options.clock.setTimer(lookMs, () => {
      this.#lookAgain();
      const lost = this.#lost.look();
      if (lost !== undefined) this.#tell(lost);
      if (this.#looks % looksPerExpiry === 0) void this.#lookAtCredentials();
      this.#looks += 1;
    });
  }

  async #lookAtCredentials(): Promise<void> {
    const { clock, credentials, leads, log } = this.#options;
    if (!leads()) return;
    try {
      for (const news of this.#expiring.look(await credentials(), clock.now())) this.#tell(news);
    } catch (error) {
      log.warn(
        { event: "expiry_unknown", error: describeError(error) },
        "could not look which certificates and keys end soon",
      );
    }
  }
}

async function channelsOf({ settings, fetch, clock }: NotificationsOptions): Promise<Channel[]> {
  const { webhooks, slack: slacks, email: mail } = settings;
  return [
    ...webhooks.map((each, index) => webhook({ name: `webhooks[${index}]`, settings: each, fetch, clock })),
    ...slacks.map((each, index) => slack({ name: `slack[${index}]`, settings: each, fetch })),
    ...(mail === undefined ? [] : [(await import("./channels/email.ts")).email(mail)]),
  ];
}
