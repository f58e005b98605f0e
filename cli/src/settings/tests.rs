#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use super::*;

fn environment(directory: &Path, variables: &[(&str, &str)]) -> Environment {
    let mut all = vec![("HOOPCTL_CONFIG_DIR", directory.to_str().unwrap())];
    all.extend_from_slice(variables);
    all.into_iter().collect()
}

fn resolve(file: &str, global: &Global, variables: &[(&str, &str)]) -> Result<Settings> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("config.toml"), file).unwrap();
    Settings::resolve(global, &environment(directory.path(), variables))
}

const FILE: &str = "profile = \"work\"\noutput = \"json\"\n[profiles.work]\nrelay = \"of-file\"\npin = \"ab\"\n";

#[test]
fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
    let mut global = Global::default();
    let by_default = resolve("", &global, &[]).unwrap();
    assert_eq!(
        (by_default.profile.as_str(), by_default.manner.output),
        ("default", Output::Text)
    );
    assert!(by_default.relay.is_none());

    let by_file = resolve(FILE, &global, &[]).unwrap();
    assert_eq!(
        (by_file.profile.as_str(), by_file.manner.output),
        ("work", Output::Json)
    );
    assert_eq!(by_file.relay.unwrap().to_string(), "of-file:7443");

    let variables = [
        ("HOOPCTL_PROFILE", "env"),
        ("HOOPCTL_OUTPUT", "text"),
        ("HOOPCTL_RELAY", "of-env:1"),
    ];
    let by_environment = resolve(FILE, &global, &variables).unwrap();
    assert_eq!(
        (by_environment.profile.as_str(), by_environment.manner.output),
        ("env", Output::Text)
    );
    assert_eq!(by_environment.relay.unwrap().to_string(), "of-env:1");

    global.profile = Some("flag".to_owned());
    global.output = Some(Output::Json);
    let by_flag = resolve(FILE, &global, &variables).unwrap();
    assert_eq!(
        (by_flag.profile.as_str(), by_flag.manner.output),
        ("flag", Output::Json)
    );
}

#[test]
fn a_ca_of_the_environment_replaces_the_pin_of_the_file() {
    let settings = resolve(FILE, &Global::default(), &[("HOOPCTL_CA_FILE", "/ca.pem")]).unwrap();
    assert_eq!(settings.ca_file.as_deref(), Some(Path::new("/ca.pem")));
    assert_eq!(settings.pin, None);
}

#[test]
fn an_unknown_key_is_an_error_with_its_line() {
    let error = resolve("output = \"text\"\nrelays = 1\n", &Global::default(), &[]).unwrap_err();
    assert_eq!(error.code(), Code::Configuration);
    assert!(error.as_refusal().message.contains("line 2"), "{error}");
    assert!(resolve("[profiles.x]\npins = \"a\"\n", &Global::default(), &[]).is_err());
    assert!(resolve("[profiles.x]\npin = \"a\"\nca_file = \"b\"\n", &Global::default(), &[]).is_err());
}

#[test]
fn wrong_values_of_variables_are_configuration_errors() {
    for (name, value) in [
        ("HOOPCTL_OUTPUT", "yaml"),
        ("HOOPCTL_RELAY", "https://x"),
        ("HOOPCTL_CREDENTIAL_STORE", "vault"),
    ] {
        let error = resolve("", &Global::default(), &[(name, value)]).unwrap_err();
        assert_eq!(error.code(), Code::Configuration, "{name}");
        assert!(error.headline().contains(name));
    }
}

#[test]
fn without_a_home_a_directory_of_ones_own_is_among_the_temporary_files() {
    use std::os::unix::fs::PermissionsExt;

    let temporary = tempfile::tempdir().unwrap();
    let resolve = || {
        let environment = Environment::from_iter([("TMPDIR", temporary.path().to_str().unwrap())]);
        Settings::resolve(&Global::default(), &environment)
    };
    let directory = resolve().unwrap().config_dir;
    assert_eq!(directory.parent(), Some(temporary.path()));
    assert_eq!(directory.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(resolve().unwrap().config_dir, directory);
    // Whoever else could write there decides about relay, CA and policy of the login.
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(resolve().unwrap_err().code(), Code::Configuration);
    std::fs::remove_dir(&directory).unwrap();
    std::os::unix::fs::symlink(temporary.path(), &directory).unwrap();
    assert!(resolve().is_err());
}

#[test]
fn an_empty_variable_is_as_good_as_none() {
    let settings = resolve("", &Global::default(), &[("HOOPCTL_RELAY", ""), ("NO_COLOR", "")]).unwrap();
    assert!(settings.relay.is_none() && settings.manner.colour);
    assert!(
        !resolve("", &Global::default(), &[("NO_COLOR", "1")])
            .unwrap()
            .manner
            .colour
    );
}

#[test]
fn a_profile_cannot_name_another_file() {
    for name in ["../x", "a/b", ".hidden", "a.relay", "", "a b", &"x".repeat(65)] {
        let global = Global {
            profile: Some(name.to_owned()),
            ..Global::default()
        };
        assert_eq!(resolve("", &global, &[]).unwrap_err().code(), Code::Usage, "{name:?}");
    }
}

#[test]
fn a_platforms_token_is_found_and_never_shown() {
    let variables = [
        ("HOOPCTL_ID_TOKEN", "s3cret-a"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://x"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "s3cret-b"),
        ("HOOP_ID_TOKEN", "s3cret-c"),
    ];
    let settings = resolve("", &Global::default(), &variables).unwrap();
    assert!(settings.workload.token.is_some() && settings.workload.github.is_some());
    assert!(settings.workload.gitlab.is_none(), "not in a GitLab job");
    assert!(!format!("{settings:?}").contains("s3cret"));
}
