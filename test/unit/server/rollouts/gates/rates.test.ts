import { expect, it } from "vitest";
import { together } from "../../../../../src/server/rollouts/gates/rates.ts";

it("takes the median of levels, and items together", () => {
  const rates = [
    { cpu: 1, send_failures: { bad: 1, all: 10 } },
    { cpu: 9, send_failures: { bad: 0, all: 90 } },
    { cpu: 2 },
  ];
  expect(together(rates)).toMatchObject({ cpu: 2, send_failures: { bad: 1, all: 100 }, memory: undefined });
  expect(together([]).refused).toBeUndefined();
});
