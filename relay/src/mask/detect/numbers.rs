//! Numbers that mean a person or an account: payment cards, US social security numbers, telephone numbers.
//!
//! A text is read once into chains: runs of digits with at most two of space, `-`, `.`, `(`, `)` between them. Each
//! detector then looks at a few runs from each place of a chain, so the work is linear.

/// The most runs of a number: a telephone number in groups.
const MOST_RUNS: usize = 8;

/// A run of digits.
#[derive(Clone, Copy)]
struct Run {
    start: usize,
    end: usize,
    /// It belongs to the same chain as the run before it.
    joined: bool,
}

impl Run {
    const fn len(self) -> usize {
        self.end - self.start
    }
}

fn runs(text: &[u8]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut at = 0;
    while let Some(offset) = text[at..].iter().position(u8::is_ascii_digit) {
        let start = at + offset;
        let end = start + text[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let joined = runs.last().is_some_and(|before| {
            let between = &text[before.end..start];
            between.len() <= 2
                && between
                    .iter()
                    .all(|byte| matches!(byte, b' ' | b'-' | b'.' | b'(' | b')'))
        });
        runs.push(Run { start, end, joined });
        at = end;
    }
    runs
}

/// The runs from `first` on that belong to its chain, at most `most`.
fn chain(runs: &[Run], first: usize, most: usize) -> &[Run] {
    let rest = runs[first..]
        .iter()
        .skip(1)
        .take(most - 1)
        .take_while(|run| run.joined)
        .count();
    &runs[first..=first + rest]
}

/// The lengths of runs, 0 where there is none.
fn lengths(runs: &[Run]) -> [usize; MOST_RUNS] {
    let mut lengths = [0; MOST_RUNS];
    for (length, run) in lengths.iter_mut().zip(runs) {
        *length = run.len();
    }
    lengths
}

/// The byte between all of the runs, if it is one and the same.
fn separator(text: &[u8], runs: &[Run]) -> Option<u8> {
    let mut all = runs.windows(2).map(|pair| match &text[pair[0].end..pair[1].start] {
        [one] => Some(*one),
        _ => None,
    });
    let first = all.next()??;
    all.all(|one| one == Some(first)).then_some(first)
}

/// Whether the runs stand for themselves: not a part of a longer word with other digits in it, such as a hexadecimal
/// number.
fn stands_alone(text: &[u8], start: usize, end: usize) -> bool {
    let touches_letter = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphabetic);
    let digit_behind = |mut bytes: Box<dyn Iterator<Item = &u8> + '_>| {
        bytes
            .find(|byte| !byte.is_ascii_alphabetic())
            .is_some_and(u8::is_ascii_digit)
    };
    let left = touches_letter(text[..start].last()) && digit_behind(Box::new(text[..start].iter().rev().take(64)));
    let right = touches_letter(text.get(end)) && digit_behind(Box::new(text[end..].iter().take(64)));
    !left && !right
}

/// Finds payment card numbers: in one run, or grouped as cards are printed, with a valid prefix and check digit.
pub(super) fn cards(text: &[u8], found: &mut dyn FnMut(usize, usize)) {
    let runs = runs(text);
    let mut free = 0;
    for first in 0..runs.len() {
        let chain = chain(&runs, first, 5);
        if chain[0].start < free {
            continue;
        }
        let grouped = [5, 4, 3].into_iter().find(|count| {
            chain.get(..*count).is_some_and(|group| {
                let printed = match &lengths(group)[..*count] {
                    [4, 4, 4, 4, 3] | [4, 6, 5 | 4] => true,
                    [4, 4, 4, last] => (1..=4).contains(last),
                    _ => false,
                };
                printed && separator(text, group).is_some() && is_card(&digits(text, group))
            })
        });
        let single = || {
            let run = chain[0];
            let dotted =
                |dot: Option<&u8>, digit: Option<&u8>| dot == Some(&b'.') && digit.is_some_and(u8::is_ascii_digit);
            let fraction = dotted(text[..run.start].last(), text[..run.start].iter().nth_back(1));
            let whole = dotted(text.get(run.end), text.get(run.end + 1));
            (!fraction && !whole && is_card(&text[run.start..run.end])).then_some(1)
        };
        if let Some(count) = grouped.or_else(single) {
            let (start, end) = (chain[0].start, chain[count - 1].end);
            if stands_alone(text, start, end) {
                found(start, end);
                free = end;
            }
        }
    }
}

fn digits(text: &[u8], runs: &[Run]) -> Vec<u8> {
    runs.iter().flat_map(|run| &text[run.start..run.end]).copied().collect()
}

