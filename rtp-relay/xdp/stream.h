/* The RTP stream of a flow: which packets go on, and what they leave behind. The same as relay-core's rewrite.rs, meter.rs,
 * losses.rs and pulse.rs for a source that goes on; whatever begins a source is theirs alone. */
#pragma once
#include "checksum.h"
#include "frame.h"
#include "layout.h"

/* As relay-core's limits.rs has them. */
enum { MAX_DROPOUT = 3000, MAX_MISORDER = 100, STEADY = 16, MAX_PACKET = 2048, BURST_GAP = 16 };
/* Numbers that are remembered: the bits of `losses.missing`. */
enum { WINDOW = 64 };
/* 2^38 ns are 275 s: no clock rate up to 90 kHz overflows 64 bits with it, and a pause is no jitter anyway. */
static const u64 LONGEST_PAUSE = (1ULL << 38) - 1;

/* A packet of the flow. */
struct arrival {
	u32 timestamp;
	/* Numbers ahead of the newest; 0: it is late or a copy, and so many behind. */
	u32 ahead;
	u32 behind;
	u32 bytes;
	u32 extra;
	u32 payload_type;
};

/* Length of contributing sources, extension and padding if the packet has them; negative if they contradict each other
 * (RFC 3550 appendix A.1). `length` is RTP's. */
INLINE s32 extra_length(const struct frame *f, u32 length)
{
	u32 first = f->rtp->first;
	u32 at = sizeof(struct rtp) + (first & 0x0f) * 4;
	u32 extra = at - sizeof(struct rtp);
	if (first & 0x10) {
		u8 *extension = (u8 *)f->rtp + at;
		if (extension + 4 > (u8 *)f->end)
			return -1;
		u32 words = (u32)extension[2] << 8 | extension[3];
		extra += 4 + words * 4;
	}
	if (extra + sizeof(struct rtp) > length)
		return -1;
	if (first & 0x20) {
		u64 last = length - 1;
		if (last >= MAX_PACKET)
			return -1;
		/* The compiler knows that it is below, the verifier does not. */
		asm volatile("%0 &= 2047" : "+r"(last));
		u8 *padding = (u8 *)f->rtp + last;
		if (padding + 1 > (u8 *)f->end || !*padding)
			return -1;
		extra += *padding;
		if (extra + sizeof(struct rtp) > length)
			return -1;
	}
	return extra;
}

/* Why a packet is user space's; PASSED_REASONS if it is not, and then what it is. */
INLINE enum passed judge(const struct frame *f, const struct flow *flow, struct arrival *a)
{
	const struct rtp *rtp = f->rtp;
	if ((rtp->first & 0xc0) != 0x80)
		return PASSED_NOT_RTP;
	/* RFC 5761 section 4. */
	if (rtp->second >= 192 && rtp->second <= 223)
		return PASSED_RTCP;
	if ((rtp->second & 0x7f) == flow->event)
		return PASSED_EVENT;
	if (ntohl(rtp->ssrc) != flow->source)
		return PASSED_SOURCE;
	a->bytes = f->udp_length - sizeof(struct udp);
	if (a->bytes > MAX_PACKET)
		return PASSED_LENGTH;
	a->extra = 0;
	if (unlikely(rtp->first != 0x80)) {
		s32 extra = extra_length(f, a->bytes);
		if (extra < 0)
			return PASSED_LENGTH;
		a->extra = extra;
	}
	a->timestamp = ntohl(rtp->timestamp);
	a->payload_type = rtp->second & 0x7f;
	u32 ahead = (u16)(ntohs(rtp->sequence) - (u16)flow->newest);
	u32 behind = (u16)-ahead;
	if (behind <= MAX_MISORDER) {
		if (behind > flow->newest - flow->oldest)
			return PASSED_LATE;
		ahead = 0;
	} else if (ahead >= MAX_DROPOUT) {
		return PASSED_RESTART;
	}
	a->ahead = ahead;
	a->behind = behind;
	return PASSED_REASONS;
}

/* Whether the source keeps its beat: pulse.rs. */
INLINE void beat(struct flow *flow, const struct arrival *a)
{
	u32 step = a->timestamp - flow->beat_timestamp;
	flow->beat_timestamp = a->timestamp;
	if (likely(flow->step && step == flow->step * a->ahead)) {
		if (flow->steady < STEADY)
			flow->steady++;
		return;
	}
	flow->steady = 0;
	flow->step = a->ahead == 1 ? step : 0;
}

