//! The console: a page, its styles and its scripts, all of them in the program.

use super::answer::Refusal;
use axum::extract::Path;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};

/// It loads what is served beside it, asks this host, and does nothing else; text never becomes markup.
const POLICY: (HeaderName, &str) = (
    header::CONTENT_SECURITY_POLICY,
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
);

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Name, kind and text.
const PARTS: [(&str, &str, &str); 13] = [
    ("console.css", "text/css; charset=utf-8", include_str!("../../console/console.css")),
    ("icon.svg", "image/svg+xml", include_str!("../../console/icon.svg")),
    ("main.js", SCRIPT, include_str!("../../console/main.js")),
    ("api.js", SCRIPT, include_str!("../../console/api.js")),
    ("dom.js", SCRIPT, include_str!("../../console/dom.js")),
    ("act.js", SCRIPT, include_str!("../../console/act.js")),
    ("regions.js", SCRIPT, include_str!("../../console/regions.js")),
    ("calls.js", SCRIPT, include_str!("../../console/calls.js")),
    ("call.js", SCRIPT, include_str!("../../console/call.js")),
    ("media.js", SCRIPT, include_str!("../../console/media.js")),
    ("ladder.js", SCRIPT, include_str!("../../console/ladder.js")),
    ("tables.js", SCRIPT, include_str!("../../console/tables.js")),
    ("history.js", SCRIPT, include_str!("../../console/history.js")),
];

pub(super) async fn page() -> Response {
    let kind = (header::CONTENT_TYPE, "text/html; charset=utf-8");
    ([kind, POLICY], include_str!("../../console/index.html")).into_response()
}

pub(super) async fn part(Path(name): Path<String>) -> Result<Response, Refusal> {
    let part = PARTS.iter().find(|(known, _, _)| *known == name);
    let (_, kind, text) = part.ok_or_else(|| Refusal::not_found("nothing is here", "see /"))?;
    Ok(([(header::CONTENT_TYPE, *kind), POLICY], *text).into_response())
}
