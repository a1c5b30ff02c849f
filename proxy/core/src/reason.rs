//! One value for every reject, hunt step, switch and close: it feeds the log line, the metric label, the record's
//! field, the SIP `Reason` header field and the test.

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word for logs, metric labels and records.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

reasons! {
    /// Why a request or message was not taken up.
    RejectReason {
        /// Not SIP, or too broken to answer.
        Garbage = "garbage",
        /// Broken, answered 400 (or 505).
        Malformed = "malformed",
        /// From a trunk that has to show who it is, and shows nothing (401).
        Unauthorized = "unauthorized",
        /// It shows something else than its password (401).
        WrongCredentials = "wrong_credentials",
        /// The right password for a nonce that was too old, or of another shard (401, stale).
        NonceTooOld = "nonce_too_old",
        /// Credentials that were shown before (401, stale).
        NonceUsed = "nonce_used",
        /// From nobody we know.
        UnknownSource = "unknown_source",
        /// Max-Forwards was 0 (483).
        TooManyHops = "too_many_hops",
        /// Our own Via or tag came back to us (482).
        Loop = "loop",
        /// Max-Breadth was 0 (440).
        NoBreadth = "no_breadth",
        /// A second copy of an INVITE, on another way (482).
        Merged = "merged",
        /// Require names an extension that we lack (420).
        BadExtension = "bad_extension",
        /// A called number, or a path, longer than a call keeps (414, 513).
        TooLong = "too_long",
        /// A scheme in the request URI that we do not route (416).
        UnsupportedScheme = "unsupported_scheme",
        /// A body that we cannot handle (415).
        UnsupportedMedia = "unsupported_media",
        /// A session interval below the least that we take (422).
        IntervalTooSmall = "interval_too_small",
        /// Accept leaves nothing that could be answered with (406).
        NothingAcceptable = "nothing_acceptable",
        /// An offer that we cannot handle (488).
        NotAcceptable = "not_acceptable",
        /// No number plan entry for the called number (404).
        NoRoute = "no_route",
        /// No registrar of its trunks has bound us (503).
        NotRegistered = "not_registered",
        /// A route, but nothing to send to (503).
        NoTarget = "no_target",
        /// A stranger that is met with silence.
        Scanner = "scanner",
        /// From a stranger, for a dialog or transaction of ours by its looks, and more of it than strangers may send.
        StrangerRate = "stranger_rate",
        /// There is more to do than time to do it (503).
        Overload = "overload",
        /// There is not even time to say so (not answered: a datagram's sender repeats it).
        Unanswered = "overload_unanswered",
        /// The source's or the trunk's rate is used up (503, or not answered).
        RateLimit = "rate_limit",
        /// Every target asks for less (503).
        PeerOverload = "peer_overload",
        /// The trunk's concurrent calls are used up (503).
        TrunkLimit = "trunk_limit",
        /// The shard's calls are used up (503).
        CallLimit = "call_limit",
        /// The shard's transactions are used up (not answered).
        TransactionLimit = "transaction_limit",
        /// No media ports (503).
        NoMedia = "no_media",
        /// Draining (503).
        Draining = "draining",
        /// Nobody has signed for the caller, and somebody should have (428).
        NoIdentity = "no_identity",
        /// The certificate of the caller's signature could not be had (436).
        BadIdentityInfo = "bad_identity_info",
        /// It could, and is not to be believed (437).
        UnsupportedCredential = "unsupported_credential",
        /// The caller's signature is not true of the call (438).
        InvalidIdentity = "invalid_identity",
        /// The caller's signature is not of now (403).
        StaleDate = "stale_date",
        /// The call has to be signed, and was not (503).
        NotSigned = "not_signed",
        /// A method that we do not know (501).
        UnknownMethod = "unknown_method",
        /// A method that is not allowed here (405).
        MethodNotAllowed = "method_not_allowed",
        /// In-dialog request for a dialog that does not exist (481).
        NoDialog = "no_dialog",
        /// A transaction that a CANCEL, ACK or PRACK names does not exist (481, or nothing for an ACK).
        NoTransaction = "no_transaction",
        /// A response to nothing that we sent.
        StrayResponse = "stray_response",
        /// CSeq went backwards (500).
        CSeqOutOfOrder = "cseq_out_of_order",
        /// REFER from whom none is taken (603).
        TransferRefused = "transfer_refused",
        /// The previous request of its kind is still pending, or the tier leg is on its way (491 or 500).
        RequestPending = "request_pending",
        /// A drill keeps it away (not answered).
        Cut = "cut",
    }
}

