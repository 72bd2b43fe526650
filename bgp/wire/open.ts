/**
 * OPEN: version(1) my AS(2) hold time(2) BGP identifier(4) parameters length(1) parameters.
 *
 * Owns: that body, the optional parameters in both forms, and what is wrong in itself with an OPEN. Must not know:
 * which AS or identifier is expected (the FSM checks that).
 * Source: RFC 4271 sections 4.2 and 6.2, RFC 5492, RFC 6286, RFC 6793, RFC 7607, RFC 9072.
 */
import { ipv4 } from '../net/index.js';
import { type ByteReader, ByteWriter } from './bytes.js';
import { decodeCapability, encodeCapability } from './capability.js';
import { AS_TRANS, BGP_VERSION, MAX_TWO_OCTET_AS, NOTIFICATION, OPEN_ERROR } from './constants.js';
import { failWith } from './fault.js';
import type { Capability, OpenMessage } from './message.js';

/** Parameter type of capabilities (RFC 5492 §4), and the mark of the extended form (RFC 9072 §2). */
const PARAMETER_CAPABILITIES = 2;
const PARAMETER_EXTENDED = 255;
/** The longest capabilities that one parameter of the classic form can hold beside its own two octets. */
const MAX_CLASSIC_CAPABILITIES = 253;
/** Hold times that RFC 4271 §4.2 forbids; 0 means no keepalives. */
const MIN_HOLD_TIME_SECONDS = 3;

/** @throws WireError with the NOTIFICATION of RFC 4271 §6.2. */
export function decodeOpen(body: ByteReader): OpenMessage {
  const version = body.u8();
  if (version !== BGP_VERSION) {
    fail('UNSUPPORTED_VERSION', `BGP version ${version}`, Uint8Array.of(0, BGP_VERSION));
  }
  const myAs = body.u16();
  const holdTimeSeconds = body.u16();
  const bgpIdentifier = ipv4(body.u32());
  const capabilities = decodeParameters(body);
  const asn = speakerAs(myAs, capabilities);
  if (bgpIdentifier === 0) fail('BAD_BGP_IDENTIFIER', 'BGP identifier 0.0.0.0');
  if (holdTimeSeconds !== 0 && holdTimeSeconds < MIN_HOLD_TIME_SECONDS) {
    fail('UNACCEPTABLE_HOLD_TIME', `hold time of ${holdTimeSeconds} s`);
  }
  return { type: 'OPEN', asn, holdTimeSeconds, bgpIdentifier, capabilities };
}

/**
 * `message.capabilities` must contain `fourOctetAs` where the AS needs it; the field then says AS_TRANS.
 * @throws RangeError where a capability is too long to be written.
 */
export function encodeOpen(out: ByteWriter, message: OpenMessage): void {
  const capabilities = new ByteWriter();
  for (const capability of message.capabilities) encodeCapability(capabilities, capability);
  out
    .u8(BGP_VERSION)
    .u16(message.asn > MAX_TWO_OCTET_AS ? AS_TRANS : message.asn)
    .u16(message.holdTimeSeconds)
    .u32(message.bgpIdentifier);
  const length = capabilities.length;
  if (length === 0) {
    out.u8(0);
  } else if (length <= MAX_CLASSIC_CAPABILITIES) {
    // RFC 5492 §4: all in one parameter is what a sender should do.
    out
      .u8(length + 2)
      .u8(PARAMETER_CAPABILITIES)
      .u8(length)
      .bytes(capabilities.finish());
  } else {
    // RFC 9072 §2: 255 as length and as type, then the true length, then parameters with 2-octet lengths.
    out
      .u8(PARAMETER_EXTENDED)
      .u8(PARAMETER_EXTENDED)
      .u16(length + 3);
    out.u8(PARAMETER_CAPABILITIES).u16(length).bytes(capabilities.finish());
  }
}

/** Capabilities may be spread over any number of parameters, in either form. */
function decodeParameters(body: ByteReader): Capability[] {
  const claimed = body.u8();
  const extended = claimed !== 0 && body.peekU8() === PARAMETER_EXTENDED;
  if (extended) body.u8();
  const length = extended ? body.u16() : claimed;
  if (length !== body.remaining) {
    fail('UNSPECIFIC', `optional parameters of ${length} octets where ${body.remaining} follow`);
  }
  const capabilities: Capability[] = [];
  while (body.remaining > 0) {
    const type = body.u8();
    const parameter = body.window(extended ? body.u16() : body.u8());
    if (type !== PARAMETER_CAPABILITIES) {
      fail('UNSUPPORTED_OPTIONAL_PARAMETER', `optional parameter of type ${type}`);
    }
    while (parameter.remaining > 0) capabilities.push(decodeCapability(parameter));
  }
  return capabilities;
}

/** The AS of capability 65 where there is one; it and the 2-octet field must not contradict each other. */
function speakerAs(myAs: number, capabilities: readonly Capability[]): number {
  let asn: number | undefined;
  for (const capability of capabilities) {
    if (capability.kind !== 'fourOctetAs') continue;
    if (asn !== undefined && asn !== capability.asn) {
      fail('BAD_PEER_AS', `4-octet AS capabilities with AS ${asn} and AS ${capability.asn}`);
    }
    asn = capability.asn;
  }
  // RFC 7607 §2: AS 0 is nobody's.
  if (myAs === 0 || asn === 0) fail('BAD_PEER_AS', 'AS 0');
  if (asn !== undefined && myAs !== asn && myAs !== AS_TRANS) {
    fail('BAD_PEER_AS', `my AS field ${myAs} contradicts 4-octet AS ${asn}`);
  }
  return asn ?? myAs;
}

function fail(error: keyof typeof OPEN_ERROR, reason: string, data?: Uint8Array): never {
  return failWith(NOTIFICATION.OPEN, OPEN_ERROR[error], reason, data);
}