INLINE void advance(struct losses *l, u32 newest)
{
	u32 step = newest - l->at;
	l->missing = step < WINDOW ? l->missing << (step & (WINDOW - 1)) : 0;
	l->at = newest;
}

/* `newest` has come, and `ahead` - 1 numbers before it have not. */
INLINE void leapt(struct losses *l, u32 newest, u32 ahead)
{
	u32 count = ahead - 1;
	u32 first = newest - count;
	advance(l, newest);
	l->missing |= count < WINDOW - 1 ? ((1ULL << (count & (WINDOW - 1))) - 1) << 1 : ~1ULL;
	if (l->lost && first - l->last > BURST_GAP) {
		u32 packets = l->last - l->first + 1;
		u32 run = l->run < l->lost ? l->run : l->lost;
		if (l->lost > 1) {
			l->bursts++;
			l->packets += packets;
			l->burst_lost += l->lost;
			if (packets > l->longest)
				l->longest = packets;
		}
		if (run > l->longest_loss)
			l->longest_loss = run;
		l->lost = 0;
	}
	if (!l->lost) {
		l->first = first;
		l->run = 0;
	}
	l->last = newest - 1;
	l->lost += count;
	if (count > l->run)
		l->run = count;
}

/* The number `behind` the newest has come. */
INLINE void late(struct losses *l, u32 newest, u32 behind)
{
	advance(l, newest);
	if (behind >= WINDOW) {
		l->reordered++;
		return;
	}
	u64 bit = 1ULL << (behind & (WINDOW - 1));
	if (!(l->missing & bit)) {
		l->duplicates++;
		return;
	}
	l->missing &= ~bit;
	l->reordered++;
	u32 number = newest - behind;
	if (l->lost && number - l->first <= l->last - l->first) {
		l->lost--;
		if (number == l->last)
			l->last = number - 1;
		else if (number == l->first)
			l->first = number + 1;
	}
}

/* Remember a packet. `rate`: units of its clock in 2^36 ns. */
INLINE void take(struct flow *flow, const struct arrival *a, u64 rate)
{
	u64 now = monotonic_ns();
	u64 passed = now - flow->last_seen;
	if (passed > LONGEST_PAUSE)
		passed = LONGEST_PAUSE;
	/* RFC 3550 appendix A.8, by differences: how much more time has passed than the timestamps say. */
	s32 difference = (u32)(passed * rate >> 36) - (a->timestamp - flow->last_timestamp);
	u32 distance = difference < 0 ? -(u32)difference : (u32)difference;
	u64 jitter = (u64)flow->jitter + distance;
	if (jitter > 0xffffffff)
		jitter = 0xffffffff;
	flow->jitter = jitter - ((flow->jitter + 8ULL) >> 4);
	flow->last_timestamp = a->timestamp;
	flow->last_seen = now;
	flow->payload_type = a->payload_type;
	flow->packets++;
	flow->bytes += a->bytes;
	flow->extra += a->extra;
	if (unlikely(!a->ahead)) {
		late(&flow->losses, flow->newest, a->behind);
	} else {
		flow->newest += a->ahead;
		if (unlikely(a->ahead > 1))
			leapt(&flow->losses, flow->newest, a->ahead);
		if (flow->newest_timestamp - a->timestamp > 0xffff) {
			flow->newest_timestamp = a->timestamp;
			flow->newest_at = now;
		}
		beat(flow, a);
	}
}

INLINE void rewrite_rtp(struct rtp *rtp, const struct flow *flow, struct change *c)
{
	be16 sequence = htons((u16)(ntohs(rtp->sequence) + flow->sequence_shift));
	be32 timestamp = htonl(ntohl(rtp->timestamp) + flow->timestamp_shift);
	be32 ssrc = htonl(flow->ssrc);
	c->rest += change16(rtp->sequence, sequence) + change32(rtp->timestamp, timestamp) +
		   change32(rtp->ssrc, ssrc);
	rtp->sequence = sequence;
	rtp->timestamp = timestamp;
	rtp->ssrc = ssrc;
}
