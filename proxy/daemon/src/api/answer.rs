//! How the API answers: JSON, and the same few header fields on everything.

use super::denied::Denied;
use super::shapes::Words;
use super::wishes::Problem;
use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Nothing of what we answer is to be run, framed, guessed at or kept by a browser.
const ALWAYS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Why something was not done.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    words: Words,
    because: Option<Denied>,
    complaints: Vec<String>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::of(status, Words { message: message.into(), advice: advice.into() })
    }

    pub(super) fn of(status: StatusCode, words: Words) -> Self {
        Self { status, words, because: None, complaints: Vec::new() }
    }

    pub(super) fn not_found(message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message, advice)
    }

    /// It was not even looked at.
    pub(super) fn because(self, why: Denied) -> Self {
        Self { because: Some(why), ..self }
    }

    pub(super) fn with(self, complaints: Vec<String>) -> Self {
        Self { complaints, ..self }
    }

    pub(super) fn message(&self) -> &str {
        &self.words.message
    }

    pub(super) fn reason(&self) -> Option<Denied> {
        self.because
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { status, words: Words { message, advice }, because, complaints } = self;
        let reason = because.map(|why| why.as_str().to_owned());
        let mut response = (status, Json(Problem { message, advice, reason, complaints })).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

pub(super) fn dress(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
