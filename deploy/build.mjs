/**
 * Bundles each entry point into one file under dist/: an unbundled start costs three times the time.
 *
 *   node deploy/build.mjs [--quiet] [ENTRY ...]        default: every entry
 *
 * Types are checked by `npm run typecheck`, not here. koffi stays outside: it loads its binary from its own folder.
 */
import { chmodSync, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Bundle name -> source. */
const ENTRIES = {
  podroute: 'agent/main.ts',
  lab: 'test/lab/main.ts',
  fuzz: 'test/fuzz/main.ts',
  scale: 'test/scale/main.ts',
  traffic: 'test/traffic/main.ts',
  walk: 'test/lab/walk/main.ts',
};

/** CommonJS packages inside an ES module bundle still call `require` for Node's own modules. */
const REQUIRE_FOR_BUNDLED_PACKAGES =
  "import { createRequire as bundleRequire } from 'node:module'; const require = bundleRequire(import.meta.url);";

const { values, positionals } = parseArgs({
  options: { quiet: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const names = positionals.length > 0 ? positionals : Object.keys(ENTRIES);
const unknown = names.filter((name) => !Object.hasOwn(ENTRIES, name));
if (unknown.length > 0) {
  process.stderr.write(
    `build: no entry named ${unknown.join(', ')}; there are ${Object.keys(ENTRIES).join(', ')}\n`,
  );
  process.exit(2);
}

const started = performance.now();
let result;
try {
  result = await build({
    absWorkingDir: root,
    entryPoints: Object.fromEntries(names.map((name) => [name, ENTRIES[name]])),
    outdir: 'dist',
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['koffi'],
    banner: { js: REQUIRE_FOR_BUNDLED_PACKAGES },
    sourcemap: 'linked',
    sourcesContent: false,
    legalComments: 'eof',
    logLevel: 'warning',
    write: false,
  });
} catch {
  process.exit(1); // esbuild has printed every error with file and line
}

for (const file of result.outputFiles) {
  // Rename, so that a process starting at this moment reads the old bundle or the new one, never half of one.
  const draft = `${file.path}.${process.pid}`;
  mkdirSync(dirname(file.path), { recursive: true });
  writeFileSync(draft, file.contents);
  if (file.path.endsWith('.js')) chmodSync(draft, 0o755);
  renameSync(draft, file.path);
}

if (!values.quiet) {
  for (const { path } of result.outputFiles.filter((file) => file.path.endsWith('.js'))) {
    const kib = Math.round(statSync(path).size / 1024);
    process.stdout.write(`${relative(root, path)}  ${kib} KiB  (${ENTRIES[basename(path, '.js')]})\n`);
  }
  process.stdout.write(`built in ${Math.round(performance.now() - started)} ms\n`);
}
