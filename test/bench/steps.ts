import { until, type World } from "./world.ts";

/** One container comes and goes, so that connections are open and code is compiled. */
export async function warmUp(stage: World, failure: Promise<never>): Promise<void> {
  const { engine, route53 } = stage;
  const id = stage.place();
  for (const act of [() => engine.start(id), () => engine.stop(id)]) {
    let landed = false;
    await until(
      "the first record",
      () => landed,
      (look) => {
        const deaf = route53.onLanded(() => {
          landed = true;
          look();
        });
        act();
        return deaf;
      },
      failure,
    );
    await answeredAll(stage, failure);
  }
  engine.remove(id);
}

export const answeredAll = ({ route53 }: World, failure: Promise<never>): Promise<void> =>
  until(
    "every request to be answered",
    () => route53.requests.every(({ result }) => result !== "pending"),
    (look) => route53.onRequest(look),
    failure,
  );
