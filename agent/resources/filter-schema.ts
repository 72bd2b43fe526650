/**
 * The schema of BGPFilter: every field that may be written, with its meaning.
 *
 * Owns: which conditions and operations exist, which of them this agent honours, and the defaults. Must not know: files,
 * other resources, what a rule does. Source: the API of Calico, projectcalico.org/v3. `Ours` marks additions.
 */
import { Type } from 'typebox';
import {
  integer,
  mapping,
  oneOf,
  optionalText,
  optionalWord,
  refused,
  scalar,
  text,
} from '../schema/index.js';
import { readAsNumber, readCommunity, readFilterPrefix, readInterfacePattern } from './readers.js';

const NO_PRIORITY =
  'is not supported: podroute writes every route with one metric (--route-metric); operations: [{setLocalPreference: {value: 200}}] prefers a route';

const communityOperation = (description: string) =>
  Type.Optional(
    mapping(
      { value: text(readCommunity, { description: 'The community.', example: 'value: "65000:100"' }) },
      { description },
    ),
  );

const valueOperation = (description: string) =>
  Type.Optional(
    mapping(
      { value: integer(0, 0xffff_ffff, { description: 'The value.', example: 'value: 200' }) },
      { description },
    ),
  );

/** One of them each; which is a rule of the kind. */
const operation = mapping(
  {
    addCommunity: communityOperation('Adds a community.'),
    removeCommunity: communityOperation('Ours: takes a community off.'),
    prependASPath: Type.Optional(
      mapping(
        {
          prefix: Type.Array(scalar(readAsNumber, { description: 'An AS number.' }), {
            description: 'What the path then begins with, in this order.',
            example: 'prefix: [65000, 65000]',
          }),
        },
        { description: 'Puts AS numbers in front of the path.' },
      ),
    ),
    setLocalPreference: valueOperation('Ours: sets LOCAL_PREF; the highest wins.'),
    setMED: valueOperation('Ours: sets MULTI_EXIT_DISC; the lowest wins.'),
    setPriority: refused(NO_PRIORITY, 'Priority of Felix. Not supported.'),
  },
  { description: 'A change to a route.' },
);

const filterRule = (family: 'ipv4' | 'ipv6', maxLengthBits: number) =>
  mapping(
    {
      action: oneOf(['Accept', 'Reject'], {
        description: 'What happens to a route that matches.',
        example: 'action: Accept',
      }),
      cidr: optionalText(readFilterPrefix(family), { description: 'Compared by matchOperator.' }),
      matchOperator: optionalWord(['Equal', 'NotEqual', 'In', 'NotIn'], {
        description: 'Equal: that prefix itself. In: that prefix or inside it.',
      }),
      prefixLength: Type.Optional(
        mapping(
          {
            min: Type.Optional(integer(0, maxLengthBits, { description: 'Shortest prefix length.' })),
            max: Type.Optional(integer(0, maxLengthBits, { description: 'Longest prefix length.' })),
          },
          { description: 'Narrows cidr to routes of these prefix lengths.' },
        ),
      ),
      source: optionalWord(['RemotePeers'], { description: 'Only routes learned from peers.' }),
      peerType: optionalWord(['eBGP', 'iBGP'], { description: 'Only towards peers of that type.' }),
      interface: optionalText(readInterfacePattern, {
        description:
          'Only routes whose next hop is reached by that interface; * stands for any letters. Own routes have none.',
      }),
      communities: Type.Optional(
        mapping(
          {
            values: Type.Array(text(readCommunity, { description: 'A community.' }), {
              description: 'The one community that the route must carry.',
              example: 'values: ["65000:100"]',
            }),
          },
          { description: 'Only routes that carry this community.' },
        ),
      ),
      asPathPrefix: Type.Array(scalar(readAsNumber, { description: 'An AS number.' }), {
        description: 'Only routes whose AS path begins with these.',
        default: [],
      }),
      priority: refused(NO_PRIORITY, 'Priority of Felix. Not supported.'),
      operations: Type.Array(operation, {
        description: 'What becomes of an accepted route, in this order.',
        default: [],
      }),
    },
    { description: 'A rule; the first that matches decides.' },
  );

/** Rules for what comes in and goes out. */
export const bgpFilterSpec = mapping(
  {
    importV4: Type.Array(filterRule('ipv4', 32), { description: 'Routes from the peer.', default: [] }),
    exportV4: Type.Array(filterRule('ipv4', 32), { description: 'Routes to the peer.', default: [] }),
    importV6: Type.Array(filterRule('ipv6', 128), { description: 'IPv6 routes from the peer.', default: [] }),
    exportV6: Type.Array(filterRule('ipv6', 128), { description: 'IPv6 routes to the peer.', default: [] }),
  },
  { description: 'Rules for the routes of the peers that name it.', default: {} },
);
