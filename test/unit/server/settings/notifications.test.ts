import { describe, expect, it } from "vitest";
import { loadServerSettings } from "../../../../src/server/settings/load.ts";

const load = (text: string) =>
  loadServerSettings("server.yaml", {
    env: { HOOK: "https://hooks.example.com/T0/secret" },
    readFile: () => text,
  }).settings.notifications;

describe("notifications", () => {
  it("are what server.yaml says, with the port that goes with the security", () => {
    const text = `
notifications:
  lost_agents: 12.5%
  webhooks: [{url: "https://a.example.com", secret: 0123456789abcdef01234567}]
  slack: [{url: "\${env:HOOK}"}]
  email: {host: smtp.example.com, security: tls, username: u, password: p, from: a@example.com, to: [b@example.com]}
`;
    expect(load(text)).toEqual({
      lostAgents: 0.125,
      webhooks: [{ url: "https://a.example.com", secret: "0123456789abcdef01234567" }],
      slack: [{ url: "https://hooks.example.com/T0/secret" }],
      email: {
        host: "smtp.example.com",
        port: 465,
        security: "tls",
        username: "u",
        password: "p",
        from: "a@example.com",
        to: ["b@example.com"],
      },
    });
  });

  const mail = (rest: string) => `notifications: {email: {host: h, from: a@b, to: [c@d], ${rest}}}`;
  it.each([
    ["notifications: {lost_agents: 5}", /lost_agents: expected a percentage such as 5%/],
    ["notifications: {lost_agents: 0%}", /lost_agents: expected a percentage/],
    ["notifications: {webhooks: [{url: 'ftp://x'}]}", /webhooks\[0\]\.url: expected an https/],
    [
      "notifications: {webhooks: [{url: 'http://x', secret: short}]}",
      /secret: expected a secret of 24 characters or more/,
    ],
    ["notifications: {slack: [{}]}", /slack\[0\]\.url: must be specified/],
    [mail("username: u"), /email: needs username and password, or neither/],
    [mail("security: none, username: u, password: p"), /sends no password in plain text/],
    [mail("security: ssl"), /security: expected one of starttls, tls, none/],
    ["notifications: {email: {host: h, from: nobody, to: [c@d]}}", /from: expected a mail address/],
    ["notifications: {email: {host: h, from: a@b, to: []}}", /email\.to: needs somebody to write to/],
  ])("%s is refused", (text, complaint) => {
    expect(() => load(text)).toThrow(complaint);
  });

  it("never show a secret in a complaint", () => {
    const secret = () =>
      // biome-ignore lint/suspicious/noTemplateCurlyInString: as it is written in server.yaml
      load("notifications: {webhooks: [{url: 'https://x', secret: '${env:NONE:-hunter2}'}]}");
    expect(secret).toThrow(/secret/);
    expect(secret).not.toThrow(/hunter2/);
  });
});
