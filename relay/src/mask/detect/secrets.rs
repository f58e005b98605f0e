//! Secrets that say what they are: JSON Web Tokens, PEM private keys, AWS access keys, GitHub tokens.

use memchr::memmem;

/// What every JSON Web Token contains: `{"` in base64.
pub(super) const JWT: &[&str] = &["eyJ"];
/// What every private key contains.
pub(super) const PRIVATE_KEY: &[&str] = &["PRIVATE KEY"];
/// How AWS access key ids begin.
pub(super) const AWS_KEY: &[&str] = &[
    "AKIA", "ASIA", "ABIA", "ACCA", "AGPA", "AIDA", "AIPA", "ANPA", "ANVA", "APKA", "AROA",
];
/// How GitHub tokens begin.
pub(super) const GITHUB_TOKEN: &[&str] = &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"];
/// Characters of an AWS access key id behind its prefix.
const AWS_REST: usize = 16;
/// The fewest characters of a GitHub token behind its prefix.
const GITHUB_REST: usize = 22;
/// The fewest characters of a token's header and payload.
const JWT_PART: usize = 10;

const fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// Finds tokens: three parts (signed) or five (encrypted), base64url, with dots between.
pub(super) fn jwt(text: &[u8], found: &mut dyn FnMut(usize, usize)) {
    let part = |from: usize| text[from..].iter().take_while(|byte| is_base64url(**byte)).count();
    let mut from = 0;
    while let Some(offset) = memmem::find(&text[from..], b"eyJ") {
        let start = from + offset;
        let mut end = start + part(start);
        // the run is not looked at again: what begins later in it is the same token
        from = end;
        if end - start < JWT_PART || text.get(end) != Some(&b'.') {
            continue;
        }
        let header = end;
        end += 1 + part(end + 1);
        if text.get(end) != Some(&b'.') {
            continue;
        }
        for _ in 0..3 {
            if text.get(end) == Some(&b'.') {
                end += 1 + part(end + 1);
            }
        }
        // an encrypted one may have an empty second part
        if end - header > JWT_PART {
            found(start, end);
            from = end;
        }
    }
}

/// Finds PEM private keys, from `-----BEGIN` to the end of the `END` line, or of the text if that is missing.
pub(super) fn private_key(text: &[u8], found: &mut dyn FnMut(usize, usize)) {
    const BEGIN: &[u8] = b"-----BEGIN ";
    const END: &[u8] = b"-----END ";
    let mut from = 0;
    while let Some(offset) = memmem::find(&text[from..], BEGIN) {
        let start = from + offset;
        let label = start + BEGIN.len();
        from = label;
        let length = text[label..]
            .iter()
            .take(64)
            .take_while(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b' '))
            .count();
        if memmem::find(&text[label..label + length], b"PRIVATE KEY").is_none() {
            continue;
        }
        let end = memmem::find(&text[label..], END).map_or(text.len(), |offset| {
            let close = label + offset + END.len();
            memmem::find(&text[close..], b"-----").map_or(text.len(), |offset| close + offset + 5)
        });
        found(start, end);
        from = end;
    }
}

/// Finds AWS access key ids.
pub(super) fn aws_key(text: &[u8], found: &mut dyn FnMut(usize, usize)) {
    let mut from = 0;
    while let Some(offset) = memchr::memchr(b'A', &text[from..]) {
        let start = from + offset;
        from = start + 1;
        if super::is_word(text[..start].last()) {
            continue;
        }
        let Some(key) = text.get(start..start + 4 + AWS_REST) else {
            return;
        };
        let (prefix, rest) = key.split_at(4);
        let named = AWS_KEY.iter().any(|known| known.as_bytes() == prefix);
        if named
            && rest
                .iter()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
            && !super::is_word(text.get(start + key.len()))
        {
            found(start, start + key.len());
            from = start + key.len();
        }
    }
}

/// Finds GitHub tokens of every kind.
pub(super) fn github_token(text: &[u8], found: &mut dyn FnMut(usize, usize)) {
    for prefix in GITHUB_TOKEN {
        let mut from = 0;
        while let Some(offset) = memmem::find(&text[from..], prefix.as_bytes()) {
            let start = from + offset;
            let rest = start + prefix.len();
            let length = text[rest..]
                .iter()
                .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
                .count();
            from = rest + length;
            if length >= GITHUB_REST {
                found(start, from);
            }
        }
    }
}
