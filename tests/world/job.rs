//! A job as a container runs it: nothing of this machine's environment, no home, no terminal, a file system that is
//! read-only but for the temporary directory.

use std::path::PathBuf;
use std::process::Command;

use crate::postgres::Cluster;
use crate::process::{Finished, program, run};
use crate::relay::World;

/// Makes the mounts of a container, then runs a command with nothing but the given variables: JOB TOKENS NAME=VALUE… COMMAND…
const CONTAINER: &str = r#"
job=$1 tokens=$2; shift 2
mount --bind "$job" /tmp
mount -t tmpfs tmpfs /run
if [ -d "/tmp/$tokens" ]; then mkdir -p /var/run/secrets/hoop; cp -a "/tmp/$tokens/." /var/run/secrets/hoop; fi
mount -o remount,ro /run
mount -o remount,bind,ro /
if touch /written 2>/dev/null; then echo 'the file system can be written' >&2; exit 99; fi
exec setsid --wait env -i "$@"
"#;
/// The folder of a job whose files are the ones that a projected volume would have.
const TOKENS: &str = "projected";

/// A job that is about to run.
pub struct Job {
    folder: PathBuf,
    variables: Vec<(String, String)>,
}

impl Job {
    /// A job on a machine that knows the relay's CA.
    pub fn new(world: &World) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("job-")
            .tempdir_in(world.folder())
            .expect("a folder")
            .keep();
        std::fs::copy(&world.ca, folder.join("ca.crt")).expect("the CA");
        let programs = [program("hoopctl"), Cluster::get().program("psql")];
        let folders: Vec<_> = programs
            .iter()
            .map(|program| program.parent().expect("a folder").display().to_string())
            .collect();
        let path = format!("{}:/usr/bin:/bin", folders.join(":"));
        Self {
            folder,
            variables: vec![
                ("PATH".to_owned(), path),
                ("HOOPCTL_CA_FILE".to_owned(), "/tmp/ca.crt".to_owned()),
            ],
        }
    }

    /// Sets a variable.
    pub fn variable(&mut self, name: &str, value: &str) -> &mut Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts a file where a projected volume is mounted, /var/run/secrets/hoop.
    pub fn projected(&mut self, name: &str, content: &str) -> &mut Self {
        let folder = self.folder.join(TOKENS);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(name), content).expect("a file");
        self
    }

    /// Runs a script by this shell.
    #[track_caller]
    pub fn run(&self, shell: &[&str], script: &str) -> Finished {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private"]);
        if run(Command::new("id").arg("-u")).stdout.trim() != "0" {
            command.arg("--map-root-user");
        }
        command.args(["sh", "-euc", CONTAINER, "container"]);
        command.arg(&self.folder).arg(TOKENS);
        command.args(self.variables.iter().map(|(name, value)| format!("{name}={value}")));
        command.args(shell).arg(script);
        run(&mut command)
    }
}
