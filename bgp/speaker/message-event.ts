/**
 * A received message as the FSM's event.
 */
import type { Direction, FsmEvent } from '../fsm/index.js';
import type { Message } from '../wire/index.js';

export function messageEvent(direction: Direction, message: Message): FsmEvent {
  switch (message.type) {
    case 'OPEN':
      return { type: 'BGPOpen', direction, open: message };
    case 'UPDATE':
      return { type: 'UpdateMsg', direction, update: message };
    case 'KEEPALIVE':
      return { type: 'KeepAliveMsg', direction };
    case 'ROUTE-REFRESH':
      return { type: 'RouteRefreshMsg', direction, refresh: message };
    case 'NOTIFICATION':
      return { type: 'NotifMsg', direction, notification: message };
    default:
      return message satisfies never;
  }
}
