//! Follows the requests that one may see: what there is, in pages, then every change as it happens, through losses of the way there.
//!
//! ```text
//! changes (where to begin) ─▶ pending, page after page ─▶ changes since ─▶ changes since ─▶ …
//!        ▲                                                    │ the relay knows that revision no more
//!        └────────────────────────────────────────────────────┘
//! ```
//!
//! The place to begin is asked for before the pages, so that nothing between the two is missed; what comes twice is as it is now.

use std::rc::Rc;
use std::time::Duration;

use hoop_shared::api::{Request, RequestChanges};
use hoop_shared::id::RequestId;
use hoop_shared::refusal::Code;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio_util::task::AbortOnDropHandle;

use crate::error::{Error, Result};
use crate::relay_api::RelayApi;

/// How long the relay is asked to wait for a change at a time.
const AT_A_TIME: Duration = Duration::from_secs(50);
/// How long an answer may take beside that.
const ON_THE_WAY: Duration = Duration::from_secs(30);
/// Between tries while the relay is out of reach: at first, and at most.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// News that wait to be taken: the relay is asked for no more meanwhile.
const QUEUE: usize = 2;

/// What is told.
#[derive(Debug)]
pub enum News {
    /// What was told is worth nothing: everything that waits comes again.
    Begin,
    /// Some of what waits.
    Page(Vec<Request>),
    /// That was all that waits.
    Complete,
    /// Requests that changed, as they are now.
    Changed(Vec<Request>),
    /// The relay cannot be asked; it is tried again.
    OutOfTouch(String),
    /// The relay answers again.
    InTouch,
    /// There will be no more.
    Over(Error),
}

/// How much of each request is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// As much as a line has.
    Brief,
    /// As much as lists have.
    Usual,
}

impl Detail {
    /// How many at a time: an answer stays below some megabytes.
    const fn page(self) -> usize {
        match self {
            Self::Brief => 500,
            Self::Usual => 100,
        }
    }

    const fn brief(self) -> bool {
        matches!(self, Self::Brief)
    }
}

/// A feed of news; it ends when it is dropped.
#[derive(Debug)]
pub struct Feed {
    news: mpsc::Receiver<News>,
    _task: AbortOnDropHandle<()>,
}

impl Feed {
    /// Begins to follow; at most `most` of what waits is listed.
    pub fn start(relay: Rc<RelayApi>, detail: Detail, most: usize) -> Self {
        let (tell, news) = mpsc::channel(QUEUE);
        let task = spawn_local(async move {
            let follower = Follower {
                relay,
                tell,
                detail,
                most,
            };
            if let Err(error) = follower.run().await {
                // Nobody may be listening any more.
                let _ = follower.tell.send(News::Over(error)).await;
            }
        });
        Self {
            news,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// Waits for the next news. Cancel safe.
    pub async fn next(&mut self) -> News {
        let ended = || News::Over(Error::failed("the relay is followed no more"));
        self.news.recv().await.unwrap_or_else(ended)
    }
}

struct Follower {
    relay: Rc<RelayApi>,
    tell: mpsc::Sender<News>,
    detail: Detail,
    most: usize,
}

impl Follower {
    async fn run(&self) -> Result<()> {
        loop {
            let begin: RequestChanges = self.patiently("/v1/requests/changes", Duration::ZERO).await?;
            self.say(News::Begin).await?;
            self.list().await?;
            self.say(News::Complete).await?;
            self.follow(begin.after).await?;
        }
    }

    /// Lists what waits, the oldest first.
    async fn list(&self) -> Result<()> {
        let (mut last, mut count): (Option<RequestId>, usize) = (None, 0);
        while count < self.most {
            let after = last.map(|id| format!("&after={id}")).unwrap_or_default();
            let path = format!(
                "/v1/requests?status=pending&order=oldest&brief={}&limit={}{after}",
                self.detail.brief(),
                self.detail.page()
            );
            let page: Vec<Request> = self.patiently(&path, Duration::ZERO).await?;
            let Some(end) = page.last() else { break };
            last = Some(end.id.clone());
            count += page.len();
            self.say(News::Page(page)).await?;
        }
        Ok(())
    }

    /// Tells changes until the relay knows the revision no more.
    async fn follow(&self, mut after: i64) -> Result<()> {
        loop {
            let path = format!(
                "/v1/requests/changes?after={after}&seconds={}&brief={}&limit={}",
                AT_A_TIME.as_secs(),
                self.detail.brief(),
                self.detail.page()
            );
            let changes: RequestChanges = self.patiently(&path, AT_A_TIME).await?;
            if changes.anew {
                return Ok(());
            }
            after = changes.after;
            if !changes.requests.is_empty() {
                self.say(News::Changed(changes.requests)).await?;
            }
        }
    }

    async fn say(&self, news: News) -> Result<()> {
        self.tell.send(news).await.map_err(|_| Error::failed("nobody listens"))
    }

    /// Asks until the relay answers; `longest` is how long it may wait itself.
    async fn patiently<T: DeserializeOwned>(&self, path: &str, longest: Duration) -> Result<T> {
        let mut pause = PAUSE;
        let mut lost = false;
        loop {
            match self.relay.get_within(path, longest + ON_THE_WAY).await {
                Ok(answer) => {
                    if lost {
                        self.say(News::InTouch).await?;
                    }
                    return Ok(answer);
                }
                Err(error) if may_pass(error.code()) => {
                    lost = true;
                    self.say(News::OutOfTouch(error.to_string())).await?;
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// What a relay that restarts, or a network, may get over.
const fn may_pass(code: Code) -> bool {
    matches!(code, Code::RelayUnreachable | Code::RelayFault | Code::LimitExceeded)
}
