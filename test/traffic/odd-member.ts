/**
 * A member of the mesh of another version: no facts about itself, no N bit (RFC 8538), no route refresh, IPv4 alone, and
 * attributes that nobody knows. It speaks in place of a node's agent, whose routes stay in the kernel and forward.
 *
 * Owns: what such a member says. Its bytes are written here and not made by our encoder.
 */
import { formatIpAddress, parsePrefix, prefixAddress, prefixLength } from '../../bgp/net/index.js';
import { namespaceName, namespacePath } from '../lab/namespaces.js';
import { must } from '../support/machine.js';
import { asn4, IPV4_UNICAST, KEEPALIVE, quad, RawPeer } from '../support/raw-peer.js';
import { until } from '../support/until.js';
import { frame, updateFrame } from '../support/wire.js';

const ASN = 64512;
/** RFC 4724 section 3: R in the first bit, 120 s, IPv4 unicast with F; the N bit, second, is not set. */
const RESTARTED = `${IPV4_UNICAST} ${asn4(ASN)} 4006 8078 0001 01 80`;
const END_OF_RIB = frame(2, '0000 0000');
/** Optional transitive 240 of four octets, and optional non-transitive 241 of two. */
const UNKNOWN_ATTRIBUTES = 'c0f004deadbeef 80f1020102';

export class OddMember {
  readonly #address: string;
  readonly #namespace: string;
  readonly #announcement: Uint8Array;
  readonly #sessions = new Map<string, RawPeer>();

  constructor(
    lab: string,
    node: { readonly name: string; readonly address: string; readonly podSubnet: string },
  ) {
    this.#address = node.address;
    this.#namespace = namespacePath(namespaceName(lab, node.name));
    const subnet = must(parsePrefix(node.podSubnet));
    const octets = Math.ceil(prefixLength(subnet) / 8);
    const nlri = quad(formatIpAddress(prefixAddress(subnet))).slice(0, 2 * octets);
    this.#announcement = updateFrame({
      attributes: `40010100 400200 400304${quad(node.address)} 40050400000064 ${UNKNOWN_ATTRIBUTES}`,
      nlri: `${prefixLength(subnet).toString(16).padStart(2, '0')} ${nlri}`,
    });
  }

  /** Connects to an agent and announces the pod subnet; the table is not ended yet. Resolves at the agent's End-of-RIB. */
  async join(agent: string): Promise<void> {
    const session = await until(`${agent} takes a connection`, () =>
      RawPeer.connectInside(this.#namespace, this.#address, { host: agent }),
    );
    await session.establish({ asn: ASN, holdTime: 240, capabilities: RESTARTED });
    session.send(this.#announcement);
    this.#sessions.set(agent, session);
  }

  /** RFC 4724 section 2: all that there is has been said. */
  endTable(agent: string): void {
    must(this.#sessions.get(agent)).send(END_OF_RIB);
  }

  keepAlive(): void {
    for (const session of this.#sessions.values()) session.send(KEEPALIVE);
  }

  /** All connections end without a word, as when it is killed. */
  die(): void {
    for (const session of this.#sessions.values()) session.reset();
    this.#sessions.clear();
  }
}
