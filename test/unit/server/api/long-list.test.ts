import { describe, expect, it } from "vitest";
import { longListJson } from "../../../../src/server/api/long-list.ts";

describe("longListJson", () => {
  it.each([0, 1, 400, 401, 1300])("is the JSON of a list of %d", async (length) => {
    const items = Array.from({ length }, (_, index) => index);
    const view = (index: number) => ({ index, text: `"${index}]` });
    const rest = { next: "abc", none: undefined };
    const json = await longListJson("items", items, view, rest);
    expect(json.toString()).toBe(`${JSON.stringify({ items: items.map(view), ...rest })}\n`);
    const alone = await longListJson("items", items, view, {});
    expect(alone.toString()).toBe(`${JSON.stringify({ items: items.map(view) })}\n`);
  });

  it("lets others run while a long one is made", async () => {
    let made = 0;
    let madeWhenOthersRan = -1;
    setImmediate(() => {
      madeWhenOthersRan = made;
    });
    await longListJson("items", Array.from({ length: 5000 }), () => (made += 1), {});
    expect(madeWhenOthersRan).toBeGreaterThan(0);
    expect(madeWhenOthersRan).toBeLessThan(5000);
  });
});
