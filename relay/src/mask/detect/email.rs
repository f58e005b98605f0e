//! E-mail addresses: `local@domain.tld`, also with `%40`, in any script.

/// Finds addresses.
pub(super) fn find(text: &[u8], found: &mut dyn FnMut(usize, usize)) {
    // nothing before it belongs to a later address: keeps the walk to the left linear
    let mut floor = 0;
    let mut from = 0;
    while let Some(offset) = memchr::memchr2(b'@', b'%', &text[from..]) {
        let at = from + offset;
        from = at + 1;
        let domain = match &text[at..] {
            [b'@', ..] => at + 1,
            [b'%', b'4', b'0', ..] => at + 3,
            _ => continue,
        };
        let local = text[floor..at]
            .iter()
            .rposition(|byte| !is_local(*byte))
            .map_or(floor, |before| floor + before + 1);
        let local = local
            + text[local..at]
                .iter()
                .take_while(|byte| matches!(byte, b'.' | b'\''))
                .count();
        floor = domain;
        from = domain;
        if local == at {
            continue;
        }
        if let Some(end) = domain_end(text, domain) {
            found(local, end);
        }
    }
}

/// Where a domain name with at least two labels ends.
fn domain_end(text: &[u8], start: usize) -> Option<usize> {
    let length = text[start..]
        .iter()
        .take_while(|byte| is_label(**byte) || **byte == b'.')
        .count();
    let mut name = &text[start..start + length];
    while let Some((b'.' | b'-', shorter)) = name.split_last() {
        name = shorter;
    }
    let (_, last) = name.split_at(name.iter().rposition(|byte| *byte == b'.')?);
    let last = last.get(1..)?;
    let is_name = last.len() >= 2 && last.iter().any(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii());
    (is_name && name.first() != Some(&b'.')).then_some(start + name.len())
}

const fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || !byte.is_ascii()
        || matches!(
            byte,
            b'.' | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'^' | b'_' | b'~'
        )
}

const fn is_label(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' || !byte.is_ascii()
}
