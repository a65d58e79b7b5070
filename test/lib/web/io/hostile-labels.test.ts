import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "@jest/globals";
import fc from "fast-check";
import { certificateFile, tidyPem } from "../../../../lib/web/certificates.ts";
import { certificateList, configFile, mapFiles } from "../../../../lib/web/engine-files.ts";
import { makeFolders, writeFiles } from "../../../../lib/web/io/engine-folder.ts";
import { newSelfSigned } from "../../../../lib/web/io/self-signed-key.ts";
import { readLabels } from "../../../../lib/web/labels.ts";
import { EMPTY, nextLayout } from "../../../../lib/web/layout.ts";
import { RESERVED_PORTS } from "../../../../lib/web/ports.ts";
import { type Claim, virtualHosts } from "../../../../lib/web/virtual-hosts.ts";
import { claim } from "../../../support/claims.ts";
import { haproxyProgram } from "../../../support/haproxy.ts";
import { hostileLabels } from "../../../support/hostile-labels.ts";

const run = promisify(execFile);
const RUNS = Number(process.env["FUZZ_RUNS"] ?? 5_000);
const AT_ONCE = 250;

const rules = {
  domain: "x.com",
  ports: { allowed: [[1, 65_535]] as const, reserved: new Set(RESERVED_PORTS) },
  allowedNames: ["*"],
  redirect: "off" as const,
};

/** Two containers that mean well, beside whatever else there is. */
const neighbours = [claim(1, "good.neighbour.org"), claim(2, "*.wild.neighbour.org")];

it("whatever labels say, the engine takes its files, and nobody else's name changes", async () => {
  const haproxy = await haproxyProgram();
  const folder = await mkdtemp(join(tmpdir(), "eda-px-"));
  await makeFolders(folder);
  const certificates = [
    {
      file: certificateFile("self", "default"),
      pem: tidyPem(newSelfSigned("localhost")),
      names: [],
    },
  ];
  const alone = nextLayout(EMPTY, virtualHosts(neighbours), [80]).layout;
  let claimed = 0;
  try {
    await fc.assert(
      fc.asyncProperty(
        fc.array(hostileLabels, { minLength: AT_ONCE, maxLength: AT_ONCE }),
        async (all) => {
          const claims = all.flatMap((labels, index): readonly Claim[] => {
            const { hosts, ports, options } = readLabels(labels, rules);
            return ports.flatMap(({ listen, target }) =>
              hosts.map(({ name, path }) => {
                const base = claim(100 + index, name, { path, listen, options });
                return { ...base, target: { ...base.target, port: target } };
              }),
            );
          });
          claimed += claims.length;
          const hosts = virtualHosts([...neighbours, ...claims]);
          const ports = [...new Set([80, ...hosts.hosts.map(({ listen }) => listen)])].toSorted(
            (a, b) => a - b,
          );
          const { layout } = nextLayout(EMPTY, hosts, ports);
          for (const [map, entries] of alone.maps) {
            for (const [key, value] of entries) {
              if (map.startsWith("paths")) expect(layout.maps.get(map)?.has(key)).toBe(true);
              else if (map.startsWith("hosts") || map.startsWith("wild")) {
                expect(key.includes(".") ? layout.maps.get(map)?.get(key) : value).toBe(value);
              }
            }
          }
          await writeFiles(folder, {
            config: configFile(layout, {
              listenAddress: "127.0.0.1",
              maxUploadBytes: 1,
              maxConnections: 256,
              threads: 1,
            }),
            maps: mapFiles(layout, new Map()),
            list: certificateList(certificates),
            certificates,
          });
          await run(haproxy, ["-c", "-C", folder, "-f", "haproxy.cfg"]);
        },
      ),
      { numRuns: Math.ceil(RUNS / AT_ONCE), endOnFailure: true },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  // Much of it is good, or there would be nothing to see.
  expect(claimed).toBeGreaterThan(RUNS / 5);
});
