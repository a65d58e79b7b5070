import fc from "fast-check";

/** What somebody who means harm, or nothing at all, may put on a container, among what is good. */
const nasty = fc.constantFrom(
  "a.x.com\n  server evil 1.2.3.4:80",
  "a.x.com; show info",
  "%[env(HOME)]",
  '"quoted"',
  "'",
  "\\",
  "#comment",
  "$HOME",
  `$\{HOME}`,
  "\0",
  "@1",
  "<<\nset server",
  "*",
  "*.*",
  "..",
  "-",
  "a.x.com/%0d%0aX-Evil:1",
  "a.x.com/\r\nX-Evil: 1",
  "*.x.com",
  "xn--bcher-kva.example",
  "A.X.COM",
  "_",
  "0",
  "1.2.3.4",
  "::1",
);
const word = fc.oneof(
  nasty,
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.stringMatching(/^[a-z0-9.*_/-]{1,60}$/),
  fc.stringMatching(/^[a-z]{1,5}\.x\.com(?:\/[a-z]{1,4})?$/),
  fc.stringMatching(/^\d{1,6}(?::\d{1,6})?$/),
);
const good = [
  "ip",
  "cookie",
  "off",
  "acme",
  "self",
  "https",
  "short",
  "grpc",
  "h2",
  "100m",
  "5s",
  "/api",
  "256",
];
/** Half of it means well. */
const names = fc
  .array(fc.oneof(word, fc.stringMatching(/^(?:\*\.)?[a-z]{1,4}\.[a-z]\.com$/)), {
    minLength: 1,
    maxLength: 4,
  })
  .map((words) => words.join(" "));
const value = fc.array(word, { maxLength: 6 }).map((words) => words.join(" "));

export const hostileLabels: fc.Arbitrary<ReadonlyMap<string, string>> = fc
  .tuple(
    names,
    fc.dictionary(
      fc.constantFrom(
        "proxy.ports",
        "proxy.path",
        "proxy.tls",
        "proxy.redirect",
        "proxy.upload",
        "proxy.timeout",
        "proxy.sticky",
        "proxy.weight",
        "proxy.proto",
        "proxy.network",
        "proxy.port.81",
        "proxy.evil\n",
        "dns.hostname",
      ),
      fc.oneof(value, fc.constantFrom(...good)),
      { maxKeys: 5 },
    ),
  )
  .map(([host, labels]) => new Map([["proxy.host", host], ...Object.entries(labels)]));
