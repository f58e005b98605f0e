//! What a column's type says about its values: how `to_json` writes them. Source: PostgreSQL, `json.c` (`json_categorize_type`).

use postgres_types::{Kind, Type};

/// How the text of a value becomes JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `t` and `f`.
    Bool,
    /// A number where JSON has one for it: `NaN` and the infinities are strings.
    Number,
    /// ISO 8601 with a `T`.
    Timestamp,
    /// ISO 8601 with a `T` and a zone of at least hours and minutes.
    TimestampTz,
    /// JSON already.
    Json,
    /// An array of such values, with what stands between them.
    Array(Box<Self>, u8),
    /// A string.
    Text,
}

impl Shape {
    /// The shape of a type's values; text where nothing is known of it.
    pub fn of(oid: u32) -> Self {
        Type::from_oid(oid).map_or(Self::Text, |known| Self::of_type(&known))
    }

    fn of_type(known: &Type) -> Self {
        match *known {
            Type::BOOL => return Self::Bool,
            Type::INT2 | Type::INT4 | Type::INT8 | Type::FLOAT4 | Type::FLOAT8 | Type::NUMERIC => return Self::Number,
            Type::TIMESTAMP => return Self::Timestamp,
            Type::TIMESTAMPTZ => return Self::TimestampTz,
            Type::JSON | Type::JSONB => return Self::Json,
            // Of base types only box separates by semicolons.
            Type::BOX_ARRAY => return Self::Array(Box::new(Self::Text), b';'),
            // Vectors are written with spaces, yet are arrays to `to_json`.
            Type::INT2_VECTOR => return Self::Array(Box::new(Self::Number), b' '),
            Type::OID_VECTOR => return Self::Array(Box::new(Self::Text), b' '),
            _ => {}
        }
        match known.kind() {
            Kind::Array(element) => Self::Array(Box::new(Self::of_type(element)), b','),
            _ => Self::Text,
        }
    }

    /// Whether columns of this shape are set to the right, as psql does.
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Number)
    }
}

/// The name of a type: `int4`, `text[]`. Types that the target's people made have a number only.
pub fn name(oid: u32) -> String {
    match Type::from_oid(oid) {
        Some(known) => match known.kind() {
            Kind::Array(element) => format!("{}[]", element.name()),
            _ => known.name().to_owned(),
        },
        None => format!("oid {oid}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_the_names_of_pg_type_and_arrays_are_marked() {
        let named: Vec<String> = [16, 23, 20, 1700, 25, 1184, 3802, 1007, 1016, 99_999].map(name).into();
        assert_eq!(
            named,
            [
                "bool",
                "int4",
                "int8",
                "numeric",
                "text",
                "timestamptz",
                "jsonb",
                "int4[]",
                "int8[]",
                "oid 99999"
            ]
        );
    }

    #[test]
    fn only_what_to_json_takes_for_numbers_is_one() {
        for oid in [21, 23, 20, 700, 701, 1700] {
            assert!(Shape::of(oid).is_number(), "{oid}");
        }
        // oid and money are strings to to_json.
        for oid in [26, 790, 25, 2950, 99_999] {
            assert_eq!(Shape::of(oid), Shape::Text, "{oid}");
        }
        assert_eq!(Shape::of(1007), Shape::Array(Box::new(Shape::Number), b','));
    }
}
