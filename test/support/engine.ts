/** Made by engine-setup.ts: `sh`, `sleep` and `cat`, nothing else. */
export const TEST_IMAGE = "ecs-discovery-agent-test:1";
