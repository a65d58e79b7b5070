import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { nearest } from "../../../lib/kit/nearest.ts";

const names = ["discover", "doctor", "deregister", "sweep", "hostedZoneId"];

test.each([
  ["discver", "discover"],
  ["hosted-zone", "hostedZoneId"],
  ["SWEEP", "sweep"],
  ["swp", undefined],
  ["x", undefined],
  ["", undefined],
])("%j is most like %j", (written, name) => {
  expect(nearest(written, names)).toBe(name);
});

test("a name is nearest to itself, and a long word costs no more than a short one", () => {
  fc.assert(fc.property(fc.constantFrom(...names), (name) => nearest(name, names) === name));
  expect(nearest("a".repeat(1_000_000), names)).toBeUndefined();
});
