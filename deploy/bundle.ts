import { readFile, rm, writeFile } from "node:fs/promises";
import { type BuildOptions, build } from "esbuild";
import { writeLicences } from "./licences.ts";
import { sbomOf } from "./sbom.ts";

/** dockerode's SSH transport and BuildKit session are never used here. */
const UNUSED = /^(ssh2|@grpc\/grpc-js|@grpc\/proto-loader|protobufjs)$/;

// The parts bear their content's hash in their names: those of the build before would stay.
await rm("dist", { recursive: true, force: true });
const { version } = JSON.parse(await readFile("package.json", "utf8")) as { version: string };

/** The program: each mode and its libraries in files of their own, so that no mode loads another's. */
await bundle("agent", {
  entryPoints: [{ in: "agent/main.ts", out: "agent" }],
  outdir: "dist",
  outExtension: { ".js": ".mjs" },
  splitting: true,
  chunkNames: "agent/[name]-[hash]",
});
/** The sweep as a function for AWS Lambda, in one file that can be uploaded. */
await bundle("sweep", {
  entryPoints: ["agent/sweep/lambda.ts"],
  outfile: "dist/sweep.mjs",
});

/** dist/<name>.mjs; beside it its source map, bill of materials and licences. */
async function bundle(name: string, output: BuildOptions): Promise<void> {
  const file = `dist/${name}`;
  const { metafile } = await build({
    ...output,
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    minify: true,
    sourcemap: "linked",
    // Lines lead to the sources of this version; the sources need not travel along.
    sourcesContent: false,
    // The licences' own texts stand beside it.
    legalComments: "none",
    // Its CommonJS form asks for its own files in a way that can't be bundled.
    alias: { "jsonc-parser": "jsonc-parser/lib/esm/main.js" },
    metafile: true,
    logLevel: "warning",
    define: { BUNDLED_VERSION: JSON.stringify(version) },
    banner: {
      // What is CommonJS inside asks for these.
      js: [
        "import { createRequire } from 'node:module';",
        "import { dirname as dirnameOf } from 'node:path';",
        "import { fileURLToPath as pathOf } from 'node:url';",
        "const require = createRequire(import.meta.url);",
        "const __filename = pathOf(import.meta.url);",
        "const __dirname = dirnameOf(__filename);",
      ].join(" "),
    },
    plugins: [
      {
        name: "unused",
        setup(plugin) {
          plugin.onResolve({ filter: UNUSED }, ({ path }) => ({ path, namespace: "unused" }));
          plugin.onLoad({ filter: /.*/, namespace: "unused" }, () => ({
            contents: "module.exports = {};",
            loader: "js",
          }));
        },
      },
    ],
  });
  await writeFile(`${file}.cdx.json`, `${JSON.stringify(await sbomOf(metafile), null, 1)}\n`);
  writeLicences(metafile, `${file}.licences.txt`);
}
