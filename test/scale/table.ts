/**
 * Costs as lines of one table.
 *
 * Owns: columns and units. Must not know: how anything is measured.
 */
import type { ClusterCost, StepCost } from './measure.js';

const WIDTHS = [6, 11, 5, 9, 8, 8, 9, 8, 10, 8, 9, 9];
const NAMES = [
  ...['nodes', 'shape', 'step', 'sessions', 'wall s', 'CPU s', 'ms/node'],
  ...['OPEN', 'KEEPALIVE', 'UPDATE', 'KiB', 'MiB/node'],
];

export const HEADER = line(NAMES);

/** From cold, one node more, one node less. */
export function rowsOf(cost: ClusterCost): readonly string[] {
  const { nodes, shape, cold, join, leave } = cost;
  const row = (step: string, size: number, { sessions, ...of }: StepCost, heap = '') => {
    const { wallMs, cpuMs, messages } = of;
    return line([
      ...[size, shape, step, sessions].map(String),
      ...[(wallMs / 1000).toFixed(2), (cpuMs / 1000).toFixed(2), (cpuMs / size).toFixed(1)],
      ...[messages.open, messages.keepalive, messages.update].map(String),
      ...[(messages.bytes / 1024).toFixed(0), heap],
    ]);
  };
  return [
    row('cold', nodes, cold, (cost.heapBytesPerNode / 2 ** 20).toFixed(2)),
    row('+1', nodes + 1, join),
    row('-1', nodes, leave),
  ];
}

function line(cells: readonly string[]): string {
  return cells.map((cell, index) => cell.padStart(WIDTHS[index] ?? 0)).join('');
}
