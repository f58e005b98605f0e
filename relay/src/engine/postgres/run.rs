//! The client of a run, for the driver: the real one while it is there, and what it left behind when it has gone.
//!
//! ```text
//! attached   client ⇄ driver                                what goes to the client is kept too, where the run has a key
//! left       queue ─▶ driver ─▶ kept result                 one batch at a time, until the first error or the end
//! ```
//!
//! It reads no statement and judges nothing: it counts messages, so that a batch follows when the one before is answered, as a client
//! would do it. Behind the last it says farewell. A client that leaves must end its stream cleanly: else nobody knows whether all of
//! what it wanted had arrived, and the driver is told that it is gone, which withdraws what waits.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use hoop_shared::wire::run::Says;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::codec::frame::{client, server};
use super::codec::write::{self, Report, Severity};
use crate::record::KeptResult;
use crate::session::{Run, Session};

/// Bytes that are read at a time from a client that leaves.
const PIECE: usize = 16 << 10;

/// A run's client.
#[derive(Debug)]
pub(super) struct RunClient<S> {
    /// The real one; `None` once it has gone with all of what it had to say.
    inner: Option<S>,
    session: Arc<Session>,
    run: Arc<Run>,
    kept: Kept,
    sent: Sent,
    answers: Answers,
    /// What the client left behind.
    queue: BytesMut,
    /// All of that has arrived.
    is_complete: bool,
    is_left: bool,
    /// The client left, but not in order.
    is_lost: bool,
    has_said_farewell: bool,
}

impl<S> RunClient<S> {
    /// Takes the client of a run whose startup is read. `input`: what it has sent behind that.
    pub(super) fn new(inner: S, session: Arc<Session>, run: Arc<Run>, input: &[u8]) -> Self {
        let kept = Kept::new(Arc::clone(&session), &run);
        let mut sent = Sent::default();
        let answers = Answers {
            // The startup is answered as a batch is.
            owed: 1 + sent.take(input),
            ..Answers::default()
        };
        Self {
            inner: Some(inner),
            session,
            run,
            kept,
            sent,
            answers,
            queue: BytesMut::new(),
            is_complete: false,
            is_left: false,
            is_lost: false,
            has_said_farewell: false,
        }
    }

