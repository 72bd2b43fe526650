/**
 * Installs the Debian packages that `npm run lab` and `npm test` need, in plain sight; a quick no-op when they are there.
 *
 *   node deploy/packages.mjs lab|lab-redis|test
 *
 * Not root, or not Debian or Ubuntu: says exactly what to install and exits with status 1, changing nothing.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { kernelShortfall } from './kernel.mjs';

/** What each command needs, whatever the kernel. */
const LAB = ['iproute2', 'iputils-ping', 'bird2', 'tcpdump'];
/** The other routers that test/interop peers with. */
const ROUTERS = ['frr', 'gobgpd', 'openbgpd', 'exabgp'];
/** Outgoing NAT, and the settings of a machine before and after. */
const HOST = ['nftables', 'procps'];
/** The other store, with certificates for it, and what makes pods. */
const CLUSTER = ['redis-server', 'openssl', 'containernetworking-plugins'];
const SETS = {
  lab: LAB,
  'lab-redis': [...LAB, 'redis-server'],
  test: [...LAB, ...ROUTERS, ...HOST, ...CLUSTER],
};

/** The command that asks for a set, and how to go on without this installer. */
const COMMANDS = {
  lab: { npm: 'npm run lab', afterwards: 'npm run build && node dist/lab.js' },
  'lab-redis': {
    npm: 'npm run lab -- --datastore redis',
    afterwards: 'npm run build && node dist/lab.js --datastore redis',
  },
  test: { npm: 'npm test', afterwards: 'npm run build && npx vitest run --config test/vitest.config.ts' },
};

/** What carries the lab where the running kernel cannot: a kernel that runs as a process, and modprobe for its modules. */
const USER_MODE_LINUX = ['user-mode-linux', 'kmod'];

/**
 * Daemons that Debian starts as soon as their package is installed. We run our own copies in our own namespaces, so
 * the machine must not gain a routing daemon from a test run.
 */
const UNITS = {
  bird2: 'bird.service',
  frr: 'frr.service',
  gobgpd: 'gobgpd.service',
  openbgpd: 'openbgpd.service',
  exabgp: 'exabgp.service',
  'redis-server': 'redis-server.service',
};

const set = process.argv[2];
if (set === undefined || !Object.hasOwn(SETS, set) || process.argv.length > 3) {
  process.stderr.write(`usage: node deploy/packages.mjs ${Object.keys(SETS).join('|')}\n`);
  process.exit(2);
}

const refusal = whyNotHere();
if (refusal !== undefined) {
  const all = [...SETS[set], ...USER_MODE_LINUX].join(' ');
  process.stderr.write(
    `${COMMANDS[set].npm} ${refusal}.
Install these packages as root, by their names in Debian and Ubuntu:
  apt-get update && apt-get install -y --no-install-recommends ${all}
(${USER_MODE_LINUX.join(' and ')} only where the kernel cannot make an ipip device)
then run, as root: ${COMMANDS[set].afterwards}
`,
  );
  process.exit(1);
}

// The probe needs `ip` itself, so the kernel's part is asked only once iproute2 is there.
let updated = false;
if (!isInstalled('iproute2')) install(SETS[set]);
const shortfall = kernelShortfall();
install([...SETS[set], ...(shortfall === undefined ? [] : USER_MODE_LINUX)]);

/** Why this machine or user cannot have packages installed; undefined when it can. */
function whyNotHere() {
  if (process.platform !== 'linux') return `needs Linux, this is ${process.platform}`;
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  const field = (name) => new RegExp(`^${name}="?([^"\n]*)"?$`, 'm').exec(release)?.[1] ?? '';
  const family = [field('ID'), ...field('ID_LIKE').split(' ')];
  if (!family.includes('debian') && !family.includes('ubuntu')) {
    return `installs packages on Debian and Ubuntu only, this is ${field('PRETTY_NAME') || 'an unknown system'}`;
  }
  if (process.getuid() !== 0) return 'needs root: it makes network namespaces';
  return undefined;
}

/** Asks dpkg, not PATH: a package half removed is not installed. */
function isInstalled(name) {
  const query = spawnSync('dpkg-query', ['--status', name], { encoding: 'utf8' });
  return query.status === 0 && /^Status: .* installed$/m.test(query.stdout);
}

/** Installs what is missing of `names`, with apt's own output shown; exits with status 1 when apt fails. */
function install(names) {
  const missing = names.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  process.stdout.write(`Installing Debian packages: ${missing.join(' ')}\n`);
  const lock = ['-o', 'DPkg::Lock::Timeout=120'];
  if (!updated) run('apt-get', [...lock, 'update']);
  updated = true;
  const units = missing.flatMap((name) => UNITS[name] ?? []);
  const hold = units.length > 0 && existsSync('/run/systemd/system');
  if (hold) run('systemctl', ['mask', '--runtime', ...units]);
  const status = attempt('apt-get', [...lock, 'install', '-y', '--no-install-recommends', ...missing]);
  if (hold) {
    run('systemctl', ['unmask', '--runtime', ...units]);
    run('systemctl', ['disable', ...units]);
  }
  if (status !== 0) fail(`apt-get could not install ${missing.join(' ')}`);
}

function run(command, args) {
  if (attempt(command, args) !== 0) fail(`${command} ${args.join(' ')} failed`);
}

function attempt(command, args) {
  process.stdout.write(`+ ${command} ${args.join(' ')}\n`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], env }).status;
}

function fail(reason) {
  process.stderr.write(`packages: ${reason}\n`);
  process.exit(1);
}
