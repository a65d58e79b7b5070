import { urlOf, type VirtualHost } from "./virtual-hosts.ts";

/** What goes with the page: nothing on it runs, nothing is loaded. */
export const INDEX_HEADERS: Readonly<Record<string, string>> = {
  "Content-Type": "text/html; charset=utf-8",
  "Content-Security-Policy": "default-src 'none'",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cache-Control": "no-store",
};

/** The page of all that is served, for whoever asks for a name that is not. */
export function indexPage(hosts: readonly Pick<VirtualHost, "listen" | "name" | "path">[]): string {
  const rows = hosts.map((host) => {
    const text = escaped(`${host.name}:${host.listen}${host.path}`);
    return host.name.startsWith("*.")
      ? `<li>${text}</li>`
      : `<li><a href="${escaped(urlOf(host))}">${text}</a></li>`;
  });
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>What is served here</title></head>
<body>
<h1>What is served here</h1>
<ul>
${rows.join("\n")}
</ul>
</body>
</html>
`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

const escaped = (text: string): string => text.replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? "");
