/* The Internet checksum, brought up to date by what has changed (RFC 1624 equation 3): a packet that came damaged goes on
 * damaged, and its receiver notices. */
#pragma once
#include "bpf.h"

/* One's complement sums of new words less old ones. A word is as it stands in memory: the sum does not care for byte order
 * (RFC 1071 section 2). */
struct change {
	/* Of the addresses, which UDP sums up in its pseudo header (RFC 768). */
	u64 addresses;
	/* Of ports and payload. */
	u64 rest;
};

INLINE u64 change16(u16 was, u16 is)
{
	return (u64)(u16)~was + is;
}

INLINE u64 change32(u32 was, u32 is)
{
	return (u64)(u32)~was + is;
}

/* To 32 bits. */
INLINE u32 folded(u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	return sum;
}

/* A checksum after a change. */
INLINE u16 changed(u16 checksum, u64 change)
{
	u64 sum = (u64)(u16)~checksum + folded(change);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (u16)~sum;
}