reasons! {
    /// Why a hunt moved on from a target.
    HuntReason {
        /// No response at all within the hunt timer.
        NoResponse = "no_response",
        /// 100 but no progress within the hunt timer.
        NoProgress = "no_progress",
        /// RFC 3261 timer B.
        TransactionTimeout = "transaction_timeout",
        /// ICMP, refused or reset connection.
        TransportError = "transport_error",
        /// A final code that the policy hunts on.
        FinalResponse = "final_response",
        /// It does not know us, or not by what we show (401, 407).
        Unauthorized = "unauthorized",
        /// 3xx, followed to where it points.
        Redirected = "redirected",
        /// The target was marked down while we waited: a hunting call is moved on, a ringing one rescued.
        TargetDown = "target_down",
    }
}

reasons! {
    /// What became of a challenge to a request of ours (401, 407).
    ChallengeOutcome {
        /// The request was said again, with credentials.
        Answered = "answered",
        /// The neighbour knows us by no account that is configured.
        NoAccount = "no_account",
        /// Only realms that are not ours: nothing is shown to them.
        ForeignRealm = "foreign_realm",
        /// Only schemes, algorithms or qualities that we do not know, or have no secret for.
        UnknownAlgorithm = "unknown_algorithm",
        /// It could not be read.
        Broken = "broken",
        /// What we have shown was not accepted.
        NotAccepted = "not_accepted",
        /// It was asked again and again.
        TooOften = "too_often",
        /// Nobody waits for the request any more.
        Unwanted = "unwanted",
    }
}

reasons! {
    /// Why the health of a target or a region changed, and with it the generation.
    SwitchReason {
        /// Probes went unanswered.
        ProbeTimeout = "probe_timeout",
        /// INVITEs went unanswered.
        InviteTimeout = "invite_timeout",
        /// ICMP, refused or reset connection.
        Unreachable = "unreachable",
        /// 503 with Retry-After.
        Unavailable = "unavailable",
        /// Probes were answered again.
        Recovered = "recovered",
        /// Retry-After has passed.
        BackoffOver = "backoff_over",
        /// Down for long enough, and without probes only a call can show whether it is back.
        HalfOpen = "half_open",
        /// A new configuration.
        Reload = "reload",
        /// A region's flows fell silent together: its edges are being asked.
        Suspected = "suspected",
        /// A suspected region was heard again, or nothing followed.
        Withdrawn = "withdrawn",
        /// The region's flows fell silent together and none of its edges answered the burst of probes.
        RegionSilent = "region_silent",
        /// The region's flows stayed silent although its edges answer.
        MediaSilent = "media_silent",
    }
}

reasons! {
    /// What verification of a caller found (RFC 8224 §6.2).
    VerifyReason {
        /// Everything that was signed is true of the call.
        Passed = "passed",
        /// Nobody has signed.
        NoIdentity = "no_identity",
        /// Only signatures of kinds that are not known here.
        UnknownExtension = "unknown_ppt",
        /// A signature that cannot be read.
        Malformed = "malformed",
        /// It does not say where its certificate is, or not at an `https` URL.
        BadInfo = "bad_info",
        /// Its certificate is at a host that nobody has allowed.
        HostNotAllowed = "host_not_allowed",
        /// That host's address is a private one.
        PrivateAddress = "private_address",
        /// The certificate could not be fetched.
        Unreachable = "unreachable",
        /// What was fetched is no certificate of the kind.
        BadCertificate = "bad_certificate",
        /// No trusted authority stands behind it.
        Untrusted = "untrusted",
        /// It is not valid now.
        Expired = "expired_certificate",
        /// It does not cover the caller's number.
        NotEntitled = "not_entitled",
        /// Signed too long ago.
        Stale = "stale",
        /// Signed in the future.
        Future = "future",
        /// The signature does not fit.
        Signature = "bad_signature",
        /// Signed for another caller.
        Calling = "other_caller",
        /// Signed for another destination.
        Called = "other_destination",
        /// The result did not come in time.
        Timeout = "timeout",
        /// There was no time for it.
        Busy = "busy",
    }
}

