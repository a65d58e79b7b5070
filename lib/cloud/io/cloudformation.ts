import {
  type Change,
  CloudFormationClient,
  CreateChangeSetCommand,
  DeleteChangeSetCommand,
  DeleteStackCommand,
  DescribeChangeSetCommand,
  DescribeStackEventsCommand,
  DescribeStacksCommand,
  ExecuteChangeSetCommand,
  GetTemplateCommand,
  ListStackResourcesCommand,
  type Stack,
} from "@aws-sdk/client-cloudformation";
import { errorFacts } from "../../aws/answer.ts";
import { clientDefaults } from "../../aws/io/client-defaults.ts";
import { awsFailure } from "../../aws/io/failure.ts";
import type { LiveStack, ResourceChange } from "../stack.ts";
import type { Tags } from "../tags.ts";
import type { Account } from "./signed.ts";

/** What came of a change set. */
export type ChangeSet =
  | { readonly kind: "making" }
  | { readonly kind: "ready"; readonly changes: readonly ResourceChange[] }
  /** It would change nothing. */
  | { readonly kind: "empty" }
  | { readonly kind: "failed"; readonly why: string };

interface StackEvent {
  readonly id: string;
  /** Time of day. */
  readonly atMs: number;
  readonly resource: string;
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
}

/**
 * CloudFormation, as far as stacks by change set need it. All throw `Unavailable` when trying again may help and `Fatal`
 * when it does not; what is not there any more is not missed by what deletes it.
 */
export interface CloudFormation {
  stack(name: string): Promise<LiveStack | undefined>;
  /** The template as it was given. */
  template(name: string): Promise<string>;
  /** Asks for a change set; one of that name that is there already stays as it is. */
  propose(asked: {
    readonly stack: string;
    readonly changeSet: string;
    readonly create: boolean;
    readonly template: string;
    readonly parameters: ReadonlyMap<string, string>;
    readonly tags: Tags;
  }): Promise<void>;
  changeSet(stack: string, changeSet: string): Promise<ChangeSet | undefined>;
  execute(stack: string, changeSet: string): Promise<void>;
  discard(stack: string, changeSet: string): Promise<void>;
  /** Newest first; at most 100. */
  events(stack: string): Promise<readonly StackEvent[]>;
  remove(stack: string): Promise<void>;
  /** What the stack has made: logical and physical ids. */
  resources(
    stack: string,
  ): Promise<readonly { readonly name: string; readonly type: string; readonly id: string }[]>;
  /** Where its credentials and region come from, for what has no client of its own. */
  readonly account: Account;
  close(): void;
}

export function cloudFormation(options: {
  readonly region?: string;
  readonly profile?: string;
}): CloudFormation {
  const client = new CloudFormationClient({ ...options, ...clientDefaults() });
  return {
    ...stackCalls(client),
    ...changeSetCalls(client),
    account: { region: client.config.region, credentials: client.config.credentials },
    close: () => client.destroy(),
  };
}

const asked = <T>(operation: string, stack: string, answer: Promise<T>): Promise<T> =>
  answer.catch((error: unknown): never => {
    throw awsFailure("CloudFormation", operation, error, {
      permission: `cloudformation:${operation}`,
      on: `stack ${stack}`,
    });
  });

/** CloudFormation says in words that a stack or change set is not there. */
function orUndefined(error: unknown): undefined {
  const { name, message } = errorFacts(error);
  if (name === "ChangeSetNotFoundException" || /does not exist|ChangeSetNotFound/.test(message)) {
    return undefined;
  }
  throw error;
}

const stackCalls = (
  client: CloudFormationClient,
): Pick<CloudFormation, "stack" | "template" | "events" | "remove" | "resources"> => ({
  async stack(name) {
    const answer = await asked(
      "DescribeStacks",
      name,
      client.send(new DescribeStacksCommand({ StackName: name })).catch(orUndefined),
    );
    const [found] = answer?.Stacks ?? [];
    return found === undefined ? undefined : readStack(found);
  },
  async template(name) {
    const { TemplateBody = "" } = await asked(
      "GetTemplate",
      name,
      client.send(new GetTemplateCommand({ StackName: name, TemplateStage: "Original" })),
    );
    return TemplateBody;
  },
  async events(stack) {
    const { StackEvents = [] } = await asked(
      "DescribeStackEvents",
      stack,
      client.send(new DescribeStackEventsCommand({ StackName: stack })),
    );
    return StackEvents.slice(0, 100).map((event) => ({
      id: event.EventId ?? "",
      atMs: event.Timestamp?.getTime() ?? 0,
      resource: event.LogicalResourceId ?? "",
      type: event.ResourceType ?? "",
      status: event.ResourceStatus ?? "",
      ...(event.ResourceStatusReason && { reason: event.ResourceStatusReason }),
    }));
  },
  async remove(stack) {
    await asked(
      "DeleteStack",
      stack,
      client.send(new DeleteStackCommand({ StackName: stack })).catch(orUndefined),
    );
  },
  async resources(stack) {
    const found: { name: string; type: string; id: string }[] = [];
    let from: string | undefined;
    do {
      const { StackResourceSummaries = [], NextToken } = await asked(
        "ListStackResources",
        stack,
        client.send(new ListStackResourcesCommand({ StackName: stack, NextToken: from })),
      );
      found.push(
        ...StackResourceSummaries.map((one) => ({
          name: one.LogicalResourceId ?? "",
          type: one.ResourceType ?? "",
          id: one.PhysicalResourceId ?? "",
        })),
      );
      from = NextToken || undefined;
    } while (from !== undefined);
    return found;
  },
});

