import { describe, expect, it } from "vitest";
import { validationMessage } from "../../../../src/supervisor/collector/validate-message.ts";

describe("validationMessage", () => {
  it("joins the lines of one message", () => {
    const output = `Error: failed to get config: decoding failed due to the following error(s):

'receivers' unknown type: "nopp" for id: "nopp"
'exporters' has invalid keys: foo
`;
    expect(validationMessage(output)).toBe(
      `failed to get config: decoding failed due to the following error(s): 'receivers' unknown type: "nopp" for id: "nopp"; 'exporters' has invalid keys: foo`,
    );
  });

  it("leaves out log lines before and among it, usage text and stack traces after it", () => {
    const log = '{"level":"info","msg":"something"}';
    expect(validationMessage(`${log}\n2026/01/01 10:00:00 hello\nError: bad\n${log}\nworse\n`)).toBe(
      "bad; worse",
    );
    expect(validationMessage("Error: unknown command \"x\"\nRun 'otelcol --help' for usage.\n")).toBe(
      'unknown command "x"',
    );
    expect(validationMessage("panic: boom\n\ngoroutine 1 [running]:\nmain.main()\n")).toBe("panic: boom");
  });

  it("is bounded", () => {
    expect(Buffer.byteLength(validationMessage(`Error: ${"ä".repeat(10_000)}`))).toBeLessThanOrEqual(4_096);
  });

  it("takes what there is when nothing says Error", () => {
    expect(validationMessage("could not\n")).toBe("could not");
    expect(validationMessage("")).toBe("");
  });
});
