//! JSON as a token must have it: no name twice in one object, at any depth. Two readers that keep different ones of two
//! equal names would see two different tokens (RFC 7519, section 4 lets a reader refuse them).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Reads a JSON object strictly. Nesting is limited by the parser (128 levels).
///
/// # Errors
/// It is not a JSON object alone, or a name stands in it twice.
pub(super) fn object(bytes: &[u8]) -> Result<Map<String, Value>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict.deserialize(&mut deserializer)?;
    deserializer.end()?;
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(serde_json::Error::custom("not an object")),
    }
}

/// The value of a claim by its name, or by a JSON pointer (RFC 6901) where the name begins with `/`.
pub(super) fn claim<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let Some(path) = name.strip_prefix('/') else {
        return claims.get(name);
    };
    let (first, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
    claims.get(&unescape(first))?.pointer(rest)
}

/// The name of the top-level claim that `name` (a claim's name or JSON pointer) is in.
pub(super) fn top_level(name: &str) -> String {
    match name.strip_prefix('/') {
        Some(path) => unescape(path.split('/').next().unwrap_or_default()),
        None => name.to_owned(),
    }
}

fn unescape(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = access.next_element_seed(Strict)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            let value = access.next_value_seed(Strict)?;
            if map.insert(name, value).is_some() {
                return Err(A::Error::custom("a name stands twice"));
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_may_stand_once_at_every_depth() {
        object(br#"{"a":1,"b":{"a":1}}"#).unwrap();
        for twice in [
            r#"{"a":1,"a":1}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"{"x":[{"a":1,"\u0061":2}]}"#,
        ] {
            assert!(
                object(twice.as_bytes()).unwrap_err().to_string().contains("twice"),
                "{twice}"
            );
        }
    }

    #[test]
    fn only_one_whole_object_is_read() {
        for wrong in [
            "",
            "[]",
            "\"a\"",
            "{} {}",
            "{}x",
            "{\"a\":1",
            "{\"a\":NaN}",
            "{\"a\":1e999}",
        ] {
            assert!(object(wrong.as_bytes()).is_err(), "{wrong}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(object(deep.as_bytes()).is_err());
    }

    #[test]
    fn claims_are_found_by_name_and_by_pointer() {
        let claims = object(br#"{"https://a/b":1,"realm":{"roles":["x"]},"a/b":{"~":2}}"#).unwrap();
        assert_eq!(claim(&claims, "https://a/b"), Some(&json!(1)));
        assert_eq!(claim(&claims, "/realm/roles"), Some(&json!(["x"])));
        assert_eq!(claim(&claims, "/realm/roles/0"), Some(&json!("x")));
        assert_eq!(claim(&claims, "/a~1b/~0"), Some(&json!(2)));
        assert_eq!(claim(&claims, "/realm"), claims.get("realm"));
        assert_eq!(claim(&claims, "/realm/none"), None);
        assert_eq!(claim(&claims, "realm/roles"), None);
        assert_eq!(top_level("/a~1b/c"), "a/b");
    }

    proptest! {
        #[test]
        fn what_has_no_name_twice_reads_as_serde_reads_it(names in proptest::collection::btree_map("[a-z]{1,4}", any::<i64>(), 0..8)) {
            let text = serde_json::to_vec(&names).unwrap();
            prop_assert_eq!(Value::Object(object(&text).unwrap()), serde_json::from_slice::<Value>(&text).unwrap());
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = object(&bytes);
        }
    }
}
