/** Whose something is: of one folder and one prefix. */
export interface Ownership {
  readonly project: string;
  readonly prefix: string;
}

export const FOLDER_TAG = "ecs-discovery-agent:folder";
export const PREFIX_TAG = "ecs-discovery-agent:prefix";
/** The hash of the file that a task definition or service was made from. Never on a stack: its tags reach everything in it. */
export const CONTENT_TAG = "ecs-discovery-agent:content";

export type Tags = ReadonlyMap<string, string>;

/** What is put on everything that is made. */
export const ownTags = ({ project, prefix }: Ownership): Tags =>
  new Map([
    [FOLDER_TAG, project],
    [PREFIX_TAG, prefix],
  ]);

/** CloudFormation puts it on what it makes, where it also puts every tag of its stack (User Guide, "Resource tags"). */
const STACK_TAG = "aws:cloudformation:stack-name";

/** True when both tags say so; anything else is somebody else's, and what a stack made is the stack's. */
export const isOwn = (tags: Tags, { project, prefix }: Ownership): boolean =>
  tags.get(FOLDER_TAG) === project && tags.get(PREFIX_TAG) === prefix && !tags.has(STACK_TAG);
