//! The relay's own connection to a server: one simple query at a time, rows as text.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::{DialError, Dialled, dial};
use crate::config::PostgresTarget;
use crate::engine::postgres::codec::frame::{Frame, Side, server};
use crate::engine::postgres::codec::{backend, write};
use crate::target::{Queries, QueryError, Rows};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// The most bytes of one answer: a catalog of a hundred thousand relations fits.
const ANSWER_BYTES: usize = 256 << 20;

/// A connection for the relay's own questions. After an error other than [`QueryError::Refused`] it is of no use.
#[derive(Debug)]
pub struct OwnConnection {
    dialled: Dialled,
}

impl OwnConnection {
    /// Connects and logs in.
    ///
    /// # Errors
    /// See [`dial`].
    pub async fn open(target: &PostgresTarget, settings: &[(String, String)]) -> Result<Self, DialError> {
        dial(target, settings).await.map(|dialled| Self { dialled })
    }

    /// What the server reported at login.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.dialled.parameter(name)
    }

    async fn ask(&mut self, sql: &str) -> Result<Rows, QueryError> {
        let mut out = BytesMut::with_capacity(sql.len() + 8);
        write::query(&mut out, sql);
        self.exchange(&out).await
    }

    /// Sends messages that end in one `ReadyForQuery`, and takes all rows up to it.
    pub(super) async fn exchange(&mut self, out: &[u8]) -> Result<Rows, QueryError> {
        let Dialled { io, input, .. } = &mut self.dialled;
        io.write_all(out).await.map_err(QueryError::Lost)?;
        io.flush().await.map_err(QueryError::Lost)?;
        let mut rows = Rows::new();
        let mut refused = None;
        let mut taken = 0_usize;
        loop {
            let Some(frame) = Frame::next(Side::Server, input)? else {
                input.reserve(16 << 10);
                if io.read_buf(input).await.map_err(QueryError::Lost)? == 0 {
                    return Err(QueryError::Lost(std::io::ErrorKind::UnexpectedEof.into()));
                }
                if input.len() > ANSWER_BYTES {
                    return Err(QueryError::TooLong);
                }
                continue;
            };
            taken += frame.bytes().len();
            if taken > ANSWER_BYTES {
                return Err(QueryError::TooLong);
            }
            match frame.tag() {
                server::DATA_ROW => rows.push(
                    backend::data_row(frame.body())?
                        .into_iter()
                        .map(|value| value.map(|text| String::from_utf8_lossy(text).into_owned()))
                        .collect(),
                ),
                server::ERROR => {
                    let report = backend::Report::decode(frame.body())?;
                    let text = |letter| report.text(letter).unwrap_or_default().into_owned();
                    refused = Some(QueryError::Refused {
                        code: text(b'C'),
                        message: text(b'M'),
                    });
                }
                server::READY => {
                    backend::ready(frame.body())?;
                    return refused.map_or(Ok(rows), Err);
                }
                _ => {}
            }
        }
    }
}

impl Queries for OwnConnection {
    async fn rows(&mut self, sql: &str) -> Result<Rows, QueryError> {
        timeout(ANSWER, self.ask(sql)).await.map_err(|_| QueryError::TimedOut)?
    }
}
