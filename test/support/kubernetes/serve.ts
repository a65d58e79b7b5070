// A control plane to try things on, with the resource and roles of deploy/kubernetes:
//   node test/support/kubernetes/serve.ts     prints its kubeconfig when it is ready; SIGTERM or SIGINT stops it
import { once } from "node:events";
import { controlPlane } from "./control-plane.ts";

const OBJECTS = "/apis/ecskube.ecskube/v1alpha1/ecsdeployments";
const DEPLOY = new URL("../../../deploy/kubernetes/", import.meta.url);

const plane = await controlPlane({
  async prepare(cluster) {
    for (const file of ["namespace.yaml", "crd.yaml", "rbac.yaml"]) {
      await cluster.apply(new URL(file, DEPLOY));
    }
    await cluster.until(OBJECTS, (_, status) => status === 200);
  },
});
process.stdout.write(`${plane.kubeconfig}\n`);
await Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
await plane.stop();
process.exit(0);