/// Whether digits are a payment card's number: length, an issuer's prefix, check digit (ISO/IEC 7812, Luhn).
pub(crate) fn is_card(digits: &[u8]) -> bool {
    let length = digits.len();
    if !(13..=19).contains(&length) || !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let prefix = |count: usize| {
        digits[..count]
            .iter()
            .fold(0_u32, |value, digit| value * 10 + u32::from(digit - b'0'))
    };
    let issued = match prefix(4) {
        4000..=4999 => matches!(length, 13 | 16 | 19),
        2200..=2204 | 2221..=2720 | 5100..=5599 => length == 16,
        3400..=3499 | 3700..=3799 => length == 15,
        3000..=3059 | 3600..=3699 | 3800..=3999 => length >= 14,
        3528..=3589 => length >= 16,
        5000..=5099 | 5600..=5899 | 6000..=6999 => true,
        _ => false,
    };
    issued && luhn(digits)
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(digit - b'0');
            if place % 2 == 0 {
                digit
            } else {
                digit * 2 / 10 + digit * 2 % 10
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Finds US social security numbers: `ddd-dd-dddd`, with numbers that were ever issued.
pub(super) fn social_security(text: &[u8], found: &mut dyn FnMut(usize, usize)) {
    let runs = runs(text);
    for first in 0..runs.len() {
        let [area, group, serial] = chain(&runs, first, 3) else {
            continue;
        };
        let of = |run: &Run| &text[run.start..run.end];
        let shaped = (area.len(), group.len(), serial.len()) == (3, 2, 4)
            && matches!(separator(text, &[*area, *group, *serial]), Some(b'-' | b' '));
        let issued = || {
            of(area) != b"000"
                && of(area) != b"666"
                && of(area)[0] != b'9'
                && of(group) != b"00"
                && of(serial) != b"0000"
        };
        if shaped && issued() && !super::is_word(text[..area.start].last()) && !super::is_word(text.get(serial.end)) {
            found(area.start, serial.end);
        }
    }
}

/// Finds telephone numbers: international with `+` or `00`, North American, and national with a leading 0.
pub(super) fn phones(text: &[u8], found: &mut dyn FnMut(usize, usize)) {
    let runs = runs(text);
    let mut free = 0;
    for first in 0..runs.len() {
        let chain = chain(&runs, first, MOST_RUNS);
        let run = chain[0];
        if run.start < free {
            continue;
        }
        let before = text[..run.start].last();
        // "(+49" and "(0" belong to the number
        let open = run.start - usize::from(before == Some(&b'('));
        let number = match before {
            Some(b'+') if !super::is_word(text[..run.start - 1].last()) => {
                take(chain, 7, 15).map(|count| (run.start - 1, count))
            }
            Some(byte) if byte.is_ascii_alphanumeric() => None,
            _ if (text[run.start] == b'0') => trunk(text, chain).map(|count| (open, count)),
            _ => north_american(text, chain).map(|count| (open, count)),
        };
        if let Some((start, count)) = number {
            let end = chain[count - 1].end;
            if !super::is_word(text.get(end)) {
                found(start, end);
                free = end;
            }
        }
    }
}

/// How many runs give the most digits within bounds.
fn take(chain: &[Run], fewest: usize, most: usize) -> Option<usize> {
    let mut digits = 0;
    let mut taken = None;
    for (index, run) in chain.iter().enumerate() {
        digits += run.len();
        if digits > most {
            break;
        }
        if digits >= fewest {
            taken = Some(index + 1);
        }
    }
    taken
}

/// `ddd ddd dddd`, `(ddd) ddd-dddd`, `1-ddd-ddd-dddd`.
fn north_american(text: &[u8], chain: &[Run]) -> Option<usize> {
    let (skipped, rest) = match chain {
        [one, rest @ ..] if one.len() == 1 && text[one.start] == b'1' => (1, rest),
        _ => (0, chain),
    };
    match rest {
        [area, exchange, line, ..]
            if (area.len(), exchange.len(), line.len()) == (3, 3, 4) && (b'2'..=b'9').contains(&text[area.start]) =>
        {
            Some(skipped + 3)
        }
        _ => None,
    }
}

/// `00dd …`, `0ddd ddddddd`, `0d dd dd dd dd`: with a separator, or every zero-padded number would be one.
fn trunk(text: &[u8], chain: &[Run]) -> Option<usize> {
    let first = chain[0];
    let international = text[first.start..first.end].starts_with(b"00");
    if international {
        let country = text
            .get(first.start + 2)
            .is_some_and(|digit| (b'1'..=b'9').contains(digit));
        return take(chain, 9, 17).filter(|count| country && *count > 1);
    }
    let lengths = lengths(chain);
    match lengths {
        [2, 2, 2, 2, 2, ..] => Some(5),
        [3..=6, ..] => {
            take(chain, 9, 12).filter(|count| *count > 1 && lengths[1..*count].iter().all(|length| *length >= 2))
        }
        _ => None,
    }
}
