import { describe, expect, it } from "vitest";
import { byteSize, parseByteSize } from "../../../../src/foundation/settings-file/byte-size.ts";
import { listOf, textList } from "../../../../src/foundation/settings-file/collections.ts";
import { duration, parseDuration } from "../../../../src/foundation/settings-file/duration.ts";
import {
  boolean,
  integer,
  opaque,
  type SettingSchema,
  secretText,
  text,
} from "../../../../src/foundation/settings-file/field.ts";
import { headerMap } from "../../../../src/foundation/settings-file/header-map.ts";
import { listenAddress } from "../../../../src/foundation/settings-file/listen-address.ts";
import { nearest } from "../../../../src/foundation/settings-file/nearest.ts";
import { required, section } from "../../../../src/foundation/settings-file/section.ts";
import { url } from "../../../../src/foundation/settings-file/url.ts";
import { loadText, problemsOf } from "./support.ts";

const of = <T>(schema: SettingSchema<T>) => section({ x: required("x", schema) });
const read = <T>(schema: SettingSchema<T>, value: string) => loadText(`x: ${value}`, of(schema)).settings.x;
const complaint = <T>(schema: SettingSchema<T>, value: string) =>
  problemsOf(`x: ${value}`, of(schema))
    .map((problem) => problem.replace(/^1:\d+ x: /, ""))
    .join("; ");

describe("durations", () => {
  it.each([
    ["5s", 5000],
    ["1m30s", 90_000],
    ["500ms", 500],
    ["1.5h", 5_400_000],
    [".5s", 500],
    ["2us", 0.002],
    ["2µs", 0.002],
    ["250000ns", 0.25],
    ["1h2m3s4ms", 3_723_004],
    ["0", 0],
    ["0s", 0],
    ["+3s", 3000],
    ["-3s", -3000],
  ])("%s is %d ms", (written, expected) => expect(parseDuration(written)).toBeCloseTo(expected, 9));

  it.each(["", "5", "soon", "5 s", "s", "1d", "5S", "1.2.3s", "--1s", "1s "])("%j is none", (written) => {
    expect(parseDuration(written)).toBeUndefined();
  });

  it("are refused with the reason", () => {
    expect(complaint(duration(), "5")).toBe("expected a duration such as 5s, got 5");
    expect(complaint(duration(), "-1s")).toBe('expected a duration of 0 or more, got "-1s"');
    expect(complaint(duration({ positive: true }), "0")).toBe("expected a duration longer than 0, got 0");
    expect(complaint(duration({ positive: true, message: "no" }), "0s")).toBe("no");
    expect(read(duration(), "0")).toBe(0);
  });
});

describe("byte sizes", () => {
  it.each([
    ["64MiB", 64 * 1024 * 1024],
    ["10 MB", 10_000_000],
    ["1.5KiB", 1536],
    ["2g", 2e9],
    ["77", 77],
    ["77B", 77],
  ])("%s is %d", (written, expected) => expect(parseByteSize(written)).toBe(expected));

  it.each(["", "-1", "MiB", "1TiBs", "1 constructor", "1e5", "99999999999GiB"])("%j is none", (written) => {
    expect(parseByteSize(written)).toBeUndefined();
  });

  it("are refused below their least", () => {
    expect(complaint(byteSize(1024), "1000")).toBe("expected a size of 1024 bytes or more, got 1000");
    expect(complaint(byteSize(), "big")).toBe('expected a size such as 64MiB, got "big"');
    expect(read(byteSize(), "1048576")).toBe(1_048_576);
  });
});

