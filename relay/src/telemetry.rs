//! What the relay says about itself: log lines on stderr, and counters for Prometheus.

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use metrics::{Unit, describe_counter, describe_gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// The environment variable that says what is logged: `info`, `hoop_relay=debug`, …
const FILTER: &str = "HOOP_LOG";
/// What is logged where it says nothing.
const DEFAULT_FILTER: &str = "info";
/// How often histograms are folded, so that they do not grow where nobody scrapes.
const UPKEEP: Duration = Duration::from_secs(5);
/// What Prometheus calls its text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Starts logging to stderr: for people on a terminal, else one JSON object a line. Only the first call has an effect.
pub fn log() {
    let filter = EnvFilter::try_from_env(FILTER).unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::NONE)
        .with_writer(io::stderr);
    // A test or an embedding program may have its own.
    let _first = if io::stderr().is_terminal() {
        lines.try_init()
    } else {
        lines.json().flatten_event(true).try_init()
    };
}

/// Starts counting. Without it every counter is a no-op.
///
/// # Errors
/// Something else in the process counts already.
pub fn count() -> Result<PrometheusHandle, MetricsError> {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|_| MetricsError::Taken)?;
    describe();
    Ok(handle)
}

/// Why there are no metrics.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// Something else in the process counts already.
    #[error("metrics are taken by another recorder")]
    Taken,
    /// The address cannot be listened on.
    #[error("metrics cannot be served on {address}: {error}")]
    Listen {
        /// `[telemetry] metrics`.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
    },
}

fn describe() {
    describe_gauge!("hoop_sessions", Unit::Count, "Running sessions");
    describe_counter!("hoop_sessions_total", Unit::Count, "Sessions opened");
    describe_counter!("hoop_sessions_ended_total", Unit::Count, "Sessions ended, by reason");
    describe_counter!("hoop_sessions_refused_total", Unit::Count, "Sessions refused, by code");
    describe_counter!(
        "hoop_connections_total",
        Unit::Count,
        "Tunnels that were welcome, by transport"
    );
    describe_counter!(
        "hoop_connections_refused_total",
        Unit::Count,
        "Connections for which there was no place"
    );
    describe_counter!(
        "hoop_client_bytes_total",
        Unit::Bytes,
        "Bytes of sessions' streams, by direction"
    );
    describe_counter!("hoop_decisions_total", Unit::Count, "Operations, by policy's answer");
    describe_counter!(
        "hoop_connects_total",
        Unit::Count,
        "Sessions asked for, by policy's answer"
    );
    describe_counter!(
        "hoop_reloads_total",
        Unit::Count,
        "Reloads of the configuration, by result"
    );
}

/// Binds the metrics' address.
///
/// # Errors
/// It cannot be had.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, MetricsError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| MetricsError::Listen { address, error })
}

/// Serves `GET /metrics` until `stop`.
pub async fn serve(listener: TcpListener, counts: PrometheusHandle, stop: CancellationToken) {
    let render = {
        let counts = counts.clone();
        move || async move { ([(CONTENT_TYPE, TEXT_FORMAT)], counts.render()) }
    };
    let router = Router::new().route("/metrics", get(render));
    let serving = axum::serve(listener, router).with_graceful_shutdown({
        let stop = stop.clone();
        async move { stop.cancelled().await }
    });
    let upkeep = async {
        loop {
            tokio::time::sleep(UPKEEP).await;
            counts.run_upkeep();
        }
    };
    tokio::select! {
        result = serving => {
            if let Err(error) = result {
                tracing::error!(%error, "metrics are no longer served");
            }
        }
        () = upkeep => {}
        () = async { stop.cancelled().await; tokio::time::sleep(Duration::from_secs(1)).await } => {}
    }
}
