import { buildInBackground } from "./build.ts";

/** The control plane takes minutes to build where it is not in the cache: it begins now, while the other tests run. */
export default function setup(): void {
  buildInBackground();
}
