//! Bytes that wait to be written. Small pieces share a buffer, large ones stay the allocation that they arrived in.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

/// Below this a piece is copied beside its neighbours: one write of them all costs less than the copy.
const SMALL: usize = 4 << 10;
/// What is allocated for small pieces at once: a small answer's messages fit.
const FIRST: usize = 512;

/// A queue of bytes.
#[derive(Debug, Default)]
pub struct Output {
    pieces: VecDeque<Bytes>,
    tail: BytesMut,
    waiting: usize,
}

impl Output {
    /// Appends bytes.
    pub fn push(&mut self, bytes: Bytes) {
        self.waiting += bytes.len();
        if bytes.len() < SMALL {
            self.begin();
            self.tail.extend_from_slice(&bytes);
        } else {
            self.seal();
            self.pieces.push_back(bytes);
        }
    }

    /// Appends what `write` writes.
    pub fn write(&mut self, write: impl FnOnce(&mut BytesMut)) {
        self.begin();
        let before = self.tail.len();
        write(&mut self.tail);
        self.waiting += self.tail.len() - before;
    }

    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// Whether none wait.
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Lends the front of the queue for one write; gives how many slices were filled.
    pub fn slices<'a>(&'a mut self, slices: &mut [IoSlice<'a>]) -> usize {
        self.seal();
        let mut count = 0;
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            *slice = IoSlice::new(piece);
            count += 1;
        }
        count
    }

    /// Drops what was written.
    pub fn advance(&mut self, mut count: usize) {
        self.waiting = self.waiting.saturating_sub(count);
        while count > 0 {
            let Some(front) = self.pieces.front_mut() else { return };
            if front.len() > count {
                front.advance(count);
                return;
            }
            count -= front.len();
            self.pieces.pop_front();
        }
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes everything as one piece, for tests of the core.
    #[cfg(test)]
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.seal();
        self.waiting = 0;
        self.pieces.drain(..).flatten().collect()
    }

    fn begin(&mut self) {
        if self.tail.capacity() == 0 {
            self.tail.reserve(FIRST);
        }
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.pieces.push_back(std::mem::take(&mut self.tail).freeze());
        }
    }
}
