import type { IncomingMessage } from "node:http";
import Docker from "dockerode";
import type * as z from "zod";
import { Fatal, Unavailable } from "../../kit/failure.ts";
import { shapeProblem } from "../../kit/io/shape.ts";
import { failure, NotOk, pickedOf, type Question, saidIn, within } from "./answer.ts";

/** How the engine is asked: GET requests, and nothing else. */
export interface EngineRequests {
  /** The answer from its beginning on. Throws `NotOk` for one that is none, and what broke the connection. */
  get(question: Pick<Question, "path" | "filters">, signal: AbortSignal): Promise<IncomingMessage>;
  /**
   * What the whole answer holds. Throws `Unavailable` and `Fatal`, and a `RangeError` for one that is too long. `givenUp`
   * ends the request.
   */
  read<T>(
    question: Question,
    schema: z.ZodType<T>,
    withinMs: number,
    givenUp?: AbortSignal,
  ): Promise<T>;
}

/** Throws `Fatal` for a DOCKER_HOST that can't be understood; it counts where no socket is given. */
export function engineRequests(socketPath: string | undefined): EngineRequests {
  let docker: Docker;
  try {
    docker = new Docker(socketPath === undefined ? {} : { socketPath });
  } catch (error) {
    throw new Fatal("DOCKER_HOST: expected unix:///path or tcp://host:port", { cause: error });
  }

  const get: EngineRequests["get"] = async ({ path, filters }, signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    docker.modem.dial(
      {
        path: `${path}?`,
        method: "GET",
        options: filters === undefined ? {} : { filters },
        abortSignal: signal,
        isStream: true,
        statusCodes: EVERY_STATUS,
      },
      (error, answer) => (error === null ? resolve(answer as IncomingMessage) : reject(error)),
    );
    const answer = await promise;
    if (answer.statusCode === 200) return answer;
    throw new NotOk(answer.statusCode ?? 0, await saidIn(answer));
  };

  return {
    get,
    async read(question, schema, withinMs, givenUp) {
      const { what } = question;
      const json = await within(withinMs, async (late) => {
        const signal = givenUp === undefined ? late : AbortSignal.any([late, givenUp]);
        return pickedOf(await get(question, signal), question);
      }).catch((error: unknown) => {
        throw error instanceof RangeError ? error : failure(what, error);
      });
      const parsed = schema.safeParse(json);
      if (parsed.success) return parsed.data;
      throw new Unavailable("Docker", `answered ${what} in an unknown shape`, {
        cause: shapeProblem(parsed.error),
      });
    },
  };
}

/**
 * Declares every status a success. Of any other, dockerode parses the body in a callback, where a throw would end the
 * process.
 */
const EVERY_STATUS: Readonly<Record<number, true>> = Object.fromEntries(
  Array.from({ length: 1_000 }, (_, status) => [status, true]),
);
