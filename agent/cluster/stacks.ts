import { contentHash } from "../../lib/cloud/content.ts";
import type { ChangeSet } from "../../lib/cloud/io/cloudformation.ts";
import {
  dataLoss,
  type LiveStack,
  parameterDifferences,
  parametersOf,
  refusalOf,
  type StackFile,
  type StackStep,
  sameTemplate,
  stateOf,
  untoldOutputs,
} from "../../lib/cloud/stack.ts";
import { ownTags } from "../../lib/cloud/tags.ts";
import type { Problem } from "../../lib/cloud/variables.ts";
import { Fatal } from "../../lib/kit/failure.ts";
import type { Session } from "./session.ts";
import type { Wanted } from "./wanted.ts";

const POLL_MS = 5_000;
/** A change set takes seconds to make. */
const CHANGE_SET_POLL_MS = 2_000;

interface Earlier {
  readonly file: StackFile;
  readonly live: LiveStack | undefined;
}

/** What each stack would change. A change set that showed it is thrown away again. */
export async function lookAtStacks(
  session: Session,
  wanted: Wanted,
): Promise<{ readonly steps: readonly StackStep[] } | { readonly problems: readonly Problem[] }> {
  const steps: StackStep[] = [];
  const problems: Problem[] = [];
  const before: Earlier[] = [];
  for (const file of wanted.stacks) {
    const { step, problems: wrong, live } = await lookAtStack(session, wanted, file, before);
    problems.push(...wrong);
    steps.push(step);
    // Only what a later stack may take is worth a request.
    const isLast = file === wanted.stacks.at(-1);
    before.push({ file, live: live && !isLast ? await withOutputs(session, file, live) : live });
  }
  return problems.length > 0 ? { problems } : { steps };
}

async function lookAtStack(
  session: Session,
  wanted: Wanted,
  file: StackFile,
  before: readonly Earlier[],
): Promise<{
  readonly step: StackStep;
  readonly live: LiveStack | undefined;
  readonly problems: readonly Problem[];
}> {
  const { edges, retry, owner, config } = session;
  const { name } = file;
  const found = await retry(() => edges.stacks.stack(name));
  const live = stateOf(found).kind === "absent" ? undefined : found;
  const { values, later, problems } = parametersOf(
    file,
    sourcesFor(session, wanted, live),
    before,
    live,
  );
  const done = (step: StackStep) => ({ step, live, problems });
  const why = refusalOf(live, { owner, adopt: config.adopt });
  const known = { name, file, ...(live && { live }) };
  if (why !== undefined) return done({ ...known, action: "refuse", why });
  if (live === undefined) {
    const parameters = [...values].map(([path, after]) => ({ path, before: undefined, after }));
    const changes = [...file.template.resources].map(([id, type]) => ({
      ...{ action: "Add" as const, id, type, properties: [] },
    }));
    return done({ ...known, action: "create", changes, parameters, later, values });
  }
  if (stateOf(live).kind === "busy") return done({ ...known, action: "busy" });
  const text = await retry(() => edges.stacks.template(name));
  const parameters = parameterDifferences(file, live, values);
  if (sameTemplate(text, file.template.text) && parameters.length === 0) {
    return done({ ...known, action: "keep" });
  }
  const update = { ...known, action: "update" as const, parameters, later, values };
  if (later.size > 0 || problems.length > 0) return done({ ...update, changes: [] });
  const set = await propose(session, file, values, false);
  await retry(() => edges.stacks.discard(name, setName(file, values)));
  if (set.kind === "empty") return done({ ...known, action: "keep" });
  return done({ ...update, changes: set.changes });
}

/** What the files say, and the names of the folder, for templates that ask for them. */
const sourcesFor = (
  { folder: { names, user } }: Session,
  { params }: Wanted,
  live: LiveStack | undefined,
) => ({
  files: params,
  given: {
    Prefix: names.prefix,
    Folder: names.project,
    ClusterName: names.cluster,
    // Whoever changes a stack later did not create it.
    CreatedBy: live?.parameters.get("CreatedBy") ?? user,
  },
});

