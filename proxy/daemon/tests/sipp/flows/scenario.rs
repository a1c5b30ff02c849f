//! SIPp's scenarios, written here step by step: what one side of a call says and what it has to hear.

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// One side of a call. The name is that of the file that SIPp reads.
pub(crate) struct Scenario {
    name: String,
    steps: String,
    /// Names of SIPp's variables.
    checks: u32,
    calls: bool,
    /// CSeq of its last request, and of its last INVITE.
    cseq: u32,
    invite: u32,
}

/// What SIPp knows of the far end: the caller has it from a response, the answerer from the INVITE.
const CALLER: &str = r#"From: "SIPp" <sip:+4916099000000@[local_ip]:[local_port]>;tag=[pid]a[call_number]
      To:[$peer]"#;
const ANSWERER: &str = "From:[$us];tag=[pid]b[call_number]
      To:[$them]";

impl Scenario {
    /// The side that calls.
    pub(crate) fn caller(flow: &str) -> Self {
        Self {
            name: format!("{flow}_calls"),
            steps: String::new(),
            checks: 0,
            calls: true,
            cseq: 0,
            invite: 0,
        }
    }

    /// The side that is called.
    pub(crate) fn answerer(flow: &str) -> Self {
        Self { name: format!("{flow}_answers"), calls: false, ..Self::caller(flow) }
    }

    /// The INVITE that begins the call.
    pub(crate) fn calls(mut self, fields: &[&str], body: &str) -> Self {
        (self.cseq, self.invite) = (1, 1);
        let head = "INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      Max-Forwards: 70
      From: \"SIPp\" <sip:+4916099000000@[local_ip]:[local_port]>;tag=[pid]a[call_number]
      To: <sip:[service]@[remote_ip]:[remote_port]>
      Call-ID: [call_id]
      CSeq: 1 INVITE";
        self.sends(head, true, fields, body);
        self.may_get(100)
    }

    /// A request inside the dialog.
    pub(crate) fn asks(mut self, method: &str, fields: &[&str], body: &str) -> Self {
        self.cseq += 1;
        let head = self.inside(method, self.cseq);
        self.sends(&head, true, fields, body);
        if method == "INVITE" {
            self.invite = self.cseq;
            return self.may_get(100);
        }
        self
    }

    /// PRACK for the reliable provisional that came last.
    pub(crate) fn acknowledges_early(self, body: &str) -> Self {
        let rack = format!("RAck:[$rseq] {} INVITE", self.invite);
        self.asks("PRACK", &[&rack], body)
    }

    /// ACK for the 2xx to its last INVITE.
    pub(crate) fn acknowledges(mut self, body: &str) -> Self {
        let head = self.inside("ACK", self.invite);
        self.sends(&head, false, &[], body);
        self
    }

    /// ACK for a refusal, inside the INVITE's transaction (RFC 3261 §17.1.1.3).
    pub(crate) fn acknowledges_refusal(mut self) -> Self {
        let uri = if self.invite == 1 && self.calls {
            "sip:[service]@[remote_ip]:[remote_port]"
        } else {
            "[next_url]"
        };
        let cseq = self.invite;
        let head = format!(
            "ACK {uri} SIP/2.0\n      [last_Via:]\n      Max-Forwards: 70\n      [last_From:]\n      [last_To:]\n      \
             Call-ID: [call_id]\n      CSeq: {cseq} ACK"
        );
        self.sends(&head, false, &[], "");
        self
    }

    /// A response has to come: each pattern stands in it, or with `!` before it does not.
    pub(crate) fn gets(mut self, code: u16, method: &str, patterns: &[&str]) -> Self {
        let _ = writeln!(self.steps, "  <recv response=\"{code}\" rrs=\"true\">\n    <action>");
        if self.calls {
            self.remembers("To", "peer");
        }
        self.checks_for(&format!("CSeq: [0-9]+ {method}"));
        if patterns.contains(&"RSeq:") {
            self.remembers("RSeq", "rseq");
        }
        patterns.iter().for_each(|pattern| self.checks_for(pattern));
        self.steps += "    </action>\n  </recv>\n";
        self
    }

    /// Gives up the INVITE that began the call.
    pub(crate) fn cancels(mut self) -> Self {
        let head = "CANCEL sip:[service]@[remote_ip]:[remote_port] SIP/2.0
      [last_Via:]
      Max-Forwards: 70
      [last_From:]
      To: <sip:[service]@[remote_ip]:[remote_port]>
      Call-ID: [call_id]
      CSeq: 1 CANCEL";
        self.sends(head, true, &[], "");
        self
    }

