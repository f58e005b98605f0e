//! What a server says, decoded strictly. Everything borrows from the message's body.

use super::DecodeError;
use super::fields::Fields;
use super::frontend::Format;

/// One column of a `RowDescription`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, as bytes: only people read it.
    pub name: Box<[u8]>,
    /// The relation it comes from, or 0.
    pub relation: u32,
    /// Its attnum there, or 0.
    pub attnum: i16,
    /// Its type.
    pub type_oid: u32,
    /// Its type's modifier.
    pub modifier: i32,
    /// How its values are written.
    pub format: Format,
}

/// Decodes a `RowDescription`.
///
/// # Errors
/// It is not one.
pub fn row_description(body: &[u8]) -> Result<Vec<Column>, DecodeError> {
    let mut fields = Fields::new(body);
    let count = usize::from(fields.u16()?);
    // A column takes 19 bytes at least.
    if fields.rest().len() < count * 19 {
        return Err(DecodeError::Truncated);
    }
    let mut columns = Vec::with_capacity(count);
    for _ in 0..count {
        let name = fields.string()?.into();
        let relation = fields.u32()?;
        let attnum = fields.i16()?;
        let type_oid = fields.u32()?;
        let _size = fields.i16()?;
        let modifier = fields.i32()?;
        let format = match fields.i16()? {
            0 => Format::Text,
            1 => Format::Binary,
            _ => return Err(DecodeError::Value("format")),
        };
        columns.push(Column {
            name,
            relation,
            attnum,
            type_oid,
            modifier,
            format,
        });
    }
    fields.end()?;
    Ok(columns)
}

/// Decodes a `ParameterDescription`: the types of a statement's parameters.
///
/// # Errors
/// It is not one.
pub fn parameter_description(body: &[u8]) -> Result<Vec<u32>, DecodeError> {
    let mut fields = Fields::new(body);
    let count = usize::from(fields.u16()?);
    if fields.rest().len() < count * 4 {
        return Err(DecodeError::Truncated);
    }
    let types = (0..count).map(|_| fields.u32()).collect::<Result<_, _>>()?;
    fields.end()?;
    Ok(types)
}

/// Decodes a `DataRow` into its values.
///
/// # Errors
/// It is not one.
pub fn data_row(body: &[u8]) -> Result<Vec<Option<&[u8]>>, DecodeError> {
    let mut fields = Fields::new(body);
    let count = usize::from(fields.u16()?);
    if fields.rest().len() < count * 4 {
        return Err(DecodeError::Truncated);
    }
    let values = (0..count).map(|_| fields.value()).collect::<Result<_, _>>()?;
    fields.end()?;
    Ok(values)
}

/// Where a transaction stands, as `ReadyForQuery` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Outside a block.
    #[default]
    Idle,
    /// Inside one.
    Transaction,
    /// Inside one that failed.
    Failed,
}

impl Status {
    /// The protocol's letter.
    pub const fn letter(self) -> u8 {
        match self {
            Self::Idle => b'I',
            Self::Transaction => b'T',
            Self::Failed => b'E',
        }
    }
}

/// Decodes a `ReadyForQuery`.
///
/// # Errors
/// It is not one.
pub fn ready(body: &[u8]) -> Result<Status, DecodeError> {
    match body {
        b"I" => Ok(Status::Idle),
        b"T" => Ok(Status::Transaction),
        b"E" => Ok(Status::Failed),
        _ => Err(DecodeError::Value("status")),
    }
}

/// The fields of an `ErrorResponse` or `NoticeResponse`, in order: the field's letter and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    fields: Vec<(u8, &'a [u8])>,
}

impl<'a> Report<'a> {
    /// Decodes a body.
    ///
    /// # Errors
    /// It is not a list of fields.
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(body);
        let mut list = Vec::with_capacity(8);
        loop {
            match fields.u8()? {
                0 => break,
                letter => list.push((letter, fields.string()?)),
            }
        }
        fields.end()?;
        Ok(Self { fields: list })
    }

    /// The text of a field, by its letter.
    pub fn field(&self, letter: u8) -> Option<&'a [u8]> {
        self.fields
            .iter()
            .find_map(|&(found, text)| (found == letter).then_some(text))
    }

    /// The text of a field as UTF-8, other bytes replaced: for display only.
    pub fn text(&self, letter: u8) -> Option<std::borrow::Cow<'a, str>> {
        self.field(letter).map(String::from_utf8_lossy)
    }

    /// Every field, in order.
    pub fn fields(&self) -> impl Iterator<Item = (u8, &'a [u8])> {
        self.fields.iter().copied()
    }
}

