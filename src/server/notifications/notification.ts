/** What people are told of without asking. */
export type NotificationKind =
  /** A gate of a rollout was breached, or it stands still for want of evidence. */
  | "rollout.breached"
  /** It is being taken back, is back, or cannot be taken back. */
  | "rollout.rollback"
  /** A second person has to approve it. */
  | "rollout.approval"
  /** A certificate of a listener or an API key ends soon. */
  | "credential.expiring"
  /** More agents cannot be reached than is usual, or that is over. */
  | "agents.lost";

export interface Notification {
  /** The same at every attempt and on every channel, so that a receiver can tell a repetition. */
  readonly id: string;
  readonly kind: NotificationKind;
  readonly severity: "info" | "warning" | "critical";
  /** One line. */
  readonly title: string;
  readonly text: string;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** What it is about, for machines: ids and names, never a secret. */
  readonly about: Readonly<Record<string, string | number>>;
}

/** One that has yet to be given an id and a time. */
export type News = Omit<Notification, "id" | "at">;
