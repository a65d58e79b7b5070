/**
 * The names of a log line's fields in the mode `discover`, each with what it holds: in JSON lines they are the keys, and
 * what an operator searches for. `timestamp`, `level` and `message` come with every line.
 */
export const logFields = {
  mode: "which mode starts",
  version: "its version",
  flags: "every flag with its value, as the process starts",
  container: "short id of the container the line is about, or whose event led to it",
  name: "that container's name",
  service: "the record's name without the zone's",
  record: "a record's name",
  type: "its type",
  address: "its values",
  task: "the id of the task that it is for",
  reason: "why: a container's state, or why it has no record",
  seconds: "from the container's event to Route 53's answer",
  action: "UPSERT, DELETE or REPLACE, where a record is refused",
  life: "healthy, unhealthy, starting, paused, stopping or dead",
  retryInSeconds: "when a refused change is sent again",
  retryInMs: "when an unanswered request is sent again",
  records: "how many records",
  ttl: "seconds",
  recordSets: "how many record sets the name or the zone holds",
  containers: "how many containers",
  ownRecords: "how many of them are this host's",
  docker: "the engine's version",
  dockerApi: "its API's version",
  ecsAgent: "the ECS agent's version",
  introspection: "where the ECS agent was found",
  cluster: "the ECS cluster",
  instance: "the container instance's id",
  zone: "the hosted zone's name",
  url: "where the status page is",
  statusAddress: "the flag's value",
  folder: "where the journal can't be written",
  cause: "what failed, outermost first",
  exitCode: "the process's",
  skipped: "how many containers were skipped, by reason",
} as const;

export type DiscoverFields = Readonly<
  Partial<Record<keyof typeof logFields, string | number | boolean | undefined>>
>;
