//! What a value is, by its type's oid: which replacement fits, and whether detectors can read it.
//!
//! Only built-in types are known by number. Every other one is [`Kind::Other`]: a mask makes it NULL, a detector that
//! finds something in its text replaces what it found.

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// The type's text form, UTF-8.
    Text,
    /// The type's binary form.
    Binary,
}

/// A class of types that share a replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Holds any text, the same bytes in both formats.
    Text,
    /// `"char"`: one byte.
    Char,
    /// A number whose binary form has this many bytes.
    Number(u8),
    /// true or false.
    Bool,
    /// A UUID.
    Uuid,
    /// Bytes.
    Bytea,
    /// A day.
    Date,
    /// A moment, without zone.
    Timestamp,
    /// A moment, with zone.
    Timestamptz,
    /// A time of day or a length of time; the binary form has this many bytes.
    Time(u8),
    /// A time of day with zone.
    Timetz,
    /// JSON, kept as it was written.
    Json,
    /// JSON, decomposed; the binary form has a version byte in front.
    Jsonb,
    /// An array of the type with this oid.
    Array(u32),
    /// A range.
    Range,
    /// A multirange.
    Multirange,
    /// A host address.
    Inet,
    /// A network address.
    Cidr,
    /// A row.
    Record,
    /// Shapes, bit strings, object names: no text of people in it, no neutral value either.
    Plain,
    /// A type that is not built in, or that is text in a form of its own.
    Other,
}

impl Kind {
    /// Classifies a type by its oid in `pg_type`.
    pub const fn of(oid: u32) -> Self {
        match oid {
            // name, text, xml, unknown, bpchar, varchar, refcursor, cstring
            19 | 25 | 142 | 705 | 1042 | 1043 | 1790 | 2275 => Self::Text,
            18 => Self::Char,
            21 => Self::Number(2),
            // int4, oid, float4
            23 | 26 | 700 => Self::Number(4),
            // int8, float8, money; numeric: eight bytes of zeros are the number 0
            20 | 701 | 790 | 1700 => Self::Number(8),
            16 => Self::Bool,
            2950 => Self::Uuid,
            17 => Self::Bytea,
            1082 => Self::Date,
            1114 => Self::Timestamp,
            1184 => Self::Timestamptz,
            1083 => Self::Time(8),
            1186 => Self::Time(16),
            1266 => Self::Timetz,
            114 => Self::Json,
            3802 => Self::Jsonb,
            3904 | 3906 | 3908 | 3910 | 3912 | 3926 => Self::Range,
            4451 | 4532..=4536 => Self::Multirange,
            869 => Self::Inet,
            650 => Self::Cidr,
            2249 => Self::Record,
            // tid xid cid, geometry, macaddr(8), bit, varbit, vectors, pg_lsn, snapshots, xid8
            22 | 27..=30 | 600..=604 | 628 | 718 | 774 | 829 | 1560 | 1562 | 2970 | 3220 | 5038 | 5069 => Self::Plain,
            _ => match element(oid) {
                Some(element) => Self::Array(element),
                None => Self::Other,
            },
        }
    }

    /// Whether a value of it can hold text that detectors look for.
    pub const fn holds_text(self) -> bool {
        match self {
            Self::Text | Self::Json | Self::Jsonb | Self::Record | Self::Other => true,
            Self::Array(element) => Self::of(element).holds_text(),
            Self::Char
            | Self::Number(_)
            | Self::Bool
            | Self::Uuid
            | Self::Bytea
            | Self::Date
            | Self::Timestamp
            | Self::Timestamptz
            | Self::Time(_)
            | Self::Timetz
            | Self::Range
            | Self::Multirange
            | Self::Inet
            | Self::Cidr
            | Self::Plain => false,
        }
    }
}

/// The element type of a built-in array type.
const fn element(oid: u32) -> Option<u32> {
    Some(match oid {
        143 => 142,
        199 => 114,
        271 => 5069,
        629 => 628,
        651 => 650,
        719 => 718,
        775 => 774,
        791 => 790,
        1000 => 16,
        1001 => 17,
        1002 => 18,
        1003 => 19,
        1005 => 21,
        1006 => 22,
        1007 => 23,
        1009 => 25,
        1010 => 27,
        1011 => 28,
        1012 => 29,
        1013 => 30,
        1014 => 1042,
        1015 => 1043,
        1016 => 20,
        1017 => 600,
        1018 => 601,
        1019 => 602,
        1020 => 603,
        1021 => 700,
        1022 => 701,
        1027 => 604,
        1028 => 26,
        1034 => 1033,
        1040 => 829,
        1041 => 869,
        1115 => 1114,
        1182 => 1082,
        1183 => 1083,
        1185 => 1184,
        1187 => 1186,
        1231 => 1700,
        1263 => 2275,
        1270 => 1266,
        1561 => 1560,
        1563 => 1562,
        2201 => 1790,
        2287 => 2249,
        2949 => 2970,
        2951 => 2950,
        3221 => 3220,
        3643 => 3614,
        3645 => 3615,
        3807 => 3802,
        3905 => 3904,
        3907 => 3906,
        3909 => 3908,
        3911 => 3910,
        3913 => 3912,
        3927 => 3926,
        4073 => 4072,
        5039 => 5038,
        6150 => 4451,
        6151 => 4532,
        6152 => 4533,
        6153 => 4534,
        6155 => 4535,
        6157 => 4536,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stands_in_every_type_that_people_write_into() {
        for oid in [25, 1043, 1042, 19, 142, 114, 3802, 1009, 1015, 3807, 2249, 16_500] {
            assert!(Kind::of(oid).holds_text(), "{oid}");
        }
        for oid in [20, 23, 1700, 16, 2950, 1184, 1007, 1231, 17, 869] {
            assert!(!Kind::of(oid).holds_text(), "{oid}");
        }
    }

    #[test]
    fn an_array_of_arrays_does_not_exist() {
        for oid in 0..7000 {
            if let Kind::Array(element) = Kind::of(oid) {
                assert!(!matches!(Kind::of(element), Kind::Array(_)), "{oid}");
            }
        }
    }
}