/** The same for the same content: after a crash the change set that was made before is found again. */
const setName = (file: StackFile, values: ReadonlyMap<string, string>): string =>
  `ecs-discovery-${contentHash([file.template.text, [...values]]).slice(0, 16)}`;

/** Comes back with what it would change. Throws `Fatal` with CloudFormation's reason when it can't be made. */
async function propose(
  { edges, retry, owner, surroundings }: Session,
  file: StackFile,
  values: ReadonlyMap<string, string>,
  create: boolean,
): Promise<Extract<ChangeSet, { kind: "ready" | "empty" }>> {
  const { clock, stop } = surroundings;
  const { name: stack, template } = file;
  const changeSet = setName(file, values);
  const asked = {
    ...{ stack, changeSet, create, template: template.text },
    ...{ parameters: values, tags: ownTags(owner) },
  };
  let isOld = false;
  await retry(() => edges.stacks.propose(asked));
  for (;;) {
    const set = await retry(() => edges.stacks.changeSet(stack, changeSet));
    if (set?.kind === "ready" || set?.kind === "empty") return set;
    if (set === undefined || set.kind === "failed") {
      if (set !== undefined) await retry(() => edges.stacks.discard(stack, changeSet));
      // One that was left from before may have been overtaken by another change: it is made anew, once.
      if (isOld) {
        throw new Fatal(
          `CloudFormation can't change stack ${stack}: ${set?.kind === "failed" ? set.why : "its change set is gone"}`,
        );
      }
      isOld = true;
      await retry(() => edges.stacks.propose(asked));
    }
    await clock.sleep(CHANGE_SET_POLL_MS, stop.signal);
  }
}

/**
 * Brings the stacks to what the folder asks for, one after the other, because a later one takes an earlier one's outputs.
 * Throws `Fatal` at the first that does not come up, with the reason that CloudFormation gives.
 */
export async function applyStacks(session: Session, wanted: Wanted): Promise<void> {
  const before: Earlier[] = [];
  for (const file of wanted.stacks) {
    await applyStack(session, wanted, file, before);
    const live = await session.retry(() => session.edges.stacks.stack(file.name));
    before.push({ file, live: live && (await withOutputs(session, file, live)) });
  }
}

/**
 * The stack with those outputs that are references: not everybody who plays CloudFormation tells the outputs of a stack
 * that a change set made, but every one tells what is in it.
 */
async function withOutputs(
  { edges, retry }: Session,
  file: StackFile,
  live: LiveStack,
): Promise<LiveStack> {
  const untold = untoldOutputs(file, live);
  if (untold.length === 0) return live;
  const made = await retry(() => edges.stacks.resources(file.name));
  const ids = new Map(made.map(({ name, id }) => [name, id]));
  const known = untold.flatMap(([output, resource]) => {
    const id = ids.get(resource);
    return id === undefined || id === "" ? [] : [[output, id] as const];
  });
  return { ...live, outputs: new Map([...live.outputs, ...known]) };
}

async function applyStack(
  session: Session,
  wanted: Wanted,
  file: StackFile,
  before: readonly Earlier[],
): Promise<void> {
  const { edges, retry, owner, config, say } = session;
  const { name } = file;
  let found = await retry(() => edges.stacks.stack(name));
  if (stateOf(found).kind === "busy") {
    await say(`stack ${name} is ${found?.status}: waits for it`);
    found = await settle(session, name, { seen: await seenEvents(session, name) });
  }
  const why = refusalOf(found, { owner, adopt: config.adopt });
  if (why !== undefined) throw new Fatal(why);
  const create = stateOf(found).kind === "absent";
  const live = create ? undefined : found;
  const { values, later, problems } = parametersOf(
    file,
    sourcesFor(session, wanted, live),
    before,
    live,
  );
  const [missing] = later;
  if (missing !== undefined) {
    throw new Fatal(`stack ${missing[1]} has no output ${missing[0]}, which stack ${name} takes`);
  }
  if (problems[0] !== undefined) throw new Fatal(`${problems[0].file}: ${problems[0].text}`);
  if (live !== undefined) {
    const text = await retry(() => edges.stacks.template(name));
    const differs = parameterDifferences(file, live, values).length > 0;
    if (sameTemplate(text, file.template.text) && !differs) return;
  }
  const set = await propose(session, file, values, create);
  const changeSet = setName(file, values);
  if (set.kind === "empty") {
    await retry(() => edges.stacks.discard(name, changeSet));
    return;
  }
  const loss = create || config.deleteData ? undefined : dataLoss(name, set.changes);
  if (loss !== undefined) {
    await retry(() => edges.stacks.discard(name, changeSet));
    throw new Fatal(loss);
  }
  const seen = await seenEvents(session, name);
  await retry(() => edges.stacks.execute(name, changeSet));
  await say(`stack ${name}: ${create ? "is being created" : "is being updated"}`);
  const ended = await settle(session, name, { seen, begins: true });
  if (!/^(CREATE|UPDATE|IMPORT)_COMPLETE$/.test(ended?.status ?? "")) {
    throw new Fatal(
      `stack ${name} is ${ended?.status ?? "gone"}: ${await failureOf(session, name, seen)}`,
    );
  }
  await say(`stack ${name}: ${ended?.status}`);
}

