import { createServer } from "node:http";

/** The least that a Node process which speaks HTTP can be. */
const server = createServer((_, response) => response.end("ok"));
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`listening ${server.address().port}\n`);
});
