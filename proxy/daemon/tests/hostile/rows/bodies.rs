//! Bodies of several parts, and of no known type.

use super::Outcome::{Code, Rings};
use super::{Row, SDP};

pub(super) fn rows() -> Vec<Row> {
    let part = format!("--b\r\nContent-Type: application/sdp\r\n\r\n{SDP}\r\n--b--\r\n");
    let text = "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n";
    vec![
        Row::body("a description in a part", "multipart/mixed;boundary=b", part.clone(), Rings),
        Row::body("parts without a boundary", "multipart/mixed", part.clone(), Code(415)),
        Row::body("parts with an empty boundary", "multipart/mixed;boundary=", part.clone(), Code(415)),
        Row::body("parts with another boundary", "multipart/mixed;boundary=c", part.clone(), Code(415)),
        Row::body(
            "a boundary whose quote does not end",
            "multipart/mixed;boundary=\"b",
            part.clone(),
            Code(415),
        ),
        Row::body(
            "a boundary of 60,000 bytes",
            &format!("multipart/mixed;boundary={}", "b".repeat(60_000)),
            "x",
            Code(415),
        ),
        Row::body("parts a thousand deep", "multipart/mixed;boundary=b0", nested(1_000), Code(415)),
        Row::body(
            "a description behind a thousand parts",
            "multipart/mixed;boundary=b",
            text.repeat(1_000) + &part,
            Code(415),
        ),
        Row::body("parts that do not end", "multipart/mixed;boundary=b", text.repeat(100), Code(415)),
        Row::body(
            "a part whose head does not end",
            "multipart/mixed;boundary=b",
            "--b\r\nContent-Type: application/sdp",
            Code(415),
        ),
        Row::body("a boundary and no more", "multipart/mixed;boundary=b", "--b--", Code(415)),
        Row::body("a body of no type that we know", "application/octet-stream", vec![0xff; 1_000], Code(415)),
        Row::body("a type of one character", "x", "y", Code(415)),
        Row::body("a type of slashes", "////", "y", Code(415)),
        Row::body("a type of NULs", "\0/\0", "y", Code(415)),
    ]
}

/// Parts in parts, as many as fit in a datagram.
fn nested(deep: usize) -> String {
    let begin = |n: usize| format!("--b{n}\r\nContent-Type: multipart/mixed;boundary=b{}\r\n\r\n", n + 1);
    (0..deep).map(begin).collect()
}
