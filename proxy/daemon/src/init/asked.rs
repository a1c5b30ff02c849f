//! The questions, one after the other. An answer that cannot be meant is asked for again.

use super::answers::{
    Account, Answers, Carried, FIRST_PORT, MAX_CALLS, Numbers, PORTS_PER_CALL, Region, Tls,
};
use std::io::{BufRead, Write};
use std::net::{IpAddr, SocketAddr};

/// Tries for one question: a script that answers nonsense comes to an end.
const TRIES: usize = 5;

/// Regions that are asked for; more can be written into the file.
const REGIONS: usize = 8;

struct Desk<'a> {
    from: &'a mut dyn BufRead,
    to: &'a mut dyn Write,
}

pub(super) fn answers(from: &mut dyn BufRead, to: &mut dyn Write) -> Result<Answers, String> {
    let mut desk = Desk { from, to };
    desk.say("A first configuration. What stands in [brackets] counts if nothing is typed.\n");
    let address: IpAddr = desk.one("Our address towards carriers, as this host has it", None, parsed)?;
    let public = desk.maybe("The address that carriers see in its place, if there is a NAT", parsed)?;
    let tier =
        desk.one("Our address towards the tier", Some(&default_tier(address)), |text| tier(text, address))?;
    let carrier = desk.one("A name for the carrier", Some("carrier"), word)?;
    let transport = desk.one("How it is spoken to: udp, tcp or tls", Some("udp"), |text| match text {
        "udp" => Ok(Carried::Udp),
        "tcp" => Ok(Carried::Tcp),
        "tls" => Ok(Carried::Tls),
        _ => Err("udp, tcp or tls".to_owned()),
    })?;
    let tls = if transport == Carried::Tls { Some(desk.tls()?) } else { None };
    let sources = desk.one("Networks that its calls come from, with commas between", None, list)?;
    let targets = desk.one("Addresses or names that calls to it go to", None, list)?;
    let numbers = desk.one(
        "How it writes numbers: e164 (+4930…), national (030…) or as_said",
        Some("e164"),
        |text| match text {
            "e164" => Ok(Numbers::E164),
            "national" => Ok(Numbers::National),
            "as_said" => Ok(Numbers::AsSaid),
            _ => Err("e164, national or as_said".to_owned()),
        },
    )?;
    let country = match numbers {
        Numbers::National => {
            Some(desk.one("Country code of its national numbers, such as 49", None, digits)?)
        }
        Numbers::AsSaid | Numbers::E164 => None,
    };
    let account = desk.account()?;
    let calls = desk.one("Calls at once", Some("1000"), |text| {
        let calls: u32 = parsed(text)?;
        if (1..=MAX_CALLS).contains(&calls) {
            Ok(calls)
        } else {
            Err(format!("a number from 1 to {MAX_CALLS}"))
        }
    })?;
    let last = FIRST_PORT + calls * PORTS_PER_CALL - 1;
    desk.say(&format!("  UDP ports {FIRST_PORT} to {last} are for media.\n"));
    let emergency =
        desk.maybe("Emergency numbers, whose calls go first, such as 112, 110", list)?.unwrap_or_default();
    let region = desk.regions()?;
    Answers {
        address,
        public,
        tier,
        transport,
        tls,
        carrier,
        sources,
        targets,
        numbers,
        country,
        account,
        calls,
        emergency,
        region,
    }
    .whole()
}

/// Beside the carriers' own, where there is only one address.
fn default_tier(address: IpAddr) -> String {
    SocketAddr::new(address, 5070).to_string()
}

/// Without a port 5060, or 5070 where carriers have that.
fn tier(text: &str, carriers: IpAddr) -> Result<SocketAddr, String> {
    if let Ok(with_port) = text.parse() {
        return Ok(with_port);
    }
    let ip: IpAddr = parsed(text)?;
    Ok(SocketAddr::new(ip, if ip == carriers { 5070 } else { 5060 }))
}

fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| format!("{error}"))
}

fn word(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) { Err("plain text".to_owned()) } else { Ok(text.to_owned()) }
}

fn digits(text: &str) -> Result<String, String> {
    let good = (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if good { Ok(text.to_owned()) } else { Err("one to three digits, without +".to_owned()) }
}

fn list(text: &str) -> Result<Vec<String>, String> {
    let all: Vec<String> =
        text.split(',').map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned).collect();
    if all.is_empty() { Err("at least one".to_owned()) } else { all.iter().map(|one| word(one)).collect() }
}

impl Desk<'_> {
    fn say(&mut self, text: &str) {
        // Nobody sees the questions: the answers count all the same.
        let _ = self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush());
    }

    /// A line; `None` at the end of them.
    fn line(&mut self) -> Result<Option<String>, String> {
        let mut line = String::new();
        match self.from.read_line(&mut line) {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(line.trim().to_owned())),
            Err(error) => Err(format!("no answer: {error}")),
        }
    }

    fn one<T>(
        &mut self,
        question: &str,
        default: Option<&str>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, String> {
        for _ in 0..TRIES {
            self.say(&default.map_or(format!("{question}: "), |default| format!("{question} [{default}]: ")));
            let line = self.line()?.ok_or_else(|| format!("no answer to: {question}"))?;
            let text = if line.is_empty() { default.unwrap_or_default() } else { &line };
            match if text.is_empty() { Err("this has to be known".to_owned()) } else { read(text) } {
                Ok(answer) => return Ok(answer),
                Err(why) => self.say(&format!("  `{}`: {why}\n", text.escape_debug())),
            }
        }
        Err(format!("no usable answer to: {question}"))
    }

    fn maybe<T>(
        &mut self,
        question: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        self.one(question, Some("none"), |text| if text == "none" { Ok(None) } else { read(text).map(Some) })
    }

    fn tls(&mut self) -> Result<Tls, String> {
        Ok(Tls {
            certificate: self.one("PEM file with our certificate", Some("/etc/bascule/tls/sip.pem"), word)?,
            key: self.one("PEM file with its key", Some("/etc/bascule/tls/sip.key"), word)?,
            ca: self.maybe(
                "PEM file of the authorities that the carrier's is signed by, if not the system's",
                word,
            )?,
            server_name: self.maybe("The domain that the carrier's certificate is of", word)?,
        })
    }

    fn account(&mut self) -> Result<Option<Account>, String> {
        let Some(username) = self.maybe("User name that it knows us by, if it asks for one", word)? else {
            return Ok(None);
        };
        Ok(Some(Account {
            username,
            realm: self.one("Its realm", None, word)?,
            password_file: self.one("File with the password on its first line", None, word)?,
        }))
    }

    fn regions(&mut self) -> Result<Vec<Region>, String> {
        let mut regions: Vec<Region> = Vec::new();
        while regions.len() < REGIONS {
            let question = match regions.len() {
                0 => "A name for the first region, where calls go as long as it is well",
                1 => "A name for a second one, which takes over",
                _ => "A name for a further one",
            };
            let name = if regions.is_empty() {
                Some(self.one(question, Some("north"), word)?)
            } else {
                self.maybe(question, word)?
            };
            let Some(name) = name else { break };
            let edges = self.one("Addresses of its edges, with commas between", None, list)?;
            regions.push(Region { name, edges });
        }
        Ok(regions)
    }
}
