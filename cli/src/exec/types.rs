//! What a column's type says about its values: how `to_json` writes them. Source: PostgreSQL, `json.c` (`json_categorize_type`).

use std::collections::HashMap;
use std::sync::Arc;

use hoop_shared::wire::run::{NamedType, TypeValues};
use postgres_types::{Kind, Type};

/// How many shapes one type may be made of: what is inside of more of them is text.
const MOST: usize = 10_000;

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
    Array(Arc<Self>, u8),
    /// A row with these columns: an object.
    Row(Arc<[(Arc<str>, Self)]>),
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
            Type::BOX_ARRAY => return Self::Array(Arc::new(Self::Text), b';'),
            // Vectors are written with spaces, yet are arrays to `to_json`.
            Type::INT2_VECTOR => return Self::Array(Arc::new(Self::Number), b' '),
            Type::OID_VECTOR => return Self::Array(Arc::new(Self::Text), b' '),
            _ => {}
        }
        match known.kind() {
            Kind::Array(element) => Self::Array(Arc::new(Self::of_type(element)), b','),
            _ => Self::Text,
        }
    }

    /// Whether columns of this shape are set to the right, as psql does.
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Number)
    }
}

/// The types that a run has met: PostgreSQL's own, and those that the relay has named.
#[derive(Debug, Default)]
pub struct Types(HashMap<u32, NamedType>);

impl Types {
    /// Takes what the relay says of types.
    pub fn learn(&mut self, types: Vec<NamedType>) {
        self.0.extend(types.into_iter().map(|named| (named.oid, named)));
    }

    /// The name of a type: `int4`, `text[]`, `public.mood`; its number where it was not named.
    pub fn name(&self, oid: u32) -> String {
        match (Type::from_oid(oid), self.0.get(&oid)) {
            (Some(known), _) => match known.kind() {
                Kind::Array(element) => format!("{}[]", element.name()),
                _ => known.name().to_owned(),
            },
            (None, Some(named)) => named.name.clone(),
            (None, None) => format!("oid {oid}"),
        }
    }

    /// The shape of a type's values; text where nothing is known of it.
    pub fn shape(&self, oid: u32) -> Shape {
        self.shape_within(oid, &mut MOST.clone())
    }

    fn shape_within(&self, oid: u32, left: &mut usize) -> Shape {
        let Some(named) = self.0.get(&oid).filter(|_| Type::from_oid(oid).is_none()) else {
            return Shape::of(oid);
        };
        // Types that hold each other in many ways are many shapes.
        let Some(fewer) = left.checked_sub(1) else {
            return Shape::Text;
        };
        *left = fewer;
        match &named.values {
            TypeValues::Text => Shape::Text,
            TypeValues::Array(element) => {
                let delimiter = if *element == Type::BOX.oid() { b';' } else { b',' };
                Shape::Array(Arc::new(self.shape_within(*element, left)), delimiter)
            }
            TypeValues::Row(columns) => {
                let columns = columns.iter();
                Shape::Row(
                    columns
                        .map(|(name, oid)| (Arc::from(name.as_str()), self.shape_within(*oid, left)))
                        .collect(),
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_the_names_of_pg_type_and_arrays_are_marked() {
        let named: Vec<String> = [16, 23, 20, 1700, 25, 1184, 3802, 1007, 1016, 99_999]
            .map(|oid| Types::default().name(oid))
            .into();
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

    fn named(oid: u32, values: TypeValues) -> NamedType {
        NamedType {
            oid,
            name: format!("public.t{oid}"),
            values,
        }
    }

    #[test]
    fn types_of_others_are_what_the_relay_says_of_them() {
        let mut types = Types::default();
        types.learn(vec![
            named(20_000, TypeValues::Text),
            named(20_001, TypeValues::Array(20_000)),
            named(
                20_002,
                TypeValues::Row(vec![("a".to_owned(), 23), ("b".to_owned(), 20_001)]),
            ),
            // No word changes what PostgreSQL's own types are.
            named(23, TypeValues::Text),
        ]);
        assert_eq!(types.name(20_001), "public.t20001");
        assert_eq!((types.name(23).as_str(), types.shape(23)), ("int4", Shape::Number));
        let array = Shape::Array(Arc::new(Shape::Text), b',');
        assert_eq!(types.shape(20_001), array);
        let columns = [(Arc::from("a"), Shape::Number), (Arc::from("b"), array)];
        assert_eq!(types.shape(20_002), Shape::Row(columns.into()));
        assert_eq!(types.shape(20_003), Shape::Text);
    }

    #[test]
    fn types_that_hold_each_other_end_somewhere() {
        let mut types = Types::default();
        let pair = |of: u32| TypeValues::Row(vec![("a".to_owned(), of), ("b".to_owned(), of)]);
        types.learn((20_000..20_100).map(|oid| named(oid, pair(oid + 1))).collect());
        types.learn(vec![named(30_000, TypeValues::Array(30_000))]);
        // Sixty levels of pairs would be a million million shapes.
        types.shape(20_040);
        types.shape(30_000);
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
        assert_eq!(Shape::of(1007), Shape::Array(Arc::new(Shape::Number), b','));
    }
}