describe("weak types, as the Collector's configuration has them", () => {
  it.each(["true", '"true"', "True", "T", "1", '"1"'])("%s is true", (value) =>
    expect(read(boolean(), value)).toBe(true),
  );
  it.each(["false", '"false"', "FALSE", "f", "0"])("%s is false", (value) =>
    expect(read(boolean(), value)).toBe(false),
  );
  it.each(["yes", "2", "[true]", '" true"'])("%s is no boolean", (value) => {
    expect(complaint(boolean(), value)).toMatch(/^expected true or false, got /);
  });

  it.each(["5", '"5"', "5.0", "+5"])("%s is the whole number 5", (value) => {
    expect(read(integer({ min: 0 }), value)).toBe(5);
  });
  it.each(["5.5", '"5x"', "-1", "true", "{}", "0x", "99999999999999999999"])(
    "%s is no whole number from 0",
    (value) => {
      expect(complaint(integer({ min: 0 }), value)).toMatch(/^expected a whole number, 0 or more, got /);
    },
  );

  it.each([
    ["007", "007"],
    ["1.30", "1.30"],
    ["true", "true"],
    ["12345678901234567890", "12345678901234567890"],
    ["0x1F", "0x1F"],
  ])("%s as text is %j: what is written", (value, expected) => expect(read(text(), value)).toBe(expected));
  it("text is no list, map or nothing", () => {
    expect(complaint(text({ expected: "a path" }), "[a]")).toBe("expected a path, got a list");
    expect(complaint(text(), "{a: b}")).toBe("expected text, got a map");
    expect(complaint(text(), "")).toBe("must be specified");
    expect(complaint(secretText("a key in PEM"), "[s3cr3t]")).toBe("expected a key in PEM");
  });

  it.each([
    ["[a, 2, true]", ["a", "2", "true"]],
    ["a", ["a"]],
    ['"a,b, c"', ["a", "b", "c"]],
    ["5", ["5"]],
  ])("the list %s is %j", (value, expected) => expect(read(textList(), value)).toEqual(expected));
  it("lists say which item is wrong", () => {
    expect(complaint(textList(), "[a, '']")).toContain('x[1]: expected text, got ""');
    expect(complaint(textList(), "{a: b}")).toBe("expected a list or text, got a map");
    expect(complaint(listOf(opaque()), "a")).toBe("expected a list, got text");
  });

  it("what is handed on keeps its types", () => {
    expect(read(opaque(), "{a: [1, '2', true, ~], b: {c: 1.5}}")).toEqual({
      a: [1, "2", true, null],
      b: { c: 1.5 },
    });
  });
});

describe("headers", () => {
  it("are names to lists of values; text is split at commas and trimmed", () => {
    expect(read(headerMap(), '{A: x, b-C: "x, y", D: [" x,y ", 5], E: }')).toEqual({
      A: ["x"],
      "b-C": ["x", "y"],
      D: ["x,y", "5"],
      E: [],
    });
  });

  it.each(['{"A B": x}', '{"": x}', '{"A:": x}', '{"Ä": x}'])("%s has a name that is none", (value) => {
    expect(complaint(headerMap(), value)).toBe(
      "expected names of HTTP headers; one has characters that no name can have",
    );
  });

  it.each(['{A: "x\\ny"}', '{A: "x\\0"}', "{A: €}"])(
    "%s has a value that node:http would refuse",
    (value) => {
      expect(complaint(headerMap(), value)).toContain("other character that no HTTP header can have");
    },
  );
});

describe("URLs", () => {
  const schema = url(["ws", "wss"], (fault) =>
    fault.fault === "syntax" ? "syntax" : `scheme ${fault.scheme}`,
  );
  it.each(["ws://h", "wss://[::1]:4320/v1/opamp?a=b", "WSS://h"])("%s is one", (value) => {
    expect(read(schema, JSON.stringify(value))).toBe(value);
  });
  it.each([
    ["http://h", "scheme http"],
    ["host:4320", "scheme host"],
    ["host", "scheme "],
    ["127.0.0.1:4320", "syntax"],
    ["ws://", "syntax"],
    ["ws://h:99999", "syntax"],
    ["ws://a b", "syntax"],
    [":", "syntax"],
  ])("%s is refused for its %s", (value, expected) => {
    expect(complaint(schema, JSON.stringify(value))).toBe(expected);
  });
});

describe("listen addresses", () => {
  it.each([
    ["localhost:13133", { host: "localhost", port: 13133 }],
    [":80", { host: "", port: 80 }],
    ["[::1]:0", { host: "::1", port: 0 }],
    ["0.0.0.0:65535", { host: "0.0.0.0", port: 65_535 }],
  ])("%s", (value, expected) => expect(read(listenAddress(), JSON.stringify(value))).toEqual(expected));

  it.each(["localhost", "::1:80", "a:b:1", "13133"])("%s is none", (value) => {
    expect(complaint(listenAddress(), JSON.stringify(value))).toMatch(
      /^expected an address such as localhost:13133/,
    );
  });
  it.each(["h:-1", "h:65536", "h:", "h:http"])("%s has no port", (value) => {
    expect(complaint(listenAddress(), JSON.stringify(value))).toMatch(
      /^expected a port from 0 to 65535, got /,
    );
  });
});

describe("the nearest known word", () => {
  const known = ["config_files", "config_apply_timeout", "args", "env", "log"];
  it.each([
    ["config_file", "config_files"],
    ["Config_Files", "config_files"],
    ["configfiles", "config_files"],
    ["config_apply_time", "config_apply_timeout"],
    ["arg", "args"],
    ["evn", "env"],
    ["logs", "log"],
  ])("to %s is %s", (word, expected) => expect(nearest(word, known)).toBe(expected));
  it.each(["instance", "x", "zzz", ""])("to %j is none", (word) =>
    expect(nearest(word, known)).toBeUndefined(),
  );
});
