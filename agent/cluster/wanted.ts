import { type Network, paramsFromNetwork, parseParams } from "../../lib/cloud/params.ts";
import { inOrder, SHARED_PARAMS, type StackFile, unknownKeys } from "../../lib/cloud/stack.ts";
import type { Problem } from "../../lib/cloud/variables.ts";
import { builtInStacks } from "./built-in.ts";
import { hasSharedParams } from "./folder.ts";
import type { Session } from "./session.ts";

/** The stacks that a folder asks for, and the values they take. */
export interface Wanted {
  readonly stacks: readonly StackFile[];
  readonly params: Session["folder"]["params"];
  readonly newParams?: string;
  readonly notes: readonly string[];
}

export type OrProblems<T> = T | { readonly problems: readonly Problem[] };

/**
 * The folder's own templates; where it has none, those that come with this program. A folder without templates and
 * parameters, whose cluster is there and not made by them, is only loaded into it.
 */
export async function wantedStacks(session: Session): Promise<OrProblems<Wanted>> {
  const { folder, edges, retry } = session;
  const { names, params } = folder;
  const shared = hasSharedParams(folder);
  if (folder.stacks.length === 0 && !shared) {
    const made = await retry(() => edges.stacks.stack(`${names.prefix}-${SHARED_PARAMS}`));
    const there = made === undefined && (await retry(() => edges.ecs.cluster(names.cluster)));
    if (there) {
      return {
        ...{ stacks: [], params },
        notes: [
          `cluster ${names.cluster} is there, and the folder has neither templates nor ${SHARED_PARAMS}.params: it stays as it is`,
        ],
      };
    }
  }
  const problems: Problem[] = [];
  const stacks = folder.stacks.length > 0 ? folder.stacks : inOrder(builtInStacks(names.prefix));
  if (shared || !needsNetwork(stacks, params)) {
    problems.push(...unknownKeys(stacks, { files: params, given: {} }));
    return problems.length > 0 ? { problems } : { stacks, params, notes: [] };
  }
  const network: Network = await retry(() => edges.account.network());
  const made = paramsFromNetwork(network);
  const file = `${SHARED_PARAMS}.params`;
  if ("problem" in made)
    return {
      problems: [{ file, text: `it is missing, and can't be made by itself: ${made.problem}` }],
    };
  const own = new Map([...params, [SHARED_PARAMS, parseParams(file, made.text).params]]);
  return {
    ...{ stacks, params: own, newParams: made.text },
    notes: [`${file} is missing: apply writes it from what the account has`],
  };
}

/** True when a template asks for a network, and no file names one. */
const needsNetwork = (stacks: readonly StackFile[], params: Wanted["params"]): boolean =>
  stacks.some(
    ({ base, template }) =>
      template.parameters.has("VpcId") &&
      template.parameters.get("VpcId")?.byDefault === undefined &&
      !params.get(base)?.has("VpcId"),
  );
