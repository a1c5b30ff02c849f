//! A connection of the admin socket: lines in, lines out, both bounded.

use super::protocol::{Answer, Line, Request, Words};
use crate::limits::{CONTROL_LINE, CONTROL_WRITE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

/// The client has gone, or does not read.
#[derive(Debug)]
pub(super) struct Gone;

/// What a client has said.
#[derive(Debug)]
pub(super) enum Heard {
    Request(Request),
    /// Something that is no request; what to answer. The connection goes on.
    Nonsense(Words),
    /// Longer than any request: the rest cannot be told from a next one.
    TooLong,
}

pub(super) struct Talk {
    read: OwnedReadHalf,
    buffer: Vec<u8>,
    write: OwnedWriteHalf,
    /// Why the last request was refused, if it was.
    pub(super) refused: Option<String>,
}

impl Talk {
    pub(super) fn new(stream: UnixStream) -> Self {
        let (read, write) = stream.into_split();
        Self { read, buffer: Vec::new(), write, refused: None }
    }

    /// The next line. May be dropped while it waits: nothing is lost.
    pub(super) async fn hear(&mut self) -> Result<Heard, Gone> {
        loop {
            if let Some(end) = self.buffer.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return Ok(read(&line));
            }
            if self.buffer.len() > CONTROL_LINE {
                return Ok(Heard::TooLong);
            }
            self.buffer.reserve(1_024);
            match self.read.read_buf(&mut self.buffer).await {
                Ok(n) if n > 0 => {}
                Ok(_) | Err(_) => return Err(Gone),
            }
        }
    }

    pub(super) async fn say(&mut self, answer: Answer) -> Result<(), Gone> {
        self.say_all([answer]).await
    }

    pub(super) async fn say_all(&mut self, answers: impl IntoIterator<Item = Answer>) -> Result<(), Gone> {
        let mut text = Vec::new();
        for answer in answers {
            if let Answer::Error(words) = &answer {
                self.refused = Some(words.message.clone());
            }
            let line = Line { done: answer.is_last(), answer };
            serde_json::to_writer(&mut text, &line).map_err(|_| Gone)?;
            text.push(b'\n');
        }
        match timeout(CONTROL_WRITE, self.write.write_all(&text)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }
}

fn read(line: &[u8]) -> Heard {
    match serde_json::from_slice(line) {
        Ok(request) => Heard::Request(request),
        Err(error) => Heard::Nonsense(Words {
            message: format!("not a request: {error}"),
            advice: r#"write one JSON object on a line, such as {"do":"drain","place":"north"}"#.to_owned(),
        }),
    }
}
