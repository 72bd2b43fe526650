/**
 * `podroute ipam show` and `podroute ipam check`: how the pools stand, and what is wrong with claims.
 *
 * Owns: the commands. Must not know: what is wrong when, columns.
 */
import { type Command, type CommandOption, EXIT, type OptionValues, UsageError } from '../../api/index.js';
import { defaultIpamLimits, type IpamLimits, ipamReport } from '../ipam/index.js';
import { quote } from '../schema/index.js';
import { withIpam } from './ipam-facts.js';
import { answerText, problemsText, reportJson, reportText } from './ipam-text.js';
import { readForm, STORE_EXITS, STORE_OPTIONS, type StoreHooks } from './store.js';

export const OUTPUT_OPTION: CommandOption = {
  short: 'o',
  value: 'FORMAT',
  help: 'table or json (default table)',
};

export const FORMS = ['table', 'json'] as const;

export const ipamShow: Command<StoreHooks> = {
  name: 'ipam show',
  summary: 'Show the pools, what is free of them, and the pod subnets of each node.',
  details: [
    'A node is live, or silent since its last sign of life; "no sign" is one that is written by hand, and "no Node" what',
    'has pod subnets and is none.',
  ],
  options: {
    blocks: { help: 'every pod subnet on a line of its own, instead of the nodes' },
    output: OUTPUT_OPTION,
    ...STORE_OPTIONS,
  },
  exits: [[EXIT.ok, 'shown'], [EXIT.usage, 'the command line or the resources are wrong'], ...STORE_EXITS],
  run: async (values, _argument, io) => {
    const form = readForm(values, FORMS);
    return await withIpam(values, io, async ({ facts }) => {
      const report = ipamReport(facts);
      const { isTTY, columns } = io.stdout;
      const width = isTTY && columns !== undefined ? { width: columns } : {};
      const text =
        form === 'json'
          ? answerText(reportJson(report))
          : reportText(report, values['blocks'] === true, width);
      io.stdout.write(text);
      return EXIT.ok;
    });
  },
};

export const ipamCheck: Command<StoreHooks> = {
  name: 'ipam check',
  summary: 'Look for pod subnets that are leaked, claimed twice, or of no use, and say how each is mended.',
  options: {
    'silent-for': {
      value: 'DURATION',
      help: 'what a node has that has been silent for so long is leaked, such as 90m or 2h (default 24h)',
    },
    output: OUTPUT_OPTION,
    ...STORE_OPTIONS,
  },
  exits: [
    [EXIT.ok, 'nothing is wrong'],
    [EXIT.attention, 'something is; each problem is a line'],
    [EXIT.usage, 'the command line or the resources are wrong'],
    ...STORE_EXITS,
  ],
  run: async (values, _argument, io) => {
    const form = readForm(values, FORMS);
    const limits = limitsOf(values);
    return await withIpam(values, io, async ({ facts, datastore }) => {
      const { problems, blocks } = ipamReport(facts, limits);
      if (form === 'json') io.stdout.write(answerText({ problems }));
      else if (problems.length > 0) io.stdout.write(problemsText(problems));
      else io.stdout.write(`${datastore.name}: nothing is wrong with ${blocks.length} pod subnets\n`);
      return problems.length > 0 ? EXIT.attention : EXIT.ok;
    });
  },
};

const UNITS_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

function limitsOf({ 'silent-for': text }: OptionValues): IpamLimits {
  if (typeof text !== 'string') return defaultIpamLimits;
  const [, number, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (number === undefined || unit === undefined) {
    throw new UsageError(`--silent-for ${quote(text)} is no duration; write it like 90m, 2h or 7d`);
  }
  const leakedAfterMs = Number(number) * UNITS_MS[unit as keyof typeof UNITS_MS];
  const { silentAfterMs } = defaultIpamLimits;
  if (leakedAfterMs < silentAfterMs) {
    const least = `${silentAfterMs / UNITS_MS.s}s`;
    throw new UsageError(
      `--silent-for ${text} is less than ${least}, for which a node that lives may be silent`,
    );
  }
  return { ...defaultIpamLimits, leakedAfterMs };
}