reasons! {
    /// Why a call that was to be signed was not.
    UnsignedReason {
        /// The caller has no number that could be signed for, or may not be known to the trunk.
        NoNumber = "no_number",
        /// The signature did not come in time.
        Timeout = "timeout",
        /// There was no time for it.
        Busy = "busy",
        /// There is no key for it, or it failed.
        Failed = "failed",
    }
}

reasons! {
    /// Why a call ended.
    CloseReason {
        /// The A-leg hung up.
        ByeFromA = "bye_from_a",
        /// The B-leg hung up.
        ByeFromB = "bye_from_b",
        /// The caller cancelled before answer.
        Cancelled = "cancelled",
        /// The callee refused (486, 603, 404, …).
        Refused = "refused",
        /// Every target was tried.
        HuntExhausted = "hunt_exhausted",
        /// Nobody answered within the no-answer time.
        NoAnswer = "no_answer",
        /// Nobody answered while the caller's INVITE was valid (Expires).
        Expired = "expired",
        /// Rejected at admission.
        Rejected = "rejected",
        /// Media stopped.
        MediaTimeout = "media_timeout",
        /// No ACK came for our 2xx.
        NoAck = "no_ack",
        /// The caller did not acknowledge a reliable provisional (RFC 3262 §3).
        NoPrack = "no_prack",
        /// A leg answered an in-dialog request with 481 or 408, or not at all.
        LegGone = "leg_gone",
        /// Nobody refreshed a leg's session in time (RFC 4028).
        SessionExpired = "session_expired",
        /// A leg without a session timer did not answer us, again and again.
        PeerLost = "peer_lost",
        /// The answer could not be used (no SDP, broken SDP).
        BadAnswer = "bad_answer",
        /// The tier leg was lost and no other region took the call in time.
        NotRehomed = "not_rehomed",
        /// A leg was transferred to another call: this one is over.
        Transferred = "transferred",
        /// Whoever asked for a transfer has hung up, and the transfer came to nothing.
        NotTransferred = "not_transferred",
        /// An operator ended it.
        Operator = "operator",
        /// A broken invariant of ours.
        Internal = "internal",
    }
}

reasons! {
    /// Why an answered call's tier leg is moved.
    MoveReason {
        /// Its region is down.
        RegionDown = "region_down",
        /// Its edge is down, the region is not.
        EdgeDown = "edge_down",
        /// Its edge does not know it any more, or does not answer for it.
        LegLost = "leg_lost",
        /// An operator drains its region or edge.
        Drain = "drain",
        /// An operator asked for it back.
        Back = "back",
        /// A drill has cut it off.
        Drill = "drill",
    }
}

reasons! {
    /// What became of a move.
    MoveOutcome {
        /// The carrier noticed nothing.
        Moved = "moved",
        /// It was moved, but the carrier had to be re-INVITEd: the new leg's media did not match.
        Renegotiated = "renegotiated",
        /// The old leg goes on: a planned move found nobody, or was stopped.
        Stayed = "stayed",
        /// No target took it before its deadline.
        Deadline = "deadline",
        /// A callee declined (6xx): nobody else is asked.
        Declined = "declined",
        /// The new leg's media did not match, and the carrier would not change.
        Unmatched = "unmatched",
        /// A leg hung up in the meantime.
        HungUp = "hung_up",
    }
}
