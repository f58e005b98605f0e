//! Targets: how the relay reaches them with its own credential. The client's own credential is never forwarded, the target's never
//! returned.

pub mod catalog;
pub mod postgres;

use std::future::Future;

/// Rows of text, as a query gives them.
pub type Rows = Vec<Vec<Option<String>>>;

/// A connection that answers the relay's own queries. Their text is built from constants, never from what a client said.
pub trait Queries {
    /// Runs one query and gives its rows as text.
    ///
    /// # Errors
    /// The target refuses it, or the connection is lost.
    fn rows(&mut self, sql: &str) -> impl Future<Output = Result<Rows, QueryError>>;

    /// Runs several queries and gives the rows of each.
    ///
    /// # Errors
    /// That of the first query that fails.
    fn all(&mut self, queries: Vec<String>) -> impl Future<Output = Result<Vec<Rows>, QueryError>> {
        async move {
            let mut answers = Vec::with_capacity(queries.len());
            for query in queries {
                answers.push(self.rows(&query).await?);
            }
            Ok(answers)
        }
    }
}

/// Why a query of the relay has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The target refuses it.
    #[error("the target refuses a query of the relay: {message} (SQLSTATE {code})")]
    Refused {
        /// SQLSTATE.
        code: String,
        /// Its message.
        message: String,
    },
    /// The connection is lost.
    #[error("the connection to the target is lost")]
    Lost(#[source] std::io::Error),
    /// The answer is not of the protocol.
    #[error("the target's answer is not of the protocol")]
    Decode(#[from] crate::engine::postgres::codec::DecodeError),
    /// The answer is longer than the relay takes.
    #[error("the target's answer to a query of the relay is too long")]
    TooLong,
    /// The answer does not come.
    #[error("the target does not answer a query of the relay in time")]
    TimedOut,
}
