/**
 * Takes away everything of ours that an agent leaves in the kernel: tables, routes, settings, tunnel.
 *
 * Owns: what is ours, by the same marks that the data plane goes by, and the order of removal. Must not know: files, whether
 * an agent runs.
 */
import { formatIpAddress, formatPrefix } from '../bgp/net/index.js';
import { KernelError } from './kernel/errors.js';
import type { Kernel, KernelLink, KernelRoute, Sysctl } from './kernel/kernel.js';
import { NftError, type RuleSets } from './kernel/nft.js';
import { NAT_FAMILIES, NAT_STAND_IN, NAT_TABLE, natRemoval } from './nat-rules.js';
import {
  restoreSetting,
  type SettingChange,
  type SettingRecord,
  settingText,
  wayBack,
} from './setting-record.js';
import type { DataplaneSettings } from './types.js';

/** One thing of ours. */
export interface CleanupItem {
  readonly kind: 'table' | 'route' | 'setting' | 'address' | 'device';
  /** As an administrator writes it: `10.244.2.0/24 via 192.168.1.12 dev eth0`. */
  readonly what: string;
  /**
   * - `removed`, `restored`: done; in a dry run, what would be done.
   * - `left`: it is not ours (any more); `reason` says why.
   * - `failed`: it is still there; `reason` says why.
   */
  readonly outcome: 'removed' | 'restored' | 'left' | 'failed';
  readonly reason?: string;
}

export interface CleanupParts {
  readonly kernel: Kernel;
  readonly sysctl: Sysctl;
  readonly ruleSets: RuleSets;
  readonly record: SettingRecord;
  readonly settings: Pick<DataplaneSettings, 'tunnelDevice' | 'routeProtocol'>;
}

/**
 * Opens the kernel, removes, and closes it. What fails does not stop the rest.
 * @param dryRun only looks; the answer is what would be done
 * @throws KernelError where the kernel cannot be read, or nothing may be changed
 */
export async function cleanUp(parts: CleanupParts, dryRun: boolean): Promise<readonly CleanupItem[]> {
  await parts.kernel.open();
  try {
    if (!dryRun) await parts.kernel.checkPermission();
    return [
      ...(await cleanTables(parts, dryRun)),
      ...(await cleanRoutes(parts, dryRun)),
      // Before the device: a setting of the tunnel goes with it.
      ...cleanSettings(parts, dryRun),
      ...(await cleanDevice(parts, dryRun)),
    ];
  } finally {
    await parts.kernel.close();
  }
}

async function cleanTables({ ruleSets }: CleanupParts, dryRun: boolean): Promise<readonly CleanupItem[]> {
  const items: CleanupItem[] = [];
  for (const family of NAT_FAMILIES) {
    const item = (name: string) => ({ kind: 'table', what: `${family} ${name}` }) as const;
    try {
      for (const name of [NAT_TABLE, NAT_STAND_IN]) {
        if ((await ruleSets.list(family, name)) === undefined) continue;
        if (!dryRun) await ruleSets.apply(natRemoval(family, name));
        items.push({ ...item(name), outcome: 'removed' });
      }
    } catch (error) {
      if (!(error instanceof NftError)) throw error;
      // Without nftables there is no table.
      if (error.code !== 'NFT_FAILED') continue;
      items.push({ ...item(NAT_TABLE), outcome: 'failed', reason: error.message });
    }
  }
  return items;
}

async function cleanRoutes(
  { kernel, settings }: CleanupParts,
  dryRun: boolean,
): Promise<readonly CleanupItem[]> {
  const routes = await kernel.routes(settings.routeProtocol);
  const names = new Map((await kernel.links()).map(({ index, name }) => [index as number, name]));
  const results = dryRun ? [] : await kernel.apply(routes.map((route) => ({ op: 'delete', route })));
  return routes.map((route, index) => {
    const error = results[index]?.error;
    const item = { kind: 'route', what: routeText(route, names) } as const;
    const isGone = error === undefined || error.code === 'KERNEL_ESRCH';
    return isGone ? { ...item, outcome: 'removed' } : { ...item, outcome: 'failed', reason: error.message };
  });
}

/** In the opposite order of the changes. */
function cleanSettings({ sysctl, record }: CleanupParts, dryRun: boolean): readonly CleanupItem[] {
  return [...record.changes()].reverse().flatMap((change) => cleanSetting(sysctl, record, change, dryRun));
}

function cleanSetting(
  sysctl: Sysctl,
  record: SettingRecord,
  change: SettingChange,
  dryRun: boolean,
): readonly CleanupItem[] {
  const { original, ours } = change;
  const name = settingText(change.name);
  const item = { kind: 'setting', what: `${name} = ${original} (was ${ours})` } as const;
  try {
    const way = dryRun ? wayBack(sysctl, change) : restoreSetting(sysctl, change);
    if (!dryRun) record.forget(change.name);
    switch (way.outcome) {
      case 'restored':
        return [{ ...item, outcome: 'restored' }];
      case 'left':
        return [
          {
            kind: 'setting',
            what: `${name} = ${way.value}`,
            outcome: 'left',
            reason: `the agent had set ${ours} in the place of ${original}, and another program has changed it since`,
          },
        ];
      case 'already':
      case 'gone':
        return [];
      default:
        return way satisfies never;
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    return [{ ...item, outcome: 'failed', reason: error.message }];
  }
}

async function cleanDevice(
  { kernel, settings }: CleanupParts,
  dryRun: boolean,
): Promise<readonly CleanupItem[]> {
  const link = (await kernel.links()).find(({ name }) => name === settings.tunnelDevice);
  if (link === undefined) return [];
  const item = { kind: 'device', what: link.name } as const;
  if (link.kind !== 'ipip') {
    const reason = `it is no ipip device (${link.kind ?? 'a plain one'}), so it is not the agent's`;
    return [{ ...item, outcome: 'left', reason }];
  }
  const addresses = await addressesOf(kernel, link);
  try {
    if (!dryRun) await kernel.applyLink({ op: 'deleteLink', index: link.index });
    return [...addresses, { ...item, outcome: 'removed' }];
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    return [{ ...item, outcome: 'failed', reason: error.message }];
  }
}

async function addressesOf(kernel: Kernel, link: KernelLink): Promise<readonly CleanupItem[]> {
  const own = (await kernel.addresses()).filter(({ index }) => index === link.index);
  return own.map(({ address, lengthBits }) => ({
    kind: 'address',
    what: `${formatIpAddress(address)}/${lengthBits} dev ${link.name}`,
    outcome: 'removed',
  }));
}

function routeText({ type, prefix, nextHops }: KernelRoute, names: ReadonlyMap<number, string>): string {
  const hops = nextHops.map(({ gateway, interfaceIndex }) => {
    const device = interfaceIndex === undefined ? undefined : names.get(interfaceIndex);
    return [
      ...(gateway === undefined ? [] : [`via ${formatIpAddress(gateway)}`]),
      ...(device === undefined ? [] : [`dev ${device}`]),
    ].join(' ');
  });
  // The kernel puts lo on an IPv6 blackhole.
  if (type !== 'unicast') return `${type} ${formatPrefix(prefix)}`;
  return `${formatPrefix(prefix)} ${hops.join(', ')}`.trim();
}
