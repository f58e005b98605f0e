//! What a value is, by its type's oid: which replacement fits, and whether detectors can read it.
//!
//! Built-in types are known by number ([`Kind::of`]), those of users and extensions by what the catalog says of them
//! ([`Kind::resolve`]). What is known by neither is [`Kind::Other`]: a mask makes it NULL; a detector that finds something
//! in its text replaces what it found; its binary form, which nobody can read, is NULL wherever detectors look.

use crate::inspect::catalog::{Catalog, TypeKind};

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
    /// Keys and values of the extension hstore.
    Hstore,
    /// One of the labels of an enum: the schema's words, not a user's.
    Enum,
    /// An array of the type with this oid.
    Array(u32, Element),
    /// A range; of text, or of what holds none.
    Range {
        /// Its bounds hold text.
        text: bool,
    },
    /// A multirange; of text, or of what holds none.
    Multirange {
        /// Its bounds hold text.
        text: bool,
    },
    /// A host address.
    Inet,
    /// A network address.
    Cidr,
    /// A row.
    Record,
    /// Shapes, bit strings, object names: no text of people in it, no neutral value either.
    Plain,
    /// Text in a form of its own, whose bytes stand in the binary form as they are; or a type that nobody tells, such as that of an
    /// expression in COPY.
    Scanned,
    /// A type that is not known.
    Other,
}

/// What the elements of an array are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Element {
    /// As [`Kind::Text`].
    Text,
    /// As [`Kind::Bytea`].
    Bytea,
    /// As [`Kind::Json`].
    Json,
    /// As [`Kind::Jsonb`].
    Jsonb,
    /// As [`Kind::Hstore`].
    Hstore,
    /// As [`Kind::Record`].
    Record,
    /// As [`Kind::Scanned`].
    Scanned,
    /// As [`Kind::Other`].
    Other,
    /// What holds no text.
    Plain,
}

