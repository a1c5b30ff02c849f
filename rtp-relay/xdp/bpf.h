/* What the kernel offers a program, and no more: no system header is needed to build it. */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed int s32;
/* In network byte order. */
typedef u16 be16;
typedef u32 be32;

#define SECTION(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* A map is described by types alone, which BTF keeps (Documentation/bpf/btf.rst, ".maps"). */
#define NUMBER(name, value) int (*name)[value]
#define TYPE(name, type) type *name
/* An array that user space maps into its memory: BPF_MAP_TYPE_ARRAY with BPF_F_MMAPABLE. */
#define SHARED_ARRAY(name, entry, entries)                                                           \
	struct {                                                                                     \
		NUMBER(type, 2);                                                                     \
		NUMBER(map_flags, 1 << 10);                                                          \
		NUMBER(max_entries, entries);                                                        \
		TYPE(key, u32);                                                                      \
		TYPE(value, entry);                                                                  \
	} name SECTION(".maps")

static void *(*const lookup)(void *map, const void *key) = (void *)1;
static u64 (*const monotonic_ns)(void) = (void *)5;
static u32 (*const this_cpu)(void) = (void *)8;
static long (*const redirect)(u32 ifindex, u64 flags) = (void *)23;

struct __sk_buff;
static long (*const l4_checksum_replace)(struct __sk_buff *, u32 at, u64 from, u64 to, u64 flags) =
	(void *)11;
static long (*const pull_data)(struct __sk_buff *, u32 len) = (void *)39;

struct sk_lookup;
struct bpf_sock;
static long (*const sk_assign)(struct sk_lookup *, struct bpf_sock *, u64 flags) = (void *)124;
static long (*const sk_release)(struct bpf_sock *) = (void *)86;

#define atomic_add(at, n) ((void)__sync_fetch_and_add(at, n))

enum { SK_PASS = 1 };
enum { FAMILY_IPV6 = 10 };
enum { CHECKSUM_PSEUDO_HEADER = 1 << 4, CHECKSUM_KEEP_ZERO = 1 << 5 };
enum { XDP_PASS = 2, XDP_TX = 3 };
enum { TCX_NEXT = -1 };

struct xdp_md {
	u32 data;
	u32 data_end;
	u32 data_meta;
	u32 ingress_ifindex;
	u32 rx_queue_index;
	u32 egress_ifindex;
};

struct __sk_buff {
	u32 len;
	u32 before_vlan[4];
	u32 vlan_present;
	u32 before_data[13];
	u32 data;
	u32 data_end;
	u32 before_gso_size[23];
	u32 gso_size;
};

struct sk_lookup {
	u64 socket;
	u32 family;
	u32 protocol;
	be32 remote_ip4;
	be32 remote_ip6[4];
	be16 remote_port;
	u16 unused;
	be32 local_ip4;
	be32 local_ip6[4];
	/* In host byte order. */
	u32 local_port;
	u32 ingress_ifindex;
};

_Static_assert(__builtin_offsetof(struct sk_lookup, local_port) == 60, "as the kernel has it");
_Static_assert(__builtin_offsetof(struct __sk_buff, vlan_present) == 20, "as the kernel has it");
_Static_assert(__builtin_offsetof(struct __sk_buff, data) == 76, "as the kernel has it");
_Static_assert(__builtin_offsetof(struct __sk_buff, gso_size) == 176, "as the kernel has it");
