//! The key in the real Secret Service: Debian's gnome-keyring on a D-Bus of its own.

use std::process::Command;

use hoop_tests::{Finished, Platform, World, program, run};

/// A relay that takes the platform's jobs.
fn world_of(platform: &Platform) -> World {
    World::new()
        .config(&format!(
            "[[workload_identity]]\nname = \"ci\"\nissuer = \"{}\"\naudience = \"hoop\"\ngroups = {{ ci = {{ repository = \"acme/shop\" }} }}\n",
            platform.issuer
        ))
        .start()
}

/// Runs a script on a D-Bus of its own, with a home whose keyring it may unlock.
fn on_a_bus(world: &World, home: &std::path::Path, token: &str, script: &str) -> Finished {
    assert!(
        std::path::Path::new("/usr/bin/gnome-keyring-daemon").exists()
            && std::path::Path::new("/usr/bin/dbus-run-session").exists(),
        "tests/run.sh installs gnome-keyring and dbus"
    );
    std::fs::create_dir_all(home.join("run")).unwrap();
    let hoopctl = program("hoopctl");
    let path = format!("{}:/usr/bin:/bin", hoopctl.parent().unwrap().display());
    run(Command::new("dbus-run-session")
        .args(["--", "sh", "-euc", script])
        .env_clear()
        .env("PATH", path)
        .env("HOME", home)
        .env("XDG_RUNTIME_DIR", home.join("run"))
        .env("HOOPCTL_RELAY", &world.relay)
        .env("HOOPCTL_CA_FILE", &world.ca)
        .env("HOOPCTL_ID_TOKEN", token))
}

/// Starts the keyring, unlocked by a password.
const UNLOCKED: &str = "printf secret | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1\n";
/// Starts the keyring, and nobody is there to unlock it.
const LOCKED: &str = "gnome-keyring-daemon --start --components=secrets >/dev/null 2>&1\n";

#[test]
fn with_a_keyring_the_key_is_in_it_and_in_no_file() {
    let platform = Platform::start();
    let world = world_of(&platform);
    let home = world.folder().join("keyring-home");
    let token = platform.token("github", "hoop");
    let script = "export HOOPCTL_CREDENTIAL_STORE=keyring\nhoopctl login --workload\nhoopctl whoami -o json";
    let done = on_a_bus(&world, &home, &token, &format!("{UNLOCKED}{script}")).expect_code(0);
    assert_eq!(done.json()["principal"], "ci:repo:acme/shop:ref:refs/heads/main");
    assert!(!done.stderr.contains("no keyring"), "{}", done.stderr);
    let kept = std::fs::read_to_string(home.join(".config/hoopctl/credentials/default.json")).unwrap();
    assert!(
        kept.contains("\"keyring\"") && !kept.contains("PRIVATE KEY"),
        "the key is in the file"
    );
    let entries = std::fs::read_dir(home.join(".local/share/keyrings")).unwrap().count();
    assert!(entries > 0, "the keyring has nothing in it");

    // In a later session of the same person the unlocked keyring still has it: the same token is for the same key.
    let again = on_a_bus(&world, &home, &token, &format!("{UNLOCKED}{script}\nhoopctl logout"));
    again.expect_code(0);
    let done = on_a_bus(&world, &home, &token, &format!("{UNLOCKED}hoopctl whoami || exit $?"));
    assert_eq!(done.code, 4, "{}", done.stderr);
}

#[test]
fn a_locked_keyring_gives_way_to_a_private_file_and_it_is_said_once() {
    use std::os::unix::fs::PermissionsExt;

    let platform = Platform::start();
    let world = world_of(&platform);
    let home = world.folder().join("locked-home");
    let token = platform.token("github", "hoop");
    let done = on_a_bus(
        &world,
        &home,
        &token,
        &format!("{LOCKED}hoopctl login --workload\nhoopctl whoami -o json\necho again >&2\nhoopctl login --workload"),
    );
    let done = done.expect_code(0);
    let (first, again) = done.stderr.split_once("again").unwrap();
    assert!(first.contains("no keyring here"), "{first}");
    assert!(!again.contains("no keyring here"), "it is said twice: {again}");
    let file = home.join(".config/hoopctl/credentials/default.json");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(std::fs::read_to_string(&file).unwrap().contains("PRIVATE KEY"));

    // Who demands a keyring is not given a file instead.
    let strict = world.folder().join("strict-home");
    let token = platform.token("github", "hoop");
    let script = format!("{LOCKED}HOOPCTL_CREDENTIAL_STORE=keyring hoopctl login --workload");
    let done = on_a_bus(&world, &strict, &token, &script);
    assert_ne!(done.code, 0);
    assert!(done.stderr.contains("keyring"), "{}", done.stderr);
    assert!(!strict.join(".config/hoopctl/credentials/default.json").exists());
}
