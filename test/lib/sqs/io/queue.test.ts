import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { type MessageQueue, messageQueue } from "../../../../lib/sqs/io/queue.ts";
import { type MotoQueue, motoQueue } from "../../../support/moto-queue.ts";

let emulator: MotoQueue;
let queue: MessageQueue;
const never = new AbortController().signal;

beforeAll(async () => {
  emulator = await motoQueue(1);
  Object.assign(process.env, emulator.moto.env);
  queue = messageQueue({ url: emulator.url, region: emulator.moto.client.region });
});
afterAll(async () => {
  queue.close();
  await emulator[Symbol.asyncDispose]();
});

it("gives out what was sent, with who sent it and when, until it is deleted", async () => {
  const beforeMs = Date.now();
  await queue.send("one");
  const [first] = await queue.receive(never);
  expect(first).toMatchObject({ body: "one", receives: 1 });
  expect(first?.senderId).not.toBe("");
  expect(Math.abs((first?.sentMs ?? 0) - beforeMs)).toBeLessThan(60_000);
  // Not deleted: it comes again once it is visible again.
  const [second] = await queue.receive(never);
  expect(second).toMatchObject({ body: "one", receives: 2 });
  expect(await queue.remove([second?.receipt ?? ""])).toEqual([]);
  expect(await queue.facts()).toMatchObject({ waiting: 0, inFlight: 0 });
});

it("gives a hidden message back at once", async () => {
  await queue.send("two");
  const [first] = await queue.receive(never);
  await queue.hide([first?.receipt ?? ""], 60);
  expect(await queue.facts()).toMatchObject({ waiting: 0, inFlight: 1 });
  await queue.hide([first?.receipt ?? ""], 0);
  const [again] = await queue.receive(never);
  expect(again).toMatchObject({ body: "two", receives: 2 });
  await queue.remove([again?.receipt ?? ""]);
});

it("knows its dead-letter queue, and puts a message there with the reason", async () => {
  const { deadLetterUrl = "", visibilitySeconds } = await queue.facts();
  expect(visibilitySeconds).toBe(1);
  expect(new URL(deadLetterUrl).pathname).toBe(new URL(emulator.deadLetterUrl).pathname);
  await queue.bury(emulator.deadLetterUrl, "bad", "expected a message, got none");
  const dead = messageQueue({ url: emulator.deadLetterUrl, region: emulator.moto.client.region });
  expect(await dead.receive(never)).toMatchObject([{ body: "bad" }]);
  dead.close();
});

it("ends a wait for messages at the stop", async () => {
  const stop = new AbortController();
  const waiting = queue.receive(stop.signal);
  stop.abort(new Error("asked"));
  await expect(waiting).rejects.toThrow("asked");
});

it("says which queue is not there, and what an operator must allow", async () => {
  const { url } = emulator;
  const none = messageQueue({ url: `${url}-none`, region: emulator.moto.client.region });
  await expect(none.send("three")).rejects.toThrow(`SQS knows no queue ${url}-none`);
  none.close();
});

it("is unavailable where nobody listens, and knows that nothing was sent", async () => {
  const away = messageQueue({ url: "http://127.0.0.1:9/1/q", region: "eu-west-1" });
  await expect(away.send("four")).rejects.toMatchObject({ name: "Unavailable", system: "SQS" });
  away.close();
});