const changeSetCalls = (
  client: CloudFormationClient,
): Pick<CloudFormation, "propose" | "changeSet" | "execute" | "discard"> => ({
  async propose({ stack, changeSet, create, template, parameters, tags }) {
    const sent = client.send(
      new CreateChangeSetCommand({
        StackName: stack,
        ChangeSetName: changeSet,
        ChangeSetType: create ? "CREATE" : "UPDATE",
        TemplateBody: template,
        Capabilities: ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
        Parameters: [...parameters].map(([ParameterKey, ParameterValue]) => ({
          ParameterKey,
          ParameterValue,
        })),
        Tags: [...tags].map(([Key, Value]) => ({ Key, Value })),
      }),
    );
    await asked(
      "CreateChangeSet",
      stack,
      sent.catch((error: unknown) => {
        if (errorFacts(error).name !== "AlreadyExistsException") throw error;
      }),
    );
  },
  async changeSet(stack, name) {
    const changes: ResourceChange[] = [];
    let from: string | undefined;
    do {
      const answer = await asked(
        "DescribeChangeSet",
        stack,
        client
          .send(
            new DescribeChangeSetCommand({
              StackName: stack,
              ChangeSetName: name,
              NextToken: from,
            }),
          )
          .catch(orUndefined),
      );
      if (answer === undefined) return undefined;
      const { Status, StatusReason = "", ExecutionStatus, Changes = [], NextToken } = answer;
      if (Status === "FAILED") {
        return /didn't contain changes|No updates are to be performed/i.test(StatusReason)
          ? { kind: "empty" }
          : { kind: "failed", why: StatusReason };
      }
      if (Status !== "CREATE_COMPLETE") return { kind: "making" };
      if (ExecutionStatus !== "AVAILABLE") {
        return { kind: "failed", why: `its execution status is ${ExecutionStatus}` };
      }
      changes.push(...Changes.flatMap(readChange));
      from = NextToken || undefined;
    } while (from !== undefined);
    return { kind: "ready", changes };
  },
  async execute(stack, changeSet) {
    await asked(
      "ExecuteChangeSet",
      stack,
      client.send(new ExecuteChangeSetCommand({ StackName: stack, ChangeSetName: changeSet })),
    );
  },
  async discard(stack, changeSet) {
    await asked(
      "DeleteChangeSet",
      stack,
      client
        .send(new DeleteChangeSetCommand({ StackName: stack, ChangeSetName: changeSet }))
        .catch(orUndefined),
    );
  },
});

const readStack = (stack: Stack): LiveStack => ({
  name: stack.StackName ?? "",
  id: stack.StackId ?? "",
  status: stack.StackStatus ?? "",
  ...(stack.StackStatusReason && { reason: stack.StackStatusReason }),
  parameters: new Map(
    stack.Parameters?.map(({ ParameterKey = "", ParameterValue = "" }) => [
      ParameterKey,
      ParameterValue,
    ]),
  ),
  outputs: new Map(
    stack.Outputs?.map(({ OutputKey = "", OutputValue = "" }) => [OutputKey, OutputValue]),
  ),
  tags: new Map(stack.Tags?.map(({ Key = "", Value = "" }) => [Key, Value])),
});

function readChange({ ResourceChange: change }: Change): readonly ResourceChange[] {
  if (change?.Action === undefined) return [];
  const properties = (change.Details ?? []).flatMap(({ Target }) =>
    Target === undefined ? [] : [Target.Name ?? Target.Attribute ?? ""],
  );
  return [
    {
      action: change.Action === "SyncWithActual" ? "Modify" : change.Action,
      id: change.LogicalResourceId ?? "",
      type: change.ResourceType ?? "",
      ...(change.Replacement && { replacement: change.Replacement }),
      properties: [...new Set(properties)],
    },
  ];
}
