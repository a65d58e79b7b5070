// The image's health check: 0 while the agent's /healthz says 200. It knows the address by ECS_DISCOVERY_STATUS_ADDRESS only, as it sees no
// flags; with `off` there is nothing to ask. Plain JavaScript and node:http: it runs every half minute on every host.
import { get } from "node:http";

const address = process.env.ECS_DISCOVERY_STATUS_ADDRESS || "127.0.0.1:51680";
if (address === "off") process.exit(0);
get(`http://${address}/healthz`, { timeout: 4_000 }, ({ statusCode }) =>
  process.exit(statusCode === 200 ? 0 : 1),
)
  .on("timeout", () => process.exit(1))
  .on("error", ({ message }) => {
    console.error(message);
    process.exit(1);
  });
