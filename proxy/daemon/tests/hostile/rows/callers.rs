//! Who says that he calls: what is no number, what is none of his, and what nobody can read.

use super::Outcome::{Code, Rings};
use super::Row;

const SUBJECT: &str = "Subject: x";
const CALLER: &str = "<sip:+4917@«at»>";
const CALLED: &str = "INVITE sip:+4930@";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = numbers();
    rows.extend(letters());
    rows.extend(assertions());
    rows
}

fn numbers() -> Vec<Row> {
    let caller = |name: &str, from: &str| Row::invite(name, CALLER, from, Rings);
    vec![
        caller("a caller of 50,000 digits", &format!("<sip:+49{}@«at»>", "1".repeat(50_000))),
        caller("a caller with an empty user", "<sip:@«at»>"),
        caller("a caller without a user", "<sip:«at»>"),
        caller("a caller who is no number", "<sip:alice.smith@«at»>"),
        caller("a caller of plus signs", "<sip:++++@«at»>"),
        caller("a caller of separators", "<sip:+-.()-@«at»>"),
        caller("a caller of a minus", "<sip:-4917@«at»>"),
        caller("a caller by tel", "<tel:+4917>"),
        caller("a caller by tel who is no number", "<tel:alice>"),
        caller("a caller by tel of nothing", "<tel:;phone-context=x>"),
        caller("a caller who wants to be nobody", "\"Anonymous\" <sip:anonymous@anonymous.invalid>"),
        caller("a caller who wants to be nobody, without a host", "<sip:anonymous@invalid>"),
        Row::invite("a called user who wants to be nobody", CALLED, "INVITE sip:anonymous@", Code(404)),
        Row::invite("a called number of words", CALLED, "INVITE sip:plus-four-nine@", Code(404)),
    ]
}

fn letters() -> Vec<Row> {
    let caller = |name: &str, from: &str| Row::invite(name, CALLER, from, Rings);
    vec![
        caller("a name in many scripts", "\"Zoë Ωμέγα 東京 🎧\" <sip:+4917@«at»>"),
        caller("a name that turns the line round", "\"\u{202e}knab\u{202c}\" <sip:+4917@«at»>"),
        caller("a name without quotes beyond ASCII", "Zoë <sip:+4917@«at»>"),
        caller("a name of 50,000 letters", &format!("\"{}\" <sip:+4917@«at»>", "é".repeat(25_000))),
        Row::invite(
            "a name that is no UTF-8",
            CALLER,
            b"\"\xc3\x28\xff\" <sip:+4917@\xc2\xabat\xc2\xbb>",
            Rings,
        ),
        caller("a caller in other digits", "<sip:+٤٩١٧@«at»>"),
        caller("a caller in other digits, escaped", "<sip:+%D9%A4%D9%A9@«at»>"),
        caller("a caller in letters that look like others", "<sip:а@«at»>"),
        Row::invite("a called number in other digits", CALLED, "INVITE sip:+٤٩٣٠@", Code(400)),
        Row::invite(
            "a called number that begins well and goes on otherwise",
            CALLED,
            "INVITE sip:+4930٣@",
            Code(400),
        ),
    ]
}

/// Nobody has said that this source is to be believed: what it asserts goes no further, and the call does. The table looks for the
/// host in everything that the edge is sent.
fn assertions() -> Vec<Row> {
    let forged = "\"The Bank\" <sip:+493099999@bank.example>";
    let line = |name: &str, line: String| Row::invite(name, SUBJECT, line, Rings);
    vec![
        line("an asserted identity", format!("P-Asserted-Identity: {forged}")),
        line("an asserted identity with a blank before the colon", format!("P-Asserted-Identity : {forged}")),
        line("an asserted identity in mixed case", format!("p-aSSERTED-iDENTITY: {forged}")),
        line("an asserted identity on a folded line", format!("P-Asserted-Identity:\r\n {forged}")),
        line(
            "two asserted identities",
            format!("P-Asserted-Identity: {forged}, <tel:+493099999;x=bank.example>"),
        ),
        line(
            "two lines of asserted identity",
            format!("P-Asserted-Identity: <sip:+1@y>\r\nP-Asserted-Identity: {forged}"),
        ),
        line("a preferred identity", format!("P-Preferred-Identity: {forged}")),
        line("a remote party", format!("Remote-Party-ID: {forged};screen=yes;party=calling")),
        line(
            "a thousand asserted identities on a line",
            format!("P-Asserted-Identity: {}", vec![forged; 1_000].join(",")),
        ),
        line("an asserted identity behind a secret", format!("Privacy: id\r\nP-Asserted-Identity: {forged}")),
        line(
            "a charging vector",
            "P-Charging-Vector: icid-value=1;icid-generated-at=bank.example".to_owned(),
        ),
    ]
}
