//! Where call records go.

use super::policy::ranged;
use super::tls::{SYSTEM, authorities};
use crate::config::complaint::Complaints;
use crate::config::raw::{Maybe, RawDelivery, RawRecordFormat, RawRecords};
use crate::config::recording::{DeliverySettings, RecordFormat, RecordSettings, RecordsTo, Rotation};
use crate::config::words::{Span, SpanOrNever, say};
use hyper::Uri;
use serde_spanned::Spanned;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Files that are put aside more often than this are too many to look at.
const LEAST_EVERY: Duration = Duration::from_secs(60);

/// Files that are kept: at one an hour, six weeks.
const MOST_KEPT: u32 = 1_000;

const KEPT: usize = 10;

/// A sync costs a disk some milliseconds.
const LEAST_SYNC: Duration = Duration::from_millis(10);

/// A gigabyte is some 800,000 records: two hours at 100 calls a second.
const SPOOL_MB: u64 = 1_024;

/// A batch of 1,000 records is a megabyte.
const MOST_BATCH: u32 = 1_000;

const BATCH: usize = 200;

const TIMEOUT: Duration = Duration::from_secs(10);

const RETRY_AT_MOST: Duration = Duration::from_secs(30);

const SYNC: Duration = Duration::from_millis(500);

pub(super) fn read(raw: &RawRecords, complaints: &mut Complaints) -> RecordSettings {
    let to = match raw.file.as_ref().map(Spanned::get_ref) {
        None => RecordsTo::Nowhere,
        Some(path) if path == Path::new("-") => RecordsTo::Stdout,
        Some(path) => RecordsTo::File(path.clone()),
    };
    if !matches!(to, RecordsTo::File(_)) {
        of_files(raw, complaints);
    }
    RecordSettings {
        format: match raw.format {
            Some(RawRecordFormat::Csv) => RecordFormat::Csv,
            Some(RawRecordFormat::Json) | None => RecordFormat::Json,
        },
        rotation: Rotation {
            bytes: raw.rotate_mb.as_ref().map(|n| megabytes(n, "`rotate_mb`", complaints)),
            every: raw
                .rotate_every
                .as_ref()
                .map(|written| at_least(written, LEAST_EVERY, "`rotate_every`", complaints)),
            keep: raw.keep.as_ref().map_or(KEPT, |n| ranged(n, 0, MOST_KEPT, "`keep`", complaints) as usize),
        },
        sync: sync(&raw.sync, complaints),
        delivery: raw.delivery.as_ref().and_then(|written| delivery(written, complaints)),
        to,
    }
}

/// Keys that say something of a file that is not there.
fn of_files(raw: &RawRecords, complaints: &mut Complaints) {
    let places = [
        ("rotate_mb", raw.rotate_mb.as_ref().map(Spanned::span)),
        ("rotate_every", raw.rotate_every.as_ref().map(Spanned::span)),
        ("keep", raw.keep.as_ref().map(Spanned::span)),
        ("sync", raw.sync.as_ref().map(Spanned::span)),
    ];
    for (key, span) in places {
        if let Some(span) = span {
            complaints
                .warn(span, format!("`{key}` says something of a file, and records go to none"))
                .advise("name a file with `file`, or leave it out");
        }
    }
}

pub(super) fn megabytes(written: &Spanned<i64>, what: &str, complaints: &mut Complaints) -> u64 {
    u64::from(ranged(written, 1, 1 << 20, what, complaints)) << 20
}

pub(super) fn at_least(
    written: &Spanned<Span>,
    least: Duration,
    what: &str,
    complaints: &mut Complaints,
) -> Duration {
    let time = written.get_ref().0;
    if time < least {
        complaints
            .error(written.span(), format!("{what} cannot be {}", say(time)))
            .advise(format!("write {} or more", say(least)));
    }
    time.max(least)
}

fn sync(written: &Maybe<SpanOrNever>, complaints: &mut Complaints) -> Option<Duration> {
    let written = written.as_ref()?;
    let time = written.get_ref().0?;
    if time < LEAST_SYNC {
        complaints
            .error(written.span(), format!("`sync` cannot be {}", say(time)))
            .advise(format!("write {} or more, or \"never\"", say(LEAST_SYNC)));
    }
    Some(time.max(LEAST_SYNC))
}

fn delivery(written: &Spanned<RawDelivery>, complaints: &mut Complaints) -> Option<DeliverySettings> {
    let raw = written.get_ref();
    let (table, what) = (written.span(), "[records.delivery]");
    if raw.url.is_none() {
        complaints.missing(table.clone(), what, "url", "\"https://billing.example.com/records\"");
    }
    if raw.spool.is_none() {
        complaints.missing(table, what, "spool", "\"/var/lib/bascule/records\"");
    }
    let of =
        |time: &Maybe<Span>, otherwise: Duration, least: u64, what: &str, complaints: &mut Complaints| {
            let least = Duration::from_millis(least);
            time.as_ref().map_or(otherwise, |time| at_least(time, least, what, complaints))
        };
    let batch =
        raw.batch.as_ref().map_or(BATCH, |n| ranged(n, 1, MOST_BATCH, "`batch`", complaints) as usize);
    let megabytes = raw.spool_mb.as_ref().map(|n| megabytes(n, "`spool_mb`", complaints));
    let timeout = of(&raw.timeout, TIMEOUT, 100, "`timeout`", complaints);
    let retry_at_most = of(&raw.retry_at_most, RETRY_AT_MOST, 200, "`retry_at_most`", complaints);
    let sync = of(&raw.sync, SYNC, 10, "`sync`", complaints);
    let url = url(raw.url.as_ref()?, complaints)?;
    Some(DeliverySettings {
        ca: ca(raw, &url, complaints),
        url,
        token_file: raw.token_file.as_ref().map(|path| path.get_ref().clone()),
        spool: raw.spool.as_ref()?.get_ref().clone(),
        spool_bytes: megabytes.unwrap_or(SPOOL_MB << 20),
        batch,
        timeout,
        retry_at_most,
        sync,
    })
}

/// Who has to have signed the receiver's certificate.
fn ca(raw: &RawDelivery, url: &Uri, complaints: &mut Complaints) -> PathBuf {
    let written = raw.ca.as_ref();
    let path = written.map_or_else(|| PathBuf::from(SYSTEM), |path| path.get_ref().clone());
    let is_secure = url.scheme_str() == Some("https");
    match (written, is_secure) {
        (Some(written), false) => {
            complaints
                .error(written.span(), "`ca` for a receiver that is not reached over TLS")
                .advise("write an https URL, or remove it");
        }
        (Some(written), true) => {
            authorities(&path, written.span(), complaints);
        }
        (None, true) => {
            let at = raw.url.as_ref().map(Spanned::span).unwrap_or_default();
            authorities(&path, at, complaints);
        }
        (None, false) => {}
    }
    path
}

fn url(written: &Spanned<String>, complaints: &mut Complaints) -> Option<Uri> {
    let text = written.get_ref();
    let url = text.parse::<Uri>().ok().filter(|url| url.host().is_some_and(|host| !host.is_empty()));
    match url {
        Some(url) if matches!(url.scheme_str(), Some("http" | "https")) => Some(url),
        _ => {
            complaints
                .error(written.span(), format!("`{text}` is no URL that records can be sent to"))
                .advise("write one such as \"https://billing.example.com/records\"");
            None
        }
    }
}
