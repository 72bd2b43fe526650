/**
 * ROUTE-REFRESH: afi(2) subtype(1) safi(1).
 *
 * Owns: that body. Must not know: what a refresh causes.
 * Source: RFC 2918, RFC 7313.
 */
import type { ByteReader, ByteWriter } from './bytes.js';
import { NOTIFICATION, ROUTE_REFRESH_ERROR } from './constants.js';
import { afiSafi, familyOf } from './family.js';
import { failWith } from './fault.js';
import type { RouteRefreshMessage } from './message.js';

const BODY_LENGTH = 4;

/**
 * `frame` is the whole message, which is the data of 7/1 (RFC 7313 §5). Longer bodies would be outbound route
 * filters (RFC 5291), which we never negotiate.
 */
export function decodeRouteRefresh(body: ByteReader, frame: Uint8Array): RouteRefreshMessage {
  if (body.remaining !== BODY_LENGTH) {
    failWith(
      NOTIFICATION.ROUTE_REFRESH,
      ROUTE_REFRESH_ERROR.INVALID_MESSAGE_LENGTH,
      `ROUTE-REFRESH body of ${body.remaining} octets`,
      frame.slice(),
    );
  }
  const afi = body.u16();
  const subtype = body.u8();
  const safi = body.u8();
  return { type: 'ROUTE-REFRESH', family: familyOf(afi, safi) ?? { afi, safi }, subtype };
}

export function encodeRouteRefresh(out: ByteWriter, message: RouteRefreshMessage): void {
  const { afi, safi } = typeof message.family === 'string' ? afiSafi(message.family) : message.family;
  out.u16(afi).u8(message.subtype).u8(safi);
}
