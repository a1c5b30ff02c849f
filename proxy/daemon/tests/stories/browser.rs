//! A real browser without a screen: the Chrome DevTools Protocol over a pipe, one JSON object and a NUL each way.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long a browser may take for anything: it starts a dozen processes on a machine that may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Chromium takes requests from descriptor 3 and answers on 4; ours are 0 and 1.
const START: &str = r#"exec chromium "$@" 3<&0 4>&1 </dev/null >/dev/null"#;

pub(crate) struct Browser {
    child: Child,
    stdin: ChildStdin,
    heard: Receiver<Value>,
    last: u64,
    session: Option<String>,
    /// What the page complains of: exceptions, and what its policy has forbidden.
    pub(crate) complaints: Vec<String>,
    profile: PathBuf,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

impl Browser {
    /// Opens a page.
    pub(crate) fn open(name: &str, size: (u32, u32), address: &str) -> Self {
        let profile =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chromium-{name}-{}", std::process::id()));
        let mut child = Command::new("sh")
            .args(["-c", START, "sh", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .args([
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--disable-component-update",
            ])
            .args(["--no-proxy-server", "--remote-debugging-pipe"])
            .arg(format!("--window-size={},{}", size.0, size.1))
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (tx, heard) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(stdout).split(0).map_while(Result::ok) {
                if tx.send(serde_json::from_slice(&message).unwrap_or_default()).is_err() {
                    return;
                }
            }
        });
        let mut browser =
            Self { child, stdin, heard, last: 0, session: None, complaints: Vec::new(), profile };
        let made = browser.ask("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": made["targetId"], "flatten": true});
        let session = browser.ask("Target.attachToTarget", attach);
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Runtime.enable", "Log.enable", "Page.enable"] {
            browser.ask(domain, json!({}));
        }
        let (width, height) = size;
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        browser.ask("Emulation.setDeviceMetricsOverride", metrics);
        browser.ask("Page.navigate", json!({"url": address}));
        browser.until(
            "the page is there",
            "document.readyState === 'complete' && !!document.getElementById('token')",
        );
        browser
    }

    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut request = json!({"id": self.last, "method": method, "params": params});
        if let Some(session) = &self.session {
            request["sessionId"] = json!(session);
        }
        self.stdin.write_all(request.to_string().as_bytes()).unwrap();
        self.stdin.write_all(b"\0").unwrap();
        loop {
            let message =
                self.heard.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no answer to {method}"));
            match message["method"].as_str() {
                Some("Runtime.exceptionThrown") => {
                    self.complaints.push(message["params"]["exceptionDetails"].to_string());
                }
                // What fetch was refused is the network's, and what stories are about.
                Some("Log.entryAdded") if message["params"]["entry"]["source"] != "network" => {
                    self.complaints.push(message["params"]["entry"].to_string());
                }
                _ => {}
            }
            if message["id"] == json!(self.last) {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
        }
    }

    /// What an expression comes to, once it is there.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let result = self.ask("Runtime.evaluate", params);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub(crate) fn until(&mut self, what: &str, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.eval(expression) != json!(true) {
            if Instant::now() > deadline {
                let text = self.eval("document.body.innerText");
                panic!(
                    "never came true: {what}\n{}\n{:?}",
                    text.as_str().unwrap_or_default(),
                    self.complaints
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Types a token at the door.
    pub(crate) fn log_in(&mut self, token: &str) {
        self.eval(&format!(
            "document.getElementById('token').value = {};
             document.getElementById('login').requestSubmit()",
            json!(token)
        ));
    }

    /// Presses the button of this text within what the selector names.
    pub(crate) fn press(&mut self, within: &str, text: &str) {
        let found = format!(
            "[...document.querySelectorAll({} + ' button')].find((b) => b.textContent === {} && !b.disabled)",
            json!(within),
            json!(text)
        );
        self.until(&format!("there is a button {text}"), &format!("!!{found}"));
        self.eval(&format!("{found}.click()"));
    }

    /// Kept under the target directory, for people.
    pub(crate) fn screenshot(&mut self, name: &str) {
        use base64::Engine;
        let shot = self.ask("Page.captureScreenshot", json!({"format": "png"}));
        let png = base64::engine::general_purpose::STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
        assert!(png.len() > 5_000, "a picture with something on it");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("console");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), png).unwrap();
    }

    /// The page has not done what it may not, and nothing was thrown.
    pub(crate) fn is_content(&mut self) {
        // Everything that was said before this answer has been heard.
        self.eval("1");
        assert_eq!(self.complaints, Vec::<String>::new());
    }
}
