import type { Channel } from "../delivery.ts";
import type { SlackSettings } from "../settings.ts";
import { postJson } from "./post-json.ts";

export interface SlackOptions {
  name: string;
  settings: SlackSettings;
  fetch: typeof fetch;
}

const signs = { info: ":white_check_mark:", warning: ":warning:", critical: ":rotating_light:" } as const;

/** Posts to an incoming webhook of Slack, or of what understands the same (Mattermost, Rocket.Chat). */
export function slack({ name, settings: { url }, fetch }: SlackOptions): Channel {
  return {
    name,
    async send({ severity, title, text }, signal) {
      const message = `${signs[severity]} *${escapeText(title)}*\n${escapeText(text)}`;
      await postJson({ fetch, url, body: JSON.stringify({ text: message }), signal });
    },
  };
}

/** So that a text of somebody else neither calls everybody (`<!channel>`) nor disguises a link. */
const escapeText = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
