import { byMode } from "./cli/by-mode.ts";
import { completionMode } from "./cli/completion.ts";
import { command, type Mode, mode } from "./cli/mode.ts";
import { clusterWords } from "./cluster/words.ts";
import type { Examined } from "./doctor/names.ts";
import { storyWords } from "./sandbox/story-names.ts";

/** For a mode whose zones may be given by their names. */
const byZoneId = () => import("./host/zone-id.ts").then((host) => host.byZoneId);
const discoverConfig = () => import("./discover/config.ts");
/** A host's command may stand before the flags of its agent: those that mean nothing to it are left. */
const ofHost = { ignores: discoverConfig };

const DOCTOR = "checks all that a mode needs, and says what to do";
const zoneExamined = () => import("./doctor/zone-id.ts").then((doctor) => doctor.zoneExamined);
const examining = () => import("./doctor/config.ts").then((doctor) => doctor.examining);

/** What doctor is for each mode: it takes that mode's own flags, and tries what that mode needs. */
const doctors: Readonly<Record<Examined, Mode>> = {
  discover: command(
    "doctor",
    DOCTOR,
    {
      config: () => import("./doctor/config.ts"),
      run: async () => (await zoneExamined())((await import("./doctor/mode.ts")).doctor),
    },
    ofHost,
  ),
  sweep: command("doctor", DOCTOR, {
    config: async () => ({
      flags: (await examining())((await import("./sweep/config.ts")).flags),
    }),
    run: async () => (await zoneExamined())((await import("./doctor/modes/sweep.ts")).sweep),
  }),
  writer: command("doctor", DOCTOR, {
    config: async () => ({
      flags: (await examining())((await import("./writer/config.ts")).flags),
    }),
    run: async () => (await zoneExamined())((await import("./doctor/modes/writer.ts")).writer),
  }),
  ambassador: command("doctor", DOCTOR, {
    config: async () => {
      const { flags, problems } = await import("./ambassador/config.ts");
      return { flags: (await examining())(flags), problems };
    },
    run: async () => (await import("./doctor/modes/ambassador.ts")).ambassador,
  }),
  balancer: command("doctor", DOCTOR, {
    config: async () => ({
      flags: (await examining())((await import("./balancer/config.ts")).flags),
    }),
    run: async () => (await import("./doctor/modes/balancer.ts")).balancer,
  }),
  proxy: command("doctor", DOCTOR, {
    config: async () => ({
      flags: (await examining())((await import("./proxy/config.ts")).flags),
    }),
    run: async () => (await import("./doctor/modes/proxy.ts")).proxy,
  }),
  login: command("doctor", DOCTOR, {
    config: async () => ({
      flags: (await examining())((await import("./login/config.ts")).flags),
    }),
    run: async () => (await import("./doctor/modes/login.ts")).login,
  }),
  cluster: command("doctor", DOCTOR, {
    config: async () => ({
      flags: (await examining())((await import("./cluster/config.ts")).flags),
    }),
    run: async () => (await import("./doctor/modes/cluster.ts")).cluster,
  }),
  convert: command("doctor", DOCTOR, {
    config: async () => ({
      flags: (await examining())((await import("./convert/config.ts")).flags),
    }),
    run: async () => (await import("./doctor/modes/convert.ts")).convert,
  }),
  kube: command("doctor", DOCTOR, {
    config: async () => ({
      flags: (await examining())((await import("./kube/config.ts")).flags),
    }),
    run: async () => (await import("./doctor/modes/kube.ts")).kube,
  }),
};

/** The one list of what this binary can be. Each is loaded on demand, so none pays for another. */
export const modes: readonly Mode[] = [
  mode("discover", "keeps this host's labelled containers as records of a hosted zone", {
    config: discoverConfig,
    run: async () => (await byZoneId())((await import("./discover/mode.ts")).discover),
  }),
  command(
    "plan",
    "shows what discover would change in the zone now; changes nothing",
    {
      config: () => import("./plan/config.ts"),
      run: async () => (await byZoneId())((await import("./plan/mode.ts")).plan),
    },
    ofHost,
  ),
  byMode("doctor", DOCTOR, doctors, { kite: "ambassador", statika: "balancer" }),
  command(
    "status",
    "shows how the running agent is, and why a name is there or missing",
    {
      config: () => import("./status/config.ts"),
      run: async () => (await import("./status/mode.ts")).status,
    },
    ofHost,
  ),
  command(
    "deregister",
    "removes every record of this host, once",
    {
      config: () => import("./deregister/config.ts"),
      run: async () => (await byZoneId())((await import("./deregister/mode.ts")).deregister),
    },
    ofHost,
  ),
  command("sweep", "removes the records of hosts and tasks that are dead, once", {
    config: () => import("./sweep/config.ts"),
    run: async () => (await byZoneId())((await import("./sweep/mode.ts")).sweepOnce),
  }),
  mode("login", "keeps a host's logins to private registries as a file of lines says", {
    config: () => import("./login/config.ts"),
    run: async () => (await import("./login/mode.ts")).login,
  }),
  command(
    "cluster",
    "turns a folder of files into a cluster and what runs on it: plan, apply, destroy",
    {
      config: () => import("./cluster/config.ts"),
      run: async () => (await import("./cluster/mode.ts")).cluster,
    },
    { words: clusterWords },
  ),
  mode(
    "ambassador",
    "makes another service's tasks reachable at local ports",
    {
      config: () => import("./ambassador/config.ts"),
      run: async () => (await import("./ambassador/mode.ts")).ambassador,
    },
    { aliases: ["kite"] },
  ),
  mode(
    "balancer",
    "keeps load balancers on this host's tasks, whatever port they are given",
    {
      config: () => import("./balancer/config.ts"),
      run: async () => (await import("./balancer/mode.ts")).balancer,
    },
    { aliases: ["statika"], answers: ({ dryRun }) => dryRun },
  ),
  command(
    "convert",
    "prints ECS task definitions and services as Kubernetes manifests",
    {
      config: () => import("./convert/config.ts"),
      run: async () => (await import("./convert/mode.ts")).convert,
    },
    { words: { takes: "<file>...", help: "definitions in JSON or YAML; - is standard input" } },
  ),
  mode("kube", "keeps ECSDeployments of a Kubernetes cluster as Deployments and Services", {
    config: () => import("./kube/config.ts"),
    run: async () => (await import("./kube/mode.ts")).kube,
  }),
  mode("proxy", "serves this host's labelled containers by name, with DNS and certificates", {
    config: () => import("./proxy/config.ts"),
    run: async () => (await import("./proxy/mode.ts")).proxy,
  }),
  mode("writer", "writes a zone for a whole fleet, from a queue that its hosts send to", {
    config: () => import("./writer/config.ts"),
    run: async () => (await byZoneId())((await import("./writer/mode.ts")).writer),
  }),
  mode(
    "sandbox",
    "shows a mode at work against stand-ins for AWS, on this machine alone",
    {
      config: () => import("./sandbox/config.ts"),
      run: async () => (await import("./sandbox/mode.ts")).sandbox,
    },
    { words: storyWords },
  ),
  completionMode(() => modes),
];
