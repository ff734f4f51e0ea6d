import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { email } from "../../../../src/server/notifications/channels/email.ts";
import { slack } from "../../../../src/server/notifications/channels/slack.ts";
import { webhook } from "../../../../src/server/notifications/channels/webhook.ts";
import type { Notification } from "../../../../src/server/notifications/notification.ts";
import { HttpHook } from "../../../support/http-hook.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { SmtpServer } from "../../../support/smtp-server.ts";

const notification: Notification = {
  id: "5f0c",
  kind: "rollout.breached",
  severity: "critical",
  title: "Rollout 7 is taken back by a gate",
  text: "failed: 3 of 5 <!channel> & more",
  at: Date.parse("2026-02-03T04:05:06Z"),
  about: { rollout: "7" },
};
const never = new AbortController().signal;

describe("a webhook", () => {
  const called = async (hook: HttpHook, secret: string | undefined) => {
    const clock = new ManualClock();
    await webhook({ name: "w", settings: { url: hook.url, secret }, fetch, clock }).send(notification, never);
    return { call: hook.calls[0]!, now: clock.now() };
  };

  it.each([
    ["text", "a secret of many characters", Buffer.from("a secret of many characters")],
    ["base64", `whsec_${Buffer.from("key").toString("base64")}`, Buffer.from("key")],
  ])(
    "is signed so that the receiver can tell who called and when, by a secret as %s",
    async (_form, secret, key) => {
      const hook = await HttpHook.start();
      const { call, now } = await called(hook, secret);
      const timestamp = String(now / 1000);
      expect(call.headers).toMatchObject({
        "content-type": "application/json",
        "webhook-id": "5f0c",
        "webhook-timestamp": timestamp,
        "webhook-signature": `v1,${createHmac("sha256", key).update(`5f0c.${timestamp}.${call.body}`).digest("base64")}`,
      });
      expect(JSON.parse(call.body)).toEqual({ ...notification, at: "2026-02-03T04:05:06.000Z" });
    },
  );

  it("is called without a signature where there is no secret", async () => {
    const { call } = await called(await HttpHook.start(), undefined);
    expect(call.headers["webhook-signature"]).toBeUndefined();
  });

  it.each([
    [500, true],
    [429, true],
    [404, false],
    [307, false],
  ])("fails on %d without telling the URL, which may be a secret", async (status, worthRetrying) => {
    const hook = await HttpHook.start();
    hook.statuses.push(status);
    await expect(called(hook, undefined)).rejects.toMatchObject({
      message: `answered with ${status}`,
      worthRetrying,
    });
    expect(hook.calls).toHaveLength(1);
  });

  it("is worth another attempt when nobody listens", async () => {
    const settings = { url: "http://127.0.0.1:1/secret-path", secret: undefined };
    const channel = webhook({ name: "w", settings, fetch, clock: new ManualClock() });
    const failure = await channel.send(notification, never).catch((error: unknown) => error);
    expect(failure).toMatchObject({ worthRetrying: true });
    expect(String(failure)).not.toContain("secret-path");
  });
});

describe("Slack", () => {
  it("gets one message, in which nobody else's text calls the channel", async () => {
    const hook = await HttpHook.start();
    await slack({ name: "s", settings: { url: hook.url }, fetch }).send(notification, never);
    expect(JSON.parse(hook.calls[0]!.body)).toEqual({
      text: ":rotating_light: *Rollout 7 is taken back by a gate*\nfailed: 3 of 5 &lt;!channel&gt; &amp; more",
    });
  });
});

describe("mail", () => {
  const settings = (port: number) => ({
    host: "127.0.0.1",
    port,
    security: "none" as const,
    username: undefined,
    password: undefined,
    from: "opamp-server@example.com",
    to: ["ops@example.com", "night@example.com"],
  });

  it("is handed over with everybody it is for, under an id that stays the same", async () => {
    const server = await SmtpServer.start();
    await email(settings(server.port)).send(notification, never);
    const [mail] = server.mails;
    expect(mail).toMatchObject({
      from: "opamp-server@example.com",
      to: ["ops@example.com", "night@example.com"],
    });
    expect(mail!.data).toContain("Subject: [opamp-server] critical: Rollout 7 is taken back by a gate\n");
    expect(mail!.data).toContain("Message-ID: <5f0c@opamp-server>\n");
    expect(mail!.data).toContain("\n\nfailed: 3 of 5 <!channel> & more\n\nrollout: 7\n");
  });

  it.each([
    ["451 come back later", true],
    ["554 no such user", false],
  ])("that is answered with %s fails", async (verdict, worthRetrying) => {
    const server = await SmtpServer.start();
    server.verdict = verdict;
    await expect(email(settings(server.port)).send(notification, never)).rejects.toMatchObject({
      name: "DeliveryError",
      worthRetrying,
    });
  });

  it("is not sent in plain text where TLS is asked for", async () => {
    const server = await SmtpServer.start();
    const channel = email({ ...settings(server.port), security: "starttls" });
    await expect(channel.send(notification, never)).rejects.toThrow(/STARTTLS/i);
    expect(server.mails).toEqual([]);
  });

  it("is broken off when it takes too long", async () => {
    const server = await SmtpServer.start();
    const stop = new AbortController();
    const sending = email(settings(server.port)).send(notification, stop.signal);
    stop.abort();
    await expect(sending).rejects.toMatchObject({ worthRetrying: true });
  });
});
