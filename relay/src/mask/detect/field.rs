//! The values of fields that are called password, secret, token and the like: `password=…`, `"api_key": "…"`, and the
//! password of `scheme://user:password@host`.

/// What every such name or URL contains.
pub(super) const LITERALS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "token",
    "key",
    "://",
];
/// How names of secrets end, without `_`, `-`, `.` and in lower case.
const ENDINGS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "signingkey",
    "encryptionkey",
];
/// What may stand behind: `password_hash`.
const SUFFIXES: &[&str] = &["hash", "digest", "encrypted", "value", "plain", "plaintext", "text"];
/// The last bytes of all of these: most names end otherwise.
const LAST: &[u8] = b"dehnty";
/// The longest end of a name that is looked at.
const LONGEST_NAME: usize = 64;

/// Whether a field's name says that its value is a secret.
pub(crate) fn is_secret_name(name: &[u8]) -> bool {
    let name = &name[name.len().saturating_sub(LONGEST_NAME)..];
    let folded = name
        .iter()
        .rev()
        .filter(|byte| !matches!(byte, b'_' | b'-' | b'.' | b' '))
        .map(u8::to_ascii_lowercase);
    let Some(last) = folded.clone().next() else {
        return false;
    };
    if !LAST.contains(&last) {
        return false;
    }
    named(folded.clone())
        || SUFFIXES
            .iter()
            .any(|suffix| without(folded.clone(), suffix).is_some_and(named))
}

/// What stands before a suffix, both from behind.
fn without<I: Iterator<Item = u8>>(mut name: I, suffix: &str) -> Option<I> {
    suffix
        .bytes()
        .rev()
        .all(|byte| name.next() == Some(byte))
        .then_some(name)
}

/// Whether a folded name, from behind, ends as names of secrets do.
fn named(name: impl Iterator<Item = u8> + Clone) -> bool {
    ENDINGS.iter().any(|ending| without(name.clone(), ending).is_some())
}

const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// Finds the values of such fields.
pub(super) fn find(text: &[u8], found: &mut dyn FnMut(usize, usize)) {
    let mut from = 0;
    while let Some(offset) = memchr::memchr2(b'=', b':', &text[from..]) {
        let at = from + offset;
        from = at + 1;
        if text[at..].starts_with(b"://") {
            from = url(text, at + 3, found);
            continue;
        }
        // of "=>" and ":=" the first byte counts
        let mut value = at + 1;
        if matches!((text[at], text.get(at + 1)), (b'=', Some(b'>')) | (b':', Some(b'='))) {
            value += 1;
        }
        if !is_secret_name(name_before(text, at)) {
            continue;
        }
        value += text[value..]
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        if let Some((start, end)) = extent(text, value) {
            found(start, end);
            from = end;
        }
    }
}

/// The name that ends before a separator, quotes and spaces left out; at most so much of it as is looked at.
fn name_before(text: &[u8], separator: usize) -> &[u8] {
    let head = &text[separator.saturating_sub(2 * LONGEST_NAME)..separator];
    let end = head
        .iter()
        .rposition(|byte| !matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'\\' | b')' | b']'))
        .map_or(0, |last| last + 1);
    let start = head[..end]
        .iter()
        .rposition(|byte| !is_name(*byte))
        .map_or(0, |before| before + 1);
    &head[start..end]
}

/// Where a value stands: between quotes, or up to what ends a word.
fn extent(text: &[u8], start: usize) -> Option<(usize, usize)> {
    // JSON inside a string has its quotes escaped
    let escaped = text.get(start) == Some(&b'\\') && matches!(text.get(start + 1), Some(b'"' | b'\''));
    let open = start + usize::from(escaped);
    let (start, end) = match text.get(open)? {
        quote @ (b'"' | b'\'') => {
            let start = open + 1;
            let mut end = start;
            loop {
                match text.get(end) {
                    None => break,
                    Some(b'\\') if escaped && text.get(end + 1) == Some(quote) => break,
                    Some(b'\\') => end += 2,
                    Some(byte) if byte == quote && text.get(end + 1) == Some(quote) && *quote == b'\'' => end += 2,
                    Some(byte) if byte == quote => break,
                    Some(_) => end += 1,
                }
            }
            (start, end.min(text.len()))
        }
        _ => {
            let ends = |byte: &u8| {
                byte.is_ascii_whitespace() || matches!(byte, b',' | b';' | b'&' | b')' | b'}' | b']' | b'"' | b'\'')
            };
            (
                open,
                open + text[open..].iter().position(ends).unwrap_or(text.len() - open),
            )
        }
    };
    (end > start).then_some((start, end))
}

/// The password in a URL; gives the place from which to go on.
fn url(text: &[u8], start: usize, found: &mut dyn FnMut(usize, usize)) -> usize {
    let authority = text[start..]
        .iter()
        .take_while(|byte| !byte.is_ascii_whitespace() && !matches!(byte, b'/' | b'"' | b'\'' | b'<' | b'>'))
        .count();
    let authority = &text[start..start + authority];
    let Some(host) = memchr::memrchr(b'@', authority) else {
        return start;
    };
    match memchr::memchr(b':', &authority[..host]) {
        Some(colon) if colon + 1 < host => found(start + colon + 1, start + host),
        _ => {}
    }
    start + host
}
