import type { Notification } from "./notification.ts";

/** A place that notifications are sent to. */
export interface Channel {
  /** For the log: no secret, and so no URL. */
  readonly name: string;
  /** Resolves when it was taken. @throws DeliveryError */
  send(notification: Notification, signal: AbortSignal): Promise<void>;
}

/** A notification was not taken; the message holds no secret. */
export class DeliveryError extends Error {
  override readonly name = "DeliveryError";
  /** False when the same again would be refused again. */
  readonly worthRetrying: boolean;

  constructor(message: string, { worthRetrying }: { worthRetrying: boolean }) {
    super(message);
    this.worthRetrying = worthRetrying;
  }
}
