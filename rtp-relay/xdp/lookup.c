/* One socket for a whole range of ports: datagrams to a media address and port of ours go to the socket of the worker that owns the
 * port, of its address family, whatever other sockets are bound to. A port has no socket of its own, so none of the range is ever
 * answered with "unreachable".
 *
 * A worker that is late leaves its queue to fill. The gate lets in no more than may wait for it, and shares that out among
 * the ports: a flood on one of them takes nothing from the others. */
#include "gate.h"

/* The sockets, by `gate_of`. */
struct {
	NUMBER(type, 15);
	NUMBER(max_entries, GATES + 2);
	TYPE(key, u32);
	TYPE(value, u32);
} sockets SECTION(".maps");

SECTION("sk_lookup") int relay_lookup(struct sk_lookup *ctx)
{
	if (ctx->protocol != PROTOCOL_UDP)
		return SK_PASS;
	struct address to;
	u32 is_ipv6 = ctx->family == FAMILY_IPV6;
	if (is_ipv6) {
		to.high = (u64)ctx->local_ip6[1] << 32 | ctx->local_ip6[0];
		to.low = (u64)ctx->local_ip6[3] << 32 | ctx->local_ip6[2];
	} else {
		to.high = 0;
		to.low = mapped(ctx->local_ip4);
	}
	struct port *port = port_of(&to, ctx->local_port);
	if (!port || !port->owner)
		return SK_PASS;
	u32 at = gate_of(port, is_ipv6);
	struct gate *gate = lookup(&gates, &at);
	if (!gate)
		return SK_PASS;
	if (unlikely(!admits(gate, port))) {
		atomic_add(&gate->turned_away, 1);
		/* It takes nothing: a drop here would be answered as if nobody listened. */
		at = GATES + is_ipv6;
	} else {
		atomic_add(&gate->let_in, 1);
	}
	struct bpf_sock *socket = lookup(&sockets, &at);
	if (!socket)
		return SK_PASS;
	sk_assign(ctx, socket, 0);
	sk_release(socket);
	return SK_PASS;
}

char licence[] SECTION("license") = "Dual BSD/GPL";