    /// Notices that the client has left.
    fn look(&mut self) {
        if !self.is_left && self.run.is_left() {
            self.is_left = true;
            self.run.set_seen(self.kept.begin());
            self.answers.failed = false;
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> RunClient<S> {
    /// Reads what a client that leaves still has to say; ready when it has said all of it.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(());
        };
        while !self.is_complete && !self.is_lost {
            if self.queue.len() > self.session.limits().held_bytes {
                self.is_lost = true;
                continue;
            }
            let mut piece = [0; PIECE];
            let mut read = ReadBuf::new(&mut piece);
            match ready!(Pin::new(&mut *inner).poll_read(cx, &mut read)) {
                Ok(()) if read.filled().is_empty() => self.is_complete = true,
                Ok(()) => self.queue.extend_from_slice(read.filled()),
                Err(_) => self.is_lost = true,
            }
        }
        if !self.is_lost {
            // That its side ends too tells the client that everything has arrived.
            let _ = ready!(Pin::new(inner).poll_shutdown(cx));
        }
        self.inner = None;
        Poll::Ready(())
    }

    /// Gives the driver what it may have now of what was left behind.
    fn give(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        if std::mem::take(&mut self.answers.wants_data) {
            let mut none = BytesMut::new();
            write::copy_fail(&mut none, "nobody is there to send data for COPY FROM STDIN");
            if self.sent.was_extended {
                // The one that went before was taken for data.
                write::sync(&mut none);
            }
            buf.put_slice(none.get(..none.len().min(buf.remaining())).unwrap_or_default());
            return true;
        }
        let waits = self.answers.owed > 0 && self.sent.is_between();
        if waits || self.has_said_farewell {
            return false;
        }
        if self.sent.is_between() && (self.answers.failed || self.queue.is_empty()) {
            let mut farewell = BytesMut::new();
            write::terminate(&mut farewell);
            if buf.remaining() < farewell.len() {
                return false;
            }
            buf.put_slice(&farewell);
            self.has_said_farewell = true;
            self.run.set_whole();
            return true;
        }
        // No further than the end of a batch.
        let room = self.queue.len().min(buf.remaining());
        let (taken, batches) = self.sent.take_batch(self.queue.get(..room).unwrap_or_default());
        self.answers.owed += batches;
        buf.put_slice(self.queue.get(..taken).unwrap_or_default());
        self.queue.advance(taken);
        taken > 0
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for RunClient<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.look();
        if this.is_left {
            ready!(this.poll_rest(cx));
            if this.is_lost {
                // The end of the stream: the driver withdraws what waits.
                return Poll::Ready(Ok(()));
            }
            // Else it goes on with an answer, whose arrival asks again.
            return if this.give(buf) {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            };
        }
        let Some(inner) = &mut this.inner else {
            return Poll::Ready(Ok(()));
        };
        let before = buf.filled().len();
        ready!(Pin::new(inner).poll_read(cx, buf))?;
        let arrived = buf.filled().get(before..).unwrap_or_default();
        this.answers.owed += this.sent.take(arrived);
        if this.sent.says_farewell && this.answers.owed == 0 {
            this.run.set_whole();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for RunClient<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.look();
        let written = match &mut this.inner {
            Some(inner) if !this.is_left => ready!(Pin::new(inner).poll_write(cx, buf))?,
            _ => buf.len(),
        };
        let went = buf.get(..written).unwrap_or_default();
        this.answers.take(went, &mut this.kept);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match &mut this.inner {
            Some(inner) if !this.is_left => Pin::new(inner).poll_flush(cx),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().inner {
            Some(inner) => Pin::new(inner).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}

/// The header of a message that arrives in pieces.
#[derive(Debug, Default)]
struct Head {
    bytes: [u8; 5],
    have: usize,
    /// Bytes of its body that still come.
    left: usize,
}

impl Head {
    /// Takes the next piece of one message off the front: how many bytes of it, and whether it begins or ends there.
    fn step(&mut self, bytes: &[u8]) -> Step {
        let mut step = Step::default();
        if self.left == 0 {
            let more = (self.bytes.len() - self.have).min(bytes.len());
            for (to, from) in self.bytes.iter_mut().skip(self.have).zip(bytes.iter().take(more)) {
                *to = *from;
            }
            self.have += more;
            step.head = more;
            if self.have < self.bytes.len() {
                return step;
            }
            let [tag, a, b, c, d] = self.bytes;
            self.left = (u32::from_be_bytes([a, b, c, d]) as usize).saturating_sub(4);
            step.begins = Some(tag);
        }
        let body = self.left.min(bytes.len() - step.head);
        step.body = body;
        self.left -= body;
        if self.left == 0 {
            self.have = 0;
            step.ends = Some(self.bytes[0]);
        }
        step
    }
}

/// A piece of a message.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    /// Bytes of the header.
    head: usize,
    /// Bytes of the body.
    body: usize,
    /// The header is whole now: this is its tag.
    begins: Option<u8>,
    /// The message is whole now.
    ends: Option<u8>,
}

/// What the client has sent, as batches: a Query, or everything up to a Sync.
#[derive(Debug, Default)]
struct Sent {
    head: Head,
    /// Messages of a batch went that its Sync has not followed.
    inside: bool,
    /// The last batch was one of extended messages.
    was_extended: bool,
    says_farewell: bool,
}

impl Sent {
    /// Whether what was taken ends with a batch.
    fn is_between(&self) -> bool {
        !self.inside && self.head.have == 0 && self.head.left == 0
    }

    /// Takes everything; gives how many batches ended.
    fn take(&mut self, mut bytes: &[u8]) -> usize {
        let mut ended = 0;
        while !bytes.is_empty() {
            let (taken, batches) = self.take_batch(bytes);
            ended += batches;
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        ended
    }

    /// Takes bytes up to the end of a batch; gives how many, and whether it ended (1) or not (0).
    fn take_batch(&mut self, bytes: &[u8]) -> (usize, usize) {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..)
            && !rest.is_empty()
        {
            let step = self.head.step(rest);
            at += step.head + step.body;
            match step.ends {
                Some(client::QUERY | client::SYNC | client::FUNCTION_CALL) => {
                    self.was_extended = std::mem::take(&mut self.inside);
                    return (at, 1);
                }
                Some(client::TERMINATE) => self.says_farewell = true,
                Some(_) => self.inside = true,
                None => {}
            }
        }
        (at, 0)
    }
}

/// What went to the client, as answers to its batches.
#[derive(Debug, Default)]
struct Answers {
    head: Head,
    /// Batches whose ReadyForQuery has not come.
    owed: usize,
    /// An error was among them.
    failed: bool,
    /// The target asks for data.
    wants_data: bool,
    /// The startup is answered: what follows belongs to the run.
    is_begun: bool,
}

impl Answers {
    fn take(&mut self, mut bytes: &[u8], kept: &mut Kept) {
        while !bytes.is_empty() {
            let step = self.head.step(bytes);
            let (piece, rest) = bytes.split_at(step.head + step.body);
            bytes = rest;
            if self.is_begun {
                kept.piece(step, piece, self.head.bytes);
            }
            match step.ends {
                Some(server::ERROR) => self.failed = true,
                Some(server::COPY_IN) => self.wants_data = true,
                Some(server::READY) => {
                    self.owed = self.owed.saturating_sub(1);
                    self.is_begun = true;
                }
                _ => {}
            }
        }
    }
}

/// The kept result.
#[derive(Debug)]
struct Kept {
    session: Arc<Session>,
    run: Arc<Run>,
    file: Option<KeptResult>,
    on: bool,
    /// The message that is being taken is kept.
    keeps: bool,
    /// Rows that were left out since the last statement was done.
    dropped: u64,
}

impl Kept {
    fn new(session: Arc<Session>, run: &Arc<Run>) -> Self {
        let mut kept = Self {
            session,
            run: Arc::clone(run),
            file: None,
            on: false,
            keeps: false,
            dropped: 0,
        };
        if run.has_key() {
            kept.begin();
        }
        kept
    }

    /// Begins to keep; gives how many bytes are kept already.
    fn begin(&mut self) -> u64 {
        if !self.on {
            self.on = true;
            match self.run.results().create(self.session.id()) {
                Ok(file) => self.file = Some(file),
                Err(error) => self.failed(&error),
            }
        }
        self.file.as_ref().map_or(0, KeptResult::bytes)
    }

    /// What was released goes on; only its result will be missing, which whoever comes back for it is told.
    fn failed(&mut self, error: &io::Error) {
        tracing::error!(session = %self.session.id(), %error, "a result cannot be kept");
        self.file = None;
        self.run.results().remove(self.session.id());
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(file) = &mut self.file
            && let Err(error) = file.write(bytes)
        {
            self.failed(&error);
        }
    }

    /// Takes a piece of a message whose header is `head`, once that is whole.
    fn piece(&mut self, step: Step, piece: &[u8], head: [u8; 5]) {
        if !self.on {
            return;
        }
        let mut body = piece;
        if let Some(tag) = step.begins {
            body = piece.get(step.head..).unwrap_or_default();
            self.keeps = self.wants(tag);
            if self.keeps {
                if tag == server::COMMAND_COMPLETE {
                    self.say_dropped();
                }
                self.write(&head);
            } else if matches!(tag, server::DATA_ROW | server::COPY_DATA) {
                self.dropped += 1;
            }
        } else if step.body == 0 {
            return;
        }
        if self.keeps {
            self.write(body);
        }
    }

    fn wants(&self, tag: u8) -> bool {
        match tag {
            server::DATA_ROW | server::COPY_DATA => {
                let limit = self.session.limits().kept_result_bytes as u64;
                let has = self.file.as_ref().map_or(0, KeptResult::bytes);
                self.run.results().keeps_rows() && has < limit && self.dropped == 0
            }
            server::PARAMETER_STATUS | server::NOTIFICATION => false,
            _ => true,
        }
    }

    fn say_dropped(&mut self) {
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0
            && let Some(word) = self.run.word(Says::Cut(dropped))
        {
            let mut report = Report::new(Severity::Notice, "00000", format!("{dropped} rows were not kept"));
            report.word = Some(word);
            self.write(&report.to_bytes());
        }
    }
}

#[cfg(test)]
mod tests;
