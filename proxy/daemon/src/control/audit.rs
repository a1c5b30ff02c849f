//! The audit log: who changed what, when, from what to what. JSON lines that are only ever appended and on the disk before
//! the change is made; a change that cannot be written down is not made.

use crate::api::shapes::Words;
use crate::clock::Clock;
use serde::Serialize;
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The service's group may read it.
const MODE: u32 = 0o640;

/// Where changes are written down; without a file, in the log alone.
pub(crate) struct Audit {
    file: Option<Arc<Mutex<File>>>,
    clock: Clock,
    last: AtomicU64,
}

/// A line: what was asked for (`asked`), and how that ended (`done`, `refused`, or `broken_off` where nobody waited for the
/// end). The lines of one change have one number, which counts from 1 with every start.
#[derive(Serialize)]
struct Line<'a> {
    at: String,
    change: u64,
    is: &'static str,
    who: &'a str,
    what: &'static str,
    #[serde(skip_serializing_if = "Value::is_null")]
    on: &'a Value,
    #[serde(skip_serializing_if = "Value::is_null")]
    before: &'a Value,
    #[serde(skip_serializing_if = "Value::is_null")]
    after: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
}

/// A change that was asked for. Dropped before its end it is written down as broken off.
pub(crate) struct Change {
    audit: Arc<Audit>,
    number: u64,
    who: String,
    what: &'static str,
    on: Value,
    before: Value,
    over: bool,
}

impl Audit {
    pub(crate) fn open(path: Option<&Path>, clock: Clock) -> io::Result<Self> {
        let open = |path| OpenOptions::new().append(true).create(true).mode(MODE).open(path);
        let file = path.map(open).transpose()?.map(|file| Arc::new(Mutex::new(file)));
        Ok(Self { file, clock, last: AtomicU64::new(0) })
    }

    /// Writes down what somebody asks for. The change may be made once this is back.
    pub(crate) async fn asked(
        self: &Arc<Self>,
        who: &str,
        what: &'static str,
        on: impl Serialize,
        before: Value,
    ) -> Result<Change, Words> {
        let change = Change {
            audit: Arc::clone(self),
            number: self.last.fetch_add(1, Ordering::Relaxed) + 1,
            who: who.to_owned(),
            what,
            on: serde_json::to_value(on).unwrap_or_default(),
            before,
            over: false,
        };
        let line = change.line("asked", Value::Null, None);
        let written = tokio::task::spawn_blocking({
            let audit = Arc::clone(self);
            move || audit.write(&line)
        });
        match written.await.unwrap_or_else(|_| Err(io::ErrorKind::Other.into())) {
            Ok(()) => Ok(change),
            Err(error) => {
                let mut change = change;
                change.over = true;
                tracing::error!(%error, "the audit log cannot be written: changes are refused");
                Err(Words {
                    message: format!("the audit log cannot be written: {error}"),
                    advice: "make room on its disk: a change that cannot be written down is not made"
                        .to_owned(),
                })
            }
        }
    }

    fn write(&self, line: &[u8]) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line)?;
        file.sync_data()
    }
}

impl Change {
    pub(crate) async fn done(self, after: Value) {
        self.end("done", after, None).await;
    }

    pub(crate) async fn refused(self, why: &str) {
        self.end("refused", Value::Null, Some(why)).await;
    }

    async fn end(mut self, is: &'static str, after: Value, why: Option<&str>) {
        self.over = true;
        let line = self.line(is, after, why);
        let audit = Arc::clone(&self.audit);
        tracing::info!(who = self.who, what = self.what, change = self.number, is, "an operator's change");
        let written = tokio::task::spawn_blocking(move || audit.write(&line)).await;
        if let Ok(Err(error)) = written {
            tracing::error!(%error, change = self.number, "the end of a change is not in the audit log");
        }
    }

    fn line(&self, is: &'static str, after: Value, why: Option<&str>) -> Vec<u8> {
        let at = self.audit.clock.rfc3339(self.audit.clock.now());
        let first = is == "asked";
        let before = if first { &self.before } else { &Value::Null };
        let on = if first { &self.on } else { &Value::Null };
        let line =
            Line { at, change: self.number, is, who: &self.who, what: self.what, on, before, after, why };
        let mut text = serde_json::to_vec(&line).unwrap_or_default();
        text.push(b'\n');
        text
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let line = self.line("broken_off", Value::Null, None);
        // A destructor may not wait for a disk.
        let audit = Arc::clone(&self.audit);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || audit.write(&line));
        }
    }
}

/// What operators have said, as it stands before or after a change.
pub(crate) fn overrides(snapshot: &proxy_core::Snapshot) -> Value {
    let drill = crate::history::drill(snapshot);
    let drill = drill.map(|(region, share)| json!({ "region": region, "share": share }));
    json!({ "drained": crate::history::drained(snapshot), "drill": drill })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn a_change_is_on_the_disk_before_it_is_made_and_so_is_what_became_of_it() {
        let path = std::env::temp_dir().join(format!("bascule-audit-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let lines = || -> Vec<Value> {
            let text = std::fs::read_to_string(&path).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        let audit = Arc::new(Audit::open(Some(&path), Clock::start()).unwrap());
        run(async {
            let change =
                audit.asked("ann", "drain", json!({"place": "fra"}), json!({"drained": []})).await.unwrap();
            assert_eq!(
                (lines().len(), &lines()[0]["is"], &lines()[0]["who"]),
                (1, &json!("asked"), &json!("ann"))
            );
            change.done(json!({"drained": ["fra"]})).await;
            let other = audit.asked("bob", "end_call", Value::Null, Value::Null).await.unwrap();
            drop(other);
            // A destructor has it written by another thread.
            while lines().len() < 4 {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        });
        let all = lines();
        assert_eq!((&all[1]["is"], &all[1]["after"]), (&json!("done"), &json!({"drained": ["fra"]})));
        assert_eq!(
            (&all[0]["change"], &all[1]["change"], &all[2]["change"]),
            (&json!(1), &json!(1), &json!(2))
        );
        assert_eq!(all[3]["is"], json!("broken_off"));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn what_cannot_be_written_down_is_not_done() {
        let audit = Arc::new(Audit::open(Some(Path::new("/dev/full")), Clock::start()).unwrap());
        let refused = run(audit.asked("ann", "drain", Value::Null, Value::Null));
        assert!(refused.is_err_and(|words| words.message.contains("audit log")));
    }
}
