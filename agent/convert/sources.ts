import { readFile } from "node:fs/promises";
import { basename, extname } from "node:path";
import { definitionsIn } from "../../lib/ecs/definition-find.ts";
import { documentsIn } from "../../lib/ecs/io/definition-text.ts";
import { causes } from "../../lib/kit/failure.ts";
import type { Sourced } from "../../lib/kubernetes/units.ts";

export interface Sources {
  readonly definitions: readonly Sourced[];
  /** What could not be read, each a sentence with the file's name. */
  readonly problems: readonly string[];
}

const STANDARD_INPUT = "-";

/** The definitions in files; `-` is standard input. */
export async function fromFiles(
  files: readonly string[],
  parameters: ReadonlyMap<string, string>,
): Promise<Sources> {
  const definitions: Sourced[] = [];
  const problems: string[] = [];
  for (const file of files) {
    const source = file === STANDARD_INPUT ? "standard input" : file;
    const text = await read(file).catch((error: unknown) => {
      problems.push(`${source}: can't be read: ${causes(error)}`);
      return undefined;
    });
    if (text === undefined) continue;
    const { documents, problems: unreadable } = documentsIn(text);
    problems.push(...unreadable.map((problem) => `${source}: ${problem}`));
    let count = 0;
    for (const document of documents) {
      const found = definitionsIn(document, parameters);
      problems.push(...found.problems.map((problem) => `${source}: ${problem}`));
      count += found.definitions.length + found.problems.length;
      definitions.push(...found.definitions.map((one) => ({ ...one, source })));
    }
    if (count === 0 && unreadable.length === 0) {
      problems.push(
        `${source}: expected a task definition, a service, a template that holds one, or an ECSDeployment, got none of them`,
      );
    }
  }
  return { definitions, problems };
}

async function read(file: string): Promise<string> {
  if (file !== STANDARD_INPUT) return readFile(file, "utf8");
  process.stdin.setEncoding("utf8");
  let text = "";
  for await (const chunk of process.stdin as AsyncIterable<string>) text += chunk;
  return text;
}

/** The services of a live cluster with their task definitions. */
export async function fromCluster(cluster: string, services: readonly string[]): Promise<Sources> {
  // The AWS SDK takes longer to load than a file to convert.
  const { liveDefinitions } = await import("../../lib/ecs/io/live-definitions.ts");
  const ecs = liveDefinitions();
  try {
    const found = await ecs.services(cluster, services);
    const definitions = found.flatMap(({ service, task }, index) => {
      const named = (service as { readonly serviceName?: string }).serviceName ?? `${index + 1}`;
      const source = `${cluster}/${named}`;
      return [task, service].flatMap((value) =>
        definitionsIn(value).definitions.map((one) => ({ ...one, source })),
      );
    });
    const problems = found.length > 0 ? [] : [`${cluster}: the cluster has no service`];
    return { definitions, problems };
  } finally {
    ecs.close();
  }
}

/** What an application is called where nothing in its definition names it: by its resource, or its file. */
export const fallbackName = ({ id, source }: Sourced): string =>
  id ?? (source === "standard input" ? "app" : basename(source, extname(source)));
