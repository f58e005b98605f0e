//! What a client says, decoded strictly. Everything borrows from the message's body.

use super::DecodeError;
use super::fields::Fields;

/// Parse: a statement gets a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parse<'a> {
    /// The statement's name; empty for the unnamed one.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
    /// The parameters' types that the client prescribes, by oid; 0 leaves one open.
    pub types: Vec<u32>,
}

impl<'a> Parse<'a> {
    /// Decodes a body.
    ///
    /// # Errors
    /// It is not a Parse.
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(body);
        let name = fields.text()?;
        let text = fields.text()?;
        let count = usize::from(fields.u16()?);
        if fields.rest().len() != count * 4 {
            return Err(if fields.rest().len() < count * 4 {
                DecodeError::Truncated
            } else {
                DecodeError::Trailing
            });
        }
        let types = (0..count).map(|_| fields.u32()).collect::<Result<_, _>>()?;
        Ok(Self { name, text, types })
    }
}

/// A format code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Text.
    #[default]
    Text,
    /// Binary.
    Binary,
}

impl Format {
    fn decode(code: i16) -> Result<Self, DecodeError> {
        match code {
            0 => Ok(Self::Text),
            1 => Ok(Self::Binary),
            _ => Err(DecodeError::Value("format")),
        }
    }
}

/// Format codes as Bind has them: none (all text), one for all, or one for each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Formats(Vec<Format>);

impl Formats {
    fn decode(fields: &mut Fields<'_>) -> Result<Self, DecodeError> {
        let count = usize::from(fields.u16()?);
        if fields.rest().len() < count * 2 {
            return Err(DecodeError::Truncated);
        }
        (0..count)
            .map(|_| fields.i16().and_then(Format::decode))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// All values in one format.
    pub fn all(format: Format) -> Self {
        Self(vec![format])
    }

    /// The format of one value, counted from 0. `None` where the codes do not reach it.
    pub fn of(&self, index: usize) -> Option<Format> {
        match self.0.as_slice() {
            [] => Some(Format::Text),
            [all] => Some(*all),
            each => each.get(index).copied(),
        }
    }

    /// How many codes there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// Bind: a statement with values becomes a portal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind<'a> {
    /// The portal's name; empty for the unnamed one.
    pub portal: &'a str,
    /// The statement's name.
    pub statement: &'a str,
    /// The values' formats.
    pub formats: Formats,
    /// The values.
    pub values: Vec<Option<&'a [u8]>>,
    /// The formats that the result's columns shall have.
    pub results: Formats,
}

impl<'a> Bind<'a> {
    /// Decodes a body.
    ///
    /// # Errors
    /// It is not a Bind.
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(body);
        let portal = fields.text()?;
        let statement = fields.text()?;
        let formats = Formats::decode(&mut fields)?;
        let count = usize::from(fields.u16()?);
        if formats.count() > 1 && formats.count() != count {
            return Err(DecodeError::Value("parameter formats"));
        }
        // Each value takes at least its length's four bytes, so a count beyond that is told before allocation.
        if fields.rest().len() < count * 4 {
            return Err(DecodeError::Truncated);
        }
        let values = (0..count).map(|_| fields.value()).collect::<Result<_, _>>()?;
        let results = Formats::decode(&mut fields)?;
        fields.end()?;
        Ok(Self {
            portal,
            statement,
            formats,
            values,
            results,
        })
    }
}

/// What Describe and Close speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named<'a> {
    /// A prepared statement.
    Statement(&'a str),
    /// A portal.
    Portal(&'a str),
}

impl<'a> Named<'a> {
    /// Decodes the body of Describe or Close.
    ///
    /// # Errors
    /// It is neither.
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(body);
        let kind = fields.u8()?;
        let name = fields.text()?;
        fields.end()?;
        match kind {
            b'S' => Ok(Self::Statement(name)),
            b'P' => Ok(Self::Portal(name)),
            _ => Err(DecodeError::Value("kind")),
        }
    }
}

/// Execute: rows of a portal, all or some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Execute<'a> {
    /// The portal's name.
    pub portal: &'a str,
    /// The most rows; 0 or less is all.
    pub rows: i32,
}

impl<'a> Execute<'a> {
    /// Decodes a body.
    ///
    /// # Errors
    /// It is not an Execute.
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(body);
        let portal = fields.text()?;
        let rows = fields.i32()?;
        fields.end()?;
        Ok(Self { portal, rows })
    }
}

/// Decodes the text of a Query.
///
/// # Errors
/// The body is not one string, or not UTF-8.
pub fn query(body: &[u8]) -> Result<&str, DecodeError> {
    let mut fields = Fields::new(body);
    let text = fields.text()?;
    fields.end()?;
    Ok(text)
}

/// Decodes the reason of a `CopyFail`.
///
/// # Errors
/// The body is not one string.
pub fn copy_fail(body: &[u8]) -> Result<&[u8], DecodeError> {
    let mut fields = Fields::new(body);
    let reason = fields.string()?;
    fields.end()?;
    Ok(reason)
}

/// Checks the body of a message that has none (Sync, Flush, Terminate, `CopyDone`).
///
/// # Errors
/// It has one.
pub fn empty(body: &[u8]) -> Result<(), DecodeError> {
    Fields::new(body).end()
}
