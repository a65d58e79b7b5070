import Sequencer from "@jest/test-sequencer";

/** The tests of the control plane come last: until then it is built in the background. */
export default class KubernetesLast extends Sequencer {
  sort(tests) {
    const isLast = (test) => test.context.config.displayName?.name === "kubernetes";
    const sorted = super.sort(tests);
    return [...sorted.filter((test) => !isLast(test)), ...sorted.filter(isLast)];
  }
}
