/**
 * What once broke a speaker does not break this one.
 */
import { describe, expect, test } from 'vitest';
import { decodeMessage, type Message, type WireFault } from '../../bgp/wire/index.js';
import { checkMessage } from '../fuzz/codec.js';
import { EBGP } from '../support/wire.js';
import { FINDINGS } from './findings.js';

function verdict(result: Message | WireFault): string {
  if (result.type === 'FAULT') return `${result.notification.code}/${result.notification.subcode}`;
  if (result.type !== 'UPDATE') return result.type;
  const outcomes = result.faults.map(({ outcome }) => outcome);
  return outcomes.find((outcome) => outcome === 'treat-as-withdraw') ?? outcomes[0] ?? 'ok';
}

describe('findings', () => {
  test.each(FINDINGS.map((finding) => [finding.what, finding] as const))(
    '%s',
    (_what, { bytes, ...finding }) => {
      expect(verdict(decodeMessage(bytes, EBGP))).toBe(finding.verdict);
      checkMessage(bytes, EBGP);
    },
  );
});
