//! `[listen]`, `[tls]`, `[storage]` and `[telemetry]`: where the relay stands.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::problem::Problem;
use super::reader::Section;
use super::secret::{self, Links, SecretError};
use super::value::Item;

/// `[listen] address` where there is none: every IPv4 address, the port that `hoopctl` takes by itself.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 7443);
/// `[storage] data_dir` where there is none.
pub const DEFAULT_DATA_DIR: &str = "/var/lib/hoop";

/// `[tls]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Chain, PEM.
    pub certificate: PathBuf,
    /// Key, PEM.
    pub private_key: PathBuf,
}

pub(super) fn listen(mut section: Section<'_>) -> SocketAddr {
    let address = section.get("address").and_then(|item| socket_address(&item));
    section.finish();
    address.unwrap_or(DEFAULT_LISTEN)
}

pub(super) fn telemetry(mut section: Section<'_>) -> Option<SocketAddr> {
    let address = section.get("metrics").and_then(|item| socket_address(&item));
    section.unsupported("otlp", "leave it out; `metrics` serves Prometheus");
    section.finish();
    address
}

pub(super) fn storage(mut section: Section<'_>) -> Option<PathBuf> {
    let data_dir = section.get("data_dir").and_then(|item| item.file());
    section.unsupported(
        "database",
        "leave it out; the relay keeps its data in SQLite in `data_dir`",
    );
    section.unsupported("recordings", "leave it out; recordings are files in `data_dir`");
    section.finish();
    data_dir
}

fn socket_address(item: &Item<'_>) -> Option<SocketAddr> {
    let text = item.text()?;
    let address = text.parse().ok();
    if address.is_none() {
        let problem = item.problem(format!("`{}` is not an address: `{text}`", item.path()));
        item.reader()
            .report(problem.hint("write IP:PORT, such as 0.0.0.0:7443 or [::]:7443"));
    }
    address
}

pub(super) fn tls(mut section: Section<'_>) -> Option<TlsFiles> {
    let (certificate, private_key) = (section.need("certificate"), section.need("private_key"));
    section.finish();
    let (certificate_item, key_item) = (certificate?, private_key?);
    let files = TlsFiles {
        certificate: certificate_item.file()?,
        private_key: key_item.file()?,
    };
    let chain = match read_chain(&files.certificate) {
        Ok(chain) => Some(chain),
        Err(error) => {
            certificate_item.error(format!("`{}`: {error}", certificate_item.path()));
            None
        }
    };
    let key = match read_key(&files.private_key) {
        Ok(key) => Some(key),
        Err(error) => {
            let (message, fix) = match error {
                KeyError::Secret(SecretError::Exposed { path, what, fix }) => (format!("{path}: {what}"), Some(fix)),
                other => (other.to_string(), None),
            };
            let problem = key_item.problem(format!("`{}`: {message}", key_item.path()));
            key_item.reader().report(match fix {
                Some(fix) => problem.hint(fix),
                None => problem,
            });
            None
        }
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    if let Err(error) = rustls::sign::CertifiedKey::from_der(chain?, key?, &provider) {
        key_item.error(format!(
            "the certificate and its private key do not fit together: {error}"
        ));
    }
    Some(files)
}

/// Why a private key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be had, or is exposed.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// It holds no key.
    #[error("no PEM private key in it")]
    NoKey,
}

/// Reads a private key that nobody else may read.
///
/// # Errors
/// The file is missing, exposed, or holds no key.
pub fn read_key(path: &std::path::Path) -> Result<PrivateKeyDer<'static>, KeyError> {
    let bytes = secret::private_file(path, Links::Follow)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| KeyError::NoKey)
}

/// Reads a chain of certificates, or a file of CAs.
///
/// # Errors
/// The file cannot be read, or holds no certificate.
pub fn read_chain(path: &std::path::Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let shown = path.display();
    let bytes = std::fs::read(path).map_err(|error| format!("{shown}: {error}"))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err(format!("{shown}: no PEM certificate in it")),
        Err(error) => Err(format!("{shown}: {error}")),
    }
}

/// Warns where a relay would keep its keys in a place that others may write.
pub(super) fn check_data_dir(data_dir: &std::path::Path) -> Option<Problem> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = match std::fs::metadata(data_dir) {
        Ok(metadata) => metadata,
        // It is made at start.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => return Some(Problem::error(format!("`storage.data_dir`: {error}")).of_file(data_dir)),
    };
    if !metadata.is_dir() {
        return Some(Problem::error("`storage.data_dir` is not a directory").of_file(data_dir));
    }
    (metadata.mode() & 0o022 != 0).then(|| {
        Problem::error("`storage.data_dir` may be written by others: keys and recordings are kept there")
            .of_file(data_dir)
            .hint(format!("chmod 700 {}", data_dir.display()))
    })
}
