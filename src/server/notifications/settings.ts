/** A URL that is called for each notification. */
export interface WebhookSettings {
  url: string;
  /** Secret; undefined: what is sent is not signed. */
  secret: string | undefined;
}

export interface SlackSettings {
  /** Secret: whoever knows it can write into the channel. */
  url: string;
}

export interface EmailSettings {
  host: string;
  port: number;
  /** `tls`: from the first byte. `starttls`: needed. `none`: plain text, for a relay on this machine. */
  security: "tls" | "starttls" | "none";
  username: string | undefined;
  /** Secret. */
  password: string | undefined;
  from: string;
  to: readonly string[];
}

/** Who is told what without asking. */
export interface NotificationSettings {
  webhooks: readonly WebhookSettings[];
  slack: readonly SlackSettings[];
  email: EmailSettings | undefined;
  /** Share of the known Agents, 0 to 1, that cannot be reached before anybody is told. */
  lostAgents: number;
}
