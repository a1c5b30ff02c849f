//! Chromium without a screen, by the Chrome DevTools Protocol over a pipe: one JSON object and a NUL each way.

use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long it may take for anything: it starts a dozen processes.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long it may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// Chromium takes requests from descriptor 3 and answers on 4; ours are 0 and 1.
const START: &str = r#"exec taskset -c "$1" chromium --headless=new --no-sandbox --disable-gpu --no-first-run --disable-dev-shm-usage \
    --disable-background-networking --disable-component-update --no-proxy-server --remote-debugging-pipe \
    --window-size=1280,1400 --user-data-dir="$2" about:blank 3<&0 4>&1 </dev/null >/dev/null"#;

/// A browser with one page.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    stdin: ChildStdin,
    heard: Receiver<Value>,
    last: u64,
    session: Option<String>,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // By itself it takes its processes with it, and leaves its folder alone.
        let _ = self.stdin.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        let began = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && began.elapsed() < GRACE {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Browser {
    /// Start it on some cores (as `taskset -c` has them), with a profile in a folder that goes with the bench. `first` is run in each page before any of its own.
    ///
    /// # Errors
    ///
    /// Without Chromium, or if it does not answer.
    pub fn new(cores: &str, profile: &Path, first: &str) -> io::Result<Self> {
        let mut start = Command::new("sh");
        start.args(["-c", START, "sh", cores]).arg(profile);
        let mut child = start.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let (tx, heard) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(stdout).split(0).map_while(Result::ok) {
                if tx.send(serde_json::from_slice(&message).unwrap_or_default()).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self { child, stdin, heard, last: 0, session: None };
        let made = browser.ask("Target.createTarget", json!({"url": "about:blank"}))?;
        let attach = json!({"targetId": made["targetId"], "flatten": true});
        let session = browser.ask("Target.attachToTarget", attach)?;
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Runtime.enable", "Page.enable"] {
            browser.ask(domain, json!({}))?;
        }
        browser.ask("Page.addScriptToEvaluateOnNewDocument", json!({"source": first}))?;
        Ok(browser)
    }

    /// Ask for something by its method; what else is said meanwhile is passed over.
    ///
    /// # Errors
    ///
    /// What it complains of, or `TimedOut`.
    pub fn ask(&mut self, method: &str, params: Value) -> io::Result<Value> {
        self.last += 1;
        let mut request = json!({"id": self.last, "method": method, "params": params});
        if let Some(session) = &self.session {
            request["sessionId"] = json!(session);
        }
        self.stdin.write_all(request.to_string().as_bytes())?;
        self.stdin.write_all(b"\0")?;
        loop {
            let message = self.heard.recv_timeout(PATIENCE).map_err(|_| late(method))?;
            if message["id"] == json!(self.last) {
                return match &message["error"] {
                    Value::Null => Ok(message["result"].clone()),
                    error => Err(io::Error::other(format!("{method}: {error}"))),
                };
            }
        }
    }

    /// Go to an address.
    ///
    /// # Errors
    ///
    /// As [`ask`](Self::ask)'s.
    pub fn go(&mut self, address: &str) -> io::Result<()> {
        self.ask("Page.navigate", json!({"url": address})).map(drop)
    }

    /// What an expression comes to, as JSON.
    ///
    /// # Errors
    ///
    /// As [`ask`](Self::ask)'s, or what the expression has thrown.
    pub fn eval(&mut self, expression: &str) -> io::Result<Value> {
        let result =
            self.ask("Runtime.evaluate", json!({"expression": expression, "returnByValue": true}))?;
        match &result["exceptionDetails"] {
            Value::Null => Ok(result["result"]["value"].clone()),
            thrown => Err(io::Error::other(format!("{expression}: {thrown}"))),
        }
    }

    /// Wait until an expression is neither null nor false.
    ///
    /// # Errors
    ///
    /// As [`eval`](Self::eval)'s, or `TimedOut`.
    pub fn until(&mut self, expression: &str) -> io::Result<Value> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let value = self.eval(expression)?;
            if !value.is_null() && value != json!(false) {
                return Ok(value);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(late(expression))
    }
}

fn late(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("the browser is late: {what}"))
}
