/**
 * The numbers that requests of several kinds have in common.
 *
 * Owns: the flags of a message and the address families. Must not know: what is asked. NLM_F_DUMP is two flags at once,
 * and 0x100 to 0x400 mean one thing in a GET and another in a NEW.
 * Source: linux/netlink.h, linux/socket.h.
 */
export const NLM_F_REQUEST = 0x001;
export const NLM_F_ACK = 0x004;
export const NLM_F_ECHO = 0x008;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;

export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_INET6 = 10;
