import { mkdtemp, rm } from "node:fs/promises";
import { request as ask } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { type HttpStandInOptions, httpStandIn } from "../../../lib/standins/http-stand-in.ts";

const started = async (serve: HttpStandInOptions["serve"], at?: HttpStandInOptions["at"]) => {
  const http = await httpStandIn({ serve, ...(at !== undefined && { at }) });
  return { ...http, [Symbol.asyncDispose]: () => http.close() };
};

test("it listens on the loopback address unless it is told otherwise", async () => {
  await using http = await started((_message, response) => void response.end("here"));
  expect(http.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  expect(await (await fetch(http.url)).text()).toBe("here");
});

test("it is asked for at an IPv6 address in brackets", async () => {
  await using http = await started((_message, response) => void response.end(), { host: "::1" });
  expect(http.url).toMatch(/^http:\/\/\[::1\]:\d+$/);
});

test("a defect is answered, so that it is seen", async () => {
  await using http = await started(async () => {
    await Promise.resolve();
    throw new Error("a rule that was never written");
  });
  const answer = await fetch(http.url);
  expect([answer.status, await answer.text()]).toEqual([
    500,
    "Error: a rule that was never written",
  ]);
});

test("an answer that is waited for ends with the stand-in", async () => {
  const asked = Promise.withResolvers<void>();
  const http = await httpStandIn({
    serve: () =>
      new Promise((_resolve, reject) => {
        http.closing().addEventListener("abort", () => reject(http.closing().reason));
        asked.resolve();
      }),
  });
  const answer = fetch(http.url).then(
    () => "answered",
    () => "broken off",
  );
  await asked.promise;
  await http.close();
  expect(await answer).toBe("broken off");
});

test("it opens again at the same address", async () => {
  const http = await httpStandIn({ serve: (_message, response) => void response.end("again") });
  const { url } = http;
  await http.close();
  await expect(fetch(url)).rejects.toThrow("fetch failed");
  await http.reopen();
  expect(http.closing().aborted).toBe(false);
  expect(await (await fetch(url)).text()).toBe("again");
  await http.close();
});

test("it rejects where it can't listen", async () => {
  await using http = await started(() => {});
  const { port } = new URL(http.url);
  await expect(httpStandIn({ serve: () => {}, at: { port: Number(port) } })).rejects.toThrow(
    "EADDRINUSE",
  );
});

test("it listens on a unix socket, and again after it was closed", async () => {
  const folder = await mkdtemp(join(tmpdir(), "standin-"));
  try {
    const path = join(folder, "s");
    const http = await httpStandIn({
      serve: (_message, response) => void response.writeHead(204).end(),
      at: { path },
    });
    const status = () =>
      new Promise((resolve, reject) => {
        ask({ socketPath: path, agent: false }, (answer) => {
          answer.resume();
          resolve(answer.statusCode);
        })
          .once("error", reject)
          .end();
      });
    expect(http.url).toBe("");
    expect(await status()).toBe(204);
    await http.close();
    await http.reopen();
    expect(await status()).toBe(204);
    await http.close();
  } finally {
    await rm(folder, { recursive: true });
  }
});