impl Element {
    const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text,
            Kind::Bytea => Self::Bytea,
            Kind::Json => Self::Json,
            Kind::Jsonb => Self::Jsonb,
            Kind::Hstore => Self::Hstore,
            Kind::Record => Self::Record,
            Kind::Other => Self::Other,
            kind if kind.holds_text() => Self::Scanned,
            _ => Self::Plain,
        }
    }

    /// The same as a kind of its own.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Text => Kind::Text,
            Self::Bytea => Kind::Bytea,
            Self::Json => Kind::Json,
            Self::Jsonb => Kind::Jsonb,
            Self::Hstore => Kind::Hstore,
            Self::Record => Kind::Record,
            Self::Scanned => Kind::Scanned,
            Self::Other => Kind::Other,
            Self::Plain => Kind::Plain,
        }
    }
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
            3904 | 3906 | 3908 | 3910 | 3912 | 3926 => Self::Range { text: false },
            4451 | 4532..=4536 => Self::Multirange { text: false },
            869 => Self::Inet,
            650 => Self::Cidr,
            2249 => Self::Record,
            // tid xid cid, geometry, macaddr(8), bit, varbit, vectors, pg_lsn, snapshots, xid8
            22 | 27..=30 | 600..=604 | 628 | 718 | 774 | 829 | 1560 | 1562 | 2970 | 3220 | 5038 | 5069 => Self::Plain,
            // pg_node_tree, aclitem, tsvector, tsquery, jsonpath
            194 | 1033 | 3614 | 3615 | 4072 => Self::Scanned,
            // regproc and its kin: numbers, written as names
            24 | 2202..=2206 | 3734 | 3769 | 4089 | 4096 | 4191 => Self::Plain,
            _ => match element(oid) {
                Some(element) => Self::Array(element, Element::of(Self::of(element))),
                None => Self::Other,
            },
        }
    }

    /// Classifies a type by its oid, with what the catalog knows of it.
    pub fn resolve(oid: u32, catalog: &Catalog) -> Self {
        let oid = catalog.base_type(oid);
        let Some(ty) = catalog.type_of_oid(oid).filter(|_| !Catalog::is_builtin_type(oid)) else {
            return Self::of(oid);
        };
        match ty.kind {
            TypeKind::Base if ty.text => Self::Text,
            TypeKind::Base => Self::of_extension(&ty.name),
            TypeKind::Array => {
                // The element type may be a domain over an array, but no array.
                let element = match catalog.type_of_oid(catalog.base_type(ty.base)) {
                    Some(inner) if inner.kind == TypeKind::Array => Element::Scanned,
                    _ => Element::of(Self::resolve(ty.base, catalog)),
                };
                Self::Array(ty.base, element)
            }
            TypeKind::Enum => Self::Enum,
            TypeKind::Composite => Self::Record,
            TypeKind::Range => Self::Range {
                text: Self::resolve(ty.base, catalog).holds_text(),
            },
            TypeKind::Multirange => Self::Multirange {
                text: Self::resolve(ty.base, catalog).holds_text(),
            },
            TypeKind::Domain | TypeKind::Pseudo => Self::Other,
        }
    }

    /// A base type of an extension, by its name: making one takes a superuser, so that the name can be trusted.
    fn of_extension(name: &str) -> Self {
        match name {
            "hstore" => Self::Hstore,
            // their binary form has the text in it
            "ltree" | "lquery" | "ltxtquery" => Self::Scanned,
            // PostGIS, pgvector, cube, seg, hyperloglog, roaring bitmaps, H3
            "geometry" | "geography" | "box2d" | "box3d" | "vector" | "halfvec" | "sparsevec" | "cube" | "seg"
            | "hll" | "roaringbitmap" | "h3index" => Self::Plain,
            _ => Self::Other,
        }
    }

    /// Whether nobody can tell what a value in this format holds.
    pub const fn is_opaque(self, format: Format) -> bool {
        matches!(
            (self, format),
            (Self::Other | Self::Array(_, Element::Other), Format::Binary)
        )
    }

    /// Whether a value of it can hold text that detectors look for.
    pub const fn holds_text(self) -> bool {
        match self {
            Self::Text
            | Self::Bytea
            | Self::Json
            | Self::Jsonb
            | Self::Hstore
            | Self::Enum
            | Self::Record
            | Self::Scanned
            | Self::Other => true,
            Self::Array(_, element) => !matches!(element, Element::Plain),
            Self::Range { text } | Self::Multirange { text } => text,
            Self::Char
            | Self::Number(_)
            | Self::Bool
            | Self::Uuid
            | Self::Date
            | Self::Timestamp
            | Self::Timestamptz
            | Self::Time(_)
            | Self::Timetz
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
    use crate::inspect::catalog::{Parts, Type};

    #[test]
    fn text_stands_in_every_type_that_people_write_into() {
        for oid in [
            25, 1043, 1042, 19, 142, 114, 3802, 1009, 1015, 3807, 2249, 16_500, 17, 1001, 3614,
        ] {
            assert!(Kind::of(oid).holds_text(), "{oid}");
        }
        for oid in [20, 23, 1700, 16, 2950, 1184, 1007, 1231, 869, 3904] {
            assert!(!Kind::of(oid).holds_text(), "{oid}");
        }
    }

    #[test]
    fn an_array_of_arrays_does_not_exist() {
        for oid in 0..7000 {
            if let Kind::Array(element, _) = Kind::of(oid) {
                assert!(!matches!(Kind::of(element), Kind::Array(..)), "{oid}");
            }
        }
    }

    fn ty(oid: u32, name: &str, kind: TypeKind, base: u32, text: bool) -> Type {
        Type {
            oid,
            schema: "public".into(),
            name: name.into(),
            kind,
            base,
            relation: 0,
            calls: Vec::new(),
            text,
        }
    }

    #[test]
    fn types_of_users_are_what_they_are_made_of() {
        const TEXT: u32 = 25;
        let types = vec![
            ty(16_500, "citext", TypeKind::Base, 0, true),
            ty(16_501, "_citext", TypeKind::Array, 16_500, false),
            ty(16_502, "ssn", TypeKind::Domain, TEXT, false),
            ty(16_503, "special_ssn", TypeKind::Domain, 16_502, false),
            ty(16_504, "_ssn", TypeKind::Array, 16_502, false),
            ty(16_505, "textrange", TypeKind::Range, TEXT, false),
            ty(16_506, "hours", TypeKind::Range, 1083, false),
            ty(16_507, "mood", TypeKind::Enum, 0, false),
            ty(16_508, "person", TypeKind::Composite, 0, false),
            ty(16_509, "hstore", TypeKind::Base, 0, false),
            ty(16_510, "mystery", TypeKind::Base, 0, false),
            ty(16_511, "_mystery", TypeKind::Array, 16_510, false),
            ty(16_512, "names", TypeKind::Domain, 1009, false),
            ty(16_513, "_names", TypeKind::Array, 16_512, false),
            ty(16_514, "textmultirange", TypeKind::Multirange, TEXT, false),
            ty(16_515, "geometry", TypeKind::Base, 0, false),
        ];
        let catalog = Parts {
            types,
            ..Parts::default()
        }
        .build();
        let kind = |oid| Kind::resolve(oid, &catalog);
        assert_eq!(kind(TEXT), Kind::Text);
        assert_eq!(kind(16_500), Kind::Text);
        assert_eq!(kind(16_501), Kind::Array(16_500, Element::Text));
        assert_eq!(kind(16_503), Kind::Text);
        assert_eq!(kind(16_504), Kind::Array(16_502, Element::Text));
        assert_eq!(kind(16_505), Kind::Range { text: true });
        assert_eq!(kind(16_506), Kind::Range { text: false });
        assert_eq!(kind(16_507), Kind::Enum);
        assert_eq!(kind(16_508), Kind::Record);
        assert_eq!(kind(16_509), Kind::Hstore);
        assert_eq!(kind(16_510), Kind::Other);
        assert!(kind(16_510).is_opaque(Format::Binary) && !kind(16_510).is_opaque(Format::Text));
        assert!(kind(16_511).is_opaque(Format::Binary));
        assert_eq!(kind(16_512), Kind::Array(TEXT, Element::Text));
        assert_eq!(kind(16_513), Kind::Array(16_512, Element::Scanned));
        assert_eq!(kind(16_514), Kind::Multirange { text: true });
        assert_eq!(kind(16_515), Kind::Plain);
        assert_eq!(kind(99_999), Kind::Other, "newer than the catalog");
    }
}
