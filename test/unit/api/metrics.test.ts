import { Gauge, Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { createApi } from '../../../api/index.js';
import { METRICS } from '../../../api/metrics.js';
import { NOT_READY, peer, sourceOf, status } from './rows.js';

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const COMMENT = new RegExp(`^# (HELP ${NAME} .+|TYPE ${NAME} (counter|gauge|histogram|summary|untyped))$`);
const SAMPLE = new RegExp(`^(?<name>${NAME})(?:\\{(?<labels>.*)\\})? (?<value>\\S+)$`);
const LABEL = new RegExp(`(${NAME})="((?:[^"\\\\\\n]|\\\\["\\\\n])*)"(?:,|$)`, 'gy');

/** Reads the Prometheus text format 0.0.4, strictly. */
function parse(text: string): Sample[] {
  expect(text.endsWith('\n')).toBe(true);
  return text.split('\n').flatMap((line) => {
    if (line === '' || COMMENT.test(line)) return [];
    const { name = '', labels = '', value = '' } = SAMPLE.exec(line)?.groups ?? {};
    expect(name, line).not.toBe('');
    const pairs = [...labels.matchAll(LABEL)];
    expect(pairs.map(([pair]) => pair).join(''), line).toBe(labels);
    const number = /^[+-]?(inf|nan)$/i.test(value) ? Number.NaN : Number(value);
    expect(Number.isNaN(number) && !/^[+-]?(inf|nan)$/i.test(value), line).toBe(false);
    return [{ name, labels: Object.fromEntries(pairs.map(([, key, text]) => [key, text])), value: number }];
  });
}

async function scrape(source = sourceOf()): Promise<Sample[]> {
  const answer = await createApi({ source }).inject('/metrics');
  expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  return parse(answer.body);
}

function valuesOf(samples: readonly Sample[], name: string): Record<string, number> {
  return Object.fromEntries(
    samples.filter((s) => s.name === name).map((s) => [Object.values(s.labels).join(' '), s.value]),
  );
}

describe('GET /metrics', () => {
  test('every metric of the table is there, with its labels and no others', async () => {
    const samples = await scrape();
    for (const { name, labels } of METRICS) {
      const found = samples.filter((sample) => sample.name === name);
      expect(found, name).not.toEqual([]);
      for (const sample of found) expect(Object.keys(sample.labels), name).toEqual(labels);
    }
  });

  test('the table is all that is called podroute', async () => {
    const names = new Set(
      (await scrape()).map(({ name }) => name).filter((name) => name.startsWith('podroute_')),
    );
    expect(names).toEqual(new Set(METRICS.map(({ name }) => name)));
  });

  test('the process is there too', async () => {
    const names = (await scrape()).map(({ name }) => name);
    expect(names).toContain('process_resident_memory_bytes');
    expect(names).toContain('nodejs_eventloop_lag_p99_seconds');
  });

  test('values are those of the rows', async () => {
    const samples = await scrape();
    expect(valuesOf(samples, 'podroute_info')).toEqual({ 'node-a 0.1.0': 1 });
    expect(valuesOf(samples, 'podroute_ready')).toEqual({ '': 1 });
    expect(valuesOf(samples, 'podroute_bgp_peer_up')).toEqual({ tor: 0, 'node-b': 1 });
    expect(valuesOf(samples, 'podroute_bgp_peer_state')).toEqual({ tor: 3, 'node-b': 6 });
    const perPeer = {
      podroute_bgp_session_flaps_total: 1,
      podroute_bgp_messages_received_total: 12,
      podroute_bgp_messages_sent_total: 13,
      podroute_bgp_updates_received_total: 3,
      podroute_bgp_updates_sent_total: 4,
      podroute_bgp_prefixes_received: 6,
      podroute_bgp_prefixes_accepted: 5,
      podroute_bgp_prefixes_rejected: 1,
      podroute_bgp_prefixes_advertised: 2,
    };
    for (const [name, value] of Object.entries(perPeer)) {
      expect(valuesOf(samples, name)['node-b'], name).toBe(value);
    }
    expect(valuesOf(samples, 'podroute_kernel_drift_total')).toEqual({ '': 1 });
    expect(valuesOf(samples, 'podroute_kernel_failures_total')).toEqual({ '': 2 });
    expect(valuesOf(samples, 'podroute_nat_state')).toEqual({ off: 0, pending: 0, on: 0, failed: 1 });
    expect(valuesOf(samples, 'podroute_nat_repairs_total')).toEqual({ '': 2 });
    expect(valuesOf(samples, 'podroute_kernel_settings_changed')).toEqual({ '': 1 });
    expect(valuesOf(samples, 'podroute_pod_mtu_bytes')).toEqual({ '': 1480 });
    expect(valuesOf(samples, 'podroute_config_generation')).toEqual({ '': 3 });
    expect(valuesOf(samples, 'podroute_config_last_reload_successful')).toEqual({ '': 0 });
    expect(valuesOf(samples, 'podroute_config_last_reload_success_timestamp_seconds')).toEqual({
      '': Date.parse(status().config.loadedAt) / 1000,
    });
  });

  test('routes are counted by state and by mode, zeros included', async () => {
    const samples = await scrape();
    expect(valuesOf(samples, 'podroute_routes')).toEqual({
      ok: 3,
      pending: 0,
      conflict: 0,
      shadowed: 0,
      failed: 1,
      stale: 0,
      blackhole: 0,
    });
    expect(valuesOf(samples, 'podroute_routes_by_mode')).toEqual({
      direct: 1,
      ipip: 1,
      local: 1,
      blackhole: 0,
      none: 1,
    });
  });

  test('a second scrape shows the present: nothing is added up, and a peer that is gone is gone', async () => {
    const source = sourceOf();
    const api = createApi({ source });
    await api.inject('/metrics');
    source.rows.peers = [peer({ name: 'node-d' })];
    source.rows.routes = [];
    source.rows.ready = NOT_READY;
    const samples = parse((await api.inject('/metrics')).body);
    expect(valuesOf(samples, 'podroute_bgp_messages_sent_total')).toEqual({ 'node-d': 13 });
    expect(valuesOf(samples, 'podroute_kernel_failures_total')).toEqual({ '': 2 });
    expect(valuesOf(samples, 'podroute_ready')).toEqual({ '': 0 });
    expect(valuesOf(samples, 'podroute_routes')).toMatchObject({ ok: 0, failed: 0 });
  });

  test('a peer name with quotes, backslashes and newlines cannot break the format', async () => {
    const name = 'a "b" \\ c\nd';
    const samples = await scrape(sourceOf({ peers: [peer({ name })] }));
    expect(valuesOf(samples, 'podroute_bgp_peer_up')).toEqual({ 'a \\"b\\" \\\\ c\\nd': 1 });
  });

  test('two servers do not share a registry; one that is given is used', async () => {
    const registry = new Registry();
    new Gauge({ name: 'podroute_extra', help: 'Of the agent.', registers: [registry] }).set(7);
    const body = (await createApi({ source: sourceOf(), registry }).inject('/metrics')).body;
    expect(valuesOf(parse(body), 'podroute_extra')).toEqual({ '': 7 });
    expect(valuesOf(await scrape(), 'podroute_extra')).toEqual({});
  });
});