/** CloudFormation begins some moments after it was asked to. */
const BEGINS_WITHIN_POLLS = 6;

/** Waits until the stack is busy no more, and tells of each resource meanwhile. */
async function settle(
  session: Session,
  name: string,
  {
    seen,
    begins = false,
  }: {
    readonly seen: ReadonlySet<string> /** It may not have begun yet. */;
    readonly begins?: boolean;
  },
): Promise<LiveStack | undefined> {
  const { edges, retry, say, surroundings } = session;
  const told = new Set(seen);
  for (let polls = 0; ; polls += 1) {
    const live = await retry(() => edges.stacks.stack(name));
    if (live === undefined) return undefined;
    const events = await retry(() => edges.stacks.events(live.id || name));
    for (const { id, resource, status, reason } of events.toReversed()) {
      if (told.has(id)) continue;
      told.add(id);
      if (resource === live.name || status.endsWith("_IN_PROGRESS")) continue;
      await say(`  ${resource} ${status}${reason ? `: ${reason}` : ""}`);
    }
    const isBusy = live.status.endsWith("_IN_PROGRESS");
    const hasBegun = !begins || told.size > seen.size || polls >= BEGINS_WITHIN_POLLS;
    if (!isBusy && hasBegun) return live;
    await surroundings.clock.sleep(POLL_MS, surroundings.stop.signal);
  }
}

const seenEvents = async ({ edges, retry }: Session, name: string): Promise<Set<string>> =>
  new Set((await retry(() => edges.stacks.events(name))).map(({ id }) => id));

/** The first resource that failed since: what failed later mostly failed because of it. */
async function failureOf(
  { edges, retry }: Session,
  name: string,
  seen: ReadonlySet<string>,
): Promise<string> {
  const events = await retry(() => edges.stacks.events(name));
  const failed = events
    .filter(({ id }) => !seen.has(id))
    .filter(({ status, reason }) => status.endsWith("_FAILED") && !/cancelled/i.test(reason ?? ""))
    .toReversed();
  const [first] = failed;
  return first === undefined
    ? "CloudFormation gives no reason, see its events"
    : `${first.resource} (${first.type}) ${first.status}: ${first.reason ?? "no reason given"}`;
}

/** Deletes a stack and waits until it is gone. Throws `Fatal` with the reason when something is in the way. */
export async function removeStack(session: Session, name: string): Promise<void> {
  const { edges, retry, say } = session;
  const live = await retry(() => edges.stacks.stack(name));
  if (live === undefined) return;
  const id = live.id || name;
  const seen = await seenEvents(session, id);
  await retry(() => edges.stacks.remove(name));
  await say(`stack ${name}: is being deleted`);
  // By its id a stack that is gone can still be asked about.
  const ended = await settle(session, id, { seen });
  if (ended !== undefined && ended.status !== "DELETE_COMPLETE") {
    throw new Fatal(`stack ${name} is ${ended.status}: ${await failureOf(session, id, seen)}`);
  }
  await say(`stack ${name}: deleted`);
}
