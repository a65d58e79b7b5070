import { connect, createServer } from "node:net";

const CONNECT_LIMIT_MS = 500;

/** Whether a connection to the port is accepted now. */
export function connects({
  address,
  port,
}: {
  readonly address: string;
  readonly port: number;
}): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: CONNECT_LIMIT_MS });
    const end = (isAccepted: boolean): void => {
      socket.destroy();
      resolve(isAccepted);
    };
    socket.once("connect", () => end(true));
    socket.once("timeout", () => end(false));
    socket.once("error", () => end(false));
  });
}

const WORDS: Readonly<Record<string, string>> = {
  EADDRINUSE: "somebody else listens there",
  EACCES:
    "no permission: run as root, with CAP_NET_BIND_SERVICE, or with a lower net.ipv4.ip_unprivileged_port_start",
  EADDRNOTAVAIL: "the address is none of this host's",
};

/** Why nobody can listen there, as a sentence; undefined when somebody can. It listens for a moment to find out. */
export function listenProblem(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      resolve(`can't listen on port ${port}: ${WORDS[error.code ?? ""] ?? error.message}`);
    });
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}
