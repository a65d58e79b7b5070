import { KubeError } from "../../../../lib/kubernetes/api.ts";
import type { Call, KubeApi } from "../../../../lib/kubernetes/flow/api.ts";
import type { KubeObject } from "../../../../lib/kubernetes/object.ts";

/** A watch that the test feeds: lines, an end, or a failure. */
interface OpenWatch {
  readonly path: string;
  readonly version: string;
  send(type: string, object: unknown): void;
  end(): void;
  fail(error: Error): void;
}

export interface FakeApi extends KubeApi {
  readonly calls: Call[];
  readonly watches: OpenWatch[];
}

export const object = (name: string, version: number, more: object = {}): KubeObject => ({
  metadata: { name, namespace: "n", uid: `uid-${name}`, resourceVersion: String(version) },
  ...more,
});

/** An API server that answers as the test says. */
export function fakeApi(answer: (call: Call) => unknown): FakeApi {
  const calls: Call[] = [];
  const watches: OpenWatch[] = [];
  return {
    calls,
    watches,
    async call(call) {
      calls.push(call);
      return answer(call);
    },
    async *watch(path, query, signal) {
      const lines: string[] = [];
      let ended = false;
      let failure: Error | undefined;
      let wake = () => {};
      signal.addEventListener("abort", () => wake());
      watches.push({
        path,
        version: query["resourceVersion"] ?? "",
        send(type, object) {
          lines.push(JSON.stringify({ type, object }));
          wake();
        },
        end() {
          ended = true;
          wake();
        },
        fail(error) {
          failure = error;
          wake();
        },
      });
      for (;;) {
        const line = lines.shift();
        if (line !== undefined) yield line;
        else if (failure !== undefined) throw failure;
        else if (signal.aborted) throw new KubeError("a watch", 0, "", "aborted");
        else if (ended) return;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    },
  };
}
