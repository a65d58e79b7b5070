import { pinnedPython } from "./python.ts";

/** Jest's globalSetup of the deploy tests: their Python, once, whatever time that takes. */
export default async function setup(): Promise<void> {
  await pinnedPython();
}
