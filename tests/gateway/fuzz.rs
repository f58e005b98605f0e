//! Inputs that the fuzz targets know: each is run once, so that what was found stays found. `tests/fuzz/run.sh` searches for more.

use std::path::PathBuf;
use std::process::Command;

use hoop_tests::{program, run};

#[test]
fn every_input_of_the_fuzz_corpora_is_taken_without_a_panic() {
    let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut targets = 0;
    for target in std::fs::read_dir(&corpus).unwrap().map(Result::unwrap) {
        let inputs: Vec<PathBuf> = std::fs::read_dir(target.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(inputs.len() >= 3, "{} has hardly an input", target.path().display());
        let mut fuzz = Command::new(program("hoop-fuzz"));
        let done = run(fuzz.args(&inputs).env("HOOP_FUZZ", target.file_name()));
        assert_eq!(done.code, 0, "{}:\n{}", target.path().display(), done.stderr);
        targets += 1;
    }
    assert_eq!(targets, 6);
}