    /// Gives it up, and hears of both requests in either order: proxies have many hands.
    pub(crate) fn gives_up(mut self) -> Self {
        self = self.cancels();
        self.steps += "  <recv response=\"487\" optional=\"true\" next=\"refused\"/>\n";
        self = self.gets(200, "CANCEL", &[]).gets(487, "INVITE", &[]).acknowledges_refusal();
        self.steps += "  <nop next=\"given_up\"/>\n  <label id=\"refused\"/>\n";
        self = self.acknowledges_refusal().gets(200, "CANCEL", &[]);
        self.steps += "  <label id=\"given_up\"/>\n";
        self
    }

    /// The INVITE has its 100, before anything else is done.
    pub(crate) fn tried(mut self) -> Self {
        let optional = "  <recv response=\"100\" optional=\"true\"/>\n";
        assert!(self.steps.ends_with(optional), "just after the INVITE");
        self.steps.truncate(self.steps.len() - optional.len());
        self.steps += "  <recv response=\"100\"/>\n";
        self
    }

    fn may_get(mut self, code: u16) -> Self {
        let _ = writeln!(self.steps, "  <recv response=\"{code}\" optional=\"true\"/>");
        self
    }

    /// A request has to come.
    pub(crate) fn hears(mut self, method: &str, patterns: &[&str]) -> Self {
        let _ = writeln!(self.steps, "  <recv request=\"{method}\" rrs=\"true\">\n    <action>");
        if method == "INVITE" {
            self.remembers_way();
            self.remembers("CSeq", "number");
            if !self.calls && !self.steps.contains("assign_to=\"them\"") {
                self.remembers("From", "them");
                self.remembers("To", "us");
            }
        }
        patterns.iter().for_each(|pattern| self.checks_for(pattern));
        self.steps += "    </action>\n  </recv>\n";
        self
    }

    /// A request has to come that is answered later, when something else has been said.
    pub(crate) fn hears_and_keeps(mut self, method: &str, patterns: &[&str]) -> Self {
        self = self.hears(method, patterns);
        let end = self.steps.rfind("    </action>").unwrap();
        self.steps.truncate(end);
        self.remembers_way();
        self.remembers("CSeq", "number");
        self.remembers("From", "kept_from");
        self.remembers("To", "kept_to");
        self.steps += "    </action>\n  </recv>\n";
        self
    }

    /// Answers the request that was kept.
    pub(crate) fn answers_kept(mut self, code: u16, body: &str) -> Self {
        let head = format!(
            "SIP/2.0 {code} X\n      [$way]\n      From:[$kept_from]\n      To:[$kept_to]\n      Call-ID: [call_id]\n      CSeq:[$number]"
        );
        self.sends(&head, false, &[], body);
        self
    }

    /// Waits for whoever directs the story, who says when what comes next is to be said.
    pub(crate) fn waits_for_cue(mut self) -> Self {
        self.steps += "  <recv request=\"OPTIONS\"/>\n";
        self
    }

    /// Answers probes, too: each is a call of SIPp's own.
    pub(crate) fn probed(mut self) -> Self {
        self.steps.insert_str(0, "  <recv request=\"OPTIONS\" optional=\"true\" next=\"probe\"/>\n");
        self.steps += "  <nop next=\"over\"/>\n  <label id=\"probe\"/>\n";
        self = self.answers(200, "");
        self.steps += "  <label id=\"over\"/>\n";
        self
    }

    /// Answers the INVITE that began the call, or the last one inside it.
    pub(crate) fn answers_invite(self, code: u16, fields: &[&str], body: &str) -> Self {
        self.answers_invite_as("b", code, fields, body)
    }

    /// The same as another phone behind the same proxy: another To tag, `[pid]` and this.
    pub(crate) fn answers_invite_as(mut self, phone: &str, code: u16, fields: &[&str], body: &str) -> Self {
        let (from, to) = if self.calls {
            (
                "[$peer]",
                "\"SIPp\" <sip:+4916099000000@[local_ip]:[local_port]>;tag=[pid]a[call_number]".to_owned(),
            )
        } else {
            ("[$them]", format!("[$us];tag=[pid]{phone}[call_number]"))
        };
        let head = format!(
            "SIP/2.0 {code} X\n      [$way]\n      From:{from}\n      To: {to}\n      Call-ID: [call_id]\n      CSeq:[$number]"
        );
        self.sends(&head, code >= 200, fields, body);
        self
    }

