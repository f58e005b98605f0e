//! A certificate authority of the test.

use std::path::PathBuf;
use std::process::Command;

use crate::process::run;

/// A CA, and the folder of what it signed.
pub struct Authority(tempfile::TempDir);

impl Authority {
    /// Makes one.
    #[allow(clippy::new_without_default, reason = "it takes a program and time")]
    pub fn new() -> Self {
        let authority = Self(tempfile::tempdir().expect("a folder"));
        let request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=authority";
        authority.openssl(&format!("{request} -keyout ca.key -out ca.pem"));
        authority
    }

    fn openssl(&self, arguments: &str) {
        let mut openssl = Command::new("openssl");
        run(openssl.args(arguments.split(' ')).current_dir(self.0.path())).expect_code(0);
    }

    /// Certificate and key of a server at an IP address, PEM.
    pub fn server(&self, address: &str) -> (String, String) {
        std::fs::write(self.0.path().join("names"), format!("subjectAltName=IP:{address}\n"))
            .expect("a file of the authority");
        self.openssl("req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=server -keyout server.key -out server.csr");
        self.openssl(
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem",
        );
        (self.read("server.pem"), self.read("server.key"))
    }

    /// A file of the folder: `ca.pem`, or what it signed last.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.path().join(name)).expect("a file of the authority")
    }

    /// Where a file of the folder is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}
