/**
 * Resources as tables: which columns a kind has.
 *
 * Owns: the columns. Must not know: where the resources come from. Pure; what is wrong in a resource is shown as it is.
 */
import { type Column, renderTable, type TextOptions } from '../../api/index.js';
import { isRecord, KIND_NAMES, type Manifest } from '../manifests/index.js';

type ManifestColumn = Column<Manifest> & { readonly isWide?: true };

const name = field('NAME', 'metadata', 'name');
const labels: ManifestColumn = {
  title: 'LABELS',
  cell: (manifest) =>
    Object.entries(mappingAt(manifest, 'metadata', 'labels'))
      .map(([label, value]) => `${label}=${String(value)}`)
      .join(','),
  isWide: true,
};

/** What has a default shows it. */
const COLUMNS: ReadonlyMap<string, readonly ManifestColumn[]> = new Map([
  [
    'Node',
    [
      name,
      field('ADDRESS', 'spec', 'bgp', 'ipv4Address'),
      field('ASN', 'spec', 'bgp', 'asNumber'),
      field('PODCIDRS', 'spec', 'podCIDRs'),
      wide(field('IPV6', 'spec', 'bgp', 'ipv6Address')),
      wide(field('TUNNEL', 'spec', 'bgp', 'ipv4IPIPTunnelAddr')),
      wide(field('REFLECTOR', 'spec', 'bgp', 'routeReflectorClusterID')),
      labels,
    ],
  ],
  [
    'IPPool',
    [
      name,
      field('CIDR', 'spec', 'cidr'),
      withDefault('Never', field('IPIPMODE', 'spec', 'ipipMode')),
      withDefault('false', field('NAT', 'spec', 'natOutgoing')),
      withDefault('all()', field('SELECTOR', 'spec', 'nodeSelector')),
      wide(field('BLOCKSIZE', 'spec', 'blockSize')),
      wide(withDefault('false', field('DISABLED', 'spec', 'disabled'))),
      wide(withDefault('false', field('NOEXPORT', 'spec', 'disableBGPExport'))),
    ],
  ],
  [
    'BGPConfiguration',
    [
      name,
      withDefault('64512', field('ASN', 'spec', 'asNumber')),
      withDefault('true', field('MESH', 'spec', 'nodeToNodeMeshEnabled')),
      withDefault('179', field('PORT', 'spec', 'listenPort')),
      wide(withDefault('None', field('BINDMODE', 'spec', 'bindMode'))),
      wide(field('SERVICES', 'spec', 'serviceClusterIPs')),
    ],
  ],
  [
    'BGPPeer',
    [
      name,
      {
        title: 'PEER',
        cell: (manifest) =>
          ['peerIP', 'peerRange', 'peerSelector']
            .map((word) => textOf(valueAt(manifest, 'spec', word)))
            .find((text) => text !== '') ?? '',
      },
      {
        title: 'NODES',
        cell: (manifest) =>
          textOf(valueAt(manifest, 'spec', 'node')) ||
          textOf(valueAt(manifest, 'spec', 'nodeSelector')) ||
          'all()',
      },
      field('ASN', 'spec', 'asNumber'),
      wide(field('FILTERS', 'spec', 'filters')),
      wide(field('PASSWORD', 'spec', 'password')),
    ],
  ],
  [
    'BGPFilter',
    [
      name,
      ...['importV4', 'exportV4', 'importV6', 'exportV6'].map(
        (list): ManifestColumn => ({
          title: list.toUpperCase(),
          cell: (manifest) => {
            const rules = valueAt(manifest, 'spec', list);
            return Array.isArray(rules) && rules.length > 0 ? `${rules.length} rules` : '';
          },
        }),
      ),
    ],
  ],
  [
    'BlockAffinity',
    [
      name,
      field('CIDR', 'spec', 'cidr'),
      field('NODE', 'spec', 'node'),
      withDefault('confirmed', field('STATE', 'spec', 'state')),
    ],
  ],
]);

/** One table per kind; of several kinds the names say which, as `delete` takes them. */
export function resourceTables(
  manifests: readonly Manifest[],
  options: TextOptions & { readonly isWide: boolean; readonly isAll: boolean },
): string {
  const kinds = new Set([...KIND_NAMES, ...manifests.map(kindText)]);
  const tables = [...kinds].flatMap((kind) => {
    const own = manifests.filter((manifest) => kindText(manifest) === kind);
    if (own.length === 0) return [];
    const columns = (COLUMNS.get(kind) ?? [name]).filter(({ isWide }) => options.isWide || !isWide);
    const shown = options.isAll ? columns.map((column) => (column === name ? kindAndName : column)) : columns;
    return renderTable(shown, own, options);
  });
  return tables.join('\n');
}

const kindAndName: ManifestColumn = {
  title: 'NAME',
  cell: (manifest) => `${kindText(manifest)}/${name.cell(manifest)}`,
};

function kindText(manifest: Manifest): string {
  return textOf(manifest['kind']);
}

function field(title: string, ...path: readonly string[]): ManifestColumn {
  return { title, cell: (manifest) => textOf(valueAt(manifest, ...path)) };
}

function wide(column: ManifestColumn): ManifestColumn {
  return { ...column, isWide: true };
}

function withDefault(standard: string, column: ManifestColumn): ManifestColumn {
  return { ...column, cell: (manifest) => column.cell(manifest) || standard };
}

function valueAt(manifest: Manifest, ...path: readonly string[]): unknown {
  let value: unknown = manifest;
  for (const step of path) value = isRecord(value) && Object.hasOwn(value, step) ? value[step] : undefined;
  return value;
}

function mappingAt(manifest: Manifest, ...path: readonly string[]): Readonly<Record<string, unknown>> {
  const value = valueAt(manifest, ...path);
  return isRecord(value) ? value : {};
}

/** Where a password is kept is shown by the word for the place; a text would be the password itself. */
function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (Array.isArray(value)) return value.map(textOf).join(',');
  return isRecord(value)
    ? Object.entries(value)
        .map(([key, part]) => `${key}:${textOf(part)}`)
        .join(' ')
    : String(value);
}
