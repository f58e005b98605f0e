//! Which versions of the frames this build speaks, and the one that two ends use.

use crate::refusal::{Code, Refusal};

/// The oldest wire version that this build speaks.
pub const OLDEST: u16 = 1;
/// The newest wire version that this build speaks.
pub const NEWEST: u16 = 1;

/// Gives the newest version that both ends speak, for the relay's answer to a hello.
///
/// # Errors
/// There is none: the refusal says which end is too old.
pub fn negotiate(client: (u16, u16)) -> Result<u16, Refusal> {
    let (oldest, newest) = client;
    let version = newest.min(NEWEST);
    if oldest <= newest && version >= oldest.max(OLDEST) {
        return Ok(version);
    }
    let (what, hint) = if newest < OLDEST {
        ("hoopctl is too old for this relay", "install a newer hoopctl")
    } else {
        (
            "hoopctl is too new for this relay",
            "install the hoopctl of the relay's version, or ask for the relay to be updated",
        )
    };
    let message = format!(
        "{what}: hoopctl speaks wire version {}, the relay {}",
        range(oldest, newest),
        range(OLDEST, NEWEST)
    );
    Err(Refusal::new(Code::VersionMismatch, message).hint(hint))
}

fn range(oldest: u16, newest: u16) -> String {
    if oldest == newest {
        oldest.to_string()
    } else {
        format!("{oldest} to {newest}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_newest_common_version_is_used() {
        assert_eq!(negotiate((OLDEST, NEWEST)).unwrap(), NEWEST);
        assert_eq!(negotiate((0, u16::MAX)).unwrap(), NEWEST);
        assert_eq!(negotiate((NEWEST, NEWEST + 3)).unwrap(), NEWEST);
    }

    #[test]
    fn without_a_common_version_the_refusal_says_which_end_is_old() {
        let newer = negotiate((NEWEST + 1, NEWEST + 2)).unwrap_err();
        assert_eq!(newer.code, Code::VersionMismatch);
        assert!(
            newer.message.contains("too new") && newer.message.contains("2 to 3"),
            "{newer}"
        );
        let older = negotiate((0, 0)).unwrap_err();
        assert!(older.message.contains("too old"), "{older}");
    }

    #[test]
    fn a_range_that_ends_before_it_begins_is_refused() {
        assert!(negotiate((NEWEST, OLDEST - 1)).is_err());
        assert!(negotiate((u16::MAX, 1)).is_err());
    }
}
