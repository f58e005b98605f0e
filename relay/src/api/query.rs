//! What stands in a path or behind its `?`, with refusals in place of axum's own answers.

use std::convert::Infallible;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use hoop_shared::refusal::{Code, Refusal};
use serde::de::DeserializeOwned;

use super::ApiError;

/// The most items of one answer that lists.
const MOST: u32 = 500;
/// How many items a list has where the question does not say.
const USUAL: u32 = 100;

/// The `{id}` of a path. What is not an id names nothing: it is answered like an unknown one.
#[derive(Clone, Debug)]
pub(super) struct Id<T>(pub T);

impl<T: FromStr, S: Send + Sync> FromRequestParts<S> for Id<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let text = Path::<String>::from_request_parts(parts, state)
            .await
            .map(|Path(text)| text)
            .unwrap_or_default();
        let unknown = |_| ApiError::from(Refusal::new(Code::NotFound, "there is no such id"));
        text.parse().map(Self).map_err(unknown)
    }
}

/// The parameters behind the `?`; unknown ones are refused where `T` says so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Ask<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(rejection) => Err(Refusal::new(Code::Usage, rejection.body_text()).into()),
        }
    }
}

/// How many items a list may have: what was asked for, within bounds.
pub(super) fn bounded(limit: Option<u32>) -> u32 {
    limit.unwrap_or(USUAL).clamp(1, MOST)
}

/// Words with commas between them; none for an empty text.
pub(super) struct Words(pub Vec<String>);

impl FromStr for Words {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(
            text.split(',')
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect(),
        ))
    }
}
