//! A run's stream: units go out one after the other, events come in.

use std::io;

use bytes::BytesMut;
use hoop_shared::refusal::Code;
use hoop_shared::wire::Opened;
use postgres_protocol::message::frontend;
use tokio::io::AsyncWriteExt;

use super::messages::{Event, Messages};
use super::script::Unit;
use crate::error::{Error, Result};
use crate::tunnel::TunnelStream;

/// Bytes of one read.
const READ: usize = 64 * 1024;

/// A run's stream.
#[derive(Debug)]
pub struct Conversation {
    stream: TunnelStream,
    messages: Messages,
}

impl Conversation {
    /// Says who begins; the first unit may follow at once.
    ///
    /// # Errors
    /// The stream is gone.
    pub async fn begin(stream: TunnelStream, opened: &Opened) -> Result<Self> {
        let mut conversation = Self {
            stream,
            messages: Messages::new(opened.mark.clone()),
        };
        let parameters = [
            ("user", opened.user.as_deref()),
            ("database", opened.database.as_deref()),
            ("application_name", Some("hoopctl exec")),
            ("client_encoding", Some("UTF8")),
            // Times are read as ISO 8601.
            ("DateStyle", Some("ISO")),
        ];
        let given = parameters
            .iter()
            .filter_map(|(name, value)| value.map(|value| (*name, value)));
        let mut bytes = BytesMut::new();
        frontend::startup_message(given, &mut bytes).map_err(|error| not_sendable(&error))?;
        conversation.send(&bytes).await?;
        Ok(conversation)
    }

    /// Sends bytes. Not cancel safe.
    ///
    /// # Errors
    /// The stream is gone.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|error| lost(&error))
    }

    /// Reads what arrives; false at the end of the stream. Cancel safe.
    ///
    /// # Errors
    /// The stream is gone.
    pub async fn read(&mut self) -> Result<bool> {
        match self.stream.chunk(READ).await {
            Ok(Some(bytes)) => {
                self.messages.feed(&bytes);
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(error) => Err(lost(&error)),
        }
    }

    /// The next event of what was read.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn event(&mut self) -> Result<Option<Event>> {
        self.messages.event()
    }

    /// Answers the target's wish for data: there is none.
    ///
    /// # Errors
    /// The stream is gone.
    pub async fn send_no_data(&mut self, is_extended: bool) -> Result<()> {
        let mut bytes = BytesMut::new();
        let words = "hoopctl exec has no data for COPY FROM STDIN: use `hoopctl connect NAME -- psql`";
        frontend::copy_fail(words, &mut bytes).map_err(|error| not_sendable(&error))?;
        if is_extended {
            // The one that was sent before was taken for data.
            frontend::sync(&mut bytes);
        }
        self.send(&bytes).await
    }

    /// Ends this side of the stream, and waits until the relay has all of it.
    ///
    /// # Errors
    /// The relay does not say so.
    pub async fn finish(&mut self) -> Result<()> {
        self.stream.shutdown().await.map_err(|error| lost(&error))?;
        while self.read().await? {
            while self.event()?.is_some() {}
        }
        Ok(())
    }
}

fn lost(error: &io::Error) -> Error {
    Error::new(Code::RelayUnreachable, error.to_string()).doing("the connection to the relay was lost")
}

/// The messages of a unit: a simple query, or an extended one where values are bound.
///
/// # Errors
/// The text has a NUL, or there are too many values.
pub fn messages_of(unit: &Unit) -> Result<BytesMut> {
    let mut bytes = BytesMut::new();
    let written = if unit.values.is_empty() {
        frontend::query(&unit.text, &mut bytes)
    } else {
        extended(unit, &mut bytes)
    };
    written.map_err(|error| not_sendable(&error))?;
    Ok(bytes)
}

fn extended(unit: &Unit, bytes: &mut BytesMut) -> io::Result<()> {
    // The target infers the types; values go as text.
    frontend::parse("", &unit.text, std::iter::empty(), bytes)?;
    let bound = frontend::bind(
        "",
        "",
        [0],
        unit.values.iter(),
        |value, out| {
            Ok(match value {
                Some(text) => {
                    out.extend_from_slice(text.as_bytes());
                    postgres_protocol::IsNull::No
                }
                None => postgres_protocol::IsNull::Yes,
            })
        },
        [0],
        bytes,
    );
    bound.map_err(|error| match error {
        frontend::BindError::Conversion(error) => io::Error::other(error),
        frontend::BindError::Serialization(error) => error,
    })?;
    frontend::describe(b'P', "", bytes)?;
    frontend::execute("", 0, bytes)?;
    frontend::sync(bytes);
    Ok(())
}

fn not_sendable(error: &io::Error) -> Error {
    Error::new(Code::Usage, error.to_string()).doing("the statement cannot be sent")
}

/// The end of a conversation.
pub fn farewell() -> BytesMut {
    let mut bytes = BytesMut::new();
    frontend::terminate(&mut bytes);
    bytes
}