    /// ACK for the 2xx to an earlier INVITE of its own.
    pub(crate) fn acknowledges_number(mut self, cseq: u32) -> Self {
        let head = self.inside("ACK", cseq);
        self.sends(&head, false, &[], "");
        self
    }

    /// Answers the request that came last, which is no INVITE.
    pub(crate) fn answers(self, code: u16, body: &str) -> Self {
        self.answers_with(code, &[], body)
    }

    /// The same with more header fields.
    pub(crate) fn answers_with(mut self, code: u16, fields: &[&str], body: &str) -> Self {
        let head = format!(
            "SIP/2.0 {code} X\n      [last_Via:]\n      [last_From:]\n      [last_To:]\n      [last_Call-ID:]\n      [last_CSeq:]"
        );
        self.sends(&head, false, fields, body);
        self
    }

    /// Lets time pass, in milliseconds.
    pub(crate) fn waits(mut self, ms: u32) -> Self {
        let _ = writeln!(self.steps, "  <pause milliseconds=\"{ms}\"/>");
        self
    }

    /// Hangs up.
    pub(crate) fn hangs_up(self) -> Self {
        self.waits(50).asks("BYE", &[], "").gets(200, "BYE", &[])
    }

    /// The other side hangs up.
    pub(crate) fn hears_bye(self) -> Self {
        self.hears("BYE", &[]).answers(200, "")
    }

    /// Writes the file. Its path.
    pub(crate) fn write(&self, folder: &Path) -> PathBuf {
        let path = folder.join(format!("{}.xml", self.name));
        let mut names: Vec<String> = (0..self.checks).map(|n| format!("check{n}")).collect();
        let known = ["peer", "rseq", "way", "number", "them", "us", "kept_from", "kept_to"];
        let is_used = |name: &str| self.steps.contains(&format!("assign_to=\"{name}\""));
        names.extend(known.into_iter().filter(|name| is_used(name)).map(str::to_owned));
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"{}\">\n{}  <Reference variables=\"{}\"/>\n</scenario>\n",
            self.name,
            self.steps,
            names.join(",")
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    fn inside(&self, method: &str, cseq: u32) -> String {
        let ends = if self.calls { CALLER } else { ANSWERER };
        format!(
            "{method} [next_url] SIP/2.0\n      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n      \
             Max-Forwards: 70\n      [routes]\n      {ends}\n      Call-ID: [call_id]\n      CSeq: {cseq} {method}"
        )
    }

    fn sends(&mut self, head: &str, again: bool, fields: &[&str], body: &str) {
        let again = if again { " retrans=\"500\"" } else { "" };
        let _ = write!(self.steps, "  <send{again}>\n    <![CDATA[\n      {head}\n");
        let contact = "Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>";
        for field in fields.iter().chain([&contact]) {
            let _ = writeln!(self.steps, "      {field}");
        }
        if body.is_empty() {
            self.steps += "      Content-Length: 0\n\n";
        } else {
            if !fields.iter().any(|field| field.starts_with("Content-Type")) {
                self.steps += "      Content-Type: application/sdp\n";
            }
            self.steps += "      Content-Length: [len]\n\n";
            body.lines().for_each(|line| {
                let _ = writeln!(self.steps, "      {line}");
            });
        }
        self.steps += "    ]]>\n  </send>\n";
    }

    fn remembers(&mut self, header: &str, name: &str) {
        let _ = writeln!(
            self.steps,
            "      <ereg regexp=\".*\" search_in=\"hdr\" header=\"{header}:\" check_it=\"true\" assign_to=\"{name}\"/>"
        );
    }

    /// Where a request came from and who wants to hear of those that follow: its Record-Route and Via lines, which proxies put
    /// first, one below the other.
    fn remembers_way(&mut self) {
        self.steps += "      <ereg regexp=\"((Record-Route|Via):[ -~]*[^ -~]+)*Via:[ -~]*\" search_in=\"msg\" \
                       check_it=\"true\" assign_to=\"way\"/>\n";
    }

    fn checks_for(&mut self, pattern: &str) {
        let (how, pattern) = match pattern.strip_prefix('!') {
            Some(pattern) => ("check_it_inverse", pattern),
            None => ("check_it", pattern),
        };
        let _ = writeln!(
            self.steps,
            "      <ereg regexp=\"{}\" search_in=\"msg\" {how}=\"true\" assign_to=\"check{}\"/>",
            pattern.replace('"', "&quot;"),
            self.checks
        );
        self.checks += 1;
    }
}
