import { type Form, Refusal } from "./form.ts";

/**
 * What target groups answer, in the API of 2015-12-01.
 * Sources: [API] API reference 2015-12-01, the operation's own page, and botocore's model of it. Texts without a source
 * are ours.
 */

export interface StandInGroup {
  readonly arn: string;
  /** Default instance. */
  readonly targetType?: "instance" | "ip";
  /** The port of a target that is registered without one. */
  readonly port: number;
  /** Deregistration delay; default 300 [API, target group attributes]. */
  readonly delaySeconds?: number;
  readonly targets?: readonly { readonly id: string; readonly port: number }[];
}

interface TargetState {
  readonly id: string;
  readonly port: number;
  /** Until when it drains; undefined while it is registered. */
  drainsUntil?: number;
}

interface GroupState {
  readonly arn: string;
  readonly targetType: string;
  readonly port: number;
  readonly delayMs: number;
  /** By id and port: an instance can be there several times with different ports [API, TargetDescription]. */
  readonly targets: Map<string, TargetState>;
}

export interface TargetsState {
  readonly groups: Map<string, GroupState>;
}

export const targetsState = (): TargetsState => ({ groups: new Map() });

const keyOf = (id: string, port: number): string => `${id} ${port}`;

export function addGroup(state: TargetsState, one: StandInGroup): void {
  state.groups.set(one.arn, {
    arn: one.arn,
    targetType: one.targetType ?? "instance",
    port: one.port,
    delayMs: (one.delaySeconds ?? 300) * 1000,
    targets: new Map((one.targets ?? []).map(({ id, port }) => [keyOf(id, port), { id, port }])),
  });
}

/** The most targets of one group [API, quotas: Application Load Balancer]. */
const MOST_TARGETS = 1_000;

/** Each operation that the stand-in knows: what is in its result. Throws `Refusal`. */
export const targetsOperations = {
  DescribeTargetGroups(state: TargetsState, form: Form) {
    const arns = form.texts("TargetGroupArns");
    if (arns.length === 0) throw new Refusal("ValidationError", "the stand-in asks for ARNs");
    return {
      TargetGroups: arns.map((arn) => {
        const { targetType, port } = groupAt(state, arn);
        return { TargetGroupArn: arn, TargetType: targetType, Port: port };
      }),
    };
  },
  DescribeTargetHealth(state: TargetsState, form: Form, now: number) {
    const group = groupAt(state, form.text("TargetGroupArn") ?? "");
    for (const [key, target] of group.targets) {
      if (target.drainsUntil !== undefined && target.drainsUntil <= now) group.targets.delete(key);
    }
    return {
      TargetHealthDescriptions: [...group.targets.values()].map(({ id, port, drainsUntil }) => ({
        Target: { Id: id, Port: port },
        TargetHealth:
          drainsUntil === undefined
            ? { State: "healthy" }
            : {
                State: "draining",
                Reason: "Target.DeregistrationInProgress",
                Description: "Target deregistration is in progress",
              },
      })),
    };
  },
  RegisterTargets(state: TargetsState, form: Form) {
    const group = groupAt(state, form.text("TargetGroupArn") ?? "");
    const targets = targetsIn(form, group);
    for (const { id } of targets) {
      const fits = group.targetType === "instance" ? /^i-[0-9a-f]{8,17}$/ : /^[\d.]+$/;
      if (!fits.test(id)) {
        // [API] InvalidTarget: the instance does not run, or the address is outside of the VPC.
        throw new Refusal("InvalidTarget", `The following targets are not valid: '${id}'`);
      }
    }
    if (group.targets.size + targets.length > MOST_TARGETS) {
      throw new Refusal("TooManyTargets", "You've reached the limit on the number of targets");
    }
    for (const target of targets) group.targets.set(keyOf(target.id, target.port), { ...target });
    return {};
  },
  DeregisterTargets(state: TargetsState, form: Form, now: number) {
    const group = groupAt(state, form.text("TargetGroupArn") ?? "");
    for (const { id, port } of targetsIn(form, group)) {
      // One that is not there: the action succeeds [API, DeregisterTargets].
      const found = group.targets.get(keyOf(id, port));
      if (found !== undefined) found.drainsUntil ??= now + group.delayMs;
    }
    return {};
  },
};

function groupAt(state: TargetsState, arn: string): GroupState {
  const found = state.groups.get(arn);
  if (found === undefined) throw new Refusal("TargetGroupNotFound", "Target groups not found");
  return found;
}

const targetsIn = (form: Form, group: GroupState) =>
  form.members("Targets").map((at) => ({
    id: form.text(`${at}.Id`) ?? "",
    // Without one, the group's [API, TargetDescription].
    port: form.number(`${at}.Port`) ?? group.port,
  }));

/** A group's targets as a test or a demo sees them: `id:port`, with ` draining` where it is so. */
export function plainTargets(state: TargetsState, arn: string): readonly string[] {
  return [...groupAt(state, arn).targets.values()].map(
    ({ id, port, drainsUntil }) => `${id}:${port}${drainsUntil === undefined ? "" : " draining"}`,
  );
}
