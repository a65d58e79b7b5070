import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { flags as convert } from "../../../agent/convert/config.ts";
import { flags as kube } from "../../../agent/kube/config.ts";
import { flagTable, tableIn, withTable } from "../../support/flag-table.ts";

test.each([
  ["convert", convert],
  ["kube", kube],
])("every flag of %s is shown as the schema has it (UPDATE_README=1 writes it)", (mode, flags) => {
  const file = new URL(`../../../agent/${mode}/README.md`, import.meta.url);
  const table = flagTable(flags);
  if (process.env["UPDATE_README"] === "1") {
    writeFileSync(file, withTable(readFileSync(file, "utf8"), mode, table));
  }
  expect(tableIn(readFileSync(file, "utf8"), mode)).toBe(table);
});