/// Decodes a `ParameterStatus` into name and value.
///
/// # Errors
/// It is not one.
pub fn parameter_status(body: &[u8]) -> Result<(&str, &str), DecodeError> {
    let mut fields = Fields::new(body);
    let name = fields.text()?;
    let value = fields.text()?;
    fields.end()?;
    Ok((name, value))
}

/// What cancels a running statement.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CancelKey {
    /// The server process.
    pub process: u32,
    /// Its secret.
    pub secret: u32,
}

impl std::fmt::Debug for CancelKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The secret is a credential: it stays out of logs.
        f.debug_struct("CancelKey")
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}

/// Decodes a `BackendKeyData` of protocol 3.0.
///
/// # Errors
/// It is not one.
pub fn backend_key(body: &[u8]) -> Result<CancelKey, DecodeError> {
    let mut fields = Fields::new(body);
    let process = fields.u32()?;
    let secret = fields.u32()?;
    fields.end()?;
    Ok(CancelKey { process, secret })
}

/// A step of authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication<'a> {
    /// It is done.
    Ok,
    /// The password in clear.
    Cleartext,
    /// A hash with this salt.
    Md5([u8; 4]),
    /// SASL with one of these mechanisms.
    Sasl(Vec<&'a [u8]>),
    /// SASL goes on.
    SaslContinue(&'a [u8]),
    /// SASL ends.
    SaslFinal(&'a [u8]),
    /// A method that the relay does not speak, by its number.
    Other(u32),
}

impl<'a> Authentication<'a> {
    /// Decodes a body.
    ///
    /// # Errors
    /// It is not a step of authentication.
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(body);
        let step = match fields.u32()? {
            0 => Self::Ok,
            3 => Self::Cleartext,
            5 => {
                let salt = fields.take(4)?.first_chunk::<4>().ok_or(DecodeError::Truncated)?;
                Self::Md5(*salt)
            }
            10 => {
                let mut mechanisms = Vec::new();
                loop {
                    match fields.string()? {
                        [] => break,
                        mechanism => mechanisms.push(mechanism),
                    }
                }
                Self::Sasl(mechanisms)
            }
            11 => return Ok(Self::SaslContinue(fields.rest())),
            12 => return Ok(Self::SaslFinal(fields.rest())),
            other => return Ok(Self::Other(other)),
        };
        fields.end()?;
        Ok(step)
    }
}

/// Decodes the tag of a `CommandComplete`: `SELECT 2`.
///
/// # Errors
/// It is not one text.
pub fn command_complete(body: &[u8]) -> Result<&str, DecodeError> {
    let mut fields = Fields::new(body);
    let tag = fields.text()?;
    fields.end()?;
    Ok(tag)
}

/// `CopyInResponse` and `CopyOutResponse`: the formats of the columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyStart {
    /// The overall format.
    pub format: Format,
    /// How many columns.
    pub columns: usize,
}

impl CopyStart {
    /// Decodes a body.
    ///
    /// # Errors
    /// It is not one of both.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(body);
        let format = match fields.u8()? {
            0 => Format::Text,
            1 => Format::Binary,
            _ => return Err(DecodeError::Value("format")),
        };
        let columns = usize::from(fields.u16()?);
        fields.take(columns * 2)?;
        fields.end()?;
        Ok(Self { format, columns })
    }
}

/// A `NotificationResponse`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notification<'a> {
    /// The server process that notified.
    pub process: u32,
    /// The channel.
    pub channel: &'a [u8],
    /// The payload.
    pub payload: &'a [u8],
}

impl<'a> Notification<'a> {
    /// Decodes a body.
    ///
    /// # Errors
    /// It is not one.
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(body);
        let process = fields.u32()?;
        let channel = fields.string()?;
        let payload = fields.string()?;
        fields.end()?;
        Ok(Self {
            process,
            channel,
            payload,
        })
    }
}
