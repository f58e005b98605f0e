//! Computations that succeed whatever they are given: a masked value may pass through them into a result, which is redacted then.
//!
//! Everything else shows by its failure, or by how long it takes, what the value is: `1 / (ascii(ssn) - 48)`, `ssn::int`,
//! `pg_sleep(salary)`. There a masked value decides the outcome.

use pg_raw_parse::raw::{A_Expr_Kind as Kind, XmlExprOp};
use pg_raw_parse::{Node, nodes};

use super::expression::Role;
use super::keys::is_constant;
use super::reader::Reader;
use super::scope::Env;

/// Which arguments of a function may be masked values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arguments {
    All,
    /// The first; the others are what it is done with.
    First,
    Second,
    /// The first, where the second is a number: `substring(text from pattern)` finds something or not.
    Counted,
}

/// `int2`, `int4`, `int8`.
const INTEGERS: [u32; 3] = [21, 23, 20];
const INT8: u32 = 20;
const FLOAT4: u32 = 700;
const FLOAT8: u32 = 701;
const NUMERIC: u32 = 1700;
const JSON: u32 = 114;
const JSONB: u32 = 3802;
/// `text`, `varchar`, `bpchar`, `name`.
const TEXTS: [u32; 4] = [25, 1043, 1042, 19];

/// The role of an argument of a function of the server's own.
pub(super) fn argument(name: &str, index: usize, types: &[u32], role: Role) -> Role {
    let may = match arguments(name) {
        Some(Arguments::All) => true,
        Some(Arguments::First) => index == 0,
        Some(Arguments::Second) => index == 1,
        Some(Arguments::Counted) => index == 0 && types.get(1).is_some_and(|ty| INTEGERS.contains(ty)),
        None => false,
    };
    if may { role } else { Role::Decides }
}

fn arguments(name: &str) -> Option<Arguments> {
    Some(match name {
        "ascii" | "array_agg" | "array_append" | "array_cat" | "array_dims" | "array_length" | "array_ndims"
        | "array_prepend" | "array_to_json" | "array_to_string" | "age" | "avg" | "bit_length" | "bool_and"
        | "bool_or" | "any_value" | "bpchar" | "btrim" | "cardinality" | "char_length" | "character_length"
        | "concat" | "concat_ws" | "count" | "cume_dist" | "dense_rank" | "every" | "first_value" | "hashtext"
        | "initcap" | "json_agg" | "json_agg_strict" | "json_build_array" | "json_build_object" | "json_object_agg"
        | "json_strip_nulls" | "json_typeof" | "jsonb_agg" | "jsonb_agg_strict" | "jsonb_build_array"
        | "jsonb_build_object" | "jsonb_object_agg" | "jsonb_pretty" | "jsonb_strip_nulls" | "jsonb_typeof"
        | "last_value" | "length" | "lower" | "ltrim" | "max" | "md5" | "min" | "mode" | "name" | "num_nonnulls"
        | "num_nulls" | "octet_length" | "percent_rank" | "pg_column_size" | "pg_typeof" | "quote_ident"
        | "quote_literal" | "quote_nullable" | "rank" | "reverse" | "row_to_json" | "rtrim" | "sha224" | "sha256"
        | "sha384" | "sha512" | "stddev" | "stddev_pop" | "stddev_samp" | "string_agg" | "sum" | "text" | "to_hex"
        | "to_json" | "to_jsonb" | "translate" | "upper" | "var_pop" | "var_samp" | "varchar" | "variance"
        | "xmlagg" => Arguments::All,
        "ceil" | "ceiling" | "floor" | "lag" | "lead" | "left" | "lpad" | "nth_value" | "right" | "round" | "rpad"
        | "sign" | "to_char" | "trunc" => Arguments::First,
        "date_part" | "date_trunc" | "extract" => Arguments::Second,
        "substr" | "substring" => Arguments::Counted,
        _ => return None,
    })
}

impl Reader<'_> {
    /// The roles of an operator's operands.
    pub fn operands(&self, expr: &nodes::A_Expr, env: &Env<'_>, role: Role) -> (Role, Role) {
        let name = expr.name().iter().filter_map(Node::as_str).next_back();
        // Rows are compared column by column, lists and bounds one by one, as far as it takes: what stands behind and fails tells.
        let stepwise = [expr.lexpr(), expr.rexpr()].iter().any(|side| match side {
            Node::RowExpr(_) => true,
            Node::NodeList(list) => !list.iter().all(is_constant),
            _ => false,
        });
        if stepwise {
            return (Role::Decides, Role::Decides);
        }
        match expr.kind {
            Kind::AEXPR_DISTINCT
            | Kind::AEXPR_NOT_DISTINCT
            | Kind::AEXPR_IN
            | Kind::AEXPR_BETWEEN
            | Kind::AEXPR_NOT_BETWEEN
            | Kind::AEXPR_BETWEEN_SYM
            | Kind::AEXPR_NOT_BETWEEN_SYM => (role, role),
            // A pattern can be malformed.
            Kind::AEXPR_LIKE | Kind::AEXPR_ILIKE | Kind::AEXPR_SIMILAR => (role, Role::Decides),
            Kind::AEXPR_OP | Kind::AEXPR_OP_ANY | Kind::AEXPR_OP_ALL => match name.unwrap_or_default() {
                "=" | "<>" | "<" | ">" | "<=" | ">=" | "@>" | "<@" | "&&" | "?" | "?|" | "?&" => (role, role),
                "||" => {
                    // Of JSON not everything can be joined.
                    let json = [expr.lexpr(), expr.rexpr()]
                        .into_iter()
                        .any(|side| self.type_of(side, env) == JSONB);
                    if json {
                        (Role::Decides, Role::Decides)
                    } else {
                        (role, role)
                    }
                }
                "~" | "~*" | "!~" | "!~*" => (role, Role::Decides),
                // The part of a masked document.
                "->" | "->>" | "#>" | "#>>" if matches!(expr.lexpr(), Node::ColumnRef(_)) => (role, Role::Decides),
                _ => (Role::Decides, Role::Decides),
            },
            // NULLIF too: whether there is a value says whether it was the one.
            _ => (Role::Decides, Role::Decides),
        }
    }

    /// The role of what is cast.
    pub fn casts(&self, cast: &nodes::TypeCast, env: &Env<'_>, role: Role) -> Role {
        let target = cast.type_name().map_or(0, |name| self.type_oid(name));
        let from = self.type_of(cast.arg(), env);
        let rank = |ty: u32| match ty {
            21 => Some(0),
            23 => Some(1),
            INT8 => Some(2),
            NUMERIC => Some(3),
            FLOAT4 | FLOAT8 => Some(4),
            _ => None,
        };
        let widens = matches!((rank(from), rank(target)), (Some(from), Some(to)) if from <= 2 && from < to);
        let plain = cast.type_name().is_some_and(|name| name.typmods().is_empty());
        let total = TEXTS.contains(&target)
            || plain && (target != 0 && target == from || from == JSONB && target == JSON || widens);
        if total { role } else { Role::Decides }
    }

    /// The role of what stands in an XML expression.
    pub fn in_xml(expr: &nodes::XmlExpr, role: Role) -> Role {
        match expr.op {
            XmlExprOp::IS_XMLELEMENT | XmlExprOp::IS_XMLFOREST | XmlExprOp::IS_XMLCONCAT => role,
            _ => Role::Decides,
        }
    }
}
